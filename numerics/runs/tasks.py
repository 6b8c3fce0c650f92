"""Many tasks on any executor, each kept as soon as it has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    as_completed,
    wait,
)
from itertools import islice
from typing import Any, TypeVar

from numerics.errors import WorkersError

__all__ = ["WorkersError", "run_tasks"]

T = TypeVar("T")


def run_tasks(
    executor: Executor,
    function: Callable[..., T],
    arguments: Iterable[tuple[Any, ...]],
    keep: Callable[[T], None],
    ahead: int | None = None,
) -> None:
    """Compute a function at many arguments and keep each result.

    Parameters
    ----------
    executor : concurrent.futures.Executor
        Left open.
    function : callable
        The task.
    arguments : iterable of tuple
        Arguments of each task.
    keep : callable
        Told each result, in the order in which they arrive, in this process.
    ahead : int, optional
        Most tasks that are submitted and not kept, for results that are large; by default all.

    Raises
    ------
    WorkersError
        If the executor loses its workers. What has ended is kept first, as it is when any other exception
        ends this; what has not begun is cancelled.
    """
    futures: set[Future[T]] = set()
    rest = iter(arguments)
    try:
        futures.update(executor.submit(function, *given) for given in islice(rest, ahead))
        while futures:
            ended = as_completed(futures) if ahead is None else _first(futures)
            for future in ended:
                keep(future.result())
                futures.discard(future)  # results are not held: they are kept
                futures.update(executor.submit(function, *given) for given in islice(rest, 1))
    except (BrokenExecutor, CancelledError) as error:
        _rescue(futures, keep)
        raise WorkersError(
            f"the workers are gone: {str(error) or 'tasks were cancelled'}"
        ) from error
    except BaseException:
        _rescue(futures, keep)
        raise


def _first(futures: set[Future[T]]) -> set[Future[T]]:
    return wait(futures, return_when=FIRST_COMPLETED).done


def _rescue(futures: set[Future[T]], keep: Callable[[T], None]) -> None:
    """Cancel what has not begun and keep what has ended meanwhile."""
    ended = [future for future in futures if not future.cancel() and future.done()]
    for future in ended:
        if future.exception() is None:
            keep(future.result())
