"""Densities and evidence recall against cases worked out by hand."""

import pytest
import torch

pytest.importorskip("transformers")

from nl_tasks.kernels.plan import TokenPlan, VerticalSlashPlan
from nl_tasks.sparse_backends import Run, parse_backend

NAN = float("nan")


def same(found, expected):
    return torch.allclose(found, torch.tensor(expected, dtype=torch.float64), equal_nan=True)


def streaming(sinks, window, queries=6, keys=6):
    q, k = torch.zeros(1, 2, queries, 4), torch.zeros(1, 1, keys, 4)
    plan = parse_backend(f"streaming:sinks={sinks},window={window}").plan(q, k, scale=1.0)
    assert isinstance(plan, VerticalSlashPlan)
    return plan


def test_a_prefill_by_hand():
    # Six tokens, one sink, window 2. Rows see: 0 | 01 | 012 without 0 1.. = {0,1,2} ... written out:
    # row 0: 0; row 1: 0 1; row 2: 0 1 2; row 3: 0 2 3; row 4: 0 3 4; row 5: 0 4 5  -> 1 + 2 + 3 + 3 + 3 + 3 = 15 of 21
    run = Run(parse_backend("streaming"), layers=[0, 1])
    run.start(evidence=[[(1, 4)]], question=2)  # tokens 1, 2, 3; the question's rows are 4 and 5
    run.record(0, 0, streaming(1, 2), heads=2, prompt=6)
    assert same(run.density(), [[15 / 21] * 2, [NAN] * 2])
    # Row 4 sees token 3, row 5 none: by any 1 of 3; by each (1/3 + 0) / 2.
    assert same(run.evidence_recall(), [[1 / 3] * 2, [NAN] * 2])
    assert same(run.evidence_recall(over="each"), [[1 / 6] * 2, [NAN] * 2])
    report = run.report()
    assert report["density"] == pytest.approx(15 / 21) and report["evidence_recall"] == pytest.approx(1 / 3)
    assert report["density_per_head"][1] == [None, None] and report["sparsity_asked"] is None


def tokens(keys, *lists):
    longest = max(map(len, lists))
    padded = torch.tensor([[*chosen, *[0] * (longest - len(chosen))] for chosen in lists], dtype=torch.int32)
    return TokenPlan(1, keys, padded[None], torch.tensor([[len(chosen) for chosen in lists]], dtype=torch.int32))


def test_generated_tokens_by_hand():
    # A prompt of 6; the first new token reads 0 2 6 (head 0) and 5 6 (head 1) of 7, the second 3 7 and 1 2 7 of 8.
    run = Run(parse_backend("quest"), layers=[0])
    run.start(evidence=[[(2, 4), (5, 6)]])  # tokens 2, 3 and 5
    run.record(0, 0, tokens(7, [0, 2, 6], [5, 6]), heads=2, prompt=6)
    run.record(0, 0, tokens(8, [3, 7], [1, 2, 7]), heads=2, prompt=6)
    assert same(run.density(), [[5 / 15, 5 / 15]])
    assert same(run.density(against="prompt"), [[5 / 12, 5 / 12]])
    assert same(run.evidence_recall(), [[2 / 3, 2 / 3]])  # head 0 saw 2 and 3; head 1 saw 5 and 2
    assert same(run.evidence_recall(over="each"), [[(1 / 3 + 1 / 3) / 2] * 2])


def test_results_of_all_layers_and_rows_are_one_transfer_and_never_stale(monkeypatch):
    transfers, to_cpu = [], torch.Tensor.cpu
    monkeypatch.setattr(torch.Tensor, "cpu", lambda x: transfers.append(x) or to_cpu(x))
    run = Run(parse_backend("quest"), layers=[0, 1, 2])
    run.start(evidence=[[(2, 4)]] * 2)
    for layer in range(3):
        for row in range(2):
            run.record(layer, row, tokens(7, [0, 2, 6], [5, 6]), heads=2, prompt=6)
    for row in range(2):
        assert same(run.density(row=row), [[3 / 7, 2 / 7]] * 3)
        assert same(run.density(against="prompt", row=row), [[3 / 6, 2 / 6]] * 3)
        assert same(run.evidence_recall(row=row), [[1 / 2, 0]] * 3)
    assert len(transfers) == 2  # densities, evidence
    run.record(1, 1, tokens(8, [3, 7], [2, 7]), heads=2, prompt=6)
    assert same(run.density(row=1), [[3 / 7, 2 / 7], [5 / 15, 4 / 15], [3 / 7, 2 / 7]])
    assert same(run.evidence_recall(row=1), [[1 / 2, 0], [1, 1 / 2], [1 / 2, 0]])


def test_an_eviction_by_hand():
    run = Run(parse_backend("tova"), layers=[0])
    run.start(evidence=[[(0, 2)], [(4, 5)]])
    kept = torch.tensor([[[1, 0, 0, 1, 1]], [[0, 1, 1, 0, 1]]], dtype=torch.bool)  # two rows, one KV head
    run.record_kept(0, 0, kept, heads=2)
    assert same(run.density(against="prompt"), [[3 / 5] * 2])
    assert same(run.evidence_recall(row=0), [[1 / 2] * 2]) and same(run.evidence_recall(row=1), [[1.0] * 2])
    assert same(run.evidence_recall(), [[3 / 4] * 2])
    # A token later row 0 has lost its token 0, and the place of a lost token is -1.
    run.record_positions(0, torch.tensor([[[-1, 3, 4, 5]], [[1, 2, 4, 5]]]), heads=2)
    assert same(run.evidence_recall(row=0), [[0.0] * 2]) and same(run.evidence_recall(row=1), [[1.0] * 2])


def test_a_model_sees_what_the_plans_show(tiny, prompts, padded):
    model, rows = tiny("llama"), prompts(120, 90)
    evidence = [[(10, 20), (60, 64)], [(0, 3)]]
    with parse_backend("streaming:window=50,sinks=4").attach(model) as run:
        run.start(evidence=evidence, question=20)
        model(**padded(rows, "left"))
    # Row 0: rows 100 to 119 see 51.. to 119 and the sinks: 60-63 of 14 tokens. Row 1: the sinks hold 0, 1, 2.
    assert same(run.evidence_recall(row=0), [[4 / 14] * 4] * 3) and same(run.evidence_recall(row=1), [[1.0] * 4] * 3)
    with parse_backend("tova:tokens=9").attach(model) as run:
        run.start(evidence=[[(0, 120)]])
        model.generate(rows[0][None], max_new_tokens=6, do_sample=False)
    left = run.evidence_recall()
    assert float(left.max()) <= 9 / 120 and float(left.min()) >= 4 / 120  # of 9 kept, at most 5 are new tokens


def test_wrong_questions_are_refused():
    run = Run(parse_backend("quest"), layers=[0])
    with pytest.raises(ValueError, match=r"evidence range \(4, 4\) is out of range"):
        run.start(evidence=[[(4, 4)]])
    with pytest.raises(ValueError, match="question=0 is out of range"):
        run.start(question=0)
    with pytest.raises(ValueError, match="over='all' is out of range: any or each"):
        run.evidence_recall(over="all")
    with pytest.raises(ValueError, match="against='all' is out of range: causal or prompt"):
        run.density(against="all")
