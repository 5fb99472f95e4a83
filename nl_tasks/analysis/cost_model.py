"""What a prefill computes and what a generated token reads, dense or sparse (arXiv 2504.17768, appendix B).

    shape = find_shape("Qwen2.5-7B")
    prefill_flops(shape, 131072, density=0.1).total
    decode_reads(shape, 131072, density=0.1, batch=8).total

The published formulas and the published numbers do not agree with each other, nor with what causal attention
computes. A `Counting` names each choice, so that every number can say which one it follows.
"""

from dataclasses import dataclass
from typing import Literal

from nl_tasks.analysis.model_shapes import ModelShape


@dataclass(frozen=True, kw_only=True)
class Counting:
    """Choices that a cost depends on.

    Attributes:
        causal: Count the score entries below the diagonal only, not the whole square.
        projections_scaled: Let sparsity shrink the projections to Q, K, V and O too, which no method does.
        gqa_weights: Count K and V projections of `kv_heads`, not of `heads`, among the weights that decoding reads.
        estimate_dim: Length of the vectors in the paper's formulas of an estimate's cost.
    """

    name: str
    causal: bool
    projections_scaled: bool
    gqa_weights: bool
    estimate_dim: Literal["head_dim", "hidden"]


CORRECTED = Counting(name="corrected", causal=True, projections_scaled=False, gqa_weights=True, estimate_dim="head_dim")
PUBLISHED = Counting(  # what the paper's shares and speed-ups follow
    name="published", causal=False, projections_scaled=True, gqa_weights=True, estimate_dim="head_dim"
)
PRINTED = Counting(  # what the paper's formulas say
    name="printed", causal=False, projections_scaled=False, gqa_weights=False, estimate_dim="hidden"
)
COUNTINGS = {counting.name: counting for counting in (CORRECTED, PUBLISHED, PRINTED)}


@dataclass(frozen=True)
class PrefillFlops:
    """FLOPs of reading a prompt; `scores` are QK^T, softmax and PV, `estimate` is what the selection costs."""

    embedding: float
    projections: float
    scores: float
    estimate: float
    mlp: float
    logits: float

    @property
    def total(self) -> float:
        """All FLOPs."""
        return self.embedding + self.projections + self.scores + self.estimate + self.mlp + self.logits

    @property
    def attention_share(self) -> float:
        """Share of projections and scores in all FLOPs, as the paper counts attention."""
        return (self.projections + self.scores) / self.total

    @property
    def score_share(self) -> float:
        """Share of the scores alone."""
        return self.scores / self.total


@dataclass(frozen=True)
class DecodeReads:
    """Elements (not bytes) read from memory to generate one token of each sequence of a batch."""

    weights: float
    kv: float
    estimate: float

    @property
    def total(self) -> float:
        """All elements."""
        return self.weights + self.kv + self.estimate

    @property
    def kv_share(self) -> float:
        """Share of the KV cache."""
        return self.kv / self.total


def prefill_flops(
    shape: ModelShape,
    length: int,
    *,
    density: float = 1.0,
    estimate: float = 0.0,
    batch: int = 1,
    counting: Counting = CORRECTED,
) -> PrefillFlops:
    """Count the FLOPs of a prefill of `length` tokens.

    `density` is that of the layers without a sliding window; `estimate` the query-key products of the selection, as
    a share of those layers' causal score entries. Raises ValueError for numbers out of range.
    """
    _check(length, density, estimate, batch)
    d, dh, full, windowed = shape.hidden, shape.head_dim, *_layers(shape)
    square = _entries(length, None, counting.causal)
    band = _entries(length, shape.window, counting.causal)
    kept = full * square * density + windowed * band
    projections = 2 * length * d * dh * 2 * (shape.heads + shape.kv_heads)
    scaled = (full * density + windowed) if counting.projections_scaled else shape.layers
    return PrefillFlops(
        embedding=batch * 2 * length * d,
        projections=batch * scaled * projections,
        scores=batch * shape.heads * kept * (4 * dh + 3),
        estimate=batch * shape.heads * full * _entries(length, None, True) * estimate * 2 * dh,
        mlp=batch * 2 * shape.layers * length * shape.mlp * (3 * d + 1),
        logits=batch * 2 * length * d * shape.vocab,
    )


def decode_reads(
    shape: ModelShape,
    length: int,
    *,
    density: float = 1.0,
    estimate: float = 0.0,
    batch: int = 1,
    counting: Counting = CORRECTED,
) -> DecodeReads:
    """Count the elements that a token read after `length` tokens of context costs.

    `density` is the share of the cache that layers without a sliding window read; `estimate` what the selection reads,
    in key vectors as a share of the cached keys. Raises ValueError for numbers out of range.
    """
    _check(length, density, estimate, batch)
    d, full, windowed = shape.hidden, *_layers(shape)
    kv_width = shape.kv_heads * shape.head_dim
    q_width = shape.heads * shape.head_dim
    projections = 2 * d * (q_width + (kv_width if counting.gqa_weights else q_width))
    cached = full * length * density + windowed * min(length, shape.window or length)
    return DecodeReads(
        weights=shape.layers * (projections + 3 * d * shape.mlp) + d * (shape.vocab + 1),
        kv=batch * 2 * kv_width * cached,
        estimate=batch * kv_width * full * length * estimate,
    )


def _layers(shape: ModelShape) -> tuple[int, int]:
    full = shape.layers if shape.full_layers is None else shape.full_layers
    return full, shape.layers - full


def _entries(length: int, window: int | None, causal: bool) -> float:
    """Score entries of a head."""
    width = min(length, window or length)
    return length * width - width * (width - 1) / 2 if causal else length * width


def _check(length: int, density: float, estimate: float, batch: int) -> None:
    for name, value, allowed, expected in (
        ("length", length, length >= 1, "at least 1"),
        ("density", density, 0 <= density <= 1, "0 to 1"),
        ("estimate", estimate, estimate >= 0, "at least 0"),
        ("batch", batch, batch >= 1, "at least 1"),
    ):
        if not allowed:
            raise ValueError(f"{name}={value!r} is out of range: {expected}")
