"""Progress of a solve, shown live on a terminal and nowhere else."""

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["LevelProgress"]


class LevelProgress:
    """One live bar per level on the standard error, if that is a terminal; otherwise silence.

    Use it as a context manager and hand :meth:`update` to :func:`numerics.solve_levels`. The bars
    disappear at the end: the result is in the table, not in the bars.
    """

    def __init__(self) -> None:
        self._tasks: dict[int, TaskID] = {}
        self._progress: Progress | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            self._progress = Progress(
                TextColumn("level {task.fields[level]}"),
                BarColumn(bar_width=30),
                TextColumn("{task.percentage:>3.0f}%"),
                TimeElapsedColumn(),
                TextColumn("{task.fields[stage]}", markup=False),
                console=Console(stderr=True),
                transient=True,
            )
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def update(self, level: int, stage: str, fraction: float) -> None:
        """Show that a level's solve has come so far.

        Parameters
        ----------
        level
            The level being solved.
        stage
            What is being done, in a word or two.
        fraction
            How much of the level is done, from 0 to 1.
        """
        if self._progress is None:
            return
        if level not in self._tasks:
            self._tasks[level] = self._progress.add_task("", total=1.0, level=level, stage=stage)
        done = fraction >= 1.0
        self._progress.update(self._tasks[level], completed=fraction, stage="" if done else stage)
