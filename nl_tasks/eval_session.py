"""One model, evaluated cell by cell: looked at when a session begins, loaded when the first cell needs it.

session = Session("smollm2")
cell = session.cell("quest:sparsity=0.9", get_task("story_retrieval"), 4096, n=20)
result = session.evaluate(cell)
"""

import gc
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from nl_tasks.analysis.model_shapes import shape_of
from nl_tasks.eval_files import device_name, find_model, require_device, weights_dtype
from nl_tasks.eval_hashes import code_hash, environment, model_hash
from nl_tasks.generators.lengths import format_length
from nl_tasks.generators.task import Task, get_task
from nl_tasks.generators.tokenizers import load_tokenizer
from nl_tasks.gold import PLAIN
from nl_tasks.lm_eval_data import DEFAULT_SEED
from nl_tasks.lm_eval_model import context_size
from nl_tasks.lm_eval_yaml import task_folder
from nl_tasks.manifest import rows_hash
from nl_tasks.result import Result
from nl_tasks.result_cell import Cell
from nl_tasks.sparse_backends import parse_backend

if TYPE_CHECKING:
    from lm_eval.api.task import Task as LMEvalTask

    from nl_tasks.eval_model import MeasuredLM

MAX_NEW_TOKENS = 1024


class Session:
    """A model to be evaluated.

    Attributes:
        name: As it was asked for: a local model (`smollm2`), a folder or a Hub id.
        folder: Where its files are.
        device: `cuda` or `cpu` (or as asked for).
        dtype: Of its weights; by default float32 on a CPU, the model's own elsewhere.
    """

    def __init__(self, name: str, *, dtype: str = "auto", device: str = "auto", **options: Any) -> None:
        """Find the model. `options` are lm-eval's model arguments, as `parallelize=True` for all GPUs of a host.

        Raises ValueError if there is no such model, or no such kind of device.
        """
        self.name, self.options = name, options
        self.folder = find_model(name)
        self.device = device_name(device)
        self.dtype = weights_dtype(self.folder, dtype, self.device)
        self._hash = model_hash(self.folder)
        self._smallest: dict[tuple[Task, int, int], int] = {}
        self._model: MeasuredLM | None = None
        self._task: tuple[tuple[object, ...], LMEvalTask] | None = None

    def cell(
        self,
        backend: str,
        task: Task,
        length: int,
        *,
        n: int,
        seed: int = DEFAULT_SEED,
        max_new_tokens: int = MAX_NEW_TOKENS,
        dense_layers: Iterable[int] = (),
    ) -> Cell:
        """Name one evaluation of this model, and find out whether it can be done.

        Raises ValueError for what cannot: an unknown backend or parameter, a sparsity that the length does not allow,
        a prompt that does not fit the model's context, a length too short for the task.
        """
        chosen = parse_backend(backend)
        chosen.check(length if chosen.phase == "prefill" else 1, length)
        tokenizer = load_tokenizer(str(self.folder))
        context = context_size(None, {"pretrained": self.folder, **self.options})
        if context is not None and length + max_new_tokens > context:
            raise ValueError(
                f"{task.name} at {format_length(length)} does not fit {self.name}: {length} tokens of prompt and "
                f"{max_new_tokens} of answer, its context has {context}"
            )
        if length < (smallest := self._smallest_length(task, seed, n)):
            raise ValueError(
                f"{format_length(length)} tokens are too few for {task.name}: these {n} samples need {smallest}"
            )
        return Cell(
            model=self.name if not Path(self.name).is_dir() else self.folder.resolve().name,
            model_hash=self._hash,
            tokenizer_hash=tokenizer.fingerprint,
            dtype=self.dtype,
            backend=chosen.spec,
            dense_layers=tuple(sorted(set(dense_layers))),
            task=task.name,
            version=task.version,
            params=task.params,
            length=length,
            seed=seed,
            n=n,
            max_new_tokens=max_new_tokens,
        )

    def evaluate(self, cell: Cell, answered: Callable[[], None] = lambda: None, *, batch: int = 1) -> Result:
        """Evaluate one cell, `batch` samples at a time; `answered` is called for each sample."""
        from lm_eval.evaluator import evaluate

        from nl_tasks.eval_rows import layer_means, sample_result

        task = self._samples(cell)
        model = self._loaded()
        backend = parse_backend(cell.backend)
        chat = self._chats(cell)
        model.prepare(backend, dense_layers=cell.dense_layers, chat=chat, batch=batch, answered=answered)
        task.set_config("generation_kwargs", {"max_gen_toks": cell.max_new_tokens}, update=True)
        # Not `simple_evaluate`: it lists the machine's packages for every cell, which takes longer than a small one.
        found = evaluate(model, {task.task_name: task}, bootstrap_iters=0, apply_chat_template=model.chat)
        if found is None:
            raise RuntimeError("evaluations run in one process: start no launcher of several")
        rows = sorted(found["samples"][task.task_name], key=lambda row: row["doc"]["index"])
        costs = [model.measured[row["doc"]["id"]] for row in rows]
        return Result(
            cell=cell,
            samples=tuple(sample_result(row["doc"], row["resps"][0][0], cost) for row, cost in zip(rows, costs)),
            phase=backend.phase,
            asked_density=None if backend.sparsity is None else 1 - backend.sparsity,
            layers=layer_means(costs),
            data_sha256=rows_hash(row["doc"]["sha256"] for row in rows),
            code_sha256=code_hash(),
            environment={
                **environment(torch.cuda.get_device_name(self.device) if "cuda" in self.device else self.device),
                "batch": model.batch,  # less than was asked for if the device had not the memory
                "model_shape": None if (shape := shape_of(self.folder)) is None else asdict(shape),
            },
        )

    def release(self) -> None:
        """Let go of the model and its samples; the next cell loads them again."""
        self._model = self._task = None
        gc.collect()  # modules of transformers refer to each other
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _smallest_length(self, task: Task, seed: int, n: int) -> int:
        if (asked := (task, seed, n)) not in self._smallest:
            tokenizer = load_tokenizer(str(self.folder))
            self._smallest[asked] = task.smallest_length(seed=seed, indices=range(n), tokenizer=tokenizer)
        return self._smallest[asked]

    def _samples(self, cell: Cell) -> "LMEvalTask":
        """The task with its samples, kept for the next backend."""
        from lm_eval.tasks import TaskManager

        if self._task is None or self._task[0] != cell.question:
            metadata = {
                "pretrained": str(self.folder),
                "lengths": [cell.length],
                "samples": cell.n,
                "seed": cell.seed,
                "knobs": {f"{cell.task}.{knob}": value for knob, value in json.loads(cell.params).items()},
            }
            manager = TaskManager(include_path=str(task_folder()), include_defaults=False, metadata=metadata)
            task = manager.load([f"nl_{cell.task}"])["tasks"][f"nl_{cell.task}"]
            self._task = cell.question, task
        return self._task[1]

    def _loaded(self) -> "MeasuredLM":
        if self._model is None:
            from nl_tasks.eval_model import MeasuredLM

            require_device(self.device)
            try:
                self._model = MeasuredLM(str(self.folder), dtype=self.dtype, device=self.device, **self.options)
            except TypeError as error:
                if not self.options:
                    raise
                raise ValueError(f"model arguments {', '.join(self.options)}: one is not known ({error})") from error
        return self._model

    def _chats(self, cell: Cell) -> bool:
        plain = get_task(cell.task, **json.loads(cell.params)).metric.endswith(PLAIN)
        return load_tokenizer(str(self.folder)).has_chat_template and not plain
