"""Error bounds where phi'' is not square integrable: |x - a|^(p + 1), against one-dimensional integrals."""

import warnings

import mpmath
import numpy as np
import pytest

from numerics import kernel, mlp_kernel
from numerics.kernels.error_bounds import AccuracyWarning
from theory import Dense, Sequential

FIVE_QUARTERS = "abs(x)*sqrt(sqrt(abs(x)))"


def homogeneous(power, odd, k1, k12, k2):
    """E f(u) f(v) of |x|^power, or sign(x) |x|^power: an integral over the angle."""
    edge = mpmath.sqrt(k1 * k2)
    turn = mpmath.acos(k12 / edge)
    cuts = sorted({-mpmath.pi / 2, turn - mpmath.pi / 2, mpmath.pi / 2})

    def f(angle):
        a, b = mpmath.cos(angle), mpmath.cos(angle - turn)
        sense = mpmath.sign(a) * mpmath.sign(b) if odd else 1
        return sense * (abs(a) * abs(b)) ** power

    total = mpmath.quad(f, cuts) / mpmath.pi
    return total * 2**power * mpmath.gamma(1 + power) * edge**power


def shifted(power, odd, k, gap):
    """E f(u)^2 and E f(u) f(v) of |x - 1|^power, or with its sign; u and v of variance k, k12 = k - gap.

    u = m + d and v = m - d with independent m and d.
    """

    def f(x):
        return (mpmath.sign(x) if odd else 1) * abs(x) ** power

    root = mpmath.sqrt(k)
    one = mpmath.quad(
        lambda x: f(x) ** 2 * mpmath.npdf(x + 1, 0, root), [-14 * root, -1, 0, 1, 14 * root]
    )
    spread, narrow = mpmath.sqrt(k - gap / 2), mpmath.sqrt(gap / 2)

    def apart(d):
        def inside(y):
            return (f(d * (y + 1)) - f(d * (y - 1))) ** 2 * d * mpmath.npdf(1 + d * y, 0, spread)

        far = 14 * spread / d
        ends = [-far, -(far**0.5), -4, -1, 1, 4, far**0.5, far]
        return mpmath.quad(inside, ends) * mpmath.npdf(d, 0, narrow)

    return one, one - mpmath.quad(apart, [0, narrow, 4 * narrow, 10 * narrow])


@pytest.mark.long
@pytest.mark.parametrize(("apart", "most"), [(0.3, 1e-12), (1e-3, 1e-9), (1e-6, 1e-7)])
def test_errors_hold_where_the_slope_has_an_infinite_slope(apart: float, most: float) -> None:
    """At 0: phi' is a multiple of sign(x) |x|^(1/4)."""
    x = np.array([[1.2, 0.7], [1.2 + apart, 0.7 - apart / 2]])
    network = Sequential((Dense(1, None), FIVE_QUARTERS, Dense(1, None)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AccuracyWarning)
        found = mlp_kernel(x, None, FIVE_QUARTERS, 1, 1.0, 0.0, 1.0), kernel(network, x)
    with mpmath.workdps(30):
        a, b = ([mpmath.mpf(v) for v in row] for row in x.tolist())
        k1, k12, k2 = (mpmath.fdot(p, q) / 2 for p, q in ((a, a), (a, b), (b, b)))
        p = mpmath.mpf(5) / 4
        d, slope = homogeneous(p, False, k1, k12, k2), p * p * homogeneous(p - 1, True, k1, k12, k2)
    for made in found:
        for matrix, true in ((made.nngp, d), (made.ntk, d + k12 * slope)):
            size = np.sqrt(matrix[0, 0] * matrix[1, 1])
            assert abs(matrix[0, 1] - true) <= made.error * size
        assert made.error < most


@pytest.mark.slow
@pytest.mark.parametrize(
    ("power", "text", "apart", "most"),
    [
        (1.25, "abs(x-1)*sqrt(sqrt(abs(x-1)))", 1e-3, 1e-6),
        (0.75, "sqrt(abs(x-1))*sqrt(sqrt(abs(x-1)))", 0.1, 1e-2),
    ],
)
def test_errors_hold_beside_singular_places_away_from_0(
    power: float, text: str, apart: float, most: float
) -> None:
    x = np.array([[1.2, 1.2 - apart], [1.2 - apart, 1.2]])  # variances that are equal
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AccuracyWarning)
        made = mlp_kernel(x, None, text, 1, 1.0, 0.0, 1.0)
    with mpmath.workdps(20):
        a, b = (mpmath.mpf(v) for v in x[0].tolist())
        k, gap = (a * a + b * b) / 2, (a - b) ** 2 / 2
        p = mpmath.mpf(power)
        (_, d), (_, slope) = shifted(p, False, k, gap), shifted(p - 1, True, k, gap)
    for matrix, true in ((made.nngp, d), (made.ntk, d + (k - gap) * p * p * slope)):
        assert abs(matrix[0, 1] - true) <= made.error * matrix[0, 0] + 1e-15
    assert made.error < most


@pytest.mark.long
def test_two_singular_places_are_what_parity_makes_of_one() -> None:
    """With f(x) = log|x+1/1000| and g(x) = f(-x): f + g is even, f - g odd, and cross terms drop out."""
    x = np.array([[1.0, 2.0], [2.0, -0.5], [1.0 + 1e-6, 2.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AccuracyWarning)  # of tangent kernels, which are infinite
        one, even, odd = (
            mlp_kernel(x, None, phi, 1, 1.1, 0.1)
            for phi in (
                "log(abs(x+1))",
                "log(((x+1)^4)*((x-1)^4))/4",
                "log(abs(x+1))-log(abs(x-1))",
            )
        )
    size = 4.0 * np.sqrt(np.outer(*[np.diag(one.nngp)] * 2))
    assert np.abs(even.nngp + odd.nngp - 4.0 * one.nngp).max() <= 1e-12 * size.max()
