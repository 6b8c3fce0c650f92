"""What stationarity in an overlap says: it is the mean square of its partner's slope.

Let f_0, .., f_K be a nest's levels, v_j its increments and s_j its exponents. The heat identity
(`theory.calculus.lifting`) is d f_K / d v_j = T_j with

    T_j = <f_{j-1}'' + s_j f_{j-1}'^2>_j / 2 = (A_j + s_j B_j) / 2 ,
    A_j = <f_j''>_{j+1} ,   B_j = <f_j'^2>_{j+1} :

f_j'' = <f_{j-1}'' + s_j f_{j-1}'^2>_j - s_j f_j'^2, averaged. An overlap that raises v_{j+1} by what it
takes from v_j changes the nest by T_{j+1} - T_j = (s_{j+1} - s_j) B_j / 2: second derivatives cancel. Of
j = 0 the leaf is the level below: exp(s_0 f_0) obeys the heat equation itself, up to a constant. What remains
of the functional is bilinear in partners, so that

    p_k = <f'^2>,   Q_k = alpha <g'^2> ;   of a ground state q_k = <f'^2>,  and likewise

at every stationary point whose neighbouring exponents differ.

Source: stationarity of Parisi's functional (Parisi, J. Phys. A 13, 1101, 1980; Guerra, Commun. Math. Phys.
233, 2003), for each lifted expectation of Stojnic, arXiv:2312.00073.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import mpmath
from sympy import Expr, Lambda, Rational, S, Symbol, cancel, expand, lambdify, simplify

from theory.calculus.binding import apply, fresh
from theory.calculus.lifting import LiftedExpectation
from theory.thresholds.free_energy import FreeEnergy

__all__ = ["DENSITY", "Identity", "identities"]

DENSITY = Symbol("alpha", positive=True)
"""The value of a capacity, in identities."""


@dataclass(frozen=True)
class Identity:
    """An overlap as a mean square.

    Attributes
    ----------
    overlap : sympy.Symbol
    factor : sympy.Expr
        overlap = factor <f_j'^2>: 1, or the density.
    nest : theory.LiftedExpectation
        Whose slope it is.
    interface : int
        j, from 0, the leaf, to one less than the nest's depth.
    """

    overlap: Symbol
    factor: Expr
    nest: LiftedExpectation
    interface: int

    @property
    def average(self) -> Expr:
        """The mean square as a Gibbs average."""
        h = fresh("h")
        slope = self.nest.inner(self.interface, h).diff(h)
        return self.nest.gibbs(Lambda(h, slope**2), self.interface + 1)

    @property
    def expr(self) -> Expr:
        """What the overlap is equal to."""
        return self.factor * self.average


@lru_cache(maxsize=64)
def identities(fe: FreeEnergy) -> tuple[Identity, ...]:
    """Return the identities that stationarity in the increments of a functional's nests gives.

    Parameters
    ----------
    fe
        With symbols or numbers for its model's parameters.

    Returns
    -------
    tuple of Identity
        In the order of the overlaps. There is none for nests that were integrated in closed form, nor at
        the leaf where that does not obey the heat equation (free norms).

    Raises
    ------
    ValueError
        When what is left is not bilinear in overlaps.

    Examples
    --------
    >>> from theory import SBP, free_energy
    >>> [str(one.overlap) for one in identities(free_energy(SBP(1), 3))]
    ['p_2', 'Q_2']
    """
    density = DENSITY if fe.is_capacity else (fe.model.alpha or S.One)
    lagrangian = fe.entropy + density * fe.energy
    explicit = lagrangian.xreplace(dict.fromkeys(fe.nests, S.Zero))
    overlaps = (*fe.p, *fe.q)
    known: dict[Symbol, Identity] = {}
    for nest in fe.nests:
        weight = lagrangian.coeff(nest)
        constant, exponents = S.Zero, (S.Zero, *nest.exponents)
        for j, v in enumerate(nest.increments):
            x = next(y for y in overlaps if y in v.free_symbols)
            rate = v.diff(x)
            below = exponents[j]
            if j == 0:
                below = fe.c[0] if fe.is_finite else S.One
                constant = _heat_constant(nest, x, rate, below)
                if constant is None:
                    continue
            change = weight * rate * (exponents[j + 1] - below) / 2
            if change.is_zero:
                continue
            mean = cancel(-(explicit.diff(x) + (weight * constant if j == 0 else 0)) / change)
            overlap = next((y for y in overlaps if mean.has(y)), None)
            factor = S.Zero if overlap is None else mean.diff(overlap)
            if (
                overlap is None
                or factor.has(*overlaps, *fe.c)
                or expand(mean - factor * overlap) != 0
            ):
                raise ValueError(f"stationarity in {x} gives {mean}, which is no overlap")
            known[overlap] = Identity(overlap, 1 / factor, nest, j)
    return tuple(known[x] for x in overlaps if x in known)


def _heat_constant(nest: LiftedExpectation, x: Symbol, rate: Expr, s: Expr) -> Expr | None:
    """What d f_0/dx + rate (f_0'' + s f_0'^2)/2 is, if it does not depend on the field; else None.

    Looked at with fifty digits at two fields first: of long leaves a computer algebra does not see zeros.
    """
    h = fresh("h")
    leaf = apply(nest.leaf, h)
    slope = leaf.diff(h)
    rest = leaf.diff(x) + rate * (slope.diff(h) + s * slope**2) / 2
    symbols = sorted(rest.free_symbols - {h}, key=str)
    point = {y: Rational(k + 3, len(symbols) + 5) for k, y in enumerate(symbols)}
    at = lambdify(h, rest.xreplace(point), "mpmath")
    with mpmath.workdps(60):
        first, second = (at(mpmath.mpf(field)) for field in ("0.7", "-1.1"))
        if abs(first - second) > mpmath.mpf(10) ** -50:
            return None
        if abs(first) < mpmath.mpf(10) ** -50:
            return S.Zero
    constant = simplify(rest)
    return None if constant.has(h) else constant
