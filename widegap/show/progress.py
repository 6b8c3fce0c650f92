"""Progress of a solve or a sweep, shown live on a terminal; a line now and then where there is none."""

import sys
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from widegap.errors import is_terminal, say

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_QUIET = 20.0
"""Seconds after which, and between which, something is said where nobody may be looking."""

__all__ = ["Bars", "LevelProgress", "SweepProgress", "Waiting"]


class Waiting:
    """A line on the standard error now and then while something takes long that tells nothing of itself.

    Parameters
    ----------
    what
        What is being done, in a few words.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._over = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()

    def _watch(self) -> None:
        began = time.monotonic()
        while not self._over.wait(_QUIET):
            say(f"{self._what}: {time.monotonic() - began:.0f} s so far")


class Bars:
    """Live bars on the standard error, which disappear with the context."""

    _progress: "Progress | None" = None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Take the bars away."""
        if self._progress is not None:
            self._progress.stop()


class LevelProgress(Bars):
    """One live bar per level on the standard error, if that is a terminal; otherwise a line now and then.

    Use it as a context manager and hand :meth:`update` to :func:`numerics.solve_levels`. The bars
    disappear at the end: the result is in the table, not in the bars.
    """

    def __init__(self) -> None:
        self._tasks: dict[int, TaskID] = {}
        self._said = time.monotonic()

    def __enter__(self) -> Self:
        self._said = time.monotonic()
        if is_terminal(sys.stderr):
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
            if time.monotonic() - self._said > _QUIET:
                self._said = time.monotonic()
                say(f"level {level}: {stage}, {100.0 * fraction:.0f} %")
            return
        if level not in self._tasks:
            self._tasks[level] = self._progress.add_task("", total=1.0, level=level, stage=stage)
        done = fraction >= 1.0
        self._progress.update(self._tasks[level], completed=fraction, stage="" if done else stage)


class SweepProgress(Bars):
    """One live bar of points, with their rate and the time left, if the standard error is a terminal.

    Use it as a context manager and hand :meth:`update` to :func:`numerics.sweep`.

    Parameters
    ----------
    what
        What the points are called.

    Attributes
    ----------
    done, total, failed
        As last told.
    before
        Points that were done at the beginning.
    """

    def __init__(self, what: str = "points") -> None:
        self._what = what
        self.before = self.done = self.total = self.failed = 0
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        if is_terminal(sys.stderr):
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            self._progress = Progress(
                BarColumn(bar_width=30),
                TextColumn("{task.completed:.0f} of {task.total:.0f} " + self._what),
                TextColumn("{task.fields[state]}", markup=False),
                TimeRemainingColumn(compact=True),
                TextColumn("left"),
                console=Console(stderr=True),
                transient=True,
                speed_estimate_period=600.0,  # points take seconds, and come in bursts
            )
            self._progress.start()
        return self

    def update(self, done: int, total: int, failed: int) -> None:
        """Show that a sweep has come so far.

        Parameters
        ----------
        done, total
            Points that are stored, of how many.
        failed
            How many of them have failed.
        """
        if not self.total:
            self.before = done
        self.done, self.total, self.failed = done, total, failed
        if self._progress is None:
            return
        if self._task is None:
            self._task = self._progress.add_task("", total=total, completed=done, state="")
        self._progress.update(self._task, completed=done)
        speed = self._progress.tasks[0].speed
        state = [] if speed is None else [f"{60.0 * speed:.3g} a minute"]
        state += [f"{failed} failed"] if failed else []
        self._progress.update(self._task, state=", ".join(state))
