from nl_tasks.generators.words import HEADS, TAILS, capacity, words


def test_no_word_is_another_ones_twin():
    every = words(capacity())
    known = set(every)
    assert len(known) == len(every) == len(HEADS) * len(TAILS) > 180_000
    assert all(word.isascii() and word.islower() and word.isalpha() for word in known)
    assert not any(word + "s" in known or word + "es" in known for word in known)
