"""Work of many points into one file that resumes: what the commands that do it have in common."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import click

from widegap.arguments import distinct
from widegap.errors import Failure, refusals, say
from widegap.options import one_place
from widegap.show.progress import SweepProgress

if TYPE_CHECKING:
    from verify.cases import Case, Outcome

__all__ = ["experiment", "outcomes", "resumable"]


@contextmanager
def resumable(
    out: str, scheduler: str | None, what: str, refused: type[Exception]
) -> Iterator[tuple[SweepProgress, Executor | None]]:
    """Run a body that fills a file, with live progress, on this machine or a cluster.

    Parameters
    ----------
    out
        The file.
    scheduler
        Address of a Dask scheduler, if the work is done there.
    what
        What the points are called, in the plural.
    refused
        Raised where the file cannot take this work: the user's mistake, and nothing has happened.

    Yields
    ------
    tuple
        Progress, whose ``update`` the work calls, and the cluster's executor or None.

    Raises
    ------
    click.UsageError, Failure
        In one line; interrupts pass through, after saying how much is in the file.
    """
    import sqlite3

    from numerics.errors import ConvergenceError, ResolutionError, WorkersError

    progress = SweepProgress(what)
    with ExitStack() as stack:
        executor = None
        if scheduler is not None:
            from widegap.cluster import cluster

            executor = stack.enter_context(cluster(scheduler))
        stack.enter_context(progress)
        try:
            yield progress, executor
        except refused as error:
            raise click.UsageError(str(error)) from error
        except (sqlite3.Error, WorkersError, ConvergenceError, ResolutionError) as error:
            raise Failure(f"{error}; --resume goes on from what is in {out}") from error
        except MemoryError as error:
            raise Failure(f"not enough memory; --resume goes on from what is in {out}") from error
        except KeyboardInterrupt:
            progress.stop()
            if progress.total:
                done = f"{progress.done} of {progress.total}"
                say(f"{done} {what} are in {out}; --resume goes on from there")
            raise


@contextmanager
def experiment(
    out: str,
    plot: str | None,
    workers: int | None,
    scheduler: str | None,
    what: str,
    needs: Sequence[str],
    check: Callable[[], object] = lambda: None,
) -> Iterator[tuple[SweepProgress, Executor | None]]:
    """Run a subject's experiment: its options looked at, then `resumable`.

    Parameters
    ----------
    out, plot, workers, scheduler
        As given to the command.
    what
        What its cases are called, in the plural.
    needs
        Modules of an extra that it takes.
    check
        Called once they are there; refuses input that makes no sense with a ValueError.

    Yields
    ------
    tuple
        As `resumable`.

    Raises
    ------
    click.UsageError, Failure
        In one line; the first before anything is written.
    """
    one_place(workers, scheduler)
    distinct(out=out, plot=plot)
    from verify.errors import CasesFileError
    from verify.extras import need

    with refusals():
        need(*needs)
        check()
    with resumable(out, scheduler, what, CasesFileError) as yielded:
        yield yielded


def outcomes(
    subject: str,
    function: "Callable[[dict[str, Any], int], Outcome]",
    cases: "Callable[[], Sequence[Case]]",
    *,
    what: str,
    needs: Sequence[str],
    plot: str | None,
    **options: Any,
) -> "list[tuple[dict[str, Any], Outcome]]":
    """Run a subject's cases by `verify.cases.run_cases`, as an `experiment`.

    Parameters
    ----------
    subject, function
        As there.
    cases
        Lists the cases; refuses input that makes no sense with a ValueError.
    what, needs, plot
        As of `experiment`.
    **options
        The values of `widegap.options.resumable_options` and of --seed.
    """
    from verify.cases import run_cases

    out, workers, scheduler = (options.pop(name) for name in ("out", "workers", "scheduler"))

    listed: list[Case] = []

    def check() -> None:
        listed.extend(cases())

    with experiment(out, plot, workers, scheduler, what, needs, check) as (progress, executor):
        return run_cases(
            subject, function, listed, out=out, executor=executor, workers=workers,
            progress=progress.update, **options,
        )  # fmt: skip
