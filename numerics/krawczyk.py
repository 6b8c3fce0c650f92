"""Existence and local uniqueness of a stationary point, proved by the Krawczyk test.

For a functional whose nests are single liftings (level 3 of the symmetric perceptron, level 2 of the
asymmetric one) value, gradient g and Hessian H are enclosed by rigorous integration (`numerics.integrals`),
also over a box X of order parameters. With m its centre and Y an approximate inverse of H(m), if

    K = m - Y g(m) + (1 - Y H(X)) (X - m)

lies inside X, then X holds exactly one point with g = 0, and it lies in K (Krawczyk 1969, Moore 1977). Its
value is then in ``A(m) + g(m) (K - m) + (K - m) H(X) (K - m)/2``, and the signs of the leading minors of H(X)
tell its inertia.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import sympy
from flint import arb, arb_mat
from sympy import Symbol

from theory import FreeEnergy, LiftedExpectation

from .balls import in_balls
from .functional import BallFunctional
from .integrals import EnclosureError, lifting_integrals

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
    """The functional in its order parameters x and nest values N: first and second derivatives, inputs."""

    inputs: tuple[Callable[..., list[arb]], ...]
    jacobians: tuple[tuple[tuple[int, int, int], ...], ...]  # input, variable, whole-number slope
    values: Callable[..., list[arb]]


@lru_cache(maxsize=8)
def _algebra(fe: FreeEnergy) -> tuple[_Algebra, int]:
    """Take a functional apart in its own order parameters; inputs of nests are linear in them."""
    x = list(fe.order_parameters)
    parameters = sorted(fe.expr.free_symbols - set(x), key=str)
    nests = fe.nests
    if any(len(nest.increments) != 1 for nest in nests):
        raise EnclosureError("the test needs nests of one lifting")
    stand_ins = [Symbol(f"nest_{k}", real=True) for k in range(len(nests))]
    algebra = fe.expr.xreplace(dict(zip(nests, stand_ins, strict=True)))
    variables = [*x, *stand_ins]
    outputs = [algebra, *(sympy.diff(algebra, a) for a in variables)]
    outputs += [sympy.diff(algebra, a, b) for a in variables for b in variables]
    inputs, jacobians = [], []
    for nest in nests:
        leaf_inputs = _leaf_inputs(nest, fe)
        own = [nest.field, nest.increments[0], nest.exponents[0], *leaf_inputs]
        slopes = []
        for i, e in enumerate(own):
            for j, a in enumerate(x):
                slope = sympy.diff(e, a)
                if not slope.is_Integer:
                    raise EnclosureError(f"{e} is not linear in {a}")
                if slope != 0:
                    slopes.append((i, j, int(slope)))
        inputs.append(in_balls([*x, *parameters], own))
        jacobians.append(tuple(slopes))
    values = in_balls([*x, *parameters, *stand_ins], outputs)
    return _Algebra(tuple(inputs), tuple(jacobians), values), len(x)


def _leaf_inputs(nest: LiftedExpectation, fe: FreeEnergy) -> list[sympy.Expr]:
    """The leaf's parameters in the order of the compiled leaf: the variance 1 - p_2, then the model's."""
    found = nest.leaf.expr.free_symbols - set(nest.leaf.variables)
    inside = sorted(found & set(fe.order_parameters), key=str)
    if not inside:
        return sorted(found, key=str)
    (p,) = inside
    return [1 - p, *sorted(found - {p}, key=str)]


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
    algebra, n = _algebra(functional.generic)
    parameters = functional.parameters()
    fixed = [str(x) for x in functional.program.parameters]
    liftings, slopes, bends = [], [], []
    for k, nest in enumerate(functional.program.nests):
        inputs = [arb(a) for a in algebra.inputs[k](*point, *parameters)]
        found = lifting_integrals(nest.leaf, inputs, reach, fixed)
        jacobian = [(i - 1, j, slope) for i, j, slope in algebra.jacobians[k] if i]
        slope = [arb(0)] * n
        bend = [[arb(0)] * n for _ in range(n)]
        for i, j, a in jacobian:
            slope[j] += found.first[i] * a
            for other, m, b in jacobian:
                bend[j][m] += found.second[i][other] * (a * b)
        liftings.append(found.value)
        slopes.append(slope)
        bends.append(bend)
    out = [arb(a) for a in algebra.values(*point, *parameters, *liftings)]
    size = n + len(liftings)
    first = out[1 : 1 + size]
    second = [out[1 + size + i * size : 1 + size + (i + 1) * size] for i in range(size)]
    nests = range(len(liftings))
    gradient = [first[i] + _sum(first[n + k] * slopes[k][i] for k in nests) for i in range(n)]
    hessian = [
        [
            second[i][j]
            + _sum(second[i][n + k] * slopes[k][j] + second[j][n + k] * slopes[k][i] for k in nests)
            + _sum(
                second[n + k][n + other] * slopes[k][i] * slopes[other][j]
                for k in nests
                for other in nests
            )
            + _sum(first[n + k] * bends[k][i][j] for k in nests)
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
        spread = _sum(((1 if i == j else 0) - product[i, j]) * arb(0, widths[j]) for j in range(n))
        moved.append(spread - step[i, 0])
    for i in range(n):
        if not (moved[i].is_finite() and abs(moved[i]) < widths[i]):
            raise EnclosureError(
                f"the Krawczyk test failed in {functional.generic.order_parameters[i]}: the image moves by "
                f"{abs(moved[i]).upper().str(3)} in a box of half-width {widths[i].str(3)}"
            )
    value = at.value + _sum(g * d for g, d in zip(at.gradient, moved, strict=True))
    value += _sum(over.hessian[i][j] * moved[i] * moved[j] for i in range(n) for j in range(n)) / 2
    names = [str(x) for x in functional.generic.order_parameters]
    found = {name: a + d for name, a, d in zip(names, point, moved, strict=True)}
    return StationaryProof(value, found, _negative(over.hessian))


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


def _sum(terms: object) -> arb:
    total = arb(0)
    for term in terms:  # type: ignore[attr-defined]
        total += term
    return total
