"""Tables of numbers from files, or one line that says what is wrong with a file."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import click

from widegap.errors import shown

if TYPE_CHECKING:
    import numpy as np

__all__ = ["read_inputs", "read_labels"]

DATA = (".npy", ".csv")


def read_inputs(option: str, name: str, other: "np.ndarray | None" = None) -> "np.ndarray":
    """Read a matrix of numbers, or say in one line what is wrong with the file.

    Parameters
    ----------
    option
        The option that names the file.
    name
        The file.
    other
        Inputs of --data that have to have as many columns.

    Returns
    -------
    numpy.ndarray
        Shape (n, d), float64.

    Raises
    ------
    click.UsageError
    """
    from numerics.kernels.inputs import check_inputs

    data, called = _numbers(option, name), f"{option} {name}"
    if other is None:
        return check_inputs(data, None, (called, ""))[0]
    made = check_inputs(other, data, ("--data", called))[1]
    assert made is not None
    return made


def read_labels(option: str, name: str) -> "np.ndarray":
    """Read labels: a number or a row of numbers for each input.

    Parameters
    ----------
    option, name
        As of `read_inputs`.

    Returns
    -------
    numpy.ndarray
        Shape (n,), or (n, outputs) for more than one output.

    Raises
    ------
    click.UsageError
    """
    labels = _numbers(option, name)
    return labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels


def _numbers(option: str, name: str) -> "np.ndarray":
    """What is in a file."""
    path = Path(name)
    if path.suffix.lower() not in DATA:
        raise click.UsageError(
            f"{option} needs a name ending in {', '.join(DATA)}, got {shown(name)}"
        )
    try:
        if path.exists() and not path.is_file():
            raise click.UsageError(f"cannot read {option} {name}: it is not a file")
        return _array(path) if path.suffix.lower() == ".npy" else _table(path)
    except OSError as error:
        raise click.UsageError(f"cannot read {option} {name}: {error.strerror or error}") from error
    except ValueError as error:
        raise click.UsageError(f"{option} {name} is no table of numbers: {error}") from error


def _array(path: Path) -> "np.ndarray":
    """Read a file of numpy's."""
    import numpy as np

    with path.open("rb") as stream:
        start = stream.read(6)
        stream.seek(0)
        if start[:2] == b"PK":
            raise ValueError("it is an archive of arrays; write one array with numpy.save")
        if start != b"\x93NUMPY":
            raise ValueError("it is not what numpy.save writes")
        try:
            return np.load(stream, allow_pickle=False)
        except (OSError, MemoryError):
            raise
        except Exception as error:  # a header is read with all that can read a literal
            objects = "pickle" in str(error)
            what = "it holds objects, not numbers" if objects else "it is damaged"
            raise ValueError(what) from error


def _table(path: Path) -> "np.ndarray":
    """Read numbers separated by commas."""
    import numpy as np

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # numpy only warns of an empty file
            return np.loadtxt(path, delimiter=",", ndmin=2, encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError("it is no text in UTF-8") from error
    except UserWarning as error:
        raise ValueError("it is empty") from error
    except ValueError as error:
        said = str(error)
        if "could not convert" in said and ";" in said:
            said += " Columns are separated by commas"
        elif "could not convert" in said and "row 0" in said:
            said += " If the first line is a header, take it away"
        raise ValueError(said) from error
