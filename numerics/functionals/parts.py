"""A free energy taken apart: its nests, what they depend on, and the algebra around them.

Done once for doubles (`numerics.functionals.doubles`), balls (`numerics.balls.program`) and mpmath
(`numerics.balls.mp`), which print the same expressions for their numbers. The order parameters are
replaced by the gaps of their chains first, so that increments such as ``p_k - p_{k+1}`` are
variables and not differences of rounded numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import sympy
from sympy import Expr, Lambda, Symbol

from numerics.nests.leaf import CompiledLeaf, compile_leaf
from numerics.nests.recognise import with_stable_logarithms
from theory import FreeEnergy

from .coordinates import Coordinates

__all__ = ["NestParts", "Parts", "parts_of"]


@dataclass(frozen=True)
class NestParts:
    """One nest.

    Attributes
    ----------
    leaf : sympy.Lambda
        In the gaps and the model's parameters.
    compiled : CompiledLeaf
        The leaf in doubles.
    own : tuple of sympy.Symbol
        The leaf's parameters, in the order of the compiled leaf.
    depth : int
        Number of liftings.
    inputs : tuple of sympy.Expr
        Field, increments and exponents (innermost first), leaf parameters: of gaps and parameters.
    entries : tuple of (int, int, sympy.Expr)
        Input, gap and derivative, where that is not 0.
    """

    leaf: Lambda
    compiled: CompiledLeaf
    own: tuple[Symbol, ...]
    depth: int
    inputs: tuple[Expr, ...]
    entries: tuple[tuple[int, int, Expr], ...]


@dataclass(frozen=True)
class Parts:
    """A functional.

    Attributes
    ----------
    coordinates : Coordinates
    parameters : tuple of sympy.Symbol
        The model's, by name.
    arguments : tuple of sympy.Symbol
        Gaps, then parameters: of all inputs.
    nests : tuple of NestParts
    stand_ins : tuple of sympy.Symbol
        The nests' values in ``outputs``.
    outputs : tuple of sympy.Expr
        The functional, and its derivatives in the gaps and in the nests' values.
    degrees : tuple of int or None
        The power of a factor on a nest that the functional has as a factor, None where it has none.
    """

    coordinates: Coordinates
    parameters: tuple[Symbol, ...]
    arguments: tuple[Symbol, ...]
    nests: tuple[NestParts, ...]
    stand_ins: tuple[Symbol, ...]
    outputs: tuple[Expr, ...]
    degrees: tuple[int | None, ...]


@lru_cache(maxsize=64)
def parts_of(fe: FreeEnergy) -> Parts:
    """Take a free energy with symbolic model parameters apart.

    Parameters
    ----------
    fe : theory.FreeEnergy

    Returns
    -------
    Parts
    """
    coordinates = Coordinates(tuple(fe.chains))
    gaps = [g for group in coordinates.gap_symbols for g in group]
    parameters = sorted(fe.expr.free_symbols - set(fe.order_parameters), key=str)
    below = coordinates.substitution(from_above=False)
    above = coordinates.substitution(from_above=True)
    stand_ins = [Symbol(f"nest_{k}", real=True) for k in range(len(fe.nests))]
    nests = []
    for nest in fe.nests:
        leaf = Lambda(nest.leaf.variables, nest.leaf.expr.xreplace(above))
        compiled = compile_leaf(leaf)
        inside = {str(x): x for x in leaf.expr.free_symbols}
        own = tuple(inside[name] for name in compiled.parameters)
        outer = (nest.field, *nest.increments, *nest.exponents)
        inputs = (*(e.xreplace(below) for e in outer), *own)
        entries = tuple(
            (i, j, d)
            for i, e in enumerate(inputs)
            for j, g in enumerate(gaps)
            if g in e.free_symbols and (d := sympy.diff(e, g)) != 0
        )
        nests.append(NestParts(leaf, compiled, own, len(nest.increments), inputs, entries))
    algebra = fe.expr.xreplace(dict(zip(fe.nests, stand_ins, strict=True)))
    algebra = _in_gaps(with_stable_logarithms(algebra), below, above)
    return Parts(
        coordinates,
        tuple(parameters),
        (*gaps, *parameters),
        tuple(nests),
        tuple(stand_ins),
        (algebra, *(sympy.diff(algebra, x) for x in (*gaps, *stand_ins))),
        tuple(_degree(algebra, x) for x in stand_ins),
    )


def _in_gaps(expr: Expr, below: dict[Symbol, Expr], above: dict[Symbol, Expr]) -> Expr:
    """An expression in gaps, each of its sums in those at its own end of the chains.

    In the gaps above ``1 - p_2 q_2`` has two, and in those below all but these: a derivative in any of them
    would be as large as an exponent, and what is left of their differences be lost. ``c_2 (1 - p_2) +
    c_3 (p_2 - p_3) + ..`` has one for each exponent, multiplied out, and else as many for each as there are.
    """
    if not expr.has(*below) or not expr.args:
        return expr.xreplace(below)
    if not expr.is_Add or any(a.has(sympy.Add) for a in expr.args):
        return expr.func(*(_in_gaps(a, below, above) for a in expr.args))
    forms = expr.xreplace(below), sympy.expand_mul(expr.xreplace(above))
    return min(forms, key=sympy.count_ops)


def _degree(expr: Expr, x: Symbol) -> int | None:
    """The n of ``expr = x**n`` times what is free of x."""
    power, rest = expr.as_independent(x, as_Add=False)[::-1]
    base, exponent = power.as_base_exp()
    return int(exponent) if base == x and exponent.is_Integer and not rest.has(x) else None
