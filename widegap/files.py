"""Output files that are either complete or not there.

A file is written beside its target and renamed onto it at the end, so that an interrupted or failed
run never leaves half a file and never damages an older one. Targets are checked before long work.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["atomic_write", "check_writable"]


def _open_sibling(target: Path) -> BinaryIO:
    # mode "x" obeys the umask and never follows or overwrites anything that is already there
    return (target.parent / f".{target.name}.{secrets.token_hex(4)}.tmp").open("xb")


def check_writable(path: str | os.PathLike[str]) -> Path:
    """Find out, before long work, whether a file can be written.

    Parameters
    ----------
    path
        The file to be written later.

    Returns
    -------
    Path
        Where it will be written: absolute, with symbolic links resolved.

    Raises
    ------
    OSError
        If the folder does not exist or refuses new files, or the path is a folder or is read-only.

    Notes
    -----
    The answer comes from creating and removing an empty file in the target's folder: permission
    bits alone say nothing about read-only file systems.
    """
    target = Path(path).resolve()
    if target.is_dir():
        raise IsADirectoryError(f"{path} is a folder")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"the folder {target.parent} does not exist")
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(f"{path} is read-only")
    try:
        with _open_sibling(target) as probe:
            pass
    except OSError as error:
        raise type(error)(f"cannot write into {target.parent}: {error.strerror}") from error
    Path(probe.name).unlink()
    return target


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a binary file that appears under its name only when the block ends without an error.

    Parameters
    ----------
    path
        The file to write; an existing one is replaced in one step.

    Yields
    ------
    BinaryIO
        The file to write to.

    Raises
    ------
    OSError
        If the file cannot be written. Nothing is left behind.
    """
    target = Path(path).resolve()
    stream = _open_sibling(target)
    try:
        with stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(stream.name, target)
    except BaseException:
        Path(stream.name).unlink(missing_ok=True)
        raise
