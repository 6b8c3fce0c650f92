"""Figures as files: whole or not at all, and what goes wrong in one line."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from widegap.errors import Failure
from widegap.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["SUFFIXES", "save", "write_figure"]

SUFFIXES = (".png", ".svg", ".pdf")
"""The file types :func:`save` can write, chosen by the file's suffix."""


def write_figure(draw: "Callable[[], Figure]", path: str | os.PathLike[str], name: str) -> None:
    """Draw a figure and write it; what goes wrong is one line, as the results it shows stand.

    Parameters
    ----------
    draw
        Makes the figure.
    path
        As for :func:`save`.
    name
        What the user calls the file.

    Raises
    ------
    Failure
        If it cannot be drawn or written.
    """
    try:
        save(draw(), path)
    except OSError as error:
        raise Failure(f"cannot write {name}: {error.strerror or error}") from error
    except MemoryError as error:
        raise Failure(f"cannot draw {name}: not enough memory") from error
    except Exception as error:
        raise Failure(f"cannot draw {name}: {type(error).__name__}: {error}") from error


def save(figure: "Figure", path: str | os.PathLike[str]) -> None:
    """Write a figure whole or not at all, in the type its suffix names.

    Parameters
    ----------
    figure
        The figure.
    path
        Ends in ``.png`` (200 dots per inch), ``.svg`` or ``.pdf``.

    Raises
    ------
    ValueError
        If the suffix is another one.
    OSError
        If the file cannot be written; nothing is left behind.
    """
    from matplotlib import rc_context

    from numerics.figures.style import STYLE

    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"a figure's name ends in {', '.join(SUFFIXES)}, got {str(path)!r}")
    # no dates: the same result gives the same file
    metadata = {".png": None, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}[suffix]
    with rc_context(STYLE), atomic_write(path) as stream:
        figure.savefig(stream, format=suffix[1:], dpi=200, metadata=metadata)
