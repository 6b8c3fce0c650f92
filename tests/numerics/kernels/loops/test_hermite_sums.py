"""Sums over the orders of series, against the same in so many words."""

import numpy as np
import pytest

from numerics.kernels.loops.hermite_sums import sums


@pytest.mark.parametrize("parts", [3, 5])
@pytest.mark.parametrize("little", [1e-19, 1e-12])
@pytest.mark.parametrize(("first", "step"), [(0, 1), (1, 2), (0, 2), (1, 1), (2, 1)])
def test_sums_of_every_kind(first, step, little, parts) -> None:
    rng = np.random.default_rng(0)
    n, terms = 48, 300
    a, steep = rng.standard_normal((2, terms, n))
    # pairs whose terms fall at once, slowly and not at all: few, and then fewer, go on alone
    apart = rng.choice([0.7, 0.3, 0.01], (n, n), p=[0.82, 0.14, 0.04])
    rho = rng.choice([-1.0, 1.0], (n, n)) * (1.0 - apart)
    rho[0, 1:3] = 0.0, -1.0
    rho = np.triu(rho, 1)
    rho = rho + rho.T + np.eye(n)
    out = np.empty((parts, n, n))
    skip = np.zeros((n, n), dtype=bool)
    skip[7, 8:20], skip[9, 10:] = True, True  # a few of a row, and all of one
    sums(a, steep, rho, skip, (first, step), little, out)
    expected, size = np.zeros((2, 5, n, n))
    for k in range(terms):
        m = first + step * k
        one, bent = np.outer(a[k], a[k]), np.outer(steep[k], a[k])
        h = [rho ** (m - d) if m >= d else np.zeros_like(rho) for d in range(3)]
        for row, term in enumerate(
            (one * h[0], m * one * h[1], bent * h[0], m * bent * h[1], m * (m - 1) * one * h[2])
        ):
            expected[row] += term
            size[row] += np.abs(term)
    # what is left out, of terms of any sign, and a rounding for each term and power
    eps = np.finfo(float).eps
    largest = max(np.abs(a).max(), np.abs(steep).max()) ** 2
    bound = 4.0 * terms * eps * size + terms * little * largest
    fine = (np.abs(out - expected[:parts]) <= bound[:parts]).all(axis=0)
    assert (fine | skip | skip.T).all()
