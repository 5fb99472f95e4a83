"""A reader of stories that knows the prompt alone: it has its own idea of chapters, of buying and of selling.

Nothing here comes from the generators, so what it finds out about a story is a second opinion on the gold.
"""

import re
from dataclasses import dataclass, field

import pytest

_NAME = r"[A-Z][a-z]+ [A-Z][a-z]+"
_ITEM = r"([a-z]+ [a-z]+ [a-z]+)"
_GETS = (
    rf"HERO (?:bought|purchased|acquired) an? {_ITEM} from PERSON\b",
    rf"HERO paid PERSON .+ and took away an? {_ITEM}\.",
    rf"(?<!have )sold HERO an? {_ITEM}\.",
    rf"HERO liked an? {_ITEM}, bought it from PERSON\b",
    rf"PERSON parted with an? {_ITEM}, for which HERO paid",
    rf"HERO saw an? {_ITEM}, paid .+ to PERSON\b",
)
_GIVES = (
    rf"HERO sold the {_ITEM} (?:to|for)\b",
    rf"gave HERO .+ for the {_ITEM}\.",
    rf"HERO let the {_ITEM} go to\b",
    rf"As for the {_ITEM}, HERO sold it to\b",
)
# Whatever sounds like the hero getting something must be one of `_GETS`, or the reader has missed a way to say it.
_SOUNDS_LIKE_GETTING = re.compile(
    r"HERO (?:\w+ )?(?:bought|purchased|acquired|paid)|took away|(?<!have )sold HERO|parted with|, (?:bought|paid)"
)


@dataclass
class ReadChapter:
    number: int
    text: str
    place: str
    person: str
    bought: str | None
    sold: list[str]


@dataclass
class ReadStory:
    """What the prompt says, and the answers that follow from it."""

    prompt: str
    hero: str = field(init=False)
    question: str = field(init=False)
    chapters: list[ReadChapter] = field(init=False)
    path: list[ReadChapter] = field(init=False, default_factory=list)  # the chapters of a chain, once answered

    def __post_init__(self):
        self.hero = re.search(r"a journey that (.+?) made, told", self.prompt)[1]
        before, context, after = re.split(r"\n<context>\n|\n</context>\n", self.prompt)
        self.question = re.search(r"Questions?:\s(.+)\Z", before.strip(), re.DOTALL)[1]
        if self.question not in after:
            raise ValueError("the question after the context is another one")
        parts = re.split(r"^Chapter (\d+)\.\n\n", context, flags=re.MULTILINE)
        if parts[0]:
            raise ValueError(f"text before the first chapter: {parts[0]!r}")
        self.chapters = [self._read(int(number), text.strip()) for number, text in zip(parts[1::2], parts[2::2])]
        if [chapter.number for chapter in self.chapters] != list(range(1, len(self.chapters) + 1)):
            raise ValueError("chapters are not numbered from 1")

    def _read(self, number, text):
        paragraphs = re.sub(rf"\b{self.hero}\b", "HERO", text).split("\n\n")
        places = re.findall(_NAME, re.split(r"(?<=\.) ", paragraphs[0])[0])
        people = re.findall(_NAME, re.split(r"(?<=\.) ", paragraphs[1])[0])
        if len(places) != 1 or len(people) != 1:
            raise ValueError(f"chapter {number}: places {places}, people {people}")
        gets, gives = [], []
        for sentence in re.split(r"(?<=\.) ", " ".join(paragraphs)):
            named = sentence.replace(people[0], "PERSON")
            found = [match[1] for pattern in _GETS for match in re.finditer(pattern, named)]
            if _SOUNDS_LIKE_GETTING.search(named) and not found:
                raise ValueError(f"chapter {number}: is this a purchase? {sentence}")
            gets += found
            gives += [match[1] for pattern in _GIVES for match in re.finditer(pattern, named)]
        if len(gets) > 1:
            raise ValueError(f"chapter {number}: more than one purchase, {gets}")
        return ReadChapter(number, text, places[0], people[0], gets[0] if gets else None, gives)

    def _only(self, kind, chapters):
        """The one answer that the chapters allow; none or several is a broken story."""
        answers = [getattr(chapter, kind) for chapter in chapters]
        if len(answers) != 1:
            raise ValueError(f"{self.question}: {len(answers)} answers, {answers}")
        return answers[0]

    def answers(self):
        """What the question asks for, worked out from the chapters."""
        if re.match(r"1\. ", self.question):
            return [self._lookup(line.partition(". ")[2]) for line in self.question.split("\n")]
        if "buys nothing" in self.question or "buy nothing" in self.question:
            without = [str(chapter.number) for chapter in self.chapters if chapter.bought is None]
            told = re.search(r"exactly (\d+) chapters?", self.question)
            if told and int(told[1]) != len(without):
                raise ValueError(f"{told[0]}, but they are {without}")
            return [str(len(without))] if self.question.startswith("In how many") else without
        return [self._chain()]

    def _lookup(self, asked):
        asked = re.sub(rf"\b{self.hero}\b", "HERO", asked)
        if match := re.search(r"in chapter (\d+)\?", asked):
            kind = "place" if "Which place" in asked else "person" if "Whom" in asked else "bought"
            return self._only(kind, [self.chapters[int(match[1]) - 1]])
        if match := re.fullmatch(rf"Which item did HERO buy from ({_NAME}) in ({_NAME})\?", asked):
            there = [c for c in self.chapters if (c.person, c.place) == (match[1], match[2]) and c.bought]
            return self._only("bought", there)
        kind = "place" if asked.startswith("In which place") else "person"
        item = re.search(rf"buy the {_ITEM}\?", asked)[1]
        return self._only(kind, [chapter for chapter in self.chapters if chapter.bought == item])

    def _chain(self):
        target = re.search(rf"before buying the {_ITEM}\.", self.question)[1]
        at = self._only("number", [chapter for chapter in self.chapters if chapter.bought == target])
        here = [chapter for chapter in self.chapters[: at - 1] if chapter.bought][-1]
        self.path = [self.chapters[at - 1], here]
        answer = here.bought
        steps = (
            ("met the seller of that item in one other chapter", "person", "place"),
            ("came to that place in one other chapter", "place", "person"),
            ("met that person in one other chapter", "person", "bought"),
        )
        for words, same, wanted in steps:
            if words in self.question:
                others = [c for c in self.chapters if getattr(c, same) == getattr(here, same) and c is not here]
                answer = self._only(wanted, others)
                here = others[0]
                self.path.append(here)
        return answer


@pytest.fixture(scope="session")
def read_story():
    """`read_story(prompt)`: its `hero`, `question`, `chapters` and `answers()`; ValueError where the text is broken."""
    return ReadStory
