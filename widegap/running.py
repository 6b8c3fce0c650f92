"""Work of many points into one file that resumes: what the commands that do it have in common."""

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager

import click

from widegap.errors import Failure, say
from widegap.show.progress import SweepProgress

__all__ = ["resumable"]


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

    from numerics.errors import WorkersError

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
        except (sqlite3.Error, WorkersError) as error:
            raise Failure(f"{error}; --resume goes on from what is in {out}") from error
        except MemoryError as error:
            raise Failure(f"not enough memory; --resume goes on from what is in {out}") from error
        except KeyboardInterrupt:
            progress.stop()
            if progress.total:
                done = f"{progress.done} of {progress.total}"
                say(f"{done} {what} are in {out}; --resume goes on from there")
            raise
