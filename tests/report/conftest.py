"""Result files of simulated experiments of known truth, written as evaluations write them."""

import hashlib
import itertools

import numpy as np
import pytest

from nl_tasks.result import Result, SampleResult, write_result
from nl_tasks.result_cell import Cell

SHAPES = {
    "small": {"layers": 4, "hidden": 256, "heads": 4, "kv_heads": 2, "head_dim": 64, "mlp": 512, "vocab": 5000},
    "large": {"layers": 8, "hidden": 512, "heads": 8, "kv_heads": 2, "head_dim": 64, "mlp": 1024, "vocab": 5000},
}
PHASES = {
    "dense": "prefill",
    "block_sparse": "prefill",
    "vertical_slash": "prefill",
    "quest": "decode",
    "snapkv": "evict",
}
CONTROLS = {"oracle:unit=block": "prefill", "random": "prefill"}
_FINISHED = itertools.count(1000.0, 1000.0)  # one after the other
HARDNESS = {"story_retrieval": 0.0, "story_multihop": 1.2, "ruler_vt": 0.6, "ruler_cwe": 0.9}


@pytest.fixture(scope="session")
def simulate():
    """`simulate(folder, ...)` writes a result file for each cell; no model is run."""
    return write_results


def write_results(
    folder,
    *,
    models=("small", "large"),
    lengths=(2048, 4096, 8192),
    tasks=("story_retrieval", "story_multihop", "ruler_vt"),
    methods=tuple(PHASES),
    sparsities=(0.5, 0.8, 0.9, 0.95),
    n=100,
    seed=43,
    ability=4.0,
    slowdown=0.8,
    known_shapes=True,
):
    """Write the results and return them.

    A sample is answered when its own difficulty is below the cell's odds, so that cells are paired. `ability` is the
    logit of a dense answer, `slowdown` the share of the ideal speed that a method reaches.
    """
    written = []
    for model in models:
        for length in lengths:
            for task in tasks:
                for method in methods:
                    for sparsity in [0.0] if method == "dense" else sparsities:
                        result = _result(
                            model, length, task, method, sparsity, n, seed, ability, slowdown, known_shapes
                        )
                        write_result(folder, result)
                        written.append(result)
    return written


def _result(model, length, task, method, sparsity, n, seed, ability, slowdown, known_shapes):
    bits = np.random.default_rng([len(task), seed])
    own = bits.logistic(size=n)  # difficulty of each sample, the same in every cell
    logit = ability - HARDNESS[task] + (1.0 if model == "large" else 0.0) - 0.3 * np.log2(length / 2048)
    loss = -np.log2(1 - sparsity) * (0.2 if method in ("vertical_slash", "quest") else 0.6)
    right = own < logit - loss * (1 + HARDNESS[task])
    density = 1 - sparsity
    phase = {**PHASES, **CONTROLS}[method]
    work = (0.4 + 0.6 * density / slowdown) if sparsity else 1.0
    seconds = {"prefill": length * 1e-5, "token": length * 1e-7}
    seconds["prefill" if phase == "prefill" else "token"] *= work
    samples = tuple(
        SampleResult(
            id=f"{task}/{length}/{seed}/{i}",
            sha256=hashlib.sha256(f"{task}{length}{seed}{i}".encode()).hexdigest(),
            index=i,
            num_tokens=length,
            depths=((i * 0.618) % 1,),
            prediction="said" if right[i] or i % 7 else "",
            generated_tokens=5,
            answer="said" if right[i] or i % 7 else "",
            parsed=bool(right[i] or i % 7),
            score=float(right[i]),
            prefill_s=seconds["prefill"],
            decode_s=4 * seconds["token"],
            density=density,
            density_of_prompt=density,
            estimation=0.0 if method == "dense" else 0.03,
            evidence_recall=density**0.3,
        )
        for i in range(n)
    )
    cell = Cell(
        model=model,
        model_hash=model,
        tokenizer_hash="t",
        dtype="bfloat16",
        backend=method if method == "dense" else f"{method}{',' if ':' in method else ':'}sparsity={sparsity}",
        task=task,
        version="1",
        params="{}",
        length=length,
        seed=seed,
        n=n,
        max_new_tokens=16,
    )
    return Result(
        cell=cell,
        samples=samples,
        phase=phase,
        asked_density=None if method == "dense" else density,
        layers={},
        data_sha256=hashlib.sha256(f"{task}{length}{seed}{n}".encode()).hexdigest(),
        code_sha256="c",
        environment={
            "nl_tasks": "0.1.0",
            "torch": "2.13.0",
            "device": "simulated",
            "time": next(_FINISHED),
            "model_shape": SHAPES[model] if known_shapes else None,
        },
    )


@pytest.fixture
def cli(capsys, tmp_path, monkeypatch):
    """Runs the command line in this process, in an empty folder: (exit status, stdout, stderr)."""
    from nl_tasks.cli import main

    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def run(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        return ended.value.code, *capsys.readouterr()

    return run
