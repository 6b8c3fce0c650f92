"""Existence and local uniqueness of a stationary point, proved by the Krawczyk test.

For a functional whose nests are single liftings (level 3 of the symmetric perceptron, level 2 of the
asymmetric one) value, gradient g and Hessian H are enclosed by rigorous integration
(`numerics.proofs.integrals`), also over a box X of order parameters. With m its centre and Y an
approximate inverse of H(m), if

    K = m - Y g(m) + (1 - Y H(X)) (X - m)

lies inside X, then X holds exactly one point with g = 0, and it lies in K (Krawczyk 1969, Moore 1977). Its
value is then in ``A(m) + g(m) (K - m) + (K - m) H(X) (K - m)/2``, and the signs of the leading minors of H(X)
tell its inertia.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import sympy
from flint import arb, arb_mat

from numerics.balls.functional import BallFunctional
from numerics.balls.program import ball_sum, in_balls
from numerics.errors import EnclosureError
from numerics.functionals.parts import parts_of
from theory import FreeEnergy

from .integrals import lifting_integrals

__all__ = ["Enclosure", "StationaryProof", "enclose", "prove_stationary"]


@dataclass(frozen=True)
class Enclosure:
    """Value, gradient and Hessian of a functional in its order parameters, enclosed."""

    value: arb
    gradient: list[arb]
    hessian: list[list[arb]]


@dataclass(frozen=True)
class StationaryProof:
    """What the test proved.

    Attributes
    ----------
    value : flint.arb
        Contains the functional's value at the stationary point.
    point : dict of str to flint.arb
        Contains the stationary point, the only one in the box.
    negative : int
        Number of negative eigenvalues of the Hessian there, proved.
    """

    value: arb
    point: dict[str, arb]
    negative: int


@dataclass(frozen=True)
class _Algebra:
    """The functional in its order parameters x and nest values N: first and second derivatives.

    ``slopes`` says of every nest how its inputs depend on x: input, variable, derivative, a whole number.
    """

    size: int
    slopes: tuple[tuple[tuple[int, int, int], ...], ...]
    values: Callable[..., list[arb]]


@lru_cache(maxsize=8)
def _algebra(fe: FreeEnergy) -> _Algebra:
    """Take a functional apart in its own order parameters, which its gaps are differences of."""
    parts = parts_of(fe)
    if any(nest.depth != 1 for nest in parts.nests):
        raise EnclosureError("the test needs nests of one lifting")
    x = list(fe.order_parameters)
    differences = [
        {upper: 1, lower: -1}
        for chain in fe.chains
        for upper, lower in itertools.pairwise(
            (*([None] if chain.upper.is_finite else []), *chain.symbols, None)
        )
    ]
    slopes = []
    for nest in parts.nests:
        row: dict[tuple[int, int], int] = {}
        for i, j, d in nest.entries:
            if not d.is_Integer:
                raise EnclosureError(f"{nest.inputs[i]} is not linear in the gaps")
            for symbol, sign in differences[j].items():
                if symbol is not None:
                    key = i, x.index(symbol)
                    row[key] = row.get(key, 0) + int(d) * sign
        slopes.append(tuple((i, j, a) for (i, j), a in row.items() if a))
    stand_ins = list(parts.stand_ins)
    algebra = fe.expr.xreplace(dict(zip(fe.nests, stand_ins, strict=True)))
    variables = [*x, *stand_ins]
    outputs = [algebra, *(sympy.diff(algebra, a) for a in variables)]
    outputs += [sympy.diff(algebra, a, b) for a in variables for b in variables]
    return _Algebra(len(x), tuple(slopes), in_balls([*x, *parts.parameters, *stand_ins], outputs))


def enclose(functional: BallFunctional, point: Sequence[arb], reach: float) -> Enclosure:
    """Value, gradient and Hessian at a point or over a box of order parameters.

    Parameters
    ----------
    functional : BallFunctional
    point : sequence of flint.arb
        Order parameters, in their order.
    reach : float
        Half-width of the integrals in standard deviations.

    Returns
    -------
    Enclosure

    Raises
    ------
    EnclosureError
        If a nest has more than one lifting, or an integral cannot be enclosed.
    """
    algebra = _algebra(functional.generic)
    n = algebra.size
    parameters = functional.parameters()
    fixed = [str(x) for x in functional.program.parameters]
    liftings, slopes, bends = [], [], []
    for k, nest in enumerate(functional.program.nests):
        inputs = [arb(a) for a in nest.inputs(*functional.gaps_at(point), *parameters)]
        integrals = lifting_integrals(nest.leaf, inputs, reach, fixed)
        jacobian = [(i - 1, j, a) for i, j, a in algebra.slopes[k] if i]  # the field stays 0
        slope = [arb(0)] * n
        bend = [[arb(0)] * n for _ in range(n)]
        for i, j, a in jacobian:
            slope[j] += integrals.first[i] * a
            for other, m, b in jacobian:
                bend[j][m] += integrals.second[i][other] * (a * b)
        liftings.append(integrals.value)
        slopes.append(slope)
        bends.append(bend)
    out = [arb(a) for a in algebra.values(*point, *parameters, *liftings)]
    size = n + len(liftings)
    first = out[1 : 1 + size]
    second = [out[1 + size + i * size : 1 + size + (i + 1) * size] for i in range(size)]
    nests = range(len(liftings))
    gradient = [first[i] + ball_sum(first[n + k] * slopes[k][i] for k in nests) for i in range(n)]
    hessian = [
        [
            second[i][j]
            + ball_sum(
                second[i][n + k] * slopes[k][j] + second[j][n + k] * slopes[k][i] for k in nests
            )
            + ball_sum(
                second[n + k][n + other] * slopes[k][i] * slopes[other][j]
                for k in nests
                for other in nests
            )
            + ball_sum(first[n + k] * bends[k][i][j] for k in nests)
            for j in range(n)
        ]
        for i in range(n)
    ]
    return Enclosure(out[0], gradient, hessian)


def prove_stationary(
    functional: BallFunctional, point: Sequence[arb], radius: arb, reach: float
) -> StationaryProof:
    """Prove that a box around a point holds exactly one stationary point, and enclose it.

    Parameters
    ----------
    functional : BallFunctional
    point : sequence of flint.arb
        Order parameters, exact.
    radius : flint.arb
        Half-width of the box, relative to each coordinate.
    reach : float

    Returns
    -------
    StationaryProof

    Raises
    ------
    EnclosureError
        If the test fails: the point is not near enough to a stationary point, the box is too large or too
        small, the precision too low or the integrals too short.
    """
    n = len(point)
    at = enclose(functional, point, reach)
    widths = [(abs(a) * radius).upper() for a in point]
    box = [a + arb(0, w) for a, w in zip(point, widths, strict=True)]
    over = enclose(functional, box, reach)
    middle = arb_mat([[arb(a.mid()) for a in row] for row in over.hessian])
    try:
        inverse = middle.inv()
    except ZeroDivisionError:
        raise EnclosureError("the Hessian is singular to the precision carried") from None
    inverse = arb_mat([[arb(inverse[i, j].mid()) for j in range(n)] for i in range(n)])
    product = inverse * arb_mat(over.hessian)
    step = inverse * arb_mat(n, 1, at.gradient)
    moved = []
    for i in range(n):
        spread = ball_sum(
            ((1 if i == j else 0) - product[i, j]) * arb(0, widths[j]) for j in range(n)
        )
        moved.append(spread - step[i, 0])
    for i in range(n):
        if not (moved[i].is_finite() and abs(moved[i]) < widths[i]):
            raise EnclosureError(
                f"the Krawczyk test failed in {functional.generic.order_parameters[i]}: the image moves by "
                f"{abs(moved[i]).upper().str(3)} in a box of half-width {widths[i].str(3)}"
            )
    value = at.value + ball_sum(g * d for g, d in zip(at.gradient, moved, strict=True))
    value += (
        ball_sum(over.hessian[i][j] * moved[i] * moved[j] for i in range(n) for j in range(n)) / 2
    )
    names = [str(x) for x in functional.generic.order_parameters]
    stationary = {name: a + d for name, a, d in zip(names, point, moved, strict=True)}
    return StationaryProof(value, stationary, _negative(over.hessian))


def _negative(matrix: list[list[arb]]) -> int:
    """Number of negative eigenvalues of a symmetric matrix, by the signs of its leading minors (Jacobi)."""
    sign, count = 1, 0
    for k in range(1, len(matrix) + 1):
        minor = arb_mat([row[:k] for row in matrix[:k]]).det()
        if not (minor > 0 or minor < 0):
            raise EnclosureError("the signs of the Hessian's minors could not be told")
        now = 1 if minor > 0 else -1
        count += now != sign
        sign = now
    return count
