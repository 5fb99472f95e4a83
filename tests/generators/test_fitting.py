"""To the token, also where padding has but a few sizes."""

import numpy as np
import pytest

from nl_tasks.generators.fitting import MARGIN, Body, Draft, Fitted, NoPadding, close_gap, fit


class Words:
    """A tokenizer that takes words apart at spaces."""

    name = "words"

    def count_prompt(self, text, *, chat=True):
        return len(text.split())


class Blocks(Draft):
    """Filler of 9 words a piece, and padding of 33 or 40 words: only some gaps can be closed."""

    chat = False

    def smallest(self, tokenizer):
        return MARGIN

    def body(self, length, tokenizer):
        return Pieces(max(0, length - MARGIN) // 9)


class Pieces(Body):
    def __init__(self, count):
        self.tokens, self.padding_costs = 9 * count, np.array([33] * 4 + [40] * 4)

    def finish(self, padding):
        return Fitted("w " * (self.tokens + int(self.padding_costs[list(padding)].sum())), "", [], [], [])


def test_a_gap_that_no_padding_closes_leads_to_a_smaller_body():
    with pytest.raises(NoPadding, match="sum to 50 tokens"):
        close_gap(Pieces(0).padding_costs, 50)
    for length in range(900, 1000):
        assert Words().count_prompt(fit(Blocks(), length, Words()).prompt) == length
