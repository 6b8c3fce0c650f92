"""What a sweep makes of the cores: the same points one after the other, in one process and in two."""

import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from benchmarks.rows import Quantity, Row
from benchmarks.timing import timed
from numerics import solve_levels, sweep
from numerics.machine import cores
from theory import SBP

__all__ = ["run"]


def run(quick: bool) -> list[Row]:
    """Sweep 61 margins from 0.25 to 3.25, levels 2 to 5, with one worker and with two.

    Parameters
    ----------
    quick : bool
        A fifth of the margins, and levels 2 and 3 only; starting the workers then weighs more.

    Returns
    -------
    list of Row
    """
    models = [SBP(Fraction(k, 20)) for k in range(5, 66, 5 if quick else 1)]
    levels = range(2, 4 if quick else 6)
    _one_after_the_other(models[:1], levels)  # derive and compile: not what is measured
    alone, _ = timed(lambda: _one_after_the_other(models, levels))
    return [_row(models, levels, workers, alone) for workers in (1, 2)]


def _row(models: Sequence[SBP], levels: range, workers: int, alone: Quantity) -> Row:
    with tempfile.TemporaryDirectory(prefix="widegap-benchmark-") as folder:
        out = Path(folder) / "run.sqlite"
        spent, found = timed(lambda: sweep(models, levels, out=out, workers=workers))
    share = Quantity(alone.value / workers)
    return Row(
        f"{workers} worker{'s' if workers > 1 else ''}",
        f"sweeping {len(models)} points, levels {levels[0]} to {levels[-1]}",
        spent,
        "solving them in this process" + (f", divided by {workers}" if workers > 1 else ""),
        share,
        remark=f"efficiency {share.value / spent.value:.2f} on {cores()} cores, with the start of the "
        f"workers; {len(found)} thresholds stored, {len(found.failures)} points failed",
    )


def _one_after_the_other(models: Sequence[SBP], levels: range) -> None:
    for model in models:
        for _ in solve_levels(model, levels):
            pass
