"""Sparse attention of several rows at once: each row says what it says alone, whatever else is in the batch."""

import pytest
import torch

pytest.importorskip("transformers")

from nl_tasks.sparse_backends import padding, parse_backend, xattention

SPARSE = [
    "vertical_slash:verticals=8,slashes=64,window=16",
    "vertical_slash:sparsity=0.2",
    "block_sparse:top_blocks=4",
    "block_sparse:sparsity=0.6",
    "flexprefill:alpha=0.05,min_budget=4,window=32",
    "flexprefill:sparsity=0.2",
    "xattention:threshold=0.4,block=16,stride=4",
    "xattention:sparsity=0.5,block=32",
    "streaming:window=40",
    "streaming:sparsity=0.6",
    "quest:tokens=48",
    "quest:sparsity=0.7,share_pages=false",
    "snapkv:tokens=140,window=32",
    "ada_snapkv:tokens=150,min_share=0.1",
    "tova:tokens=40",
    "tova:sparsity=0.5",
    "oracle:sparsity=0.7",
    "oracle:sparsity=0.7,unit=block",
    "oracle:phase=decode,tokens=24",
    "random:sparsity=0.6",
    "random:phase=decode,tokens=64",
]
LENGTHS = (300, 190, 257)


def said(model, inputs, count=12):
    return model.generate(**inputs, max_new_tokens=count, do_sample=False)[:, -count:]


@pytest.mark.parametrize("spec", SPARSE)
def test_rows_of_a_batch_say_what_they_say_alone(spec, tiny, prompts, padded):
    model, rows = tiny("qwen3"), prompts(*LENGTHS)
    same = torch.stack(prompts(260, 260, seed=3))
    with parse_backend(spec).attach(model) as run, torch.no_grad():
        alone = torch.cat([said(model, {"input_ids": row[None]}) for row in rows])
        run.start()
        assert torch.equal(said(model, padded(rows, "left")), alone)
        densities = [run.density(row=number) for number in range(3)]
        logits = [model(row[None]).logits[0] for row in rows]
        for side in ("left", "right"):
            batch = padded(rows, side)
            together = model(**batch).logits[batch["attention_mask"].bool()]
            torch.testing.assert_close(together, torch.cat(logits), atol=1e-4, rtol=0)
        expected = torch.cat([said(model, {"input_ids": row[None]}) for row in same])
        assert torch.equal(said(model, {"input_ids": same}), expected)
    assert all(float(density.nanmean()) < 0.9 for density in densities), "this example is to be sparse"


@pytest.mark.parametrize("side", [None, "left"], ids=["even", "padded"])
@pytest.mark.parametrize("spec", SPARSE)
def test_rows_of_a_batch_are_recorded_as_alone(spec, side, tiny, prompts, padded):
    model, rows = tiny("llama"), prompts(*(LENGTHS if side else [260, 260, 260]))
    evidence = [[(10, 20), (100, 104)], [], [(0, 3), (30, 50), (170, 180)]]

    def numbers(run, row=None):
        shares = [run.density(row=row), run.density("prompt", row=row)]
        shares += [run.evidence_recall(row=row), run.evidence_recall("each", row=row)]
        return [*shares, torch.tensor(run.estimation(row)).double()]

    with parse_backend(spec).attach(model) as run, torch.no_grad():
        alone = []
        for row, spans in zip(rows, evidence):
            run.start([spans], question=12)
            said(model, {"input_ids": row[None]}, 5)
            alone.append(numbers(run))
        run.start(evidence, question=12)
        said(model, padded(rows, side) if side else {"input_ids": torch.stack(rows)}, 5)
        for row, expected in enumerate(alone):
            for found, wanted in zip(numbers(run, row), expected, strict=True):
                torch.testing.assert_close(found, wanted, equal_nan=True)


@pytest.mark.parametrize("spec", ["quest:tokens=48", "snapkv:tokens=140,window=32", "tova:tokens=40"])
def test_what_comes_after_the_end_of_a_row_is_not_counted(spec, tiny, prompts):
    model, rows = tiny("llama"), torch.stack(prompts(200, 200))
    with parse_backend(spec).attach(model) as run, torch.no_grad():
        run.start([[(10, 60)], [(10, 60)]])
        cache = model(rows).past_key_values
        for step in range(4):
            model(rows[:, step : step + 1], past_key_values=cache)
            if step == 1:
                before = run.density(row=0), run.density("prompt", row=0), run.evidence_recall("each", row=0)
                other = run.density(row=1)
                run.end([True, False])
        after = run.density(row=0), run.density("prompt", row=0), run.evidence_recall("each", row=0)
        assert all(torch.equal(found, wanted) for found, wanted in zip(after, before))
        assert not torch.equal(run.density(row=1), other)
        run.start()
        model(rows[:, :1], past_key_values=cache)
        assert float(run.density(row=0).nanmean()) < 1


@pytest.mark.parametrize("spec", SPARSE)
def test_what_is_left_out_changes_the_logits(spec, tiny, prompts):
    model, row = tiny("llama"), prompts(300)[0][None]
    backend = parse_backend(spec)
    with torch.no_grad():
        cache = model(row).past_key_values
        dense = model(row).logits, model(row[:, :1], past_key_values=cache).logits
        with backend.attach(model):
            found = model(row)
            step = model(row[:, :1], past_key_values=found.past_key_values).logits
    moved = float((found.logits - dense[0]).abs().max()), float((step - dense[1]).abs().max())
    assert moved[0 if backend.phase == "prefill" else 1] > 1e-3
    if backend.phase != "prefill":
        assert moved[0] < 1e-5  # these read the prompt densely


def test_evidence_for_another_number_of_rows_is_refused(tiny, prompts):
    model = tiny("llama")
    with parse_backend("quest:tokens=48").attach(model) as run:
        run.start(evidence=[[(0, 4)], [(3, 5)]])
        with pytest.raises(ValueError, match="evidence is for 2 rows, the batch has 1"):
            model(prompts(20)[0][None])


@pytest.mark.parametrize("architecture", ["llama", "gemma3"])
def test_a_mask_is_looked_into_once_for_all_layers(monkeypatch, tiny, prompts, padded, architecture):
    looked = []

    def watched(mask, *sizes):
        looked.append((mask, sizes))
        return parts_of(mask, *sizes)

    parts_of = padding.parts_of
    monkeypatch.setattr(padding, "parts_of", watched)
    model, batch = tiny(architecture), padded(prompts(120, 90), "left")
    with parse_backend("streaming:window=40").attach(model), torch.no_grad():
        model(**batch)
    masked = [mask for mask, _ in looked if mask is not None]
    assert len(masked) == (1 if architecture == "llama" else 2)  # Gemma's sliding layers have a mask of their own


def test_a_mask_that_its_owner_changes_is_looked_into_anew(tiny, prompts, padded):
    model, batch = tiny("llama"), padded(prompts(120, 90), "left")
    mask = batch["attention_mask"].bool()
    other = mask.clone()
    other[1, :50] = False
    with parse_backend("streaming:window=40").attach(model), torch.no_grad():
        expected = model(batch["input_ids"], attention_mask=other).logits[1, 50:]
        model(batch["input_ids"], attention_mask=mask)
        mask[1, :50] = False
        found = model(batch["input_ids"], attention_mask=mask).logits[1, 50:]
    torch.testing.assert_close(found, expected, atol=0, rtol=0)


def test_blocks_of_a_length_are_counted_once_for_all_layers():
    xattention._Shape.of.cache_clear()
    backend = parse_backend("xattention:sparsity=0.3,block=16")
    for _ in range(3):  # layers, each with rows of 40 lengths
        for length in range(200, 240):
            backend.plan(torch.ones(1, 2, length, 8), torch.ones(1, 1, length, 8), scale=0.3)
    assert xattention._Shape.of.cache_info().misses == 40
