"""Kernels on the hypercube: eigenvectors, traces, what has no bias has no odd degrees."""

from itertools import combinations, product

import numpy as np
import pytest
from sympy import Rational, binomial, simplify

from theory.kernels.laws import hypercube


def test_parities_are_eigenvectors_with_the_derived_eigenvalues():
    n = 5
    x = np.array(list(product((-1, 1), repeat=n)))
    overlaps = x @ x.T
    table = {
        int(z): float(hypercube.tangent_kernel(Rational(int(z), n), 1, Rational(1, 2)))
        for z in np.unique(overlaps)
    }
    gram = np.vectorize(table.get)(overlaps) / 2**n
    for t in range(n + 1):
        value = hypercube.kernel_eigenvalue(
            lambda rho: hypercube.tangent_kernel(rho, 1, Rational(1, 2)), n, t
        )
        for places in combinations(range(n), t):
            parity = x[:, list(places)].prod(axis=1)
            np.testing.assert_allclose(gram @ parity, float(value) * parity, atol=1e-14)


def test_the_eigenvalues_add_up_to_the_diagonal():
    n = 6
    total = sum(
        binomial(n, t) * hypercube.kernel_eigenvalue(hypercube.tangent_kernel, n, t)
        for t in range(n + 1)
    )
    assert simplify(total - hypercube.tangent_kernel(1)) == 0


@pytest.mark.parametrize("t", [3, 5])
def test_without_bias_odd_parities_are_not_learned(t):
    assert simplify(hypercube.kernel_eigenvalue(hypercube.tangent_kernel, 7, t)) == 0
    biased = hypercube.kernel_eigenvalue(lambda rho: hypercube.tangent_kernel(rho, 1, 1), 7, t)
    assert abs(float(biased)) > 1e-6


def test_the_kernel_is_that_of_the_toolkit():
    from numerics import mlp_kernel

    x = np.array([[1.0, 1, 1, -1], [1, -1, 1, 1]])
    ntk = mlp_kernel(x, activation="relu", depth=1, sigma_w=1.1, sigma_b=0.2, sigma_v=0.9).ntk
    for i, j in ((0, 0), (0, 1)):
        rho = Rational(int(x[i] @ x[j]), 4)
        assert float(hypercube.tangent_kernel(rho, 1.1, 0.2, 0.9)) == pytest.approx(ntk[i, j])


def test_a_space_of_m_dimensions_holds_m_parities_at_most():
    n, k, m = 6, 3, 7
    rng = np.random.default_rng(0)
    x = np.array(list(product((-1, 1), repeat=n)))
    space = np.linalg.qr(rng.standard_normal((len(x), m)))[0]
    parities = np.array([x[:, list(p)].prod(axis=1) for p in combinations(range(n), k)])
    shares = ((parities / len(x) ** 0.5 @ space) ** 2).sum(axis=1)
    assert shares.mean() <= float(hypercube.explained_variance_bound(n, k, m))
