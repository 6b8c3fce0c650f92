"""Many tasks on any executor, each kept as soon as it has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, as_completed
from typing import Any, TypeVar

from numerics.errors import WorkersError

__all__ = ["WorkersError", "run_tasks"]

T = TypeVar("T")


def run_tasks(
    executor: Executor,
    function: Callable[..., T],
    arguments: Iterable[tuple[Any, ...]],
    keep: Callable[[T], None],
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

    Raises
    ------
    WorkersError
        If the executor loses its workers. What has ended is kept first, as it is when any other exception
        ends this; what has not begun is cancelled.
    """
    futures: set[Future[T]] = set()
    try:
        for given in arguments:
            futures.add(executor.submit(function, *given))
        for future in as_completed(futures):
            keep(future.result())
            futures.discard(future)  # results are not held: they are kept
    except (BrokenExecutor, CancelledError) as error:
        _rescue(futures, keep)
        raise WorkersError(
            f"the workers are gone: {str(error) or 'tasks were cancelled'}"
        ) from error
    except BaseException:
        _rescue(futures, keep)
        raise


def _rescue(futures: set[Future[T]], keep: Callable[[T], None]) -> None:
    """Cancel what has not begun and keep what has ended meanwhile."""
    ended = [future for future in futures if not future.cancel() and future.done()]
    for future in ended:
        if future.exception() is None:
            keep(future.result())
