"""The weak statement of the paper's kind: the sparse scores are not significantly lower than the dense ones."""

import numpy as np
from numpy.typing import ArrayLike

from nl_tasks.analysis.libraries import library


def worse_p_value(dense: ArrayLike, sparse: ArrayLike) -> float:
    """One-sided p-value of Welch's unpaired test that the sparse scores are lower; 1.0 where nothing varies or drops.

    This needs means, variances and counts alone, which is what the results of arXiv 2504.17768 keep. A large value
    says that no drop was seen, which few samples make likely whatever the truth.
    """
    x, y = np.asarray(dense, dtype=float), np.asarray(sparse, dtype=float)
    if x.mean() <= y.mean():
        return 1.0
    if len(x) < 2 or len(y) < 2:
        return 1.0
    if x.std() == 0 and y.std() == 0:
        return 0.0
    test = library("scipy.stats").ttest_ind_from_stats
    numbers = (x.mean(), x.std(ddof=1), len(x), y.mean(), y.std(ddof=1), len(y))
    return float(test(*numbers, equal_var=False, alternative="greater").pvalue)
