"""The README shows what the package makes, and its Python runs; the maps of folders are whole."""

import re
from pathlib import Path

import pytest

from nl_tasks import get_task, load_tokenizer

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
