"""Evaluations of a tiny random model: what is measured, kept, refused and printed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("lm_eval")

import torch

from nl_tasks.eval import evaluate
from nl_tasks.eval_evidence import evidence_tokens, question_tokens
from nl_tasks.eval_hashes import code_hash, model_hash
from nl_tasks.eval_model import MeasuredLM
from nl_tasks.eval_session import Session
from nl_tasks.eval_table import result_tables
from nl_tasks.generators.task import get_task
from nl_tasks.generators.tokenizers import load_tokenizer
from nl_tasks.result import read_results

ROOT = Path(__file__).parents[2]
TASK = get_task("story_retrieval", num_queries=2)
SPARSE = ["dense", "block_sparse:sparsity=0.5", "quest:sparsity=0.5", "snapkv:sparsity=0.5"]


def run(folder, out, *, backends=("dense",), tasks=(TASK,), lengths=("2k",), n=2, **options):
    options = {"max_new_tokens": 4, **options}
    return evaluate([folder], list(backends), list(tasks), list(lengths), n=n, out=out, **options)


@pytest.fixture(scope="module")
def found(tiny_llama, tmp_path_factory):
    """Results of four methods by their names."""
    results = run(tiny_llama(), tmp_path_factory.mktemp("results"), backends=SPARSE)
    return {result.cell.backend.partition(":")[0]: result for result in results}


@pytest.fixture
def loads(monkeypatch):
    """Counts the times that a model is loaded."""
    counted = []
    original = MeasuredLM.__init__

    def load(self, *args, **options):
        counted.append(args)
        original(self, *args, **options)

    monkeypatch.setattr(MeasuredLM, "__init__", load)
    return counted


def test_the_model_reads_exactly_the_tokens_asked_for(found):
    for result in found.values():
        assert [sample.num_tokens for sample in result.samples] == [2048, 2048]
        assert [sample.id for sample in result.samples] == [f"story_retrieval/2048/43/{index}" for index in (0, 1)]


@pytest.mark.parametrize("style", ["chat", "plain"])
def test_a_tokenizer_that_adds_bos_is_exact_too(tiny_llama, tmp_path, style):
    for template in (tiny_llama.with_bos, None):
        folder = tiny_llama(template, bos=True) if template else tiny_llama(bos=True)
        (result,) = run(folder, tmp_path, tasks=[get_task("story_retrieval", num_queries=2, style=style)], n=1)
        assert result.samples[0].num_tokens == 2048


def test_density_is_what_was_asked_for(found):
    assert found["dense"].mean("density") == 1.0
    for name in ("block_sparse", "quest", "snapkv"):
        assert found[name].asked_density == 0.5
        assert found[name].mean("density_of_prompt") == pytest.approx(0.5, rel=0.02)
    assert found["block_sparse"].mean("density") == pytest.approx(0.5, rel=0.02)


def test_layers_and_heads_add_up_to_the_mean(found):
    for result in found.values():
        heads = torch.tensor(result.layers["density"])
        assert heads.shape == (2, 4)
        assert float(heads.mean()) == pytest.approx(result.mean("density"), abs=1e-4)


def test_all_evidence_is_seen_by_dense_attention_and_some_by_sparse(found):
    assert found["dense"].mean("evidence_recall") == 1.0
    for name in ("block_sparse", "quest", "snapkv"):
        assert 0.05 < found[name].mean("evidence_recall") < 1.0


def test_times_and_tokens_are_measured(found):
    for result in found.values():
        for sample in result.samples:
            assert 1 <= sample.generated_tokens <= 4
            assert sample.prefill_s > 0
            assert (sample.decode_s > 0) == (sample.generated_tokens > 1)


def test_predictions_are_those_of_transformers_alone(found, tiny_llama):
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_llama())
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_llama(), dtype=torch.float32)
    for kept in found["dense"].samples:
        sample = TASK.sample(seed=43, index=kept.index, length=2048, tokenizer=load_tokenizer(tiny_llama()))
        chat = [{"role": "user", "content": sample.prompt}]
        inputs = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        said = model.generate(**inputs, max_new_tokens=4, do_sample=False)[0, 2048:]
        assert kept.prediction == tokenizer.decode(said, skip_special_tokens=True)
        assert kept.sha256 == sample.sha256


def test_gold_answers_score_one(tiny_llama, tmp_path, monkeypatch):
    from nl_tasks.gold import gold_prediction

    answer = MeasuredLM.generate_until

    def know(self, requests, **options):
        answer(self, requests, **options)
        return [gold_prediction(request.doc["metric"], request.doc["answers"]) for request in requests]

    monkeypatch.setattr(MeasuredLM, "generate_until", know)
    (result,) = run(tiny_llama(), tmp_path)
    assert result.summary.mean == 1.0 and result.summary.unparsed == 0.0


def test_what_is_there_is_not_run_again(tiny_llama, tmp_path, loads):
    first = run(tiny_llama(), tmp_path, backends=SPARSE[:2], n=1)
    assert len(loads) == 1  # once for all cells
    second = run(tiny_llama(), tmp_path, backends=SPARSE[:2], n=1)
    assert len(loads) == 1 and second == first
    more = run(tiny_llama(), tmp_path, backends=SPARSE[:3], n=1)
    assert len(loads) == 2 and more[:2] == first
    run(tiny_llama(), tmp_path, n=1, overwrite=True)
    assert len(loads) == 3
    assert len(list(read_results(tmp_path))) == 3


def test_the_samples_are_the_same_for_every_method(found):
    assert len({result.data_sha256 for result in found.values()}) == 1
    assert len({result.cell.question for result in found.values()}) == 1


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"backends": ["qest"]}, "unknown backend 'qest'.*quest"),
        ({"backends": ["quest:sparsty=0.5"]}, "did you mean sparsity"),
        ({"backends": ["quest:sparsity=0.5,tokens=64"]}, "not both"),
        ({"backends": ["snapkv:sparsity=0.99"]}, "works from"),
        ({"lengths": ["4k"]}, "4096 tokens of prompt and 4 of answer, its context has 4096"),
        ({"lengths": ["300"]}, "too few for story_retrieval"),
        ({"tasks": ["story_retrival"]}, "did you mean story_retrieval"),
        ({"n": 0}, "n=0 is out of range"),
        ({"batch": 0}, "batch=0 is out of range"),
        ({"max_new_tokens": 0}, "max_new_tokens=0 is out of range"),
        ({"device": "gpu"}, "device 'gpu' is out of range: auto, cpu, cuda, cuda:1"),
        ({"dtype": "float12"}, "dtype 'float12' is out of range"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_wrong_use_is_one_line_before_the_model_is_loaded(tiny_llama, tmp_path, loads, options, line):
    with pytest.raises(ValueError, match=line):
        run(tiny_llama(), tmp_path, **options)
    assert loads == []


def test_a_gpu_that_is_not_here_is_missed_when_the_model_is_loaded(tiny_llama, tmp_path, loads):
    there = torch.cuda.device_count()
    for device in (f"cuda:{there}", *(["cuda"] if not there else [])):
        with pytest.raises(ValueError, match=f"device '{device}': this machine has {there} GPUs"):
            run(tiny_llama(), tmp_path, device=device)
    assert loads == []


def test_a_model_argument_that_is_not_known_is_named(tiny_llama, tmp_path):
    with pytest.raises(ValueError, match=r"model arguments foo: one is not known .*'foo'"):
        run(tiny_llama(), tmp_path, model_options={"foo": "bar"})


def test_unknown_models_are_one_line(tmp_path):
    absent = f"there is no folder {tmp_path / 'absent'}: give smollm2"
    wrong = {
        "smolm2": "unknown model 'smolm2'",
        str(tmp_path): "holds no config.json",
        str(tmp_path / "absent"): absent,
    }
    for name, line in wrong.items():
        with pytest.raises(ValueError, match=line):
            Session(name)


def test_other_weights_have_another_hash(tiny_llama, tmp_path):
    import shutil

    folder = Path(tiny_llama())
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    assert model_hash(copy) == model_hash(folder)
    weights = copy / "model.safetensors"
    changed = bytearray(weights.read_bytes())
    changed[-1] ^= 1
    weights.write_bytes(bytes(changed))
    assert model_hash(copy) != model_hash(folder)


def test_the_code_hash_covers_every_folder(monkeypatch):
    import nl_tasks.eval_hashes as hashes

    before, read = code_hash(), []
    original = Path.read_bytes
    monkeypatch.setattr(hashes.Path, "read_bytes", lambda path: read.append(path) or original(path))
    assert code_hash() == before
    folders = {path.parent.name for path in read}
    assert {"generators", "kernels", "scoring", "sparse_backends", "prompts", "nl_tasks"} <= folders


def test_evidence_is_found_through_a_chat_template(tiny_llama):
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_llama())
    sample = TASK.sample(seed=43, index=0, length=2048, tokenizer=load_tokenizer(tiny_llama()))
    chat = [{"role": "user", "content": sample.prompt}]
    text = tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    found = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ranges = evidence_tokens(text, sample.prompt, sample.row()["evidence"], found["offset_mapping"])
    for span, (first, end) in zip(sample.evidence, ranges, strict=True):
        sentence = sample.prompt[span.start : span.end]
        words = tokenizer.decode(found["input_ids"][first:end])
        assert sentence in words and len(words) < len(sentence) + 12
        assert sentence not in tokenizer.decode(found["input_ids"][first + 1 : end])
        assert sentence not in tokenizer.decode(found["input_ids"][first : end - 1])
    tail = question_tokens(text, sample.prompt, sample.question, found["offset_mapping"])
    asked = tokenizer.decode(found["input_ids"][-tail:])
    assert sample.question in asked and asked.count("Chapter") == 0
    assert asked.strip().startswith("1. ")


def test_evidence_that_a_template_changes_is_an_error():
    with pytest.raises(ValueError, match="changes the prompt"):
        evidence_tokens("SHOUTED", "shouted", [{"start": 0, "end": 2}], [(0, 7)])


def test_the_table_compares_with_dense(found):
    (table,) = result_tables(found.values())
    cells = {column.header: list(column.cells) for column in table.columns}
    assert cells["backend"] == [result.cell.backend for result in found.values()]
    assert cells["- dense"] == ["", "+0.000", "+0.000", "+0.000"]
    assert cells["density"][0] == "1.000" and cells["asked"] == ["", "0.500", "0.500", "0.500"]


def words(folder, out, *more):
    return [
        *(sys.executable, "-m", "nl_tasks.cli", "eval", "--model", folder, "--task", "story_retrieval"),
        *("--set", "num_queries=2", "--len", "2k", "--max-new-tokens", "2", "--out", str(out), *more),
    ]


def start(*arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    return subprocess.Popen(
        words(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def test_a_killed_run_loses_no_finished_cell_and_goes_on(tiny_llama, tmp_path):
    methods = ("-n", "8", "--backend", "dense", "--backend", "quest:sparsity=0.5", "--backend", "streaming")
    running = start(tiny_llama(), tmp_path, *methods)
    while running.poll() is None and not list(tmp_path.rglob("*.json")):
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    kept = {path: path.read_bytes() for path in tmp_path.rglob("*.json")}
    assert 1 <= len(kept) < 3
    out, err = start(tiny_llama(), tmp_path, *methods).communicate()
    assert "3 cells" in out and f"{len(kept)} of them from earlier runs" in out, err
    assert len(list(read_results(tmp_path))) == 3
    assert all(path.read_bytes() == content for path, content in kept.items())


def test_the_command_prints_results_and_one_line_for_bad_use(tiny_llama, tmp_path):
    out, err = (running := start(tiny_llama(), tmp_path, "-n", "1", "--json")).communicate()
    assert running.returncode == 0, err
    (result,) = json.loads(out)
    assert result["cell"]["backend"] == "dense" and result["summary"]["n"] == 1
    assert err == ""
    out, err = (running := start(tiny_llama(), tmp_path, "--backend", "qest")).communicate()
    assert running.returncode == 2
    assert len(err.strip().splitlines()) == 1 and "quest" in err


def test_answers_are_compared_with_those_of_dense_attention(found):
    from dataclasses import replace

    from nl_tasks.eval_table import same_answers

    dense = found["dense"]
    first, second = dense.samples
    assert same_answers(dense, dense) == 1.0
    other = replace(dense, samples=(first, replace(second, prediction=second.prediction + "!")))
    assert same_answers(other, dense) == 0.5
