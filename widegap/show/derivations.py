"""The steps of a derivation as text or LaTeX."""

import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from theory import FreeEnergy, Step
    from theory.calculus.law import Law

__all__ = ["step_latex", "step_text", "steps_text"]

_WIDTH = 80


def steps_text(energy: "FreeEnergy | Law", output_format: str) -> str:
    """Write out how a functional was derived.

    Parameters
    ----------
    energy
        The derived functional; its ``steps`` are shown in order, with symbolic parameters.
    output_format
        ``"text"`` for the terminal, or ``"latex"`` for a fragment of a LaTeX document.

    Returns
    -------
    str
        Numbered steps: title, explanation, formula.
    """
    blocks = []
    for number, step in enumerate(energy.steps, 1):
        if output_format == "latex":
            prose = f"\\paragraph{{{number}. {_escaped(step.title)}}} {_escaped(step.explanation)}"
            blocks.append(f"{textwrap.fill(prose, _WIDTH)}\n\\[\n{step_latex(step)}\n\\]\n")
        else:
            prose = textwrap.fill(step.explanation, _WIDTH - 3)
            block = textwrap.indent(f"{prose}\n\n{step_text(step)}", "   ")
            blocks.append(f"{number}. {step.title}\n{block}\n")
    return "\n".join(blocks)


def step_text(step: "Step") -> str:
    """Write a step's formula as text: equations in two parts, long sums term by term."""
    lines = []
    for left, *right in _equations(step.expression):
        lines.append(str(left))
        for side in right:
            first, *others = _terms(side, str)
            lines += [f"  = {first}", *(f"    {term}" for term in others)]
    return "\n".join(lines)


def step_latex(step: "Step") -> str:
    """Write a step's formula as a LaTeX ``aligned`` environment without delimiters around it."""
    from sympy import latex

    rows = []
    for left, *right in _equations(step.expression):
        rows.append(f"&{latex(left)}")
        for side in right:
            first, *others = _terms(side, latex)
            rows += [f"&\\quad = {first}", *(f"&\\qquad {term}" for term in others)]
    return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"


def _terms(side: Any, write: Callable[[Any], str]) -> list[str]:
    """Write an expression: whole if it is short, else as its terms, each with its sign."""
    from sympy import Add

    whole = write(side)
    if len(whole) <= _WIDTH or not isinstance(side, Add):
        return [whole]
    first, *others = sorted(side.args, key=lambda term: term.could_extract_minus_sign())
    signed = (
        f"- {write(-term)}" if term.could_extract_minus_sign() else f"+ {write(term)}"
        for term in others
    )
    return [write(first), *signed]


def _equations(expression: Any) -> list[tuple[Any, ...]]:
    """Split a conjunction into its members and each equation into its sides."""
    from sympy import And, Eq

    members = expression.args if isinstance(expression, And) else (expression,)
    return [member.args if isinstance(member, Eq) else (member,) for member in members]


def _escaped(prose: str) -> str:
    """Protect the characters of plain prose that LaTeX would read as commands."""
    for character in "&%$#_{}":
        prose = prose.replace(character, "\\" + character)
    return prose.replace("**", "\\textasciicircum{}").replace("~", "\\textasciitilde{}")
