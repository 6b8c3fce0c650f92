"""Kernels of wide networks in many digits and in balls, from the same expressions as in doubles.

Inputs and scales are taken as the exact numbers that they are in binary. Every entry of a certified
kernel is a ball, midpoint and radius, that contains the true value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import flint
import mpmath
import numpy as np
import sympy
from flint import arb, arb_mat
from numpy.typing import ArrayLike, NDArray
from sympy import Expr, Symbol

from theory.activations import Activation
from theory.duals import DELTA, DET, SIGMA, Dual, ExpDifference, dual
from theory.ladder import K1, K2, C

from .deq import deq_kernel
from .kernels import check_inputs, check_scales, mlp_kernel

__all__ = ["CertifiedKernel", "ball_value", "certify_deq", "certify_mlp", "smallest_eigenvalue"]


@dataclass(frozen=True)
class CertifiedKernel:
    """Enclosures of a kernel on one set of inputs.

    Attributes
    ----------
    nngp, ntk : flint.arb_mat, shape (n, n)
    fixed_point : flint.arb_mat or None
        K* of an equilibrium model: a fixed point is proved to exist in each ball (Brouwer), and theory's
        contraction makes it the only one.
    smallest_eigenvalue : flint.arb
        A proved lower bound of the NNGP matrix's smallest eigenvalue; may be negative if the matrix is
        nearly singular for the digits.
    digits : int
    """

    nngp: arb_mat
    ntk: arb_mat
    fixed_point: arb_mat | None
    smallest_eigenvalue: arb
    digits: int

    def midpoints(self, name: str = "nngp") -> NDArray[np.float64]:
        """Return the midpoints of a matrix as doubles."""
        return np.array([[float(v.mid()) for v in row] for row in getattr(self, name).tolist()])

    def contains(self, matrix: ArrayLike, tolerance: float, name: str = "nngp") -> bool:
        """Whether doubles are within a relative tolerance of the enclosures."""
        enclosed = getattr(self, name).tolist()
        return all(
            bool(abs(v - arb(float(x))) <= tolerance * abs(v) + arb(0, 1e-300))
            for row, own in zip(enclosed, np.asarray(matrix), strict=True)
            for v, x in zip(row, own, strict=True)
        )


_FUNCTIONS: Mapping[Any, Callable[..., arb]] = {
    sympy.asin: lambda a: a.asin(),
    sympy.atan: lambda a: a.atan(),
    sympy.atan2: lambda y, x: arb.atan2(y, x),
    sympy.erf: lambda a: a.erf(),
    sympy.sin: lambda a: a.sin(),
    sympy.cos: lambda a: a.cos(),
    sympy.exp: lambda a: a.exp(),
    ExpDifference: lambda a, b, apart: b.exp() * apart.expm1(),
}


def ball_value(expr: Expr, values: Mapping[Symbol, arb]) -> arb:
    """Evaluate an expression in balls.

    Parameters
    ----------
    expr : Expr
    values : mapping of Symbol to flint.arb

    Returns
    -------
    flint.arb
        Contains the value at every point of the balls; not finite at a pole.

    Raises
    ------
    TypeError
        For a function without a ball version.
    """
    known: dict[Expr, arb] = dict(values)

    def of(node: Expr) -> arb:
        if node not in known:
            known[node] = compute(node)
        return known[node]

    def compute(node: Expr) -> arb:
        if node.is_Rational:
            return arb(int(node.p)) / int(node.q)
        if node is sympy.pi:
            return arb.pi()
        if node is sympy.E:
            return arb(1).exp()
        if node.is_Add:
            return sum((of(a) for a in node.args), arb(0))
        if node.is_Mul:
            made = arb(1)
            for a in node.args:
                made *= of(a)
            return made
        if node.is_Pow:
            base, index = node.as_base_exp()
            if index.is_Integer:
                return of(base) ** int(index)
            if (2 * index).is_Integer:
                root = of(base).nonnegative_part().sqrt()
                return root ** int(2 * index)
            return of(base) ** of(index)
        function = _FUNCTIONS.get(node.func)
        if function is None:
            raise TypeError(f"{node.func} has no ball version")
        return function(*(of(a) for a in node.args))

    return of(expr)


class _Maps:
    """D and D' of an activation in balls."""

    def __init__(self, found: Dual) -> None:
        if not found.is_closed:
            raise ValueError(
                f"only closed duals are certified; that of {found.activation} is a mixture or a series"
            )
        self.value, self.slope = (found.moment(i, i).stable for i in (0, 1))
        self.bend = found.moment(2, 0).stable

    def _at(self, a: arb, c: arb, b: arb, det: arb | None) -> dict[Symbol, arb]:
        spread = (a * b - c * c if det is None else det).nonnegative_part()
        return {
            K1: a, K2: b, C: c, DET: spread,
            DELTA: (a + b - 2 * c).nonnegative_part(),
            SIGMA: (a + b + 2 * c).nonnegative_part(),
        }  # fmt: skip

    def both(self, a: arb, c: arb, b: arb, det: arb | None = None) -> tuple[arb, arb]:
        """D and D' of a pair."""
        at = self._at(a, c, b, det)
        return ball_value(self.value, at), ball_value(self.slope, at)

    def own(self, k: arb) -> tuple[arb, arb, arb]:
        """D, D' and E phi phi'' on the diagonal."""
        at = self._at(k, k, k, arb(0)) | {DELTA: arb(0), SIGMA: 4 * k}
        return ball_value(self.value, at), ball_value(self.slope, at), ball_value(self.bend, at)


def _gram(x: NDArray[np.float64], scale: arb, b2: arb) -> list[list[arb]]:
    rows = arb_mat([[arb(float(v)) for v in row] for row in x])
    product = rows * rows.transpose()
    return [[scale * v + b2 for v in row] for row in product.tolist()]


def _matrix(rows: list[list[arb]]) -> arb_mat:
    for i, row in enumerate(rows):
        for j in range(i):
            row[j] = rows[j][i]
    return arb_mat(rows)


def certify_mlp(
    x: ArrayLike,
    activation: str | Expr | Activation = "relu",
    depth: int = 3,
    sigma_w: float = 1.1,
    sigma_b: float = 0.2,
    sigma_v: float = 0.9,
    *,
    digits: int = 30,
) -> CertifiedKernel:
    """Enclose the kernels of a wide perceptron.

    Parameters
    ----------
    x : array_like, shape (n, d)
    activation, depth, sigma_w, sigma_b, sigma_v
        As in `numerics.mlp_kernel`; the dual must be closed.
    digits : int
        Working precision; parallel inputs cost half of them.

    Returns
    -------
    CertifiedKernel

    Raises
    ------
    ValueError
        As `numerics.mlp_kernel`, and for activations without a closed dual.
    """
    a, _ = check_inputs(x, None)
    mlp_kernel(a[:1], None, activation, depth, sigma_w, sigma_b, sigma_v)  # checks the rest
    maps = _Maps(dual(activation))
    with _precision(digits):
        w2, b2, v2 = (arb(float(s)) ** 2 for s in (sigma_w, sigma_b, sigma_v))
        first = _gram(a, w2 / a.shape[1], b2)
        n = len(a)
        paths = [_diagonal_path(maps, first[i][i], depth, w2, b2) for i in range(n)]
        nngp, ntk = ([[arb(0)] * n for _ in range(n)] for _ in range(2))
        for i in range(n):
            for j in range(i, n):
                c = theta = first[i][j]
                same = bool((a[i] == a[j]).all())
                for layer in range(depth):
                    scale, bias = (v2, arb(0)) if layer == depth - 1 else (w2, b2)
                    if same:
                        d, slope, _bend = maps.own(paths[i][layer])
                    else:
                        d, slope = maps.both(paths[i][layer], c, paths[j][layer])
                    c = scale * d + bias
                    theta = c + scale * slope * theta
                nngp[i][j], ntk[i][j] = c, theta
        one, two = _matrix(nngp), _matrix(ntk)
        return CertifiedKernel(one, two, None, smallest_eigenvalue(one), digits)


def _diagonal_path(maps: _Maps, k: arb, depth: int, w2: arb, b2: arb) -> list[arb]:
    path = [k]
    for _ in range(depth - 1):
        path.append(w2 * maps.own(path[-1])[0] + b2)
    return path


def certify_deq(
    x: ArrayLike,
    activation: str | Expr | Activation = "erf",
    sigma_w: float = 0.4,
    sigma_u: float = 1.0,
    sigma_b: float = 0.0,
    sigma_v: float = 1.0,
    *,
    digits: int = 30,
) -> CertifiedKernel:
    """Enclose the kernels of a wide equilibrium model, with a proof that the fixed points exist.

    Parameters
    ----------
    x : array_like, shape (n, d)
    activation, sigma_w, sigma_u, sigma_b, sigma_v
        As in `numerics.deq_kernel`; the dual must be closed.
    digits : int

    Returns
    -------
    CertifiedKernel

    Raises
    ------
    ValueError
        As `numerics.deq_kernel`, and for activations without a closed dual.
    ArithmeticError
        If an enclosure cannot be proved with these digits.

    Notes
    -----
    Around a refined midpoint m the ball B of radius r is mapped into g(m) + g'(B)(B - m). Where that is
    inside B, Brouwer's theorem gives a fixed point in B. The residual and the contraction constant
    choose r. Identical inputs use the diagonal. For pairs the slope is bounded everywhere by its values on
    the diagonal (Cauchy-Schwarz). Parallel inputs keep a quarter of the digits where phi has a kink.
    """
    a, _ = check_inputs(x, None)
    scales = check_scales(sigma_w=sigma_w, sigma_u=sigma_u, sigma_b=sigma_b, sigma_v=sigma_v)
    start = deq_kernel(a, None, activation, *scales.values()).fixed_point
    maps = _Maps(dual(activation))
    with _precision(digits):
        w2, u2, b2, v2 = (arb(s) ** 2 for s in scales.values())
        s = _gram(a, u2 / a.shape[1], b2)
        n = len(a)
        k = [_enclosed_diagonal(maps, s[i][i], w2, float(start[i, i])) for i in range(n)]
        chi = [w2 * maps.own(v)[1] for v in k]
        nngp, ntk, fixed = ([[arb(0)] * n for _ in range(n)] for _ in range(3))
        for i in range(n):
            for j in range(i, n):
                if bool((a[i] == a[j]).all()):
                    c = k[i]
                    d, slope, _bend = maps.own(c)
                else:
                    q = (chi[i] * chi[j]).nonnegative_part().sqrt().upper()
                    c = _enclosed_pair(maps, k[i], k[j], s[i][j], w2, q, float(start[i, j]))
                    d, slope = maps.both(k[i], c, k[j])
                fixed[i][j], nngp[i][j] = c, v2 * d
                ntk[i][j] = v2 * (d + slope * c / (1 - w2 * slope))
        one = _matrix(nngp)
        return CertifiedKernel(one, _matrix(ntk), _matrix(fixed), smallest_eigenvalue(one), digits)


def _enclosed_diagonal(maps: _Maps, s: arb, w2: arb, start: float) -> arb:
    if s.is_zero() and maps.own(arb(0))[0].is_zero():
        return arb(0)
    middle = arb(start)
    for _ in range(8):
        d, slope, bend = maps.own(middle)
        middle = (middle - (middle - w2 * d - s) / (1 - w2 * (slope + bend))).mid()
    residual = (w2 * maps.own(middle)[0] + s - middle).abs_upper()
    radius = 4 * residual
    for _ in range(60):
        ball = middle + _around(radius)
        d, *_rest = maps.own(middle)
        _value, slope, bend = maps.own(ball)
        image = w2 * d + s + w2 * (slope + bend) * _around(radius)
        if ball.contains_interior(image):
            return ball
        radius = 2 * radius + arb(2) ** (-flint.ctx.prec) * middle.abs_upper()
    raise ArithmeticError("a variance cannot be enclosed with these digits; ask for more")


def _enclosed_pair(maps: _Maps, a: arb, b: arb, s: arb, w2: arb, q: arb, start: float) -> arb:
    middle = arb(start)
    for _ in range(8):
        d, slope = maps.both(a.mid(), middle, b.mid())
        if not slope.is_finite():
            break
        middle = (middle - (middle - w2 * d - s.mid()) / (1 - w2 * slope)).mid()
    residual = (w2 * maps.both(a, middle, b)[0] + s - middle).abs_upper()
    radius = 2 * residual / (1 - q)
    for _ in range(60):
        # |g'| <= q everywhere on the interval, by Cauchy-Schwarz
        if bool(residual + q * radius < radius):
            return middle + _around(radius)
        radius = 2 * radius + arb(2) ** (-flint.ctx.prec) * (a + b).abs_upper()
    raise ArithmeticError("a covariance cannot be enclosed with these digits; ask for more")


def _around(radius: arb) -> arb:
    return (-radius).union(radius)


def smallest_eigenvalue(matrix: arb_mat) -> arb:
    """Prove a lower bound of the smallest eigenvalue of every symmetric matrix in a matrix of balls.

    Parameters
    ----------
    matrix : flint.arb_mat, shape (n, n)

    Returns
    -------
    flint.arb
        Exact number (radius 0) not above the smallest eigenvalue.

    Notes
    -----
    With approximate eigenvectors Q, x'Ax = y'(Q'AQ)y with y = Q^-1 x and |y|^2 >= |x|^2/(1 + e), where
    e bounds |Q'Q - 1|. Gershgorin's discs enclose the eigenvalues of the almost diagonal Q'AQ. Cost
    two products of n x n matrices of balls, and an eigendecomposition in the digits at work.
    """
    n = matrix.nrows()
    with mpmath.workprec(flint.ctx.prec):
        rough = mpmath.matrix([[_number(v) for v in row] for row in matrix.tolist()])
        _values, vectors = mpmath.eigsy(rough)
        q = arb_mat([[_exact(vectors[i, j]) for j in range(n)] for i in range(n)])
    turned = (q.transpose() * matrix * q).tolist()
    defect = (q.transpose() * q).tolist()
    e = arb(0)
    lower: arb | None = None
    for i in range(n):
        row = sum(((defect[i][j] - (i == j)).abs_upper() for j in range(n)), arb(0))
        e = row if bool(row > e) else e
        disc = turned[i][i] - sum((turned[i][j].abs_upper() for j in range(n) if j != i), arb(0))
        edge = disc.lower()
        lower = edge if lower is None or bool(edge < lower) else lower
    assert lower is not None
    bound = lower / (1 + e) if bool(lower > 0) else lower / (1 - e)
    return bound.lower()


def _number(ball: arb) -> mpmath.mpf:
    man, exponent = ball.mid().man_exp()
    return mpmath.ldexp(mpmath.mpf(int(man)), int(exponent))


def _exact(value: mpmath.mpf) -> arb:
    sign, man, exponent, _ = value._mpf_
    made = arb(int(man)) * arb(2) ** int(exponent)
    return -made if sign else made


class _precision:
    """FLINT's working precision for some digits, and what it was before afterwards."""

    def __init__(self, digits: int) -> None:
        if isinstance(digits, bool) or not 1 <= int(digits) <= 10_000:
            raise ValueError(f"digits must be an integer from 1 to 10000, got {digits!r}")
        self.bits = int(3.33 * digits) + 32

    def __enter__(self) -> None:
        self.before = flint.ctx.prec
        flint.ctx.prec = self.bits

    def __exit__(self, *_: object) -> None:
        flint.ctx.prec = self.before
