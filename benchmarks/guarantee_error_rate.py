"""How often is the guarantee wrong, and how often does it find what is there? Simulated experiments of known truth.

Run: python benchmarks/guarantee_error_rate.py [RUNS]

First table: one test at the edge, where the true drop is the margin, so that every pass is an error; the paired t-test
beside ours. Second table: whole answers over three tasks and five sparsities. "wrong": some task is certified at a
sparsity whose true drop is the margin or more. "power": share of the truly safe (task, sparsity) steps certified.
"""

import sys

import numpy as np

from nl_tasks.analysis.drop_test import drop_p_values
from nl_tasks.analysis.guarantee import highest, holm_chains
from nl_tasks.analysis.libraries import library

MARGIN = 0.05
SPARSITIES = (0.5, 0.7, 0.8, 0.9, 0.95)
TRUTH = {
    "easy": (0.0, 0.0, 0.01, 0.05, 0.2),
    "middling": (0.0, 0.02, 0.05, 0.10, 0.3),
    "hard": (0.0, 0.05, 0.05, 0.10, 0.3),
}


def draw(rng, shape, changed, drop):
    worse = max(drop, (changed + drop) / 2)
    return rng.choice([1.0, 0.0, -1.0], size=shape, p=[worse, 1 - 2 * worse + drop, worse - drop])


def t_p_values(drops):
    stats = library("scipy.stats")
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (drops.mean(1) - MARGIN) / (drops.std(1, ddof=1) / np.sqrt(drops.shape[1]))
    return np.nan_to_num(stats.t.cdf(t, drops.shape[1] - 1), nan=0.0)


def edge(rng, runs, alpha=0.05):
    print(f"errors at a true drop of {MARGIN}, {runs} experiments, alpha {alpha}")
    print("    n  answers changed   ours  t-test   power at no drop: ours  t-test")
    for n in (100, 200, 400):
        for changed in (0.05, 0.1, 0.2):
            null, safe = draw(rng, (runs, n), changed, MARGIN), draw(rng, (runs, n), changed, 0.0)
            rates = [(f(x) <= alpha).mean() for x in (null, safe) for f in (ours(alpha), t_p_values)]
            print(f"{n:5} {changed:16} {rates[0]:6.3f} {rates[1]:7.3f} {rates[2]:24.3f} {rates[3]:7.3f}")


def ours(alpha):
    return lambda drops: drop_p_values(drops, MARGIN, alpha=alpha)


def whole(rng, runs):
    print(f"\nwhole answers, {runs} experiments, 2% of the answers change at no drop")
    print("alpha     n   wrong  wrong everywhere  0.10 drop certified  power")
    for alpha in (0.05, 0.1):
        for n in (100, 200, 400, 800):
            p = {
                (task, s): drop_p_values(draw(rng, (runs, n), 0.02, drop), MARGIN, alpha=alpha)
                for task, drops in TRUTH.items()
                for s, drop in zip(SPARSITIES, drops)
            }
            counts = np.array(
                [judge({t: [p[t, s][run] for s in SPARSITIES] for t in TRUTH}, alpha) for run in range(runs)]
            )
            wrong, everywhere, large, power = counts.mean(0)
            print(f"{alpha:5} {n:5} {wrong:7.4f} {everywhere:17.4f} {large:20.4f} {power:6.3f}")


def judge(chains, alpha):
    passed, _ = holm_chains(chains, alpha)
    certified = [TRUTH[task][i] for task, count in passed.items() for i in range(count)]
    worst = [max(chain[i] for chain in chains.values()) <= alpha for i in range(len(SPARSITIES))]
    unsafe = [max(drops[i] for drops in TRUTH.values()) >= MARGIN for i in range(len(SPARSITIES))]
    claimed = highest(SPARSITIES, worst)
    safe = sum(drop < MARGIN for drops in TRUTH.values() for drop in drops)
    return (
        any(drop >= MARGIN for drop in certified),
        claimed > 0 and unsafe[SPARSITIES.index(claimed)],
        any(drop == 0.10 for drop in certified),
        sum(drop < MARGIN for drop in certified) / safe,
    )


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    generator = np.random.default_rng(43)
    edge(generator, count)
    whole(generator, count)
