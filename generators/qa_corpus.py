"""Documents with questions about them, from a local file in its original format or from a dataset on the Hub."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Question:
    """A question about the document numbered `document`.

    `options` are those of a multiple choice, else empty. `answers` are ways to say the right answer. `span` is where
    the first of them stands in the document (characters), if the source says.
    """

    document: int
    text: str
    options: tuple[str, ...]
    answers: tuple[str, ...]
    span: tuple[int, int] | None


@dataclass(frozen=True)
class Found:
    """A question as a source has it, with its whole document; `start` is where the first answer begins in it."""

    document: str
    question: str
    answers: tuple[str, ...]
    options: tuple[str, ...] = ()
    start: int | None = None


@dataclass(frozen=True, eq=False)
class Corpus:
    """Documents, each once, and the questions about them."""

    documents: tuple[str, ...]
    questions: tuple[Question, ...]

    @cached_property
    def sha256(self) -> str:
        """SHA-256 (hex) of documents and questions as they are used, wherever they came from."""
        data = [self.documents, [asdict(question) for question in self.questions]]
        return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()

    @cached_property
    def words(self) -> tuple[int, ...]:
        """Words of each document."""
        return tuple(len(document.split()) for document in self.documents)


@dataclass(frozen=True)
class Source:
    """How the corpus of a task is read.

    Attributes:
        task: The task's name, for messages.
        hub: The dataset on the Hub that is read by default, and its split; empty if there is none.
        file: From the text of a file in the original format to questions.
        row: From a row of the dataset on the Hub to its questions.
    """

    task: str
    hub: tuple[str, str] | None
    file: Callable[[str], Iterable[Found]]
    row: Callable[[dict[str, Any]], Iterable[Found]]


def load_corpus(source: Source, name: str) -> Corpus:
    """The corpus called `name`: a file, a dataset id on the Hub (`owner/name`), or the default if empty.

    Each is read once in a process, a file anew when it has changed. Raises ValueError, in one line, if it cannot be
    had or is of another format.
    """
    path = Path(name).expanduser()
    if name and path.is_file():
        stat = path.stat()
        return _from_file(source, name, stat.st_size, stat.st_mtime_ns)
    if name and not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise ValueError(f"{source.task}: source={name!r} is not a file, nor a dataset id (owner/name)")
    if not name and source.hub is None:
        raise ValueError(f"{source.task}: source is empty and no dataset on the Hub has it: give a file, source=FILE")
    return _from_hub(source, name)


def unique_corpus(found: Iterable[Found]) -> Corpus:
    """The corpus of `found`; documents lose the white space around them, and equal ones become one."""
    numbers: dict[str, int] = {}
    questions = []
    for item in found:
        document = item.document.strip()
        number = numbers.setdefault(document, len(numbers))
        answers = tuple(dict.fromkeys(answer.strip() for answer in item.answers))
        question = " ".join(item.question.split())
        if not document or not question or not all(answers) or not answers:
            continue
        options = tuple(" ".join(option.split()) for option in item.options)
        questions.append(Question(number, question, options, answers, _span(item, document, answers[0])))
    return Corpus(tuple(numbers), tuple(questions))


def json_lines(text: str) -> Iterator[dict[str, Any]]:
    """The objects of a JSON Lines file."""
    return (json.loads(line) for line in text.splitlines() if line.strip())


def _span(item: Found, document: str, answer: str) -> tuple[int, int] | None:
    if item.start is None:
        return None
    shift = len(item.document) - len(item.document.lstrip())
    padding = len(item.answers[0]) - len(item.answers[0].lstrip())
    start = item.start - shift + padding
    if document[start : start + len(answer)] != answer:
        start = document.find(answer)
    return (start, start + len(answer)) if start >= 0 else None


@lru_cache(maxsize=8)
def _from_file(source: Source, name: str, size: int, changed: int) -> Corpus:
    try:
        text = Path(name).expanduser().read_text(encoding="utf-8")
        return _not_empty(unique_corpus(source.file(text)), source, name)
    except (KeyError, TypeError, IndexError, AttributeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(
            f"{source.task}: source={name!r} is not in the original format ({type(error).__name__}: {error})"
        ) from None


@lru_cache(maxsize=8)
def _from_hub(source: Source, name: str) -> Corpus:
    import datasets  # here: tasks without a corpus need not wait for it

    dataset, split = source.hub or (name, "validation")
    dataset = name or dataset
    try:
        rows = datasets.load_dataset(dataset, split=split)
        return _not_empty(unique_corpus(item for row in rows for item in source.row(row)), source, dataset)
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(
            f"{source.task}: source={dataset!r} has other columns ({type(error).__name__}: {error})"
        ) from None
    except (OSError, ConnectionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"{source.task}: cannot load {dataset!r} from the Hub ({reason}); with a local copy set source=FILE"
        ) from None


def _not_empty(corpus: Corpus, source: Source, name: str) -> Corpus:
    if not corpus.questions:
        raise ValueError(f"{source.task}: source={name!r} holds no question")
    return corpus
