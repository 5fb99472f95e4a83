import json

import pytest

from nl_tasks import generate_dataset, read_dataset, verify_dataset
from nl_tasks.suffixes import suffixed_tokenizers


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A folder with a tokenizer of words, called `By Word`."""
    import tokenizers
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    place = tmp_path / "By Word"
    place.mkdir()
    library = tokenizers.Tokenizer(WordLevel({"?": 0}, unk_token="?"))
    library.pre_tokenizer = Whitespace()
    library.save(str(place / "tokenizer.json"))
    return str(place)


def configs(folder):
    return json.loads((folder / "manifest.json").read_text())["configs"]


def test_a_single_tokenizer_has_plain_configs_and_a_label_changes_that(toys, library):
    assert list(suffixed_tokenizers([library])) == [""]
    assert list(suffixed_tokenizers([f"word={library}"])) == ["_word"]


def test_several_have_configs_each_and_tekken_keeps_the_plain_names(toys, folder, library):
    generate_dataset(["toy_words"], [64, 100], n=2, tokenizer=[library, "tekken"], out="a")
    found = configs(folder / "a")
    assert list(found) == ["words_64", "words_64_by-word", "words_100", "words_100_by-word"]
    assert found["words_64_by-word"]["tokenizer"]["name"] == library
    for name in found:
        assert {(row.num_tokens, row.target_tokens) for row in read_dataset("a", name)} == {
            (found[name]["length"], found[name]["length"])
        }
    assert [check for check in verify_dataset("a") if check.problems] == []
    plain, words = (list(read_dataset("a", name)) for name in ("words_64", "words_64_by-word"))
    assert [row.answers for row in plain] == [row.answers for row in words]
    assert [row.prompt for row in plain] != [row.prompt for row in words]


def test_a_tokenizer_can_be_added_later_to_the_same_bytes(toys, folder, library, hashes):
    generate_dataset(["toy_words"], [64], n=2, out="a")
    [written] = generate_dataset(["toy_words"], [64], n=2, tokenizer=["tekken", f"word={library}"], out="a")
    assert (written.rows, written.new_rows) == (4, 2)
    generate_dataset(["toy_words"], [64], n=2, out="b")
    generate_dataset(["toy_words"], [64], n=2, tokenizer=f"word={library}", out="b")
    assert hashes(folder / "a") == hashes(folder / "b")
    with pytest.raises(ValueError, match="words_64 already, with tokenizer=tekken there"):
        generate_dataset(["toy_words"], [64], n=2, tokenizer=library, out="a")
    with pytest.raises(ValueError, match=r"cannot be in one dataset with this run .tokenizer=tekken there"):
        generate_dataset(["toy_words"], [80], n=2, tokenizer=library, out="a")


def test_each_length_is_checked_for_each_tokenizer(toys, folder, library, monkeypatch):
    smallest = toys.ToyWords.smallest_length

    def longer_by_word(self, **names):
        return smallest(self, **names) + 100 * (names["tokenizer"].name != "tekken")

    monkeypatch.setattr(toys.ToyWords, "smallest_length", longer_by_word)
    with pytest.raises(ValueError, match="64 tokens are too few for toy_words: these 2 samples need at least 141"):
        generate_dataset(["toy_words"], [64], n=2, tokenizer=["tekken", library], out="a")
    assert not (folder / "a").exists()


def test_names_that_cannot_be_told_apart_are_refused(toys, library):
    with pytest.raises(ValueError, match="would share their configs' names: write LABEL="):
        suffixed_tokenizers([library, library])
    with pytest.raises(ValueError, match="at least one tokenizer is needed"):
        suffixed_tokenizers([])
