"""A progress bar on stderr, with samples and tokens a second; silent where nobody watches."""

from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text


class SpeedColumn(ProgressColumn):
    """Samples/s and tokens/s since the start."""

    def render(self, task: Task) -> Text:
        """The two speeds; empty before the first sample."""
        if not task.elapsed or not task.completed:
            return Text("")
        samples, tokens = task.completed / task.elapsed, task.fields["tokens"] / task.elapsed
        return Text(f"{samples:.1f} samples/s, {short_number(tokens)} tokens/s", style="progress.data.speed")


class GenerationProgress:
    """Watches `generate_dataset` through its `starting` and `made`; shows nothing if `quiet` or not on a terminal."""

    def __init__(self, *, quiet: bool = False) -> None:
        console = Console(stderr=True)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            SpeedColumn(),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal)
        self._line = self._bar.add_task("checking lengths", total=None, tokens=0)
        self._tokens = 0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def starting(self, samples: int, tokens: int) -> None:
        """Begin to count `samples`."""
        self._bar.reset(self._line, total=samples, description="starting")

    def made(self, config: str, tokens: int) -> None:
        """Count one sample of `tokens` tokens."""
        self._tokens += tokens
        self._bar.update(self._line, advance=1, description=config, tokens=self._tokens)


def short_number(value: float) -> str:
    """Three digits and a unit: 1234567 is `1.23M`."""
    for unit in ("", "k", "M", "G"):
        if value < 999.5 or unit == "G":
            break
        value /= 1000
    return f"{value:.3g}{unit}"
