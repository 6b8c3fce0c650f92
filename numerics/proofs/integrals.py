"""One lifting with its first and second derivatives, enclosed by rigorous integration.

For a nest of one lifting everything is a one-dimensional integral of elementary functions,

    I = int w dy,   w = exp(s f(y) - y^2/(2 v)) / sqrt(2 pi v),   f_1 = log(I)/s,

and with L = log w the derivatives in v, s and the leaf's parameters are ``I_i = int w L_i`` and
``I_ij = int w (L_ij + L_i L_j)``; of a quenched average, w the Gaussian and L its logarithm,
``int w (f_i + f L_i)`` and so on. The expressions are sympy's. FLINT's `acb.integral` encloses the part on
[-Y, Y]; what lies beyond is bounded by a polynomial times a Gaussian.

Bounds on the tails. Every function below is bounded by a polynomial in |y| with positive coefficients:

- ``log 2cosh``: ``|f| <= |y| + log 2``.
- ``log P``, P the probability that a Gaussian of mean y and variance u lies in a set C: for t in C,
  ``P_u/P`` is an average over C of ``((t-y)^2/u^2 - 1/u)/2``, and ``P_uu/P`` one of
  ``((t-y)^4/u^4 - 6 (t-y)^2/u^3 + 3/u^2)/4``. On an interval in [-b, b] ``|t - y| <= |y| + b``; beyond
  a half-line's edge at distance ``z sqrt(u)`` from y the second and fourth moments are at most
  ``u (1 + z (z+1))`` and ``u^2 (3 + (z^3 + 3z)(z+1))`` (Mills).
  ``-log P`` is bounded by Jensen's inequality over an interval in C.
- ``exp(s log P) <= 1`` and ``exp(s log 2cosh) <= 2^s exp(s |y|)``, which moves the Gaussian.

This is the independent route of the certificates: no grid and no strip enters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sympy
from flint import acb, arb
from sympy import Symbol

from numerics.balls.program import BallLeaf, plain_form, printed
from numerics.errors import EnclosureError

__all__ = ["EnclosureError", "Lifting", "lifting_integrals", "tails_are_bounded"]

Polynomial = list[arb]  # coefficients of |y|^n, all >= 0


@dataclass(frozen=True)
class Lifting:
    """Enclosures of one lifting at field 0.

    Attributes
    ----------
    value : flint.arb
    first : list of flint.arb
        Derivatives in v, s and the leaf's parameters; 0 in s of a quenched average.
    second : list of list of flint.arb
    """

    value: arb
    first: list[arb]
    second: list[list[arb]]


def lifting_integrals(
    leaf: BallLeaf, inputs: Sequence[arb], reach: float, fixed: Sequence[str] = ()
) -> Lifting:
    """Enclose a lifting and its derivatives in the precision of ``flint.ctx``.

    Parameters
    ----------
    leaf : BallLeaf
        ``log 2cosh``, or the log-probability of one interval or half-line.
    inputs : sequence of flint.arb
        Field (0), v, s (exactly 0: the quenched average), the leaf's parameters; small balls are allowed.
    reach : float
        Y in units of sqrt(v), beyond the tilted centre.
    fixed : sequence of str
        Parameters of the leaf in which derivatives are not wanted; they are returned as 0.

    Returns
    -------
    Lifting

    Raises
    ------
    EnclosureError
        If the leaf is of another kind, or nothing finite can be enclosed.
    """
    field, v, s, *own = (arb(a) for a in inputs)
    if not field.is_zero():
        raise EnclosureError("rigorous integration is for field 0 only")
    quenched = s.is_zero()
    tail = _Tail(leaf, v, s, own, fixed)
    end = (s * arb(tail.slope) * v + arb(reach) * v.sqrt()).upper()
    flag = [False]
    functions = _integrands(leaf, quenched, tuple(fixed))(flag)
    free = [name for name in leaf.parameters if name not in fixed]
    n = (1 if quenched else 2) + len(free)
    arguments = (v, *own) if quenched else (v, s, *own)
    coefficients = []
    for k, function in enumerate(functions):

        def at(y: acb, analytic: bool, function: Any = function) -> acb:
            flag[0] = analytic
            return acb(function(y, *arguments)[0])

        inside = acb.integral(at, -end, end).real
        beyond = tail.beyond(end, *_indices(k, n), quenched)
        coefficients.append(inside + arb(0, beyond.upper()))
    if not all(a.is_finite() for a in coefficients):
        raise EnclosureError("an integral could not be enclosed")
    value, first = coefficients[0], coefficients[1 : 1 + n]
    second = [[arb(0)] * n for _ in range(n)]
    for k, a in enumerate(coefficients[1 + n :]):
        i, j = _indices(1 + n + k, n)[0]
        second[i][j] = second[j][i] = a
    if quenched:
        found_at = Lifting(value, *_with_zero(first, second))
    else:
        found_at = _logarithm(value, first, second, s)
    places = [0, 1, *(2 + leaf.parameters.index(name) for name in free)]
    return _spread(found_at, places, 2 + len(own))


def _spread(lifting: Lifting, places: list[int], size: int) -> Lifting:
    """Derivatives put at their places among all inputs."""
    first = [arb(0)] * size
    second = [[arb(0)] * size for _ in range(size)]
    for i, at in enumerate(places):
        first[at] = lifting.first[i]
        for j, other in enumerate(places):
            second[at][other] = lifting.second[i][j]
    return Lifting(lifting.value, first, second)


def tails_are_bounded(leaf: BallLeaf) -> bool:
    """Whether bounds are known for a leaf: log 2cosh, or the log-probability of an interval or half-line."""
    terms, names = leaf.form.terms, leaf.parameters
    if not names:
        return len(terms) == 2 and all(not term.arguments for term in terms)
    return len(terms) == 1 and len(names) == 2 and "kappa" in names


def _logarithm(z: arb, z_i: list[arb], z_ij: list[list[arb]], s: arb) -> Lifting:
    """log(I)/s with its derivatives; s is the second variable."""
    n = len(z_i)
    log = z.log()
    g_i = [a / z for a in z_i]
    g_ij = [[z_ij[i][j] / z - g_i[i] * g_i[j] for j in range(n)] for i in range(n)]
    first = [a / s for a in g_i]
    first[1] -= log / (s * s)
    second = [[a / s for a in row] for row in g_ij]
    for i in range(n):
        second[i][1] -= g_i[i] / (s * s)
        second[1][i] -= g_i[i] / (s * s)
    second[1][1] += 2 * log / (s * s * s)
    return Lifting(log / s, first, second)


def _with_zero(first: list[arb], second: list[list[arb]]) -> tuple[list[arb], list[list[arb]]]:
    """Put in the derivative in s, which is not a variable of a quenched average."""
    zero = arb(0)
    rows = [[row[0], zero, *row[1:]] for row in second]
    return [first[0], zero, *first[1:]], [rows[0], [zero] * (len(first) + 1), *rows[1:]]


def _indices(k: int, n: int) -> tuple[tuple[int, ...], int]:
    """Which derivative the k-th integrand is: indices, order."""
    if k == 0:
        return (), 0
    if k <= n:
        return (k - 1,), 1
    pairs = [(i, j) for i in range(n) for j in range(i, n)]
    return pairs[k - 1 - n], 2


@lru_cache(maxsize=16)
def _integrands(
    leaf: BallLeaf, quenched: bool, fixed: tuple[str, ...]
) -> Callable[[list[bool]], list[Any]]:
    """Integrands of the value and all derivatives, for complex balls; printed from sympy once."""
    h = leaf.form.field
    v, s = Symbol("v", positive=True), Symbol("s", positive=True)
    names = {str(x): x for x in leaf.form.expr.free_symbols}
    own = [names[name] for name in leaf.parameters]
    f = plain_form(leaf.form)
    gauss = -(h**2) / (2 * v) - sympy.log(2 * sympy.pi * v) / 2
    free = [names[name] for name in leaf.parameters if name not in fixed]
    variables = [v, *free] if quenched else [v, s, *free]
    log_weight = gauss if quenched else s * f + gauss
    weight = sympy.exp(log_weight)
    n = len(variables)
    expressions = []
    slopes = [sympy.diff(log_weight, x) for x in variables]
    for k in range(1 + n + n * (n + 1) // 2):
        indices, _ = _indices(k, n)
        if quenched:
            factor = _quenched_factor(f, gauss, [variables[i] for i in indices])
        elif len(indices) == 2:
            i, j = indices
            factor = sympy.diff(slopes[i], variables[j]) + slopes[i] * slopes[j]
        else:
            factor = slopes[indices[0]] if indices else sympy.S.One
        expressions.append(weight * factor)

    def make(flag: list[bool]) -> list[Any]:
        namespace = _complex(flag)
        arguments = [h, v, *own] if quenched else [h, v, s, *own]
        return [printed(arguments, [e], namespace) for e in expressions]

    return make


def _quenched_factor(f: sympy.Expr, gauss: sympy.Expr, variables: list[Symbol]) -> sympy.Expr:
    """D of (f w) over w, for up to two derivatives."""
    factor = f
    for x in variables:
        factor = sympy.diff(factor, x) + factor * sympy.diff(gauss, x)
    return factor


def _complex(flag: list[bool]) -> dict[str, Any]:
    """Functions of complex balls; logarithms respect the flag that their argument must not meet the cut."""

    def log(z: Any) -> Any:
        return acb(z).log(analytic=flag[0]) if isinstance(z, acb) else arb(z).log()

    def phi(b: acb) -> acb:
        return (-acb(b) / arb(2).sqrt()).erfc() / 2

    def erf_mean(a: acb, b: acb) -> acb:
        a, b = acb(a), acb(b)
        if a.real < 0:
            return ((-a).erfc() - b.erfc()) / 2
        if b.real < 0:
            return ((-b).erfc() - a.erfc()) / 2
        return 1 - (a.erfc() + b.erfc()) / 2

    return {
        "mpf": lambda number: arb(number),
        "pi": arb.pi,
        "sqrt": lambda x: x.sqrt() if isinstance(x, (acb, arb)) else arb(x).sqrt(),
        "log": log,
        "exp": lambda z: z.exp() if isinstance(z, (acb, arb)) else arb(z).exp(),
        "Phi": phi,
        "ErfMean": erf_mean,
    }


class _Tail:
    """Bounds of the integrands beyond a point."""

    def __init__(
        self, leaf: BallLeaf, v: arb, s: arb, own: list[arb], fixed: Sequence[str]
    ) -> None:
        self.v, self.s = v, s
        terms, names = leaf.form.terms, leaf.parameters
        if not tails_are_bounded(leaf) or (names and "kappa" not in fixed):
            raise EnclosureError(f"no bounds are known for the tails of the leaf {leaf.form.expr}")
        self.slope = 0.0
        if not names:
            self.slope = 1.0  # log 2cosh
            self.f: Polynomial = [arb(2).log(), arb(1)]
            self.first, self.second = [arb(0)], [arb(0)]
            return
        values = dict(zip(names, own, strict=True))
        kappa = values["kappa"]
        u = next(value for name, value in values.items() if name != "kappa")
        if not v > u:
            raise EnclosureError("tail bounds need a lifting wider than the leaf")
        size = abs(kappa)
        if len(terms[0].arguments) == 2:  # an interval
            constant = abs((2 * kappa / (2 * arb.pi() * u).sqrt()).log())
            self.f = [constant + kappa * kappa / (6 * u), arb(0), 1 / (2 * u)]
            square: Polynomial = [size * size, 2 * size, arb(1)]
            fourth = _times(square, square)
        else:  # a half-line: t in [kappa, kappa + sqrt u] for Jensen's inequality
            root = u.sqrt()
            edge = size + root / 2
            self.f = [
                arb(1) + (edge * edge + u / 12) / (2 * u),
                edge / u,
                1 / (2 * u),
            ]
            z: Polynomial = [size / root, 1 / root]
            z_one = _plus(z, [arb(1)])
            square = [u * a for a in _plus([arb(1)], _times(z, z_one))]
            cube = _plus(_times(_times(z, z), z), [3 * a for a in z])
            fourth = [u * u * a for a in _plus([arb(3)], _times(cube, z_one))]
        self.first: Polynomial = [a / 2 for a in _plus([x / (u * u) for x in square], [1 / u])]
        bend = _plus(
            [x / u**4 for x in fourth], _plus([6 * x / u**3 for x in square], [3 / (u * u)])
        )
        self.second: Polynomial = _plus([a / 4 for a in bend], _times(self.first, self.first))

    def beyond(self, end: arb, indices: tuple[int, ...], order: int, quenched: bool) -> arb:
        """Bound of an integrand's integral over |y| > end."""
        v = self.v
        kinds = [self._kind(i, quenched) for i in indices]
        gauss = {0: [arb(1)], 1: [1 / (2 * v), arb(0), 1 / (2 * v * v)]}
        gauss_2: Polynomial = [1 / (2 * v * v), arb(0), 1 / v**3]
        if quenched:
            bound = self._quenched(kinds, gauss[1], gauss_2)
        else:
            slopes = {"v": gauss[1], "s": self.f, "u": [self.s * a for a in self.first]}
            if order == 0:
                bound = [arb(1)]
            elif order == 1:
                bound = slopes[kinds[0]]
            else:
                first, second = sorted(kinds)
                own = {
                    ("v", "v"): gauss_2,
                    ("s", "u"): self.first,
                    ("u", "u"): [self.s * a for a in self.second],
                }.get((first, second), [arb(0)])
                bound = _plus(own, _times(slopes[kinds[0]], slopes[kinds[1]]))
        return 2 * self._integral(bound, end, quenched)

    def _quenched(self, kinds: list[str], gauss: Polynomial, gauss_2: Polynomial) -> Polynomial:
        f = {0: self.f, 1: self.first, 2: self.second}
        u, g = kinds.count("u"), kinds.count("v")
        weights = {0: [arb(1)], 1: gauss, 2: _plus(gauss_2, _times(gauss, gauss))}
        return _times(f[u], weights[g])

    def _kind(self, index: int, quenched: bool) -> str:
        names = ["v"] if quenched else ["v", "s"]
        if index < len(names):
            return names[index]
        return "u"

    def _integral(self, bound: Polynomial, end: arb, quenched: bool) -> arb:
        """Integral over y > end of the polynomial times the weight without f's falling part.

        With the Gaussian moved to c = s v, and y = end + t, phi_v(y - c) <= phi_v(end - c) exp(-t (end-c)/v).
        """
        v = self.v
        tilt = self.s * arb(self.slope)
        centre = arb(0) if quenched else tilt * v
        away = end - centre
        if not away > 0:
            raise EnclosureError("the reach of an integral ends before its weight falls")
        factor = (-away * away / (2 * v)).exp() / (2 * arb.pi() * v).sqrt()
        if not quenched:
            factor *= (tilt * tilt * v / 2).exp() * arb(2) ** self.s if self.slope else arb(1)
        rate = away / v
        total = arb(0)
        for n, a in enumerate(bound):
            # (end + t)^n integrated against exp(-rate t)
            moment = arb(0)
            binomial, factorial = 1, 1
            for k in range(n + 1):
                moment += binomial * end ** (n - k) * factorial / rate ** (k + 1)
                binomial = binomial * (n - k) // (k + 1)
                factorial *= k + 1
            total += abs(a) * moment
        return factor * total


def _plus(a: Polynomial, b: Polynomial) -> Polynomial:
    n = max(len(a), len(b))
    zero = arb(0)
    return [(a[i] if i < len(a) else zero) + (b[i] if i < len(b) else zero) for i in range(n)]


def _times(a: Polynomial, b: Polynomial) -> Polynomial:
    coefficients = [arb(0)] * (len(a) + len(b) - 1)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            coefficients[i + j] += x * y
    return coefficients
