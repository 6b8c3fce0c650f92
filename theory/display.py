"""How nests and functionals are written: plain text and LaTeX."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sympy import Expr, Function, Symbol, sqrt
from sympy.printing.latex import LatexPrinter
from sympy.printing.str import StrPrinter

from theory.lifting import LiftedExpectation

if TYPE_CHECKING:
    from theory.free_energy import FreeEnergy


def _positive_first(terms: list[Expr]) -> list[Expr]:
    """Order the terms of a sum so that it prints as a - b rather than -b + a."""
    return sorted(terms, key=lambda term: term.could_extract_minus_sign())


class _TextPrinter(StrPrinter):
    def _as_ordered_terms(self, expr: Expr, order: str | None = None) -> list[Expr]:
        return _positive_first(super()._as_ordered_terms(expr, order=order))


class _LatexPrinter(LatexPrinter):
    def _as_ordered_terms(self, expr: Expr, order: str | None = None) -> list[Expr]:
        return _positive_first(super()._as_ordered_terms(expr, order=order))


def _text(expr: Expr) -> str:
    return _TextPrinter().doprint(expr)


def _latex(expr: Expr) -> str:
    return _LatexPrinter().doprint(expr)


def text(fe: FreeEnergy) -> str:
    """Return the functional in plain text, the nests written out level by level."""
    head = f"{fe.model}, level {fe.level}: alpha = -Ent/En"
    if fe.order_parameters:
        head += f", stationary in {', '.join(map(str, fe.order_parameters))}"
    values, nests = _named(fe)
    rows = [
        ("Ent", _text(fe.entropy.xreplace(values))),
        ("En ", _text(fe.energy.xreplace(values))),
    ]
    lines = [head, "", *(f"  {name} = {value}" for name, value in rows)]
    for letter, first, nest in nests:
        lines += ["", f"  {letter}_{first}(h) = {_text(_leaf(nest))}"]
        for k, (v, s) in enumerate(zip(nest.increments, nest.exponents, strict=True), first + 1):
            inner = f"{letter}_{k - 1}(x + sqrt({_text(v)})*U)"
            value = f"E {inner}" if s.is_zero else f"(1/{s}) log E exp({s} {inner})"
            lines.append(f"  {letter}_{k}(x) = {value}")
    legend = [str(chain) for chain in fe.chains]
    if nests:
        legend.append("U ~ N(0, 1), E its expectation")
    legend.append("log natural, alpha = m/n")
    return "\n".join([*lines, "", "  " + "; ".join(legend)])


def latex_source(fe: FreeEnergy) -> str:
    """Return the functional as a LaTeX ``aligned`` environment (no delimiters around it)."""
    values, nests = _named(fe)
    rows = [
        rf"\alpha &= -\frac{{\mathrm{{Ent}}}}{{\mathrm{{En}}}} = {_latex(_ratio(fe, values))}"
        if not nests
        else r"\alpha &= -\frac{\mathrm{Ent}}{\mathrm{En}}",
    ]
    if nests:
        rows += [
            rf"\mathrm{{Ent}} &= {_latex(fe.entropy.xreplace(values))}",
            rf"\mathrm{{En}} &= {_latex(fe.energy.xreplace(values))}",
        ]
    for letter, first, nest in nests:
        rows.append(rf"{letter}_{{{first}}}(h) &= {_latex(_leaf(nest))}")
        for k, (v, s) in enumerate(zip(nest.increments, nest.exponents, strict=True), first + 1):
            inner = rf"{letter}_{{{k - 1}}}\left(x + {_latex(sqrt(v))}\,U\right)"
            s_text = _latex(s)
            value = (
                rf"\mathbb{{E}}\, {inner}"
                if s.is_zero
                else rf"\frac{{1}}{{{s_text}}} \log \mathbb{{E}} "
                rf"\exp\left({s_text}\, {inner}\right)"
            )
            rows.append(rf"{letter}_{{{k}}}(x) &= {value}")
    body = " \\\\\n".join(rows)
    return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"


def _ratio(fe: FreeEnergy, values: dict[Expr, Expr]) -> Expr:
    return (-fe.entropy / fe.energy).xreplace(values)


def _leaf(nest: LiftedExpectation) -> Expr:
    return nest.leaf.expr.xreplace({nest.leaf.variables[0]: Symbol("h", real=True)})


def _named(fe: FreeEnergy) -> tuple[dict[Expr, Expr], list[tuple[str, int, LiftedExpectation]]]:
    """Return symbols for the nests' values, and (letter, index of the leaf, nest) of each.

    Functions are numbered like their exponents: f_k has exponent s_k, the leaf is f_1.
    """
    values: dict[Expr, Expr] = {}
    nests: list[tuple[str, int, LiftedExpectation]] = []
    for letter, expr in (("f", fe.entropy), ("g", fe.energy)):
        for nest in sorted(expr.atoms(LiftedExpectation), key=str):
            first = 1
            values[nest] = Function(f"{letter}_{first + nest.depth}")(nest.field)
            nests.append((letter, first, nest))
    return values, nests
