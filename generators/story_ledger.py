"""The ledger of a story: who was met where, what was bought, shown, sold, chapter by chapter.

Rows are chapters before they have a place in the story: first the evidence chapters, as a task asks for them, then as
many filler chapters as are wanted. A row's facts and words depend on its number alone, so a longer story of the same
sample holds the chapters of the shorter one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nl_tasks.generators.names import ADJECTIVES, HE, MATERIALS, NOUNS, PLACE_KINDS, SHE, Mint, place_stems, surnames
from nl_tasks.generators.randomness import Key, scale
from nl_tasks.generators.story_costs import LINES

ITEMS_A_ROW = 4
MAIN, SEEN, SHOWN, OTHER = range(ITEMS_A_ROW)
FLAGS = 15
DRAWS = FLAGS + sum(line.draws for line in LINES)


_SOLD = 45  # percent of the items bought, unless the story ends before
_OCTAVES, _SALE_OCTAVES = 15, 6
_KNOWN = 2**_OCTAVES - 1


@dataclass(frozen=True)
class Chapter:
    """An evidence chapter: whether the hero buys its main item, and whom and what place it has.

    A person or place with a number turns up in the evidence chapters of that number only; None is anybody or anywhere,
    drawn as in a filler chapter, so that nothing tells the two apart.
    """

    bought: bool
    person: int | None = None
    place: int | None = None


class Ledger:
    """Facts of all rows, int64 or bool `[rows]`; `items` is `[rows, 4]`, numbers that are names in `item_names`."""

    def __init__(self, key: Key, hero: str, density: float, chapters: Sequence[Chapter], fillers: int) -> None:
        count = len(chapters)
        self.evidence, self.rows = count, count + fillers
        evidence = key.stream("evidence").words(count, DRAWS)
        self.words = np.concatenate([evidence, key.stream("filler").words(fillers, DRAWS)])
        flags = self.words[:, :FLAGS]
        # Some people are met often: the smaller of two draws. Of places more are new.
        self.person = _drawn(np.minimum(flags[:, 0], flags[:, 12]), flags[:, 1])
        self.place = _drawn(flags[:, 2], flags[:, 3])
        self.bought = scale(flags[:, 4], 2**20) < round(density * 2**20)
        for row, chapter in enumerate(chapters):
            self.bought[row] = chapter.bought
            self.person[row] = self.person[row] if chapter.person is None else _KNOWN + chapter.person
            self.place[row] = self.place[row] if chapter.place is None else _KNOWN + chapter.place
        self._part_pairs()
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
        """Whom the hero meets in an evidence row."""
        return self._people[row]

    def place_name(self, row: int) -> str:
        """Where an evidence row happens."""
        return self._places[row]

    def item_name(self, row: int) -> str:
        """What is bought in an evidence row, or declined; no article."""
        return self._goods[row]

    def sales(self, order: np.ndarray) -> np.ndarray:
        """What is sold in each row of a story in this order: an item bought earlier and still owned, else -1.

        Each item finds its buyer 1 to 63 chapters later, or in the first chapter from there on that has no sale. How
        likely it is to be sold does not depend on what is bought meanwhile, so no gap in the trade shows in the sales.
        """
        for_sale = self.bought & self.says(11, _SOLD)
        octave = scale(self.words[:, 13], _SALE_OCTAVES)
        later = (1 << octave) + scale(self.words[:, 14], 1 << octave)
        items = [-1] * len(order)
        for position in np.flatnonzero(for_sale[order]).tolist():
            at = position + int(later[order[position]])
            while at < len(order) and items[at] >= 0:
                at += 1
            if at < len(order):
                items[at] = int(self.items[order[position], MAIN])
        sold = np.full(self.rows, -1, dtype=np.int64)
        sold[order] = items
        return sold

    @cached_property
    def _people(self) -> list[str]:
        return self.people.names(self.people.indices(self.person[: self.evidence]))

    @cached_property
    def _places(self) -> list[str]:
        return self.places.names(self.places.indices(self.place[: self.evidence]))

    @cached_property
    def _goods(self) -> list[str]:
        return self.goods.names(self.goods.indices(self.items[: self.evidence, MAIN]))

    def _part_pairs(self) -> None:
        """Let no other chapter have both the person and the place of an evidence chapter: it moves somewhere new."""
        pairs = self.person << 32 | self.place
        again = np.isin(pairs, pairs[: self.evidence])
        again[np.unique(pairs[: self.evidence], return_index=True)[1]] = False
        unused = max(int(self.place[: self.evidence].max(initial=0)), _KNOWN) + 1
        self.place[again] = unused + np.arange(np.count_nonzero(again))


def _drawn(octaves: np.ndarray, picks: np.ndarray) -> np.ndarray:
    """Numbers 0..2**15-2, int64 `[rows]`, each row for itself: k about as often as 1 / (k + 1), as words in a text.

    At every length some people and places are then met often, some twice and many once.
    """
    octave = scale(octaves, _OCTAVES)
    return (1 << octave) - 1 + scale(picks, 1 << octave)
