"""An architecture's recursion, duals and conditions, in plain text and in LaTeX."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import sympy
from sympy import Expr, Symbol

from theory.kernels.duals import Dual
from theory.kernels.recursion import Condition, plain

__all__ = ["Row", "conditions_in_text", "in_latex", "in_text"]

Row = tuple[Symbol, Expr, str]
"""Of a recursion: left-hand side, right-hand side, and for which layers."""


def in_text(title: str, rows: Sequence[Row], duals: Sequence[tuple[str, Dual]], legend: str) -> str:
    """Return a title, the recursion, and D and D' of every activation.

    Parameters
    ----------
    title : str
    rows : sequence of Row
    duals : sequence of (str, Dual)
        With what stands behind D in their names, as in ``_1``; nothing if there is only one.
    legend : str
        What the letters mean.
    """
    named = [(left, plain(right), where) for left, right, where in rows]
    width = max(len(str(left)) for left, _, _ in named)
    lines = [
        f"  {left!s:{width}} = {right}{where and f',  l = {where}'}" for left, right, where in named
    ]
    size = max(len(f"D'{name}") for name, _ in duals) if duals else 0
    ends = []
    for name, own in duals:
        slope = f"D'{name}"
        ends += [
            f"  {'D' + name:{size}} = {own.expr}",
            f"  {slope:{size}} = {own.derivative}",
        ]
    shown = "\n".join(lines) + "\n\n" + "".join(f"{line}\n" for line in ends)
    return f"{title}\n\n{shown}\n  {legend}\n"


def conditions_in_text(
    conditions: Sequence[Condition], fails: Callable[[Condition], bool] = lambda _: False
) -> str:
    """Return the conditions, a line each; nothing if there are none."""
    if not conditions:
        return ""
    width = max(len(c.name) for c in conditions) + 1
    lines = [
        f"  {c.name + ':':{width}} {c.inequality}" + (" fails" if fails(c) else "")
        for c in conditions
    ]
    return "\n" + "\n".join(lines) + "\n"


def in_latex(
    rows: Sequence[Row],
    duals: Sequence[tuple[str, Dual]],
    conditions: Sequence[Condition],
    fails: Callable[[Condition], bool] = lambda _: False,
) -> str:
    """Return what `in_text` does and the conditions, as a LaTeX ``aligned`` environment."""
    lines = []
    for left, right, where in rows:
        body = re.sub(r"\\operatorname\{(D'?(_\{\d+\})?)\}", r"\1", sympy.latex(right))
        layers = where.replace("..", r"\dots")
        lines.append(f"{sympy.latex(left)} &= {body}" + (layers and rf", \quad l = {layers}"))
    for name, own in duals:
        lines += [
            f"D{name} &= {sympy.latex(own.expr)}",
            f"D'{name} &= {sympy.latex(own.derivative)}",
        ]
    for c in conditions:
        note = f"{c.name}, fails" if fails(c) else c.name
        bound = sympy.latex(c.bound)
        lines.append(rf"{sympy.latex(c.value)} &< {bound} \quad \text{{({note})}}")
    body = " \\\\\n".join(lines)
    return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"
