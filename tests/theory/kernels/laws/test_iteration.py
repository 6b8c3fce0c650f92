"""Steps of equilibrium models: recursions against a wide network, rates against the equations."""

import numpy as np
import pytest
import sympy

from theory.calculus.price import K1, C
from theory.kernels import LAWS
from theory.kernels.duals import dual
from theory.kernels.laws.iteration import iterates, residuals
from theory.kernels.recursion import EquilibriumEquations


def arcsines(rows):
    """D of erf, by its textbook formula."""
    k = np.array(rows)
    scale = np.sqrt(1.0 + 2.0 * np.diag(k))
    return 2.0 / np.pi * np.arcsin(2.0 * k / np.outer(scale, scale))


def test_iterates_are_what_a_wide_network_does() -> None:
    """One network of 3000 units; its fluctuations are some per cent."""
    rng, n, s, sigma, count = np.random.default_rng(0), 3000, 0.7, 0.8, 6
    from scipy.special import erf

    w = rng.standard_normal((n, n)) * (sigma / n**0.5)
    drive = np.sqrt(s) * rng.standard_normal(n)
    steps, z = [], np.zeros(n)
    for _ in range(count):
        steps.append(w @ z + drive)
        z = erf(steps[-1])
    h = np.array(steps)
    expected = np.array(iterates(arcsines, sigma**2, s, count))
    assert h @ h.T / n == pytest.approx(expected, rel=0.08)
    drawn = np.mean(np.diff(erf(h), axis=0) ** 2, axis=1)
    assert drawn == pytest.approx(residuals(arcsines(expected)), rel=0.15)


@pytest.mark.parametrize("sigma", [0.4, 0.8])
def test_rates_are_those_of_the_recursion_in_the_end(sigma: float) -> None:
    s, w2 = 0.7, sigma**2
    rows = np.array(iterates(arcsines, w2, s, 25))
    k = rows[-1, -1]
    equations = EquilibriumEquations(dual("erf"))
    chi = float((w2 * equations.dual.derivative_diagonal).subs(K1, k))
    falls = np.array(residuals(arcsines(rows)))
    use = falls > 1e-9
    ratios = falls[1:][use[1:]] / falls[:-1][use[1:]]
    assert ratios[-1] == pytest.approx(chi, rel=1e-3)
    rate = float(
        equations.diagonal_rate.subs({K1: k, sympy.Symbol("sigma_w", nonnegative=True): sigma})
    )
    off = np.diag(rows) - k
    use = np.abs(off) > 1e-7
    assert off[1:][use[1:]][-1] / off[:-1][use[1:]][-1] == pytest.approx(rate, rel=2e-3)
    assert rate < chi


def test_laws_are_those_of_the_conditions() -> None:
    """The residual's rate is chi of stability, the depth's the kernel's contraction."""
    equations = EquilibriumEquations(dual("erf"))
    chi = LAWS["residual-rate"]().value.subs(sympy.Symbol("D'"), equations.dual.derivative_diagonal)
    assert sympy.simplify(chi - equations.conditions[2].value) == 0
    slope = sympy.diff(equations.dual.diagonal, K1)
    rate = LAWS["depth-rate"]().value.subs(sympy.Symbol("E'"), slope)
    assert sympy.simplify(rate - equations.diagonal_rate) == 0
    assert C not in rate.free_symbols
