"""The prose layer: renders the rows of a ledger, and knows what every sentence costs and where it stands."""

import numpy as np

from nl_tasks.generators import story_lines as lines
from nl_tasks.generators.grammar import Fact, Line
from nl_tasks.generators.names import ADJECTIVES, HE, MATERIALS, NOUNS, PLACE_KINDS, SHE, Mint, place_stems, surnames
from nl_tasks.generators.story_costs import LEXICON, LINES, StoryCosts
from nl_tasks.generators.story_ledger import FLAGS, MAIN, OTHER, SEEN, SHOWN, Ledger

ORDER = (
    *("arrival", "scenery", "seen", "padding", "feeling"),
    *("meeting", "remark", "question", "reply"),
    *("haggle", "shown", "trade", "pause", "aside"),
    *("farewell", "road"),
)
"""Columns of a chapter. `trade` is bought or declined, `aside` a sale or somebody else's business."""

_FIRST_DRAW = dict(zip((line.name for line in LINES), np.cumsum([FLAGS, *(line.draws for line in LINES)]).tolist()))
_PRONOUNS = {"She": ("She", "He"), "she": ("she", "he"), "her": ("her", "him"), "their": ("her", "his")}
_PRONOUNS["herself"] = ("herself", "himself")
_VOWELS = tuple("aeiou")


class StoryText:
    """Texts of all rows by column (object `[rows]`), and the tokens of each row without its heading."""

    def __init__(self, ledger: Ledger, hero: str, costs: StoryCosts) -> None:
        self.ledger = self._ledger = ledger
        self._costs, self._hero = costs, hero
        self._facts = self._ledger_facts()
        self.columns: dict[str, np.ndarray] = {}
        self.tokens = np.zeros(ledger.rows, dtype=np.int64)
        everyone = np.ones(ledger.rows, dtype=bool)
        shown = {
            lines.SEEN: ledger.says(5, 40),
            lines.FEELING: ledger.says(6, 40),
            lines.QUESTION: ledger.says(7, 35),
            lines.REPLY: ledger.says(8, 50),
            lines.SHOWN: ledger.says(9, 45),
            lines.PAUSE: ledger.says(5, 55) & ~ledger.says(5, 20),
        }
        always = (lines.ARRIVAL, lines.SCENERY, lines.MEETING, lines.REMARK, lines.HAGGLE, lines.FAREWELL, lines.ROAD)
        for line in (*always, *shown):
            self._add(line.name, line, shown.get(line, everyone))
        self._add("trade", lines.BOUGHT, ledger.bought)
        self._add("trade", lines.DECLINED, ~ledger.bought)
        self.aside = ledger.says(10, 35)
        self._told = self.tokens

    def tell(self, order: np.ndarray) -> None:
        """Add what depends on the order of the chapters: which items are sold."""
        sold = self._ledger.sales(order)
        selling = sold >= 0
        self._facts["the_sold"] = self._item_fact(np.maximum(sold, 0), "the")
        self.columns.pop("aside", None)
        self.tokens = self._told.copy()
        self._add("aside", lines.SOLD, selling)
        self._add("aside", lines.OTHER, self.aside & ~selling)

    def padding(self, words: np.ndarray) -> tuple[list[str], np.ndarray]:
        """Sentences that fit anywhere, and their tokens; from random words, uint32 `[n, draws]`."""
        texts, tokens = lines.PADDING.render(words, {}, np.arange(0), LEXICON, self._costs.lines["padding"])
        return texts.tolist(), tokens

    def _add(self, column: str, line: Line, present: np.ndarray) -> None:
        rows = np.flatnonzero(present)
        start = _FIRST_DRAW[line.name]
        words = self._ledger.words[rows, start : start + line.draws]
        texts, tokens = line.render(words, self._facts, rows, LEXICON, self._costs.lines[line.name])
        self.columns.setdefault(column, np.full(self._ledger.rows, "", dtype=object))[rows] = texts
        self.tokens[rows] += tokens

    def _ledger_facts(self) -> dict[str, Fact]:
        ledger, rows = self._ledger, self._ledger.rows
        firsts = tuple(name for name in SHE + HE if name.lower() not in self._hero.lower().split())
        first, last = ledger.people.indices(ledger.person)
        facts = {
            "hero": self._listed((self._hero,), np.zeros(rows, dtype=np.int64)),
            "person": self._named(ledger.people, [first, last], [firsts, tuple(surnames())]),
            "place": self._named(
                ledger.places, ledger.places.indices(ledger.place), [tuple(place_stems()), tuple(PLACE_KINDS)]
            ),
            "first": self._listed(firsts, first),
            "job": self._listed(lines.JOBS, ledger.person * 7919 % len(lines.JOBS)),
        }
        man = (first >= ledger.women).astype(np.int64)
        facts |= {slot: self._listed(words, man) for slot, words in _PRONOUNS.items()}
        wanted = {"a_main": MAIN, "a_seen": SEEN, "a_shown": SHOWN, "a_other": OTHER}
        facts |= {slot: self._item_fact(ledger.items[:, column], "a") for slot, column in wanted.items()}
        return facts

    def _listed(self, words: tuple[str, ...], index: np.ndarray) -> Fact:
        spaced, opening = self._costs.words(words)
        return Fact(np.array(words, dtype=object)[index], spaced[index], opening[index])

    def _named(self, mint: Mint, indices: list[np.ndarray], parts: list[tuple[str, ...]]) -> Fact:
        tables = [self._costs.words(part) for part in parts]
        spaced = sum(table[0][index] for table, index in zip(tables, indices))
        opening = tables[0][1][indices[0]] + spaced - tables[0][0][indices[0]]
        return Fact(_objects(mint.names(indices)), np.asarray(spaced), opening)

    def _item_fact(self, items: np.ndarray, article: str) -> Fact:
        indices = self._ledger.goods.indices(items)
        fact = self._named(self._ledger.goods, indices, [tuple(ADJECTIVES), tuple(MATERIALS), tuple(NOUNS)])
        articles = ("a", "an") if article == "a" else (article, article)
        vowel = np.array([word.startswith(_VOWELS) for word in ADJECTIVES])[indices[0]].astype(np.int64)
        tokens = self._costs.words(articles)[0][vowel] + fact.spaced
        leading = np.array(articles, dtype=object)[vowel] + " "
        return Fact(leading + fact.texts, tokens, tokens)


def _objects(texts: list[str]) -> np.ndarray:
    array = np.empty(len(texts), dtype=object)
    array[:] = texts
    return array
