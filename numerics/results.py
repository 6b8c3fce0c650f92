"""What results of the subjects have in common: rows, a text form, JSON, a notebook's table, a picture."""

from __future__ import annotations

import html
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Arrays", "Result", "Stored", "Table", "html_table", "rounded_up", "stated"]


# What the doubles hold with all their digits; an mpf may lie beyond.
_LEAST, _MOST = 1e-300, 1e300


class Stored:
    """Base of a frozen dataclass that is written as JSON and reads back equal."""

    def to_dict(self) -> dict[str, Any]:
        """Fields by name, as JSON can hold them: arrays are lists with shape and type, infinity is text."""
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self)}  # pyright: ignore[reportArgumentType]

    def to_json(self) -> str:
        """`to_dict` as text."""
        return json.dumps(self.to_dict(), allow_nan=False)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Return the result that `to_dict` was made of.

        Raises
        ------
        ValueError
            If fields are missing or not among those of this class, or an array is none.
        """
        names = {f.name for f in fields(cls)}  # pyright: ignore[reportArgumentType]
        if set(content) != names:
            raise ValueError(
                f"a {cls.__name__} has the fields {', '.join(sorted(names))}; got "
                f"{', '.join(sorted(map(str, content)))}"
            )
        try:
            return cls(**{name: _read(value) for name, value in content.items()})
        except (TypeError, OverflowError) as error:
            raise ValueError(f"this is no {cls.__name__}: {error}") from error


class Result(Stored, ABC):
    """Base of a frozen dataclass whose fields are numbers, text, tuples and dictionaries of these.

    A subclass says what its `rows` are, and draws itself with `draw` where there is something to see; one
    without a `draw` refuses to `plot`. Tuples rather than arrays keep results hashable and equal to what is
    read back from JSON.
    """

    @abstractmethod
    def rows(self) -> list[dict[str, Any]]:
        """The result as a table: a dictionary a row, the same keys in each."""

    def draw(self, axes: Axes) -> None:
        """Draw the result; labels of both axes with their units included."""
        raise NotImplementedError(
            f"a {type(self).__name__} has no picture; print it, or take its rows()"
        )

    def plot(self) -> Figure:
        """Return a figure of the result."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6.4, 4.0), layout="constrained")
        self.draw(figure.subplots())
        return figure

    def __str__(self) -> str:
        cells = _cells(self.rows())
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in cells]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return html_table(self.rows())


class Table(Result):
    """Base of a result whose rows are entries of tuples of one length."""

    columns: ClassVar[dict[str, str]]
    """Names of these fields, by the head of their column."""

    def rows(self) -> list[dict[str, Any]]:
        """A row for each entry."""
        values = (getattr(self, name) for name in self.columns.values())
        return [dict(zip(self.columns, row, strict=True)) for row in zip(*values, strict=True)]


class Arrays(Stored):
    """Base of a frozen dataclass, made with ``eq=False``, that has arrays among its fields.

    Two are equal if all fields are, NaN included; equal ones have the same hash, and pickles and JSON give
    equal ones.
    As text it is one line, with the shapes of its arrays.
    """

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(_same(a, getattr(other, name)) for name, a in self._named())

    def __hash__(self) -> int:
        parts = (a.shape if isinstance(a, np.ndarray) else a for _, a in self._named())
        return hash((type(self), *parts))

    def __str__(self) -> str:
        parts = (
            f"{name} {a.shape}" if isinstance(a, np.ndarray) else f"{name} {a}"
            for name, a in self._named()
            if not isinstance(a, str) or a
        )
        return f"{type(self).__name__}: {', '.join(parts)}"

    def _named(self) -> list[tuple[str, Any]]:
        return [(f.name, getattr(self, f.name)) for f in fields(self)]  # pyright: ignore[reportArgumentType]


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        numbers = all(np.asarray(x).dtype.kind in "fc" for x in (one, other))
        return np.array_equal(one, other, equal_nan=numbers)
    return one == other


def rounded_up(error: Any) -> str:
    """A bound on an error (a float or an mpf) to two significant digits, not smaller than itself."""
    if not error:
        return "0"
    more = error * 1.05  # half a unit of two digits is 5 % at most
    if _LEAST < more < _MOST:
        return f"{float(more):.1e}"
    import mpmath

    if not mpmath.isfinite(more):
        return str(float(more))
    return str(mpmath.nstr(mpmath.mpf(more), 2, min_fixed=1, max_fixed=0))


def stated(value: Any, error: Any, digits: int | None = None) -> tuple[str, str]:
    """A number (a float or an mpf) in so many significant digits, and a bound on the error of that text.

    Half a unit of the last digit is a part of the bound, which is rounded upwards. Without ``digits`` a float
    has as many, up to 15, that this adds a tenth of the error at most; an exact one is written as it is.
    """
    import mpmath

    if digits is None:
        if not error and float(f"{value:.15g}") == value:
            return f"{value:.15g}", "0"
        digits = _of_a_tenth(value, error)
    digits = max(digits, 1)
    # a number of many digits is rounded to the context's by whatever reads it
    with mpmath.workdps(digits + 5):
        text = str(mpmath.nstr(mpmath.mpf(value), digits, strip_zeros=False))
        size = mpmath.floor(mpmath.log10(abs(mpmath.mpf(text)))) if value else 0
        off = mpmath.mpf(error) + mpmath.mpf(10) ** (size + 1 - digits) / 2 * bool(value)
        return text, rounded_up(off)


def _of_a_tenth(value: float, error: float) -> int:
    """Digits of a number of which half a unit is a tenth of an error at most."""
    if not value or not error:
        return 15
    return min(15, 1 + math.floor(math.log10(abs(value))) - math.floor(math.log10(error / 5.0)))


def html_table(rows: list[dict[str, Any]]) -> str:
    """Rows as a table of HTML, a dictionary a row, with the same keys in each."""
    head, *body = (
        "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in row)
        for tag, row in zip(["th", *["td"] * len(rows)], _cells(rows), strict=True)
    )
    lines = "".join(f"<tr>{row}</tr>" for row in body)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"


def _cells(rows: list[dict[str, Any]]) -> list[list[str]]:
    if not rows:
        return [["(no rows)"]]
    return [list(rows[0]), *([_cell(value) for value in row.values()] for row in rows)]


def _cell(value: Any) -> str:
    return f"{value + 0.0:.6g}" if isinstance(value, float) else "" if value is None else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return {
            "array": _plain(value.ravel().tolist()),
            "shape": list(value.shape),
            "type": str(value.dtype),
        }
    if isinstance(value, np.generic):
        value = value.item()
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    return value


def _read(value: Any) -> Any:
    if isinstance(value, Mapping):
        if set(value) == {"float"}:
            return float(value["float"])
        if set(value) == {"array", "shape", "type"}:
            return np.array(_read(value["array"]), dtype=value["type"]).reshape(value["shape"])
        return {key: _read(item) for key, item in value.items()}
    return tuple(map(_read, value)) if isinstance(value, list | tuple) else value
