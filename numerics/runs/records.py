"""What a sweep consists of: its settings, its rows, and the points that failed."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from numerics.results import html_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "SCHEMA",
    "Settings",
    "Sweep",
    "SweepFailure",
    "SweepRow",
    "level_from",
    "level_text",
    "point_key",
]

SCHEMA = 1
"""Version of the tables in a sweep's file; goes up when they change."""


def level_text(level: float) -> str:
    """A level as it stands in text: the limit of all levels, `math.inf`, is ``inf``."""
    return "inf" if level == math.inf else str(int(level))


def level_from(text: str | int, name: str = "level") -> float:
    """Read what `level_text` wrote, or a table's number: an integer, or `math.inf`; ``name`` is for errors.

    Raises
    ------
    ValueError
        If it is neither.
    """
    word = str(text)
    if word == "inf":
        return math.inf
    if not (word.isascii() and word.isdigit()):
        raise ValueError(f"{name} holds {word[:60]!r}")
    return int(word)


@dataclass(frozen=True)
class Settings:
    """What all points of a sweep have in common; a file holds points of one kind only.

    Attributes
    ----------
    model : str
        Name of the model.
    parameters : tuple of str
        Names of its parameters, in the model's order; empty for a model without.
    levels : tuple of int
        Ascending; `math.inf`, the limit of all levels, comes last.
    digits : int
        Significant digits asked for.
    quantity : {"alpha", "xi"}
        What a value is: the capacity m/n, or the ground-state energy.
    version : str
        Version of widegap.
    schema : int
        Version of the file's tables.
    """

    model: str
    parameters: tuple[str, ...]
    levels: tuple[float, ...]
    digits: int
    quantity: str
    version: str
    schema: int = SCHEMA

    def to_text(self) -> dict[str, str]:
        """Names and values as they stand in the file."""
        return {
            "schema": str(self.schema),
            "model": self.model,
            "parameters": " ".join(self.parameters),
            "levels": " ".join(map(level_text, self.levels)),
            "digits": str(self.digits),
            "quantity": self.quantity,
            "widegap": self.version,
        }

    @classmethod
    def from_text(cls, text: Mapping[str, str]) -> Self:
        """Read what `to_text` wrote.

        Raises
        ------
        KeyError, ValueError
            If it is something else.
        """

        def integer(name: str) -> int:
            if not (text[name].isascii() and text[name].isdigit()):
                raise ValueError(f"{name} holds {text[name][:60]!r}")
            return int(text[name])

        levels = tuple(level_from(word, "levels") for word in text["levels"].split() or [""])
        return cls(
            text["model"],
            tuple(text["parameters"].split()),
            levels,
            integer("digits"),
            text["quantity"],
            text["widegap"],
            integer("schema"),
        )


@dataclass(frozen=True)
class SweepRow:
    """One level of one point.

    Attributes
    ----------
    parameters : dict of str to str
        Exact values, such as ``{"kappa": "11/20"}``.
    coordinates : dict of str to float
        The same, rounded.
    level : int or math.inf
        `math.inf` for the limit of all levels.
    value, error : float
    digits : int
    branch : str
        ``limit`` for a limit.
    solution : dict
        All of `Solution.to_dict` or `Limit.to_dict`; numbers that are not finite are None.
    """

    parameters: dict[str, str] = field(hash=False)
    coordinates: dict[str, float] = field(hash=False)
    level: float
    value: float
    error: float
    digits: int
    branch: str
    solution: dict[str, Any] = field(hash=False)


@dataclass(frozen=True)
class SweepFailure:
    """A point whose levels could not all be solved; those below the failed one may have rows.

    Attributes
    ----------
    parameters, coordinates
        As in `SweepRow`.
    level : int or math.inf
        The level that failed.
    kind : str
        ``ConvergenceError`` or ``ResolutionError``.
    message : str
    best : dict of str to float
        The best point found, and its value; empty if there was none.
    gradient_norm : float or None
        Norm of the gradient there.
    """

    parameters: dict[str, str] = field(hash=False)
    coordinates: dict[str, float] = field(hash=False)
    level: float
    kind: str
    message: str
    best: dict[str, float] = field(hash=False)
    gradient_norm: float | None


@dataclass(frozen=True)
class Sweep:
    """The content of a sweep's file; iterates over its rows.

    Attributes
    ----------
    settings : Settings
    rows : tuple of SweepRow
        Ascending in the parameters, then in the level.
    failures : tuple of SweepFailure
        Ascending in the parameters.
    """

    settings: Settings
    rows: tuple[SweepRow, ...]
    failures: tuple[SweepFailure, ...]

    def __iter__(self) -> Iterator[SweepRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def table(self) -> list[dict[str, Any]]:
        """A row for each level of each point: its coordinates, and what was found."""
        names = ("level", "value", "error", "digits", "branch")
        return [
            {**row.coordinates, **{name: getattr(row, name) for name in names}} for row in self.rows
        ]

    def plot(self) -> Figure:
        """Draw the levels against the parameter: `numerics.figures.levels.phase_diagram`.

        Raises
        ------
        ValueError
            If there is nothing to draw, or no single parameter to draw it against.
        """
        from numerics.figures.levels import phase_diagram

        return phase_diagram(self)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready content."""
        parts = {"rows": self.rows, "failures": self.failures}
        listed = {
            name: [vars(row) | {"level": level_text(row.level)} for row in rows]
            for name, rows in parts.items()
        }
        return {"settings": self.settings.to_text(), **listed}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Return the sweep that `to_dict` was made of.

        Raises
        ------
        ValueError
            If something is missing, or of another kind.
        """
        try:
            rows, failures = (
                [row | {"level": level_from(row["level"])} for row in content[name]]
                for name in ("rows", "failures")
            )
            return cls(
                Settings.from_text(content["settings"]),
                tuple(SweepRow(**row) for row in rows),
                tuple(SweepFailure(**row) for row in failures),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"this is no sweep: {error}") from error

    def to_pandas(self) -> Any:
        """`table` as a data frame; needs pandas, which widegap itself does not."""
        import pandas as pd

        return pd.DataFrame(self.table())

    def __str__(self) -> str:
        failed = f", {len(self.failures)} points failed" if self.failures else ""
        return f"sweep of {self.settings.model}: {len(self.rows)} {self.settings.quantity} values{failed}"

    def _repr_html_(self) -> str:
        return html_table(self.table()) if self.rows else f"<p>{html.escape(str(self))}</p>"


def point_key(parameters: Mapping[str, str]) -> str:
    """A point's exact parameters as the JSON text that stands for it in the file."""
    return json.dumps(dict(sorted(parameters.items())))
