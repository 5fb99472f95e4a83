"""Our tasks as lm-evaluation-harness runs them: exact prompts in, scores out, nothing cut off on the way."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from datasets import Dataset
from lm_eval.api.instance import Instance
from lm_eval.api.metrics import mean
from lm_eval.api.task import ConfigurableTask

from nl_tasks.generators.lengths import format_length
from nl_tasks.generators.tokenizers import load_tokenizer
from nl_tasks.gold import PLAIN
from nl_tasks.lm_eval_data import Request, read_request
from nl_tasks.lm_eval_model import context_size, count_read, generation_budget
from nl_tasks.local_models import model_folder
from nl_tasks.scoring import get_scorer

_log = logging.getLogger(__name__)


class LMEvalTask(ConfigurableTask):
    """One of our tasks at one or more lengths; `lm_eval_data` says what its metadata may hold.

    Raises ValueError, in one line, before a model is asked: for prompts that would not fit into the model's context
    together with the answer, and for chat prompts without chat template or the other way round.
    """

    request: Request

    def __init__(self, config: dict[str, Any] | None = None) -> None:
        """Make the samples that `config` asks for."""
        settings = dict(config or {})
        settings.pop("class", None)
        super().__init__(config=settings)

    def download(self, dataset_kwargs: dict[str, Any] | None = None, **_: Any) -> None:
        """Make or read the samples; no network is used unless they are on the Hub."""
        self.request = read_request(self.config.metadata or {}, **(dataset_kwargs or {}))
        self.dataset = {"test": Dataset.from_list([sample.row() for sample in self.request.rows()])}

    def construct_requests(self, doc: dict[str, Any], ctx: str, **kwargs: Any) -> Instance | list[Instance]:
        """Ask for one generation, after making sure that the model reads all of the prompt."""
        chat_template = kwargs.get("chat_template")
        self._require_style(doc, chat=chat_template is not None)
        self._require_fit(doc, ctx, chat_template)
        return super().construct_requests(doc, ctx, **kwargs)

    def process_results(self, doc: dict[str, Any], results: Sequence[str]) -> dict[str, float]:
        """Score one answer; where there are several lengths, also under the length's own metric."""
        values: dict[str, float] = super().process_results(doc, results)
        if len(self.request.lengths) > 1:
            values[_metric_of(doc["target_tokens"])] = values["score"]
        return values

    def aggregation(self) -> dict[str, Callable[[Sequence[float]], float]]:
        """Means, all with standard errors."""
        return {**dict.fromkeys(map(_metric_of, self.request.lengths), mean), **super().aggregation()}

    def higher_is_better(self) -> dict[str, bool]:
        """True of every score, false of the unparsed rate."""
        return {**dict.fromkeys(map(_metric_of, self.request.lengths), True), **super().higher_is_better()}

    def _require_style(self, doc: Mapping[str, Any], *, chat: bool) -> None:
        plain = doc["metric"].endswith(PLAIN)
        if chat and plain:
            raise ValueError(f"{doc['id']} is a plain prompt for base models: leave --apply_chat_template out")
        if chat or plain or not self.request.tokenizer:
            return
        if load_tokenizer(model_folder(self.request.tokenizer)).has_chat_template:
            raise ValueError(
                f"{doc['id']} is a chat prompt: add --apply_chat_template, or for a base model "
                '--metadata \'{"knobs": {"style": "plain"}}\''
            )

    def _require_fit(self, doc: Mapping[str, Any], ctx: str, chat_template: Callable[..., str] | None) -> None:
        model = getattr(chat_template, "__self__", None)
        metadata = self.config.metadata or {}
        read = count_read(model, ctx, self.request.tokenizer)
        answer = generation_budget(self.config.generation_kwargs or {})
        context = context_size(model, metadata)
        if read is not None and context is not None and read + answer > context:
            raise ValueError(
                f"{doc['id']} does not fit: {read} tokens of prompt and {answer} of answer, the model's context has "
                f"{context} (choose a shorter length, fewer max_gen_toks, or say max_length= if it can take more)"
            )
        if read is not None and not self.request.data and read != doc["num_tokens"]:
            _log.warning(
                "%s: the model reads %d tokens, not the %d of the sample; is there a system instruction, or a BOS "
                "token beside the chat template's (add_bos_token=False)?",
                *(doc["id"], read, doc["num_tokens"]),
            )


def score_document(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
    """The score of one answer, 0 to 1, and whether it could not be read: 0 or 1, as its mean is the unparsed rate."""
    score = get_scorer(doc["metric"])(results[0], doc["answers"])
    return {"score": score.value, "unparsed": float(not score.parsed)}


def _metric_of(tokens: int) -> str:
    return f"score_{format_length(tokens)}"
