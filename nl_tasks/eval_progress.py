"""Progress of an evaluation on stderr; silent where nobody watches."""

import logging
import os
import warnings
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from nl_tasks.generators.lengths import format_length

if TYPE_CHECKING:
    from nl_tasks.eval import Step
    from nl_tasks.result_cell import Cell


class EvalProgress:
    """Watches `evaluate` through its `starting` and `answered`.

    Attributes:
        text: How many cells there are and how many were there before.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        console = Console(stderr=True)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal)
        self._line = self._bar.add_task("looking at the model", total=None)
        self.text = ""

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def starting(self, steps: "list[Step]") -> None:
        """Begin to count the samples of the cells that have no result yet."""
        new = [step for step in steps if step.before is None]
        self.text = f"{len(steps)} cells, {len(steps) - len(new)} of them from earlier runs"
        self._bar.reset(self._line, total=sum(step.cell.n for step in new), description="loading the model")

    def answered(self, cell: "Cell") -> None:
        """Count one sample."""
        self._bar.update(self._line, advance=1, description=f"{cell.backend} {cell.task} {format_length(cell.length)}")


def quiet_libraries() -> None:
    """Keep the libraries' own progress bars and notices off the screen; to be called before they are imported."""
    os.environ.setdefault("TQDM_DISABLE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lm_eval")
