import json
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from nl_tasks.generators.story_filtering import StoryFiltering  # noqa: E402
from nl_tasks.probe_adapter import read_adapter  # noqa: E402
from nl_tasks.probe_batch import pack  # noqa: E402
from nl_tasks.probe_data import Course  # noqa: E402
from nl_tasks.probe_settings import Settings  # noqa: E402
from nl_tasks.probe_step import steps_in  # noqa: E402
from nl_tasks.probe_train import ADAPTER, LOG, steps_for, train  # noqa: E402


@pytest.fixture
def settings(tiny_llama):
    """Four small steps with a model of two layers, two held-out texts scored."""
    return Settings(
        base=tiny_llama(),
        steps=4,
        rank=2,
        rate=1e-2,
        widths=(2816,),
        tokens=2816,
        held_out=2,
        lengths=(3072,),
        tasks=(StoryFiltering(),),
    )


def _log(folder):
    return [json.loads(line) for line in (folder / LOG).read_text().splitlines()]


def _adapter(folder):
    return {name: value.detach() for name, value in read_adapter(folder / ADAPTER)[0].state_dict().items()}


def test_a_resumed_training_equals_one_that_was_not_interrupted(settings, tmp_path):
    quiet = {"device": "cpu", "save_every": 2, "say": lambda line: None}
    train(settings, tmp_path / "whole", **quiet)
    train(settings, tmp_path / "parts", stop_after=2, **quiet)
    between = _adapter(tmp_path / "parts")
    train(settings, tmp_path / "parts", **quiet)
    whole, parts = _adapter(tmp_path / "whole"), _adapter(tmp_path / "parts")
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    assert any(not torch.equal(whole[name], between[name]) for name in whole)
    held_out = [line["held_out"] for line in _log(tmp_path / "parts") if "held_out" in line]
    assert [list(scores) for scores in held_out] == [["story_filtering @ 3k"]] * 2


def test_a_folder_of_another_training_is_refused(settings, tmp_path):
    train(settings, tmp_path, stop_after=2, save_every=2, device="cpu", say=lambda line: None)
    other = Settings(**{**vars(settings), "rate": 1e-3})
    with pytest.raises(ValueError, match="holds a training of other settings"):
        train(other, tmp_path, device="cpu")


def test_the_loss_falls_on_one_batch(settings, tmp_path, monkeypatch):
    batch = pack([([5, 6, 7] * 8, [8, 9]), ([9, 6, 5] * 8, [7])], 32)
    monkeypatch.setattr(Course, "batch", lambda self, step: batch)
    many = Settings(**{**vars(settings), "steps": 60, "held_out": 0, "rate": 3e-2, "rank": 8})
    train(many, tmp_path, device="cpu", save_every=60, say=lambda line: None)
    losses = [line["loss"] for line in _log(tmp_path) if "loss" in line]
    assert losses[-1] < losses[0] - 0.1  # frozen, small weights allow little more


def test_the_rate_rises_stays_and_falls():
    rates = [Settings(base="-", steps=2000, rate=1.0).rate_at(step) for step in range(2000)]
    assert rates[0] < 0.02 and rates[100] == rates[1000] == max(rates) == 1.0
    assert rates[1999] < 0.05 and rates[1000:] == sorted(rates[1000:], reverse=True)


def test_a_time_is_turned_into_steps(settings, tmp_path):
    course = Course(tokenizer="-", seed=0, steps=10, widths=(1056, 2112), tokens=33792)
    assert steps_in(93.0, course, {1056: 0.5, 2112: 0.5}) == int(93 * 0.93 / 0.5)
    assert steps_in(93.0, course, {1056: 0.1, 2112: 0.5}) > steps_in(93.0, course, {1056: 0.5, 2112: 0.5})
    assert steps_in(0.0, course, {1056: 0.5, 2112: 0.5}) == 1
    narrow = replace(settings, widths=(128,), tokens=256)
    assert 1 < steps_for(narrow, tmp_path, 20, device="cpu") < 20 / 1e-4
    with pytest.raises(ValueError, match="out of range"):
        steps_for(narrow, tmp_path, 0, device="cpu")
    train(settings, tmp_path, stop_after=2, save_every=2, device="cpu", say=lambda line: None)
    assert steps_for(settings, tmp_path, 20, device="cpu") == settings.steps  # of the training that goes on


def test_a_training_goes_on_from_an_adapter_with_all_lengths(settings, tmp_path):
    quiet = {"device": "cpu", "save_every": 4, "say": lambda line: None}
    train(settings, tmp_path / "first", **quiet)
    more = replace(settings, seed=1, rate=0.0, held_out=0, start=str(tmp_path / "first" / ADAPTER))
    train(more, tmp_path / "second", **quiet)
    before, after = _adapter(tmp_path / "first"), _adapter(tmp_path / "second")
    for name in before:  # stored as 8-bit numbers once more
        torch.testing.assert_close(after[name], before[name], atol=1e-6, rtol=1e-4)
    assert any(bool(value.abs().sum()) for name, value in before.items() if name.startswith("up"))
    course = replace(more, widths=(1056, 1408, 2112, 2816, 4224, 5632, 8448), tokens=33792, steps=200).course()
    assert {course.width(step) for step in range(40)} >= {4224, 5632, 8448}
    assert '"start": "' in more.described() and str(tmp_path) not in more.described()


def test_an_adapter_of_another_rank_is_no_start(settings, tmp_path):
    train(settings, tmp_path / "first", stop_after=2, save_every=2, device="cpu", say=lambda line: None)
    other = replace(settings, rank=4, start=str(tmp_path / "first" / ADAPTER))
    with pytest.raises(ValueError, match="has rank 2 and scale"):
        train(other, tmp_path / "second", device="cpu")
