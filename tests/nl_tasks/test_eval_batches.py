"""Samples answered several at a time: the same answers and the same records as one by one."""

from dataclasses import asdict

import pytest

pytest.importorskip("lm_eval")

import torch

from nl_tasks.eval import evaluate
from nl_tasks.eval_model import MeasuredLM
from nl_tasks.generators.task import get_task
from nl_tasks.result import read_results

TASK = get_task("story_retrieval", num_queries=1)
METHODS = [
    "dense",
    "vertical_slash:sparsity=0.1",
    "oracle:sparsity=0.7,unit=block",
    "quest:sparsity=0.5",
    "snapkv:sparsity=0.5,window=16",
    "tova:sparsity=0.5",
]
_TIMES = ("prefill_s", "decode_s")


@pytest.fixture(scope="module")
def results(tiny_llama, tmp_path_factory):
    """`results[batch][backend]` of ten samples, whose answers end after different numbers of tokens."""
    load = MeasuredLM.__init__

    def ending(self, *args, **options):
        load(self, *args, **options)
        self.model.generation_config.eos_token_id = list(range(3, self.model.config.vocab_size, 5))
        for layer in self.model.model.layers:  # as drawn, it says the same whatever it reads
            layer.self_attn.q_proj.weight.data *= 100
            layer.self_attn.o_proj.weight.data *= 30
            layer.mlp.down_proj.weight.data *= 100

    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MeasuredLM, "__init__", ending)
        for batch in (1, 3, 4):
            out = tmp_path_factory.mktemp(f"batch{batch}")
            evaluate([tiny_llama()], METHODS, [TASK], ["900"], n=10, out=out, max_new_tokens=5, batch=batch)
            found[batch] = {result.cell.backend: result for result in read_results(out)}
    return found


@pytest.mark.parametrize("batch", [3, 4])
def test_batches_give_what_single_samples_give(results, batch):
    for backend, alone in results[1].items():
        together = results[batch][backend]
        assert together.cell == alone.cell and together.environment["batch"] == batch
        for one, other in zip(alone.samples, together.samples, strict=True):
            expected = {name: value for name, value in asdict(one).items() if name not in _TIMES}
            found = {name: value for name, value in asdict(other).items() if name not in _TIMES}
            for name in ("density", "density_of_prompt", "estimation", "evidence_recall"):
                if expected[name] is not None:  # of a decode method, where the first token is the last
                    assert found.pop(name) == pytest.approx(expected.pop(name), rel=1e-5), (backend, name)
            assert found == expected, backend
        for name in ("density", "evidence_recall"):
            mine, theirs = (torch.tensor(result.layers[name]) for result in (alone, together))
            torch.testing.assert_close(mine, theirs, atol=2e-5, rtol=0)


def test_the_answers_end_at_different_places(results):
    said = {sample.generated_tokens for sample in results[1]["dense"].samples}
    assert len(said) > 2 and max(said) == 5
    assert len({sample.prediction for sample in results[1]["dense"].samples}) > 5
    recalls = {sample.evidence_recall for sample in results[1]["quest:sparsity=0.5"].samples}
    assert len(recalls) > 2


def test_a_batch_shares_its_seconds(results):
    for result in results[4].values():
        times = [sample.prefill_s for sample in result.samples]
        assert min(times) > 0 and len(set(times)) == 3  # of batches of 4, 4 and 2
        assert times[0] == times[3] and times[8] == times[9]


def test_a_batch_that_does_not_fit_is_halved(tiny_llama, tmp_path, monkeypatch):
    tried, generated = [], MeasuredLM._generated

    def small(self, readings):
        tried.append(len(readings))
        if len(readings) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return generated(self, readings)

    monkeypatch.setattr(MeasuredLM, "_generated", small)
    options = {"n": 5, "max_new_tokens": 2}
    (found,) = evaluate([tiny_llama()], ["dense"], [TASK], ["900"], out=tmp_path / "few", batch=5, **options)
    assert tried == [5, 3, 2, 1, 2]
    assert [sample.index for sample in found.samples] == [0, 1, 2, 3, 4] and found.environment["batch"] == 2
    (alone,) = evaluate([tiny_llama()], ["dense"], [TASK], ["900"], out=tmp_path / "one", **options)
    assert [sample.prediction for sample in found.samples] == [sample.prediction for sample in alone.samples]


def test_a_sample_that_does_not_fit_is_an_error(tiny_llama, tmp_path, monkeypatch):
    def never(self, readings):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(MeasuredLM, "_generated", never)
    with pytest.raises(torch.OutOfMemoryError):
        evaluate([tiny_llama()], ["dense"], [TASK], ["900"], n=2, out=tmp_path, max_new_tokens=2, batch=2)


def test_samples_of_unequal_length_go_into_batches_of_their_own(tiny_llama):
    from lm_eval.api.instance import Instance

    from nl_tasks.generators.tokenizers import load_tokenizer
    from nl_tasks.sparse_backends import parse_backend

    tokenizer, sizes = load_tokenizer(tiny_llama()), []
    model = MeasuredLM(tiny_llama(), dtype="float32", device="cpu")
    model.prepare(parse_backend("dense"), dense_layers=(), chat=False, batch=4)
    generated = model._generated
    model._generated = lambda readings: sizes.append(len(readings)) or generated(readings)
    requests = []
    for index, length in enumerate([900, 900, 950, 950, 900]):
        task = get_task("story_retrieval", num_queries=1, style="plain")
        sample = task.sample(seed=43, index=index, length=length, tokenizer=tokenizer)
        args = (sample.prompt, {"max_gen_toks": 2})
        requests.append(Instance("generate_until", {**sample.row(), "id": str(index)}, args, index))
    said = model.generate_until(requests)
    assert sizes == [2, 2, 1] and len(said) == 5
    assert [model.measured[str(index)].num_tokens for index in range(5)] == [900, 900, 950, 950, 900]
    assert [model.generate_until([request])[0] for request in requests] == said


def test_a_text_is_tokenized_once_for_all_cells(tiny_llama, tmp_path, monkeypatch):
    from nl_tasks.eval_reading import Encodings

    made = []

    class Counted:
        def __init__(self, tokenizer):
            self.tokenizer = tokenizer

        def __call__(self, text, **options):
            made.append(text)
            return self.tokenizer(text, **options)

    start = Encodings.__init__
    monkeypatch.setattr(Encodings, "__init__", lambda self, tokenizer: start(self, Counted(tokenizer), most=4000))
    evaluate([tiny_llama()], METHODS[:2], [TASK], ["900"], n=4, out=tmp_path / "few", max_new_tokens=2)
    assert len(made) == len(set(made)) == 4
    made.clear()  # five texts are more than may be kept
    evaluate([tiny_llama()], METHODS[:2], [TASK], ["900"], n=5, out=tmp_path / "many", max_new_tokens=2)
    assert len(made) > len(set(made)) == 5
