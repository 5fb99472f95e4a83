"""What the paper's two main methods pay to find out what to keep (arXiv 2504.17768, appendix B)."""

import math

from nl_tasks.analysis.cost_model import CORRECTED, Counting
from nl_tasks.analysis.model_shapes import ModelShape


def vertical_slash_flops(
    shape: ModelShape,
    length: int,
    *,
    columns: int,
    diagonals: int,
    window: int = 256,
    batch: int = 1,
    counting: Counting = CORRECTED,
) -> float:
    """FLOPs of Vertical-Slash's choice: attention of the last `window` queries, two sorts, an index."""
    width = shape.head_dim if counting.estimate_dim == "head_dim" else shape.hidden
    attention = 2 * width * length * window + 5 * length * window
    sorting = 2 * length * math.log2(length)
    index = 64 * length * (columns + diagonals)
    return batch * shape.layers * shape.heads * (attention + sorting + index)


def quest_reads(
    shape: ModelShape, length: int, *, page: int = 16, batch: int = 1, counting: Counting = CORRECTED
) -> float:
    """Elements that Quest reads a token to rank its pages: a minimum and a maximum for each channel."""
    width = shape.head_dim if counting.estimate_dim == "head_dim" else shape.hidden
    return 2 * batch * shape.layers * shape.kv_heads * width * length / page


def decode_attention_speedup(density: float, estimate: float) -> float:
    """How many times less of the cache is read at `density` with a selection that costs `estimate`.

    `estimate` is in key vectors a cached key (Quest: 2 / page), half of what the key and its value cost.
    """
    return 1 / (density + estimate / 2)
