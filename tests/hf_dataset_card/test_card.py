"""What a card says is true of the folder, and the Hub's libraries read it as it is meant."""

import json
import re
import shlex
import xml.etree.ElementTree as ET
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from nl_tasks import generate_dataset, read_dataset
from nl_tasks.cli import main
from nl_tasks.generators import get_task
from nl_tasks.hf_dataset_card.card import render_card
from nl_tasks.hf_dataset_card.excerpt import excerpt
from nl_tasks.hf_dataset_card.picture import draw_evidence

CORPUS = Path(__file__).parents[1] / "generators" / "corpora" / "toefl.jsonl"
FAMILIES = {
    "story": (["story_multihop", "story_filtering"], ["4k", "5k"]),
    "ruler": (["ruler_niah", "ruler_fwe"], ["4k"]),
    "qa": ([get_task("qa_toefl", source=str(CORPUS))], ["2k", "3k"]),
}
SECTIONS = (
    "What the tasks measure",
    "A sample of each task",
    "Sizes",
    "Columns",
    "How it was made",
    "How to evaluate",
    "Limits",
    "Licence",
    "Citation",
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A small dataset folder of each family."""
    made = {}
    for name, (tasks, lengths) in FAMILIES.items():
        made[name] = tmp_path_factory.mktemp("cards") / name
        generate_dataset(tasks, lengths, n=2, out=made[name])
    return made


def parts(folder):
    text = (folder / "README.md").read_text()
    _, front, body = text.split("---\n", 2)
    return yaml.safe_load(front), body


@pytest.mark.parametrize("family", FAMILIES)
def test_the_front_matter_names_the_files_and_columns_that_are_there(folders, family):
    import datasets

    front, _ = parts(folders[family])
    manifest = json.loads((folders[family] / "manifest.json").read_text())["configs"]
    assert [config["config_name"] for config in front["configs"]] == ["default", *manifest]
    assert front["configs"][0]["default"] is True
    for config in front["configs"][1:]:
        [files] = config["data_files"]
        assert sorted(str(p.relative_to(folders[family])) for p in folders[family].glob(files["path"])) == [
            file["path"] for file in manifest[config["config_name"]]["files"]
        ]
    infos = {info["config_name"]: datasets.DatasetInfo._from_yaml_dict(info) for info in front["dataset_info"]}
    assert list(infos) == ["default", *manifest]
    for name, config in manifest.items():
        path = folders[family] / config["files"][0]["path"]
        assert infos[name].features.arrow_schema.equals(pq.read_schema(path))
        assert infos[name].splits["test"].num_examples == config["n"]
        assert infos[name].download_size == path.stat().st_size < infos[name].dataset_size
    assert infos["default"].splits["test"].num_examples == sum(config["n"] for config in manifest.values())
    assert front["size_categories"] == ["n<1K"] and "arxiv:2504.17768" in front["tags"]
    assert front["license"] == ("other" if family == "qa" else "apache-2.0")
    assert ("synthetic" in front["tags"]) == (family != "qa")


@pytest.mark.parametrize("family", FAMILIES)
def test_every_section_has_something_to_say(folders, family):
    _, body = parts(folders[family])
    found = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", body, re.MULTILINE | re.DOTALL))
    assert tuple(found) == SECTIONS
    assert all(len(text.strip()) > 60 for text in found.values())
    for sample in read_dataset(folders[family]):
        if sample.index == 0:
            assert sample.task in body
    assert "evidence.svg" in body and (folders[family] / "evidence.svg").is_file()
    assert not re.search(r"\n{4}|[{][{%]|Undefined|None", body)


def test_sizes_are_those_of_the_files(folders):
    _, body = parts(folders["story"])
    manifest = json.loads((folders["story"] / "manifest.json").read_text())["configs"]
    for name, config in manifest.items():
        size = config["files"][0]["bytes"]
        assert f"`{name}`: 2, {f'{size / 1e3:.1f} kB' if size < 50_000 else f'{size / 1e6:.1f} MB'}" in body
    assert "8 samples of 36,864 tokens\n" in body


def test_its_command_writes_the_same_files(folders, tmp_path, monkeypatch):
    _, body = parts(folders["story"])
    command = re.search(r"^nl-tasks generate .*$", body, re.MULTILINE)[0]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main([*shlex.split(command)[1:], "-q", "--out", "again"])
    assert ended.value.code == 0
    there = {p.relative_to(folders["story"]): p.read_bytes() for p in folders["story"].rglob("*") if p.is_file()}
    assert there == {p.relative_to("again"): p.read_bytes() for p in Path("again").rglob("*") if p.is_file()}


def test_a_changed_card_is_written_anew_and_another_name_goes_through(folders, capsys):
    folder = folders["ruler"]
    card = (folder / "README.md").read_text()
    (folder / "README.md").write_text("mine")
    for words in (["card", str(folder), "--print"], ["card", str(folder)]):
        with pytest.raises(SystemExit):
            main(words)
    printed = capsys.readouterr().out
    assert (folder / "README.md").read_text() == card
    assert printed.startswith(card) and f"wrote {folder / 'README.md'}" in printed
    manifest = json.loads((folder / "manifest.json").read_text())
    other = render_card(manifest, {}, dict.fromkeys(manifest["configs"], 1), dataset="me/copy")
    assert 'load_dataset("me/copy", "fwe_4k"' in other and "--out me/copy" in other
    assert "sparse-frontier/ruler" not in other


def test_datasets_of_other_packages_have_a_card_too(folders):
    manifest = json.loads((folders["ruler"] / "manifest.json").read_text())
    manifest["dataset"] = "somebody/riddles"
    _, front, body = render_card(manifest, {}, dict.fromkeys(manifest["configs"], 1)).split("---\n", 2)
    front = yaml.safe_load(front)
    assert front["pretty_name"] == "riddles" and not {"license", "arxiv:2504.17768"} & {*front, *front["tags"]}
    assert "# somebody/riddles\n" in body and "Citation" not in body


def test_an_excerpt_keeps_the_evidence_and_little_else(folders):
    for sample in read_dataset(folders["story"], "multihop_5k"):
        text = excerpt(sample, most=4)
        assert len(text) < len(sample.prompt) / 3
        flat = " ".join(text.replace("> ", "").split())
        for span in sample.evidence:
            assert f"**{' '.join(sample.prompt[span.start : span.end].split())}**" in flat
        assert all(line.startswith(">") for line in text.split("\n"))
        assert text.count("&lt;context>") == 1 and "[...]" in text


def test_the_picture_is_a_function_of_the_depths():
    depths = {"one": [[0.0, 1.0]] * 3, "<two>": [[index / 7 for index in range(8)]] * 500}
    picture = draw_evidence(depths)
    assert picture == draw_evidence(depths) != draw_evidence({**depths, "one": [[0.5]]})
    root = ET.fromstring(picture)
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "one" in texts and "<two>" in texts
    one, two = (path.get("d") for path in root.iter("{http://www.w3.org/2000/svg}path") if path.get("stroke-width"))
    assert re.findall(r"M(\d+) ", one) == ["170", "770"] * 3  # the whole width
    assert two.count("M") == 8 * 40
