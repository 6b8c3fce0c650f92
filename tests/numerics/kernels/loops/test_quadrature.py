"""What quadrature of one pair is made of."""

from fractions import Fraction

import numpy as np

from numerics.kernels.loops.quadrature import added


def test_sums_keep_what_additions_lose() -> None:
    parts = np.random.default_rng(0).standard_normal(2000) * 2.0 ** np.arange(-50, 50).repeat(20)
    total, lost = 0.0, 0.0
    for part in parts.tolist():
        total, lost = added(total, part, lost)
    exact = sum(map(Fraction, parts.tolist()))
    # the losses themselves, at most a rounding of the size of all, are added in doubles
    eps = np.finfo(float).eps
    largest = float(np.abs(np.cumsum(parts)).max())
    assert abs(float(exact - Fraction(total) - Fraction(lost))) <= (2000 * eps) ** 2 * largest
