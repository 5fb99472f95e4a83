"""The README shows what the package makes, and its Python runs; the maps of folders are whole."""

import importlib
import re
import sys
from pathlib import Path

import pytest

from nl_tasks import get_task, load_tokenizer
from nl_tasks.generators import task as task_module

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_sample_it_shows_is_the_sample():
    quoted = " ".join(line.lstrip("> ") for line in README.splitlines() if line.startswith(">"))
    passages = re.split(r"\[\.\.\.\]|Chapter \d+\.|\*?Question:", re.sub(r"\*", "", quoted))
    passages = [" ".join(passage.split()) for passage in passages if passage.strip()]
    sample = get_task("story_multihop").sample(seed=43, index=0, length=2048, tokenizer=load_tokenizer("tekken"))
    assert len(passages) >= 4
    assert [passage for passage in passages if passage not in sample.prompt] == []
    bold = [" ".join(re.sub(r"^> ?", "", text, flags=re.M).split()) for text in re.findall(r"\*\*([^*]+)\*\*", README)]
    for span in sample.evidence:
        assert sample.prompt[span.start : span.end] in bold


def test_a_sample_from_python():
    [script] = [text for text in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "get_task(" in text]
    found = {}
    exec(script, found)
    assert found["sample"].num_tokens == 8192


@pytest.mark.parametrize("folder", ["kernels", "sparse_backends"])
def test_the_map_of_a_folder_names_its_files(folder):
    text = (ROOT / folder / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(\w+\.py)`", text)) - {"__init__.py", "NAME.py", "triton_NAME.py"}
    assert named == {path.name for path in (ROOT / folder).glob("*.py")} - {"__init__.py"}


def test_the_task_that_contributing_shows_is_whole(tmp_path, monkeypatch):
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    [(module, template)] = re.findall(r"```python\n(.*?)```.*?```jinja\n(.*?)```", text, re.DOTALL)
    monkeypatch.setattr(task_module, "_TASKS", dict(task_module._TASKS))
    (tmp_path / "prompts").mkdir()
    (tmp_path / "story_seller.py").write_text(module, encoding="utf-8")
    (tmp_path / "prompts" / "story_seller.jinja").write_text(template, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.import_module("story_seller")
    sample = get_task("story_seller").sample(seed=1, index=0, length=4096, tokenizer=load_tokenizer("tekken"))
    assert f"buy the {sample.question.rpartition(' the ')[2]}" in sample.prompt
    assert [sample.prompt[span.start : span.end].count(sample.answers[0].split()[0]) for span in sample.evidence] == [1]
    assert "Answer with the name of the person alone." in sample.prompt
    sys.modules.pop("story_seller")
