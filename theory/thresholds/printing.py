"""How nests and functionals are written: plain text and LaTeX."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sympy import Expr, Function, Symbol, sqrt
from sympy.printing.latex import LatexPrinter
from sympy.printing.str import StrPrinter

from theory.calculus.lifting import LiftedExpectation

if TYPE_CHECKING:
    from theory.thresholds.free_energy import FreeEnergy


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
    head = f"{fe.model}, level {fe.level}: {fe.symbol}" + (" = -Ent/En" if fe.is_capacity else "")
    if fe.order_parameters:
        head += f", stationary in {', '.join(map(str, fe.order_parameters))}"
    values, nests = _named(fe)
    width = max(len(name) for name, _, _ in _parts(fe))
    lines = [head, ""]
    for name, _, part in _parts(fe):
        lines.append(f"  {name:{width}} = {_text(part.xreplace(values))}")
    for letter, first, nest in nests:
        lines += ["", f"  {letter}_{first}(h) = {_text(_leaf(nest))}"]
        for k, (v, s) in enumerate(zip(nest.increments, nest.exponents, strict=True), first + 1):
            inner = f"{letter}_{k - 1}(x + sqrt({_text(v)})*U)"
            value = f"E {inner}" if s.is_zero else f"(1/{s}) log E exp({s} {inner})"
            lines.append(f"  {letter}_{k}(x) = {value}")
    legend = [str(chain) for chain in fe.chains]
    if nests:
        legend.append("U ~ N(0, 1), E its expectation")
    legend.append("log natural" + (", alpha = m/n" if fe.model.constraint is not None else ""))
    return "\n".join([*lines, "", "  " + "; ".join(legend)])


def latex_source(fe: FreeEnergy) -> str:
    """Return the functional as a LaTeX ``aligned`` environment (no delimiters around it)."""
    values, nests = _named(fe)
    ratio = r"\alpha &= -\frac{\mathrm{Ent}}{\mathrm{En}}"
    if fe.is_capacity and not nests:
        rows = [f"{ratio} = {_latex(fe.expr)}"]
    else:
        rows = [ratio] if fe.is_capacity else []
        rows += [f"{name} &= {_latex(part.xreplace(values))}" for _, name, part in _parts(fe)]
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


def _parts(fe: FreeEnergy) -> list[tuple[str, str, Expr]]:
    """Return what a functional is written in, each with its name in text and in LaTeX."""
    if not fe.is_capacity:
        return [("xi", r"\xi", fe.expr)]
    return [("Ent", r"\mathrm{Ent}", fe.entropy), ("En", r"\mathrm{En}", fe.energy)]


def _leaf(nest: LiftedExpectation) -> Expr:
    return nest.leaf.expr.xreplace({nest.leaf.variables[0]: Symbol("h", real=True)})


def _named(fe: FreeEnergy) -> tuple[dict[Expr, Expr], list[tuple[str, int, LiftedExpectation]]]:
    """Return symbols for the nests' values, and (letter, index of the leaf, nest) of each."""
    values: dict[Expr, Expr] = {}
    nests = numbered_nests(fe)
    for letter, first, nest in nests:
        values[nest] = Function(f"{letter}_{first + nest.depth}")(nest.field)
    return values, nests


def numbered_nests(fe: FreeEnergy) -> list[tuple[str, int, LiftedExpectation]]:
    """Return (letter, index of the leaf, nest) of every nest of a functional.

    f is the x nest and g the y nest. Functions are numbered like their exponents: f_k has exponent
    s_k, and the leaf is f_1, of exponent s_1 = 1; at finite exponents f_k has exponent c_k, and the
    leaf, already lifted once, is f_2.
    """
    nests = sorted(fe.expr.atoms(LiftedExpectation), key=str)
    of_x = [nest for nest in nests if nest.increments.free_symbols & {*fe.q}]
    of_y = [nest for nest in nests if nest not in of_x]
    first = 2 if fe.is_finite else 1
    return [("f", first, nest) for nest in of_x] + [("g", first, nest) for nest in of_y]
