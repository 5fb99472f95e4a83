"""The lm-eval plug-in: what the model reads, what is refused, what is reported."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("lm_eval")

import lm_eval
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from nl_tasks.generate import generate_dataset
from nl_tasks.generators.task import task_types
from nl_tasks.generators.tokenizers import load_tokenizer
from nl_tasks.lm_eval_data import read_request
from nl_tasks.lm_eval_yaml import FOLDER, TEMPLATE, is_ours, task_folder, yaml_files

ROOT = Path(__file__).parents[2]
KNOBS = {"num_queries": 2}


def run(folder, task="nl_story_retrieval", *, chat=True, tokens=4, model_args=None, **metadata):
    """One evaluation through lm-eval's Python interface."""
    metadata = {"lengths": ["2k"], "samples": 2, "knobs": KNOBS, **metadata}
    arguments = {"pretrained": folder, "dtype": "float32", **(model_args or {})}
    manager = TaskManager(include_path=str(task_folder()), include_defaults=False, metadata={**arguments, **metadata})
    return lm_eval.simple_evaluate(
        model="hf",
        model_args=arguments,
        tasks=[task],
        task_manager=manager,
        apply_chat_template=chat,
        gen_kwargs={"max_gen_toks": tokens},
        device="cpu",
        batch_size=1,
    )


@pytest.fixture
def read(monkeypatch):
    """The lengths of what the model reads, filled while it runs."""
    lengths = []
    original = HFLM._model_generate

    def generate(self, context, max_length, **options):
        lengths.append(context.shape[1])
        return original(self, context, max_length, **options)

    monkeypatch.setattr(HFLM, "_model_generate", generate)
    return lengths


@pytest.mark.parametrize("bos", [False, True], ids=["no-bos", "bos"])
@pytest.mark.parametrize("style", ["chat", "plain"])
def test_the_model_reads_exactly_the_tokens_asked_for(tiny_llama, read, bos, style):
    folder = tiny_llama(tiny_llama.with_bos, bos=True) if bos else tiny_llama()
    found = run(folder, chat=style == "chat", knobs={**KNOBS, "style": style})
    assert read == [2048, 2048]
    assert [sample["doc"]["num_tokens"] for sample in found["samples"]["nl_story_retrieval"]] == read


def test_a_second_bos_is_pointed_out(tiny_llama, read, caplog):
    run(tiny_llama(bos=True))  # a template without BOS, but the tokenizer adds one to any text
    assert read == [2049, 2049]
    assert "reads 2049 tokens, not the 2048" in caplog.text


def test_lengths_have_metrics_of_their_own(tiny_llama):
    found = run(tiny_llama(), lengths=["2k", 2100])["results"]["nl_story_retrieval"]
    assert {"score,none", "score_2k,none", "score_2100,none", "unparsed,none"} <= set(found)
    assert found["unparsed,none"] == 1.0 and found["unparsed_stderr,none"] == 0.0
    assert found["score_stderr,none"] == 0.0


def test_gold_answers_score_one(tiny_llama, monkeypatch):
    from nl_tasks.gold import gold_prediction

    def know(self, requests, disable_tqdm=False):
        return [gold_prediction(request.doc["metric"], request.doc["answers"]) for request in requests]

    monkeypatch.setattr(HFLM, "generate_until", know)
    found = run(tiny_llama(), "nl_story_2k", knobs={"num_queries": 2, "num_chapters": 2})
    for task in ("nl_story_retrieval_2k", "nl_story_multihop_2k", "nl_story_filtering_2k", "nl_story_2k"):
        assert found["results"][task]["score,none"] == 1.0
        assert found["results"][task]["unparsed,none"] == 0.0


def test_the_task_decides_the_length_if_its_name_does(tiny_llama, read):
    run(tiny_llama(), "nl_story_retrieval_2k", lengths=["64k"], samples=1)
    assert read == [2048]


def test_prompts_that_would_be_cut_are_refused_before_the_model_reads(tiny_llama, read):
    short = tiny_llama(context=2050)
    with pytest.raises(ValueError, match="2048 tokens of prompt and 4 of answer, the model's context has 2050"):
        run(short)
    with pytest.raises(ValueError, match="context has 2050"):
        run(short, chat=False, knobs={**KNOBS, "style": "plain"})
    with pytest.raises(ValueError, match="context has 1000"):
        run(tiny_llama(), model_args={"max_length": 1000})
    assert read == []
    run(short, tokens=2)
    assert read == [2048, 2048]


def test_chat_prompts_want_a_template_and_plain_prompts_none(tiny_llama, read):
    with pytest.raises(ValueError, match="add --apply_chat_template"):
        run(tiny_llama(), chat=False)
    with pytest.raises(ValueError, match="leave --apply_chat_template out"):
        run(tiny_llama(), knobs={**KNOBS, "style": "plain"})
    assert read == []


def test_samples_come_from_a_dataset_folder_too(tiny_llama, read, tmp_path):
    data = tmp_path / "story"
    generate_dataset(["story_multihop"], ["2k"], n=3, tokenizer=tiny_llama(), out=data, workers=1)
    found = run(tiny_llama(), "nl_story_multihop", data=str(data), samples=3, knobs={})
    assert read == [2048] * 3
    made = [task_types()["story_multihop"]().sample(seed=43, index=index, length=2048,
            tokenizer=load_tokenizer(tiny_llama())).sha256 for index in range(3)]  # fmt: skip
    assert [sample["doc"]["sha256"] for sample in found["samples"]["nl_story_multihop"]] == made
    with pytest.raises(ValueError, match="holds 3 samples of multihop_2k, asked were 4"):
        run(tiny_llama(), "nl_story_multihop", data=str(data), samples=4, knobs={})
    with pytest.raises(ValueError, match="knobs cannot be set"):
        run(tiny_llama(), "nl_story_multihop", data=str(data))


@pytest.mark.parametrize(
    ("metadata", "line"),
    [
        ({"lenghts": ["4k"]}, "did you mean 'lengths'"),
        ({"sample": 3}, "did you mean 'samples'"),
        ({"samples": 0}, "samples=0 is out of range"),
        ({"lengths": ["4q"]}, "4q"),
        ({"knobs": {"num_querys": 2}}, "no task has 'num_querys'"),
        ({"data": "somewhere", "knobs": {"hops": 2}}, "finished"),
    ],
)
def test_wrong_metadata_is_one_clear_line(metadata, line):
    with pytest.raises(ValueError, match=line):
        read_request(metadata, task="story_retrieval")


def test_knobs_go_to_the_tasks_that_have_them():
    knobs = {"num_queries": 2, "hops": 3, "story_retrieval.trade_density": 0.5, "story_filtering.style": "plain"}
    assert read_request({"knobs": knobs}, task="story_retrieval").knobs == {"num_queries": 2, "trade_density": 0.5}
    assert read_request({"knobs": knobs}, task="story_multihop").knobs == {"hops": 3}
    assert read_request({"knobs": knobs}, task="story_filtering").knobs == {"style": "plain"}


def test_the_folder_of_yaml_files_is_complete_and_current():
    texts = yaml_files(cls for cls in task_types().values() if is_ours(cls))
    found = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.yaml")}
    found.pop(TEMPLATE)
    assert found == texts, "write them anew: python -m nl_tasks.lm_eval_yaml"


def test_every_task_and_group_is_known_to_lm_eval():
    known = TaskManager(include_path=str(FOLDER), include_defaults=False)
    assert set(known.all_tasks) == {name.removesuffix(".yaml") for name in yaml_files(
        cls for cls in task_types().values() if is_ours(cls))}  # fmt: skip
    assert {"nl_story", "nl_story_16k", "nl_all"} <= set(known.all_groups)


def test_tasks_of_other_packages_appear(toys, monkeypatch, tmp_path, tiny_llama, read):
    monkeypatch.setenv("NL_TASKS_CACHE", str(tmp_path))
    folder = task_folder()
    assert folder != FOLDER
    known = TaskManager(include_path=str(folder), include_defaults=False)
    assert {"nl_toy_words", "nl_toy_words_4k", "nl_words", "nl_story", "nl_story_multihop_4k"} <= set(known.all_tasks)
    run(tiny_llama(), "nl_toy_words", lengths=[300], knobs={})
    assert read == [300, 300]


def command(*words):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    return subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, env=environment, cwd=ROOT)


def lm_eval_words(folder, out, attention="sdpa"):
    arguments = f"pretrained={folder},dtype=float32,attn_implementation={attention}"
    return [
        *("run", "--model", "hf", "--model_args", arguments),
        *("--tasks", "nl_story_multihop", "--apply_chat_template", "--device", "cpu", "--output_path", str(out)),
        *("--metadata", '{"lengths": ["2k"], "samples": 1}', "--gen_kwargs", "max_gen_toks=2", "--log_samples"),
    ]


def test_both_command_lines_work(tiny_llama, tmp_path):
    path = command("nl_tasks.cli", "lm-eval", "--path").stdout.strip()
    assert path == str(FOLDER)
    ours = command("nl_tasks.cli", "lm-eval", *lm_eval_words(tiny_llama(), tmp_path / "ours"))
    plain = command("lm_eval", *lm_eval_words(tiny_llama(), tmp_path / "plain"), "--include_path", path)
    for found, out in ((ours, tmp_path / "ours"), (plain, tmp_path / "plain")):
        assert found.returncode == 0, found.stderr
        assert "|unparsed|" in found.stdout
        results = json.loads(next(out.rglob("results_*.json")).read_text())
        assert results["results"]["nl_story_multihop"]["sample_len"] == 1


def test_the_command_line_says_what_is_wrong_in_one_line(tiny_llama, tmp_path):
    words = lm_eval_words(tiny_llama(context=2049), tmp_path)
    found = command("nl_tasks.cli", "lm-eval", *words)
    assert found.returncode == 2
    assert found.stderr.strip().splitlines()[-1].startswith("nl-tasks: story_multihop/2048/43/0 does not fit: 2048")
    assert "Traceback" not in found.stderr


def test_backends_are_known_by_name_with_their_parameters(tiny_llama, tmp_path, monkeypatch, capsys):
    from nl_tasks.lm_eval_cli import run_lm_eval
    from nl_tasks.sparse_backends import Quest

    asked = []
    plan = Quest.plan
    monkeypatch.setattr(Quest, "plan", lambda self, *args, **more: asked.append(self.spec) or plan(self, *args, **more))
    run_lm_eval(lm_eval_words(tiny_llama(), tmp_path, "nl_quest:sparsity=0.75"))
    assert set(asked) == {"quest:sparsity=0.75"}
    assert "nl_story_multihop" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"unknown backend 'qest'.*quest"):
        run_lm_eval(lm_eval_words(tiny_llama(), tmp_path, "nl_qest"))


def test_a_backend_may_have_several_parameters_and_stand_in_a_file(tiny_llama, tmp_path, monkeypatch):
    from nl_tasks.lm_eval_cli import run_lm_eval
    from nl_tasks.sparse_backends import Quest

    asked = []
    plan = Quest.plan
    monkeypatch.setattr(Quest, "plan", lambda self, *args, **more: asked.append(self.spec) or plan(self, *args, **more))
    words = lm_eval_words(tiny_llama(), tmp_path, "nl_quest:sparsity=0.75,page=8,share_pages=false")
    run_lm_eval(words)
    at = words.index("--model_args")
    (tmp_path / "run.yaml").write_text(f"model_args: {words[at + 1]}\n".replace("page=8", "page=4"))
    run_lm_eval([*words[:at], *words[at + 2 :], "--config", str(tmp_path / "run.yaml")])
    assert list(dict.fromkeys(asked)) == [f"quest:sparsity=0.75,page={page},share_pages=false" for page in (8, 4)]


def test_tasks_that_score_given_tokens_are_refused_where_the_method_would_not_act(tiny_llama):
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    from nl_tasks.lm_eval_cli import _know_backends, _scoring_what_runs

    def score(name, batch):
        arguments = {"attn_implementation": name}
        backend = _know_backends(arguments)
        model = HFLM(pretrained=tiny_llama(), device="cpu", dtype="float32", batch_size=batch, **arguments)
        with _scoring_what_runs(backend):
            return model.loglikelihood(
                [Instance("loglikelihood", {}, ("a b c d " * 100, " e f"), 0)], disable_tqdm=True
            )

    for name in ("nl_quest", "nl_snapkv"):
        with pytest.raises(ValueError, match="acts on generated tokens, and this task scores given ones"):
            score(name, 1)
    with pytest.raises(ValueError, match=r"batch_size=2 is out of range: vertical_slash .* want 1"):
        score("nl_vertical_slash:sparsity=0.5", 2)
    assert score("nl_vertical_slash:sparsity=0.5", 1)[0][0] != score("nl_dense", 2)[0][0]


def test_local_models_go_by_their_names(tiny_llama, tmp_path, monkeypatch, capsys):
    from nl_tasks.lm_eval_cli import run_lm_eval
    from nl_tasks.local_models import LOCAL_MODELS

    monkeypatch.setitem(LOCAL_MODELS, "tiny", lambda: Path(tiny_llama()))
    run_lm_eval(lm_eval_words("tiny", tmp_path))
    assert "|unparsed|" in capsys.readouterr().out
