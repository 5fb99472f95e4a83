"""A guesser that has not read the story: the floor under every score.

It knows what kind of thing is asked for and names one of that kind that the story mentions, each with the same
chance. `chance` is what it can expect, worked out instead of sampled.
"""

import math
import re
from collections.abc import Iterable

from nl_tasks.generators.names import ADJECTIVES, HE, MATERIALS, NOUNS, PLACE_KINDS, SHE, place_stems, surnames
from nl_tasks.generators.randomness import Stream
from nl_tasks.generators.sample import Sample
from nl_tasks.gold import PLAIN, gold_prediction


def _pattern(*parts: Iterable[str]) -> re.Pattern[str]:
    return re.compile(r"\b" + " ".join(f"(?:{'|'.join(part)})" for part in parts) + r"\b")


_KINDS = (
    _pattern(ADJECTIVES, MATERIALS, NOUNS),
    _pattern([*SHE, *HE], surnames()),
    _pattern(place_stems(), PLACE_KINDS),
)
_HEADING = re.compile(r"^Chapter (\d+)\.$", re.MULTILINE)


def guess(sample: Sample) -> str:
    """A random answer to a story sample, in the form its prompt asks for; the same whenever it is asked for."""
    stream = Stream("guess", sample.id)
    pools = _pools(sample)
    if sample.metric.removesuffix(PLAIN) == "iou":
        order = stream.permutation(len(pools[0]))
        answers = sorted((pools[0][place] for place in order[: len(sample.answers)].tolist()), key=int)
    else:
        answers = [pool[stream.one(len(pool))] for pool in pools]
    return gold_prediction(sample.metric, answers)


def chance(sample: Sample) -> float:
    """The score that `guess` can expect of a story sample."""
    pools = _pools(sample)
    if sample.metric.removesuffix(PLAIN) == "iou":
        return _expected_overlap(len(sample.answers), len(pools[0]))
    return sum(1 / len(pool) for pool in pools) / len(pools)


def _pools(sample: Sample) -> list[list[str]]:
    """For each answer, whatever it might be: chapter numbers, or the story's names of the answer's kind."""
    if sample.metric.removesuffix(PLAIN) == "iou":
        return [_HEADING.findall(sample.prompt)] * len(sample.answers)
    found = [sorted(set(kind.findall(sample.prompt))) for kind in _KINDS]
    return [next(names for names in found if answer in names) for answer in sample.answers]


def _expected_overlap(chosen: int, of: int) -> float:
    """Mean intersection over union of a fixed and a random set of `chosen` out of `of`: hypergeometric."""
    ways = math.comb(of, chosen)
    shared = range(max(0, 2 * chosen - of), chosen + 1)
    return sum(
        math.comb(chosen, both) * math.comb(of - chosen, chosen - both) / ways * both / (2 * chosen - both)
        for both in shared
    )
