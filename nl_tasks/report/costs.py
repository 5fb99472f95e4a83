"""What a reading costs by the cost model, and how its measured time stands to that of dense attention."""

from collections.abc import Mapping
from dataclasses import dataclass

from nl_tasks.analysis.cost_model import CORRECTED, Counting, decode_reads, prefill_flops
from nl_tasks.report.readings import Reading

BYTES: Mapping[str, int] = {"float32": 4, "float64": 8}  # of an element; 2 of all others


def cost(reading: Reading, phase: str, *, batch: int = 1, counting: Counting = CORRECTED) -> float | None:
    """FLOPs of a prefill, or bytes read for a decoded token, for a batch of `batch`; None if the model is unknown.

    The density is the measured one where the reading's method acts in this phase, full attention otherwise; the cost
    of selecting is included.
    """
    shape = reading.shape
    if shape is None:
        return None
    density, estimate = 1.0, 0.0
    if not reading.is_dense and reading.phase == phase:
        full = shape.layers if shape.full_layers is None else shape.full_layers
        acting = 1 - min(len(reading.cell.dense_layers) / full, 1.0) if full else 0.0
        density = 1 - acting * (1 - reading.density)
        estimate = acting * (reading.result.mean("estimation") or 0.0)
    length = reading.cell.length
    if phase == "prefill":
        return prefill_flops(shape, length, density=density, estimate=estimate, batch=batch, counting=counting).total
    reads = decode_reads(shape, length, density=density, estimate=estimate, batch=batch, counting=counting)
    return reads.total * BYTES.get(reading.cell.dtype, 2)


@dataclass(frozen=True)
class Speed:
    """How a sparse reading stands to the dense one on the same samples, in the phase where its method acts.

    Attributes:
        seconds: Of the prefill, or of a decoded token; None if not timed.
        dense_seconds: The same of dense attention.
        ideal: Dense cost over its cost by the cost model at batch 1, selection included; None for unknown models.
        prefill_ratio: Dense prefill time over its own, whatever its phase: a decode method pays there too.
    """

    seconds: float | None
    dense_seconds: float | None
    ideal: float | None
    prefill_ratio: float | None

    @property
    def measured(self) -> float | None:
        """Dense seconds over its seconds; below 1 the method loses."""
        return _ratio(self.dense_seconds, self.seconds)

    @property
    def loses(self) -> bool:
        """Whether dense attention was faster."""
        return self.measured is not None and self.measured < 1


def speed(reading: Reading, dense: Reading, *, counting: Counting = CORRECTED) -> Speed:
    """Compare times and costs of a reading with those of dense attention."""
    phase = reading.phase
    return Speed(
        seconds=reading.seconds(phase),
        dense_seconds=dense.seconds(phase),
        ideal=_ratio(cost(dense, phase, counting=counting), cost(reading, phase, counting=counting)),
        prefill_ratio=_ratio(dense.seconds("prefill"), reading.seconds("prefill")),
    )


def _ratio(above: float | None, below: float | None) -> float | None:
    return above / below if above and below else None
