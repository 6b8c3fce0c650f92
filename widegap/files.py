"""Output files that are either complete or not there.

A file is written beside its target and renamed onto it at the end, so that an interrupted or failed
run never leaves half a file and never damages an older one. Targets are checked before long work. Devices
and pipes, such as /dev/stdout, are written to: a file must not take their place.
"""

import errno
import io
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

__all__ = ["atomic_write", "check_writable", "read_text"]

_STANDARD = re.compile(r"/dev/(stdout|stderr|fd/\d+)|/proc/[^/]+/fd/\d+")


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
        Where it will be written: absolute, with symbolic links resolved; a device or a pipe as it is.

    Raises
    ------
    OSError
        If the folder does not exist or refuses new files, or the path is a folder or is read-only.

    Notes
    -----
    The answer comes from creating and removing an empty file in the target's folder: permission
    bits alone say nothing about read-only file systems.
    """
    target = _located(path)
    if _is_stream(path):
        if not os.access(path, os.W_OK):
            raise PermissionError(f"{path} is read-only")
        return Path(path)
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
    if _is_stream(path):
        whole = io.BytesIO()
        yield whole
        with Path(path).open("ab") as device:
            device.write(whole.getvalue())
        return
    target = _located(path)
    stream = _open_sibling(target)
    try:
        with stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(stream.name, target)
    except BaseException:
        with suppress(OSError):
            Path(stream.name).unlink()
        raise


def read_text(path: str | os.PathLike[str], most: int) -> str:
    """Read a file, of whose size nothing is known, as text.

    Parameters
    ----------
    path
        The file; a device or a pipe will do.
    most
        Bytes that it may have; no more are read.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it has more bytes, or they are not UTF-8.
    """
    with Path(path).open("rb") as stream:
        content = stream.read(most + 1)
    if len(content) > most:
        raise ValueError(f"it has more than {most} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("it is no text in UTF-8") from None


def _located(path: str | os.PathLike[str]) -> Path:
    try:
        place = Path(path).resolve()
    except (RuntimeError, ValueError) as error:  # a circle of links
        raise OSError(str(error)) from error
    if place.is_symlink():  # since Python 3.13 that is no RuntimeError
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    return place


def _is_stream(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a device or a pipe, or stands for a standard stream, wherever that leads."""
    known = bool(_STANDARD.fullmatch(os.path.abspath(path)))
    place = Path(path)
    return place.exists() and not place.is_dir() and (known or not place.is_file())
