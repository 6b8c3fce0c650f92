"""Rows for people and for programs."""

import platform
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from benchmarks.registry import Benchmark
from benchmarks.rows import Quantity, Row
from widegap import __version__

__all__ = ["document", "show"]

# A file or a pipe has no width; this holds the longest row without breaking it.
_QUIET_WIDTH = 130
_SECONDS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))


def show(benchmark: Benchmark, rows: Sequence[Row]) -> None:
    """Print the rows of a benchmark as a table, and their targets and remarks below it.

    Parameters
    ----------
    benchmark : Benchmark
    rows : sequence of Row
    """
    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else _QUIET_WIDTH
    Console(width=width, highlight=False, markup=False, emoji=False).print(
        Group(_table(benchmark, rows), *_notes(rows)), ""
    )


def _table(benchmark: Benchmark, rows: Sequence[Row]) -> Table:
    table = Table(
        title=f"{benchmark.name}: {benchmark.summary}",
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        pad_edge=False,
        header_style="",
    )
    table.add_column("")
    table.add_column("measured")
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("baseline")
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("ratio", justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            row.name,
            row.measured,
            _written(row.quantity),
            row.baseline,
            _written(row.reference),
            f"{row.ratio:.3g}",
        )
    return table


def _notes(rows: Sequence[Row]) -> list[Padding]:
    notes = []
    for row in rows:
        verdict = {None: "", True: " (met)", False: " (missed)"}[row.met]
        parts = [f"target {row.target}{verdict}"] if row.target else []
        parts += [row.remark] if row.remark else []
        if parts:
            notes.append(
                Padding(Text(f"{row.name}: {'; '.join(parts)}"), (0, 0, 0, 2), expand=False)
            )
    return notes


def _written(quantity: Quantity) -> str:
    """Write a quantity with its relative spread in brackets."""
    value, unit = quantity.value, quantity.unit
    if unit == "s":
        factor, unit = next((pair for pair in _SECONDS if value >= pair[0]), _SECONDS[-1])
        value /= factor
    digits = 3 if value < 1000 else 6
    text = f"{value:.{digits}g} {unit}".rstrip()
    if quantity.spread is None:
        return text
    return f"{text} ({100.0 * quantity.spread / abs(quantity.value):.0f} %)"


def document(results: Mapping[str, Sequence[Row]], *, quick: bool) -> dict[str, Any]:
    """Everything a run has measured, ready for JSON.

    Parameters
    ----------
    results : mapping of str to sequence of Row
        Rows by the benchmark's name.
    quick : bool
        Whether the slow parts were left out.

    Returns
    -------
    dict
    """
    return {
        "version": __version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "quick": quick,
        "benchmarks": {name: [row.to_dict() for row in rows] for name, rows in results.items()},
    }
