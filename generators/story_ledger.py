"""The ledger of a story: who was met where, what was bought, shown, sold, chapter by chapter.

Rows are chapters before they have a place in the story: first the evidence chapters, as a task asks for them, then as
many filler chapters as are wanted. A row's facts and words depend on its number alone, so a longer story of the same
sample holds the chapters of the shorter one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nl_tasks.generators.names import ADJECTIVES, HE, MATERIALS, NOUNS, PLACE_KINDS, SHE, Mint, place_stems, surnames
from nl_tasks.generators.randomness import Key, scale
from nl_tasks.generators.story_costs import LINES

ITEMS_A_ROW = 4
MAIN, SEEN, SHOWN, OTHER = range(ITEMS_A_ROW)
FLAGS = 12
DRAWS = FLAGS + sum(line.draws for line in LINES)


@dataclass(frozen=True)
class Chapter:
    """An evidence chapter: whether the hero buys its main item, and which evidence person and place it has."""

    bought: bool
    person: int
    place: int


class Ledger:
    """Facts of all rows, int64 or bool `[rows]`; `items` is `[rows, 4]`, numbers that are names in `item_names`."""

    def __init__(self, key: Key, hero: str, density: float, chapters: Sequence[Chapter], fillers: int) -> None:
        count = len(chapters)
        self.evidence, self.rows = count, count + fillers
        evidence = key.stream("evidence").words(count, DRAWS)
        self.words = np.concatenate([evidence, key.stream("filler").words(fillers, DRAWS)])
        flags = self.words[count:, :FLAGS]
        people = max((chapter.person for chapter in chapters), default=-1) + 1
        places = max((chapter.place for chapter in chapters), default=-1) + 1
        self.person = np.concatenate([[c.person for c in chapters], people + _visits(flags[:, 0], flags[:, 1])])
        self.place = np.concatenate([[c.place for c in chapters], places + _visits(flags[:, 2], flags[:, 3])])
        self.person, self.place = self.person.astype(np.int64), self.place.astype(np.int64)
        bought = scale(flags[:, 4], 2**20) < round(density * 2**20)
        self.bought = np.concatenate([np.array([c.bought for c in chapters], dtype=bool), bought])
        self.items = np.arange(self.rows * ITEMS_A_ROW).reshape(self.rows, ITEMS_A_ROW)
        firsts = [name for name in SHE + HE if name.lower() not in hero.lower().split()]
        self.women = sum(name in SHE for name in firsts)
        minting = key.stream("names")
        self.people = Mint(minting, firsts, surnames())
        self.places = Mint(minting, place_stems(), PLACE_KINDS)
        self.goods = Mint(minting, ADJECTIVES, MATERIALS, NOUNS)

    def says(self, flag: int, percent: int) -> np.ndarray:
        """A random yes in `percent` of the rows, bool `[rows]`."""
        return scale(self.words[:, flag], 100) < percent

    def person_name(self, row: int) -> str:
        """Whom the hero meets in a row."""
        return _name(self.people, int(self.person[row]))

    def place_name(self, row: int) -> str:
        """Where a row happens."""
        return _name(self.places, int(self.place[row]))

    def item_name(self, row: int) -> str:
        """What is bought in a row, or declined; no article."""
        return _name(self.goods, int(self.items[row, MAIN]))

    def sales(self, order: np.ndarray) -> np.ndarray:
        """What is sold in each row of a story in this order: an item bought earlier and still owned, else -1."""
        sold = np.full(self.rows, -1, dtype=np.int64)
        wants, bought, main = self.says(10, 35).tolist(), self.bought.tolist(), self.items[:, MAIN].tolist()
        draws = self.words[:, 11].tolist()
        owned: list[int] = []
        for row in order.tolist():
            if wants[row] and owned:
                pick = draws[row] * len(owned) >> 32
                owned[pick], owned[-1] = owned[-1], owned[pick]
                sold[row] = owned.pop()
            if bought[row]:
                owned.append(main[row])
        return sold


def _visits(news: np.ndarray, picks: np.ndarray) -> np.ndarray:
    """Numbers of people (or places) in order: two in three are new, the others are met again."""
    new = scale(news, 3) < 2
    new[:1] = True
    known = np.cumsum(new)
    return np.where(new, known - 1, scale(picks, known))


def _name(mint: Mint, entity: int) -> str:
    return mint.names(mint.indices(np.array([entity])))[0]
