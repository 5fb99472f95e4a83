"""What the QA tasks have in common: a question about one document of many, and where the documents come from."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import ClassVar, Literal

from nl_tasks.generators.packed_documents import PackedDraft
from nl_tasks.generators.qa_corpus import Corpus, Question, Source, load_corpus
from nl_tasks.generators.randomness import Key
from nl_tasks.generators.task import Task
from nl_tasks.generators.tokenizers import Tokenizer
from nl_tasks.generators.units import Frame, frame


@dataclass(frozen=True, kw_only=True)
class QaTask(Task):
    """Base of the tasks that ask about one document among others (arXiv 2504.17768, section 3.2).

    The samples of a seed take the questions in turn, in a random order; after the last one they begin again, among
    other documents. The source is read when the first sample is made.

    Attributes:
        source: A file in the original format or a dataset id on the Hub; empty for the task's own dataset.
        source_sha256: If given, the content hash that the source must have; samples always name it.
        max_words: Most words of a document that is asked about; 0 for no limit.
        allow_repeat: Let documents come twice where the corpus is too small for the length.
        style: `chat` for a user message, `plain` for base models: no chat template, an answer cue at the end.
    """

    dataset = "sparse-frontier/qa"
    reader: ClassVar[Source]
    source: str = ""
    source_sha256: str = ""
    max_words: int = 0
    allow_repeat: bool = False
    style: Literal["chat", "plain"] = "chat"

    def __post_init__(self) -> None:
        """Raise ValueError for a knob out of range."""
        self.require("max_words", self.max_words >= 0, "0 or more")
        self.require("style", self.style in ("chat", "plain"), "chat or plain")

    @property
    def chat(self) -> bool:
        """Whether the prompt is a chat message."""
        return self.style == "chat"

    def scorer(self, metric: str) -> str:
        """The variant of `metric` that reads answers in this style."""
        return metric if self.chat else f"{metric}:plain"

    @property
    def corpus(self) -> Corpus:
        """The documents and questions. Raises ValueError if they cannot be had or are not those of `source_sha256`."""
        corpus = load_corpus(self.reader, self.source)
        if self.source_sha256 not in ("", corpus.sha256):
            raise ValueError(
                f"{self.name}: source={self.source!r} has changed: its content hash is {corpus.sha256}, "
                f"not source_sha256={self.source_sha256!r}"
            )
        return corpus

    @property
    def params(self) -> str:
        """The knobs as canonical JSON text, with the content hash of the source filled in."""
        knobs = {**asdict(self), "source_sha256": self.corpus.sha256}
        return json.dumps(knobs, sort_keys=True, separators=(",", ":"))

    def key(self, seed: int, index: int) -> Key:
        """The random key of one sample. What the source is called is no part of it, what it holds is."""
        knobs = {knob: value for knob, value in json.loads(self.params).items() if knob != "source"}
        return Key(self.name, self.version, json.dumps(knobs, sort_keys=True, separators=(",", ":")), seed, index)

    def longest_length(self, *, seed: int, indices: Iterable[int], tokenizer: Tokenizer) -> int | None:
        """The most tokens that the documents fill; None if they may come twice."""
        if self.allow_repeat:
            return None
        return min(self.draft(self.key(seed, index)).longest(tokenizer) for index in indices)

    def draft(self, key: Key) -> PackedDraft:
        """The sample before its length is known."""
        corpus = self.corpus
        asked = _questions(corpus, self.max_words)
        if not asked:
            raise ValueError(
                f"{self.name}: max_words={self.max_words} is out of range: "
                f"the shortest document asked about has {min(corpus.words[q.document] for q in corpus.questions)} words"
            )
        question = asked[key.turn("question", len(asked))]

        def around(number: int) -> Frame:
            text = self.wording(f"About document {number}: {question.text}", question)
            return frame(self, chat=self.chat, question=text, answers=list(question.answers), number=number)

        return PackedDraft(key, corpus, question, around, chat=self.chat, repeat=self.allow_repeat)

    def wording(self, text: str, question: Question) -> str:
        """The question as the prompt asks it: `text`, and the options, if there are any, each on a line."""
        return "\n".join([text, *map("{}. {}".format, "ABCDEFGH", question.options)])


@lru_cache(maxsize=16)
def _questions(corpus: Corpus, max_words: int) -> list[Question]:
    """The questions about documents of at most so many words."""
    return [q for q in corpus.questions if not max_words or corpus.words[q.document] <= max_words]
