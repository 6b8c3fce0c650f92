"""The range of margins that the solver covers: the table of docs/numerics.md, by running it.

``python -m benchmarks.margins`` solves levels 2 to 4 of every perceptron at margins from very small to very
large, each margin in a process of its own that is given a time, and prints a table in Markdown: the capacity,
or why there is none.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection

import mpmath
from sympy import Rational

from numerics import solve_levels
from theory import model_named

MARGINS = {
    "sbp": ("1/1000", "1/100", "1/10", "1", "3", "10", "20", "50"),
    "abp": ("-5", "-2", "-1", "0", "1", "2", "3", "5"),
    "ubp": ("1/100", "1/10", "1", "2", "3", "6"),
    "spherical": ("-50", "-10", "-5", "-2", "-1", "-1/10", "0", "1", "10"),
    "zero-one": ("-5", "-2", "-1", "-1/10", "0", "1", "3"),
}
LEVELS = (2, 3, 4)
SECONDS = 120.0


def main() -> None:
    """Print the table."""
    print("| model | kappa | " + " | ".join(f"level {level}" for level in LEVELS) + " |")
    print("|---|---|" + "---|" * len(LEVELS))
    for name, margins in MARGINS.items():
        for kappa in margins:
            cells = list(_cells(name, kappa))
            print(f"| {name} | {kappa} | " + " | ".join(cells) + " |", flush=True)


def _cells(name: str, kappa: str) -> Iterator[str]:
    """What each level is, or why it is not there."""
    receiver, sender = multiprocessing.get_context("spawn").Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(
        target=_solve, args=(name, kappa, sender), daemon=True
    )
    process.start()
    sender.close()
    for found in range(len(LEVELS)):
        try:
            cell = receiver.recv() if receiver.poll(SECONDS) else f"not in {SECONDS:g} s"
        except EOFError:  # it failed and said why
            cell = ""
        yield cell
        if cell.startswith("not "):
            yield from ["" for _ in LEVELS[found + 1 :]]
            break
    process.kill()
    process.join()


def _solve(name: str, kappa: str, sender: Connection) -> None:
    """Send what is found, level by level, and why it ends."""
    try:
        digits = 12 if abs(Rational(kappa)) < 25 else 16  # beyond the doubles
        for found in solve_levels(model_named(name, {"kappa": kappa}), LEVELS, digits=digits):
            branch = "" if found.branch == "finite" else f" ({found.branch})"
            sender.send(f"{mpmath.nstr(mpmath.mpf(found.value), 9)}{branch}")
    except (ArithmeticError, ValueError) as error:
        sender.send(
            "not found: " + str(error).split(": ", 1)[-1].split(";")[0][:90].replace("|", "\\|")
        )
    sender.close()


if __name__ == "__main__":
    sys.exit(main())
