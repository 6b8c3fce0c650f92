"""Kernels of wide networks in many digits and in balls, from the same expressions as in doubles.

Inputs, and scales that are floats, are taken as the exact numbers that they are in binary. Every entry of a
certified kernel is a ball, midpoint and radius, that contains the true value.
"""

from __future__ import annotations

from dataclasses import dataclass

import flint
import mpmath
import numpy as np
from flint import arb, arb_mat
from numpy.typing import ArrayLike, NDArray
from sympy import Expr, Rational

from numerics.balls.program import exact
from theory.kernels.activations import Activation
from theory.kernels.architectures import DEQ, MLP, not_an_architecture
from theory.kernels.recursion import equilibrium_tangent, readout
from theory.parameters import Number

from .balls import (
    Maps,
    Precision,
    enclosed_diagonal,
    enclosed_pair,
    first_layer,
    mpf_ball,
    path,
    through,
)
from .deq import equilibrium_kernel
from .inputs import check_inputs, model_scales
from .mlp import perceptron

__all__ = ["CertifiedKernel", "certify_deq", "certify_kernel", "certify_mlp", "smallest_eigenvalue"]


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


def _matrix(rows: list[list[arb]]) -> arb_mat:
    for i, row in enumerate(rows):
        for j in range(i):
            row[j] = rows[j][i]
    return arb_mat(rows)


def certify_mlp(
    x: ArrayLike,
    activation: str | Expr | Activation = MLP.activation,
    depth: int = MLP.depth,
    sigma_w: Number = MLP.sigma_w,
    sigma_b: Number = MLP.sigma_b,
    sigma_v: Number = MLP.sigma_v,
    *,
    digits: int = 30,
) -> CertifiedKernel:
    """Enclose the kernels of a wide perceptron: `certify_kernel` of `theory.MLP` with these parameters."""
    return certify_kernel(MLP(activation, depth, sigma_w, sigma_b, sigma_v), x, digits=digits)


def certify_deq(
    x: ArrayLike,
    activation: str | Expr | Activation = DEQ.activation,
    sigma_w: Number = DEQ.sigma_w,
    sigma_u: Number = DEQ.sigma_u,
    sigma_b: Number = DEQ.sigma_b,
    sigma_v: Number = DEQ.sigma_v,
    *,
    digits: int = 30,
) -> CertifiedKernel:
    """Enclose the kernels of an equilibrium model: `certify_kernel` of `theory.DEQ` with these parameters."""
    return certify_kernel(DEQ(activation, sigma_w, sigma_u, sigma_b, sigma_v), x, digits=digits)


def certify_kernel(model: MLP | DEQ, x: ArrayLike, *, digits: int = 30) -> CertifiedKernel:
    """Enclose the kernels of a wide network, with a proof that fixed points exist.

    Parameters
    ----------
    model : theory.MLP or theory.DEQ
        The dual must be closed. Scales that were given exactly are enclosed, floats are the binary numbers
        that they are.
    x : array_like, shape (n, d) or (d,)
        Inputs, one a row; a vector is one input.
    digits : int
        Working precision, 1 to 10000; parallel inputs cost half of them.

    Returns
    -------
    CertifiedKernel

    Raises
    ------
    TypeError
        If ``model`` is no architecture, or ``digits`` no integer.
    ValueError
        As `numerics.kernel`, for digits out of range, and for activations without a closed dual.
    ArithmeticError
        If an enclosure cannot be proved with these digits.

    Notes
    -----
    Around a refined midpoint m the ball B of radius r is mapped into g(m) + g'(B)(B - m). Where that is
    inside B, Brouwer's theorem gives a fixed point in B. The residual and the contraction constant
    choose r. Identical inputs use the diagonal. For pairs the slope is bounded everywhere by its values on
    the diagonal (Cauchy-Schwarz). Parallel inputs keep a quarter of the digits where phi has a kink.
    """
    if not isinstance(model, MLP | DEQ):
        raise not_an_architecture(model, x)
    precision = Precision(digits)
    a, _ = check_inputs(x, None, ("x", ""))
    if isinstance(model, MLP):
        return _perceptron(model, a, precision)
    return _equilibrium(model, a, precision)


def _perceptron(model: MLP, a: NDArray[np.float64], precision: Precision) -> CertifiedKernel:
    doubles = perceptron(model)
    doubles.check([doubles.side(a)])
    maps = Maps(model.dual)
    with precision:
        w2, b2, v2 = _squares(model)
        layers = [(w2, b2)] * (model.depth - 1) + [(v2, arb(0))]
        first = first_layer(a, w2 / a.shape[1], b2)
        n = len(a)
        paths = [path(maps, first[i][i], layers) for i in range(n)]
        nngp, ntk = ([[arb(0)] * n for _ in range(n)] for _ in range(2))
        for i in range(n):
            for j in range(i, n):
                other = paths[i] if bool((a[i] == a[j]).all()) else paths[j]
                nngp[i][j], ntk[i][j] = through(maps, paths[i], other, first[i][j], layers)
        one, two = _matrix(nngp), _matrix(ntk)
        return CertifiedKernel(one, two, None, smallest_eigenvalue(one), precision.digits)


def _equilibrium(model: DEQ, a: NDArray[np.float64], precision: Precision) -> CertifiedKernel:
    start = equilibrium_kernel(model, a).fixed_point
    maps = Maps(model.dual)
    with precision:
        w2, u2, b2, v2 = _squares(model)
        s = first_layer(a, u2 / a.shape[1], b2)
        n = len(a)
        k = [enclosed_diagonal(maps, s[i][i], w2, float(start[i, i])) for i in range(n)]
        chi = [w2 * maps.own(v)[1] for v in k]
        nngp, ntk, fixed = ([[arb(0)] * n for _ in range(n)] for _ in range(3))
        for i in range(n):
            for j in range(i, n):
                if bool((a[i] == a[j]).all()):
                    c = k[i]
                    d, slope, _bend = maps.own(c)
                else:
                    q = (chi[i] * chi[j]).nonnegative_part().sqrt().upper()
                    c = enclosed_pair(maps, k[i], k[j], s[i][j], w2, q, float(start[i, j]))
                    d, slope = maps.both(k[i], c, k[j])
                fixed[i][j] = c
                nngp[i][j], ntk[i][j] = readout(d, slope, equilibrium_tangent(c, slope, w2), v2)
        one = _matrix(nngp)
        least = smallest_eigenvalue(one)
        return CertifiedKernel(one, _matrix(ntk), _matrix(fixed), least, precision.digits)


def _squares(model: MLP | DEQ) -> list[arb]:
    """Squares of the scales, enclosed."""
    known = zip(model.scales.values(), model_scales(model).values(), strict=True)
    # what is a double is exact whatever the digits
    return [
        (arb(d) if isinstance(s, float) or Rational(d) == s else exact(s)) ** 2 for s, d in known
    ]


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
        q = arb_mat([[mpf_ball(vectors[i, j]) for j in range(n)] for i in range(n)])
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
