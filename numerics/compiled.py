"""Compiled functions, whose cache sees changes in what they call.

numba takes a cached function for current as long as the file that it stands in is. What it calls in other
files is compiled into it, and may have changed: after an update, or with an error put in on purpose, old
numbers would come out of new sources. So the folder of the cache is named after all that a function may call:
the sources in its own folder and below.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numba

from numerics.codegen import cache_folder

__all__ = ["interruptible", "njit"]


def njit(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Compile a function as `numba.njit` does, and keep what is compiled.

    Parameters
    ----------
    function : callable
        It may call compiled functions of the files in its own folder and below.
    **options
        Those of `numba.njit`.

    Returns
    -------
    callable
        The compiled function, or a decorator where none was given.
    """
    if function is None:
        return lambda later: njit(later, **options)
    place = _folder(Path(function.__code__.co_filename).parent)
    before = numba.config.CACHE_DIR  # type: ignore[attr-defined]
    numba.config.CACHE_DIR = str(place)  # type: ignore[attr-defined]
    try:
        return numba.njit(cache=True, **options)(function)
    finally:
        numba.config.CACHE_DIR = before  # type: ignore[attr-defined]


@contextmanager
def interruptible() -> Iterator[None]:
    """Let an interrupt that comes while numba makes its results end what is done inside, as itself.

    numba runs Python to make arrays, and passes on a SystemError that an exception of a signal's has caused.
    Named tuples it must not make at all: there it follows a null pointer. Compiled functions return tuples.
    """
    try:
        yield
    except SystemError as error:
        cause: BaseException | None = error
        while isinstance(cause, SystemError):
            cause = cause.__cause__ or cause.__context__
        raise cause or error from None


@cache
def _folder(sources: Path) -> Path:
    """Folder of what is compiled from the sources in a folder, as they are now."""
    chosen = numba.config.CACHE_DIR  # type: ignore[attr-defined]
    digest = hashlib.sha256()
    for path in sorted(sources.rglob("*.py")):
        digest.update(path.read_bytes())
    name = f"compiled-{sources.name}-{digest.hexdigest()[:16]}"
    return (Path(chosen) if chosen else cache_folder()) / name
