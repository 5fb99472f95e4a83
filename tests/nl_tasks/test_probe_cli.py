import json

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from nl_tasks.probe_adapter import CONTEXT, write_adapter  # noqa: E402
from nl_tasks.probe_llama import read_base  # noqa: E402
from nl_tasks.probe_lowrank import LowRank  # noqa: E402


@pytest.fixture
def adapter(tiny_llama, folder):
    base = read_base(tiny_llama(), device="cpu", dtype=torch.float32)
    write_adapter(
        folder / "a.safetensors", LowRank({n: w.shape for n, w in base.linears.items()}, rank=1, scale=2.0), {}
    )
    return "a.safetensors"


def test_assemble_makes_a_model_that_is_not_written_over(cli, adapter, tiny_llama, folder):
    status, out, err = cli("probe", "assemble", adapter, "model", "--base", tiny_llama())
    assert (status, out.strip(), err) == (0, "model", "")
    assert json.loads((folder / "model" / "config.json").read_text())["max_position_embeddings"] == CONTEXT
    status, _, err = cli("probe", "assemble", adapter, "model", "--base", tiny_llama())
    assert status == 2 and "exists already" in err


def test_plot_draws_loss_and_scores(cli, folder):
    pytest.importorskip("matplotlib")
    run = folder / "run"
    run.mkdir()
    lines = [{"step": step, "loss": 1 / step, "width": 1056, "seconds": step} for step in (20, 40)]
    lines += [{"step": step, "held_out": {"t @ 2k": 0.5, "t @ 4k": step / 40}, "seconds": 1} for step in (20, 40)]
    (run / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    status, out, err = cli("probe", "plot", "run", "--out", "curve.png")
    assert (status, out.strip(), err) == (0, "curve.png", "")
    assert (folder / "curve.png").read_bytes()[:4] == b"\x89PNG"


def test_plot_draws_a_training_that_went_on_behind_the_first(cli, folder):
    pytest.importorskip("matplotlib")
    for run, loss in (("first", 0.5), ("second", 0.25)):
        (folder / run).mkdir()
        lines = [{"step": step, "loss": loss, "width": 1056, "seconds": step} for step in (20, 40)]
        (folder / run / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for runs in (("first",), ("second",), ("first", "second")):
        assert cli("probe", "plot", *runs, "--out", f"{'-'.join(runs)}.svg")[0] == 0
    drawn = {file.stem: file.read_text() for file in folder.glob("*.svg")}
    ticks = {name: "<!-- 80 -->" in text for name, text in drawn.items()}
    assert ticks == {"first": False, "second": False, "first-second": True}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("train", "--base", "BASE", "--widths", "1000"), "widths=(1000,) is out of range"),
        (("train", "--base", "BASE", "--widths", "many"), "write numbers"),
        (("train", "--base", "BASE", "--steps", "0"), "steps=0 is out of range"),
        (("train", "--base", "BASE", "--held-out", "-1"), "0 or more"),
        (("train", "--base", "nowhere"), "unknown tokenizer"),
        (("plot", "nowhere"), "it is no folder of"),
        (("assemble", "nowhere.safetensors", "model", "--base", "BASE"), "cannot be read"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_use_is_one_line(cli, folder, tiny_llama, words, said):
    status, _, err = cli("probe", *(tiny_llama() if word == "BASE" else word for word in words))
    assert status == 2 and said in err and err.count("\n") == 1
    assert list(folder.iterdir()) == []
