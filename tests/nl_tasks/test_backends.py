import importlib
import json
import sys

import pytest

pytest.importorskip("torch")

from nl_tasks.backends import describe_backends
from nl_tasks.sparse_backends import backend_types, get_backend
from nl_tasks.sparse_backends import registry as registry_module

METADATA = "Metadata-Version: 2.1\nName: else-where\nVersion: 1.0\n"
SOURCE = '''
"""A backend of another package."""

from dataclasses import dataclass

import torch

from nl_tasks.kernels.plan import TokenPlan
from nl_tasks.sparse_backends import Backend, budget


@dataclass(frozen=True, kw_only=True)
class Newest(Backend):
    """Each generated token reads the newest `tokens`."""

    name = "newest"
    phase = "decode"
    unit = "token"
    estimator = "fixed"
    allocation = "uniform"
    citation = "nobody"

    tokens: int | None = budget(64)

    def plan(self, q, k, *, scale, layer=0, prompt=None):
        count = self.keep(self.tokens, prompt, k.shape[2])
        tokens = torch.arange(k.shape[2] - count, k.shape[2], dtype=torch.int32, device=k.device)
        tokens = tokens.expand(*k.shape[:2], -1).contiguous()
        return TokenPlan(1, k.shape[2], tokens, tokens.new_full(k.shape[:2], count))
'''


@pytest.fixture
def other_package(tmp_path, monkeypatch):
    """An installed package with a backend of 30 lines, offered by entry point."""
    monkeypatch.setattr(registry_module, "_BACKENDS", dict(registry_module._BACKENDS))
    (tmp_path / "elsewhere.py").write_text(SOURCE)
    info = tmp_path / "elsewhere-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(METADATA)
    (info / "entry_points.txt").write_text("[nl_tasks.backends]\nnewest = elsewhere:Newest\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield
    sys.modules.pop("elsewhere", None)


def test_a_package_whose_backend_cannot_be_loaded_is_named(other_package, tmp_path):
    (tmp_path / "elsewhere-1.0.dist-info" / "entry_points.txt").write_text(
        "[nl_tasks.backends]\nnewest = elsewhere:Gone\n"
    )
    with pytest.raises(
        ValueError, match=r"else-where offers the backend 'newest' \(elsewhere:Gone\), which cannot be loaded"
    ):
        backend_types()


def test_every_backend_is_listed_with_its_taxonomy_and_parameters():
    described = {backend.name: backend for backend in describe_backends()}
    assert set(described) == set(backend_types())
    for name, backend in described.items():
        assert backend.phase in ("prefill", "decode", "evict")
        assert all((backend.summary, backend.unit, backend.estimator, backend.allocation, backend.citation)), name
        defaults = get_backend(name)
        for parameter in backend.parameters:
            assert getattr(defaults, parameter.name) == parameter.default
    (tokens,) = (parameter for parameter in described["quest"].parameters if parameter.is_budget)
    assert tokens.name == "tokens" and tokens.default == 1024


def test_the_command_prints_text_and_json(cli):
    status, text, _ = cli("backends")
    assert status == 0 and "quest (decode)" in text and "arXiv 2406.10774" in text
    status, text, _ = cli("backends", "--json")
    assert {backend["name"] for backend in json.loads(text)} == set(backend_types())


def test_a_backend_of_another_package_is_listed_and_evaluated(other_package, cli, tiny_llama, tmp_path):
    pytest.importorskip("lm_eval")
    from nl_tasks.eval import evaluate
    from nl_tasks.generators.task import get_task

    assert "newest (decode)" in cli("backends")[1]
    task = get_task("story_retrieval", num_queries=1)
    (result,) = evaluate(
        [tiny_llama()], ["newest:sparsity=0.5"], [task], ["2k"], n=1, out=tmp_path / "out", max_new_tokens=3
    )
    assert result.cell.backend == "newest:sparsity=0.5"
    assert result.mean("density_of_prompt") == pytest.approx(0.5, rel=0.02)
