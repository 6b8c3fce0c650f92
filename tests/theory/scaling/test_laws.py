"""The laws of scaling, against enumeration, search and other routes."""

import math

import mpmath
import numpy as np
import pytest
import sympy

from theory import MLP
from theory.scaling import LAWS
from theory.scaling.networks import bottleneck_compute, bottleneck_parameters, optimal_loss
from theory.scaling.sphere import zonal_kernel


@pytest.mark.parametrize("name", LAWS)
def test_every_law_says_what_it_means(name):
    law = LAWS[name]()
    assert law.text()
    assert law.latex()
    assert len(law.steps) >= 2


def test_counts_are_those_of_the_readme_before_rounding():
    law = bottleneck_parameters()
    counts = [law.at(d=12288, m=m, L=n, C=11230).rhs for m in (512, 1024) for n in (6, 12)]
    assert [float(n) / 1e6 for n in counts] == pytest.approx(
        [24.66, 37.26, 74.47, 124.84], abs=5e-3
    )
    # 3 P D up to norms and biases
    spent = bottleneck_compute().at(d=12288, m=1024, L=12, C=11230, S=1).rhs
    assert float(spent) / (3 * float(counts[-1])) == pytest.approx(1.0, abs=1e-3)


def test_last_two_maps_of_a_standard_network_are_one():
    rng = np.random.default_rng(0)
    one, two = rng.standard_normal((3, 3)), rng.standard_normal((2, 3))
    b, c, z = rng.standard_normal(3), rng.standard_normal(2), rng.standard_normal((50, 3))
    both = (z @ one.T + b) @ two.T + c
    joined = np.linalg.lstsq(np.column_stack([z, np.ones(50)]), both, rcond=None)
    assert joined[1] == pytest.approx([0, 0], abs=1e-20)
    assert LAWS["spare-parameters"]().at(m=3).rhs == one.size + b.size


def test_the_optimum_is_one_and_its_loss_the_laws():
    numbers = {
        "A": 3,
        "B": 5,
        "a": sympy.Rational(1, 2),
        "b": sympy.Rational(1, 3),
        "C": 10**9,
        "c": 3,
    }
    size = float(LAWS["optimal-parameters"]().at(**numbers).rhs)
    samples = float(LAWS["optimal-samples"]().at(**numbers).rhs)
    assert 3 * size * samples == pytest.approx(1e9)

    def loss(p):
        return 3 * p**-0.5 + 5 * (1e9 / 3 / p) ** (-1 / 3) + 0.25

    assert loss(size) < min(loss(0.99 * size), loss(1.01 * size))
    assert float(optimal_loss().at(**numbers, E=0.25).rhs) == pytest.approx(loss(size))


@pytest.mark.parametrize("dimension", [2, 3, 7])
def test_multiplicities_and_recurrence_are_gegenbauers(dimension):
    counted, step = LAWS["multiplicity"](), LAWS["recurrence"]()
    for degree in range(1, 6):
        # homogeneous polynomials of a degree are sums of harmonics of that degree, minus two, ..
        parts = [1 if n == 0 else counted.at(d=dimension, l=n).rhs for n in range(degree, -1, -2)]
        assert sum(parts) == math.comb(degree + dimension - 1, dimension - 1)
        t = sympy.Rational(3, 7)

        def own(n, t=t):
            if dimension == 2:
                return sympy.chebyshevt(n, t)
            order = sympy.Rational(dimension - 2, 2)
            return sympy.gegenbauer(n, order, t) / sympy.gegenbauer(n, order, 1)

        values = {
            "P_here": own(degree),
            "P_before": own(degree - 1),
            "t": t,
            "l": degree,
            "d": dimension,
        }
        assert sympy.simplify(step.at(**values).rhs - own(degree + 1)) == 0


def test_zonal_kernels_are_power_series_with_coefficients_that_are_not_negative():
    t = sympy.Symbol("t", real=True)
    for model in (MLP("relu", depth=2), MLP("erf", depth=2)):
        for h in zonal_kernel(model):
            with mpmath.workdps(40):
                series = mpmath.taylor(sympy.lambdify(t, h, "mpmath"), 0, 12)
            assert min(map(float, series)) > -1e-12


def test_power_laws_have_the_exponents_and_the_amplitude():
    """Sums over a million modes, with the effective ridge from their sum rule."""
    alpha, tail = 1.5, 0.8
    i = np.arange(1.0, 2e6)
    lam, weights = i**-alpha, tail * i ** (-1 - tail)
    errors = []
    for kappa in (1e-4, 1e-5):
        share = lam / (lam + kappa)
        n, gamma = share.sum(), (share**2).sum() / share.sum()
        errors.append((n, ((1 - share) ** 2 * weights).sum() / (1 - gamma)))
    (n, error), (more, less) = errors
    assert math.log(error / less) / math.log(more / n) == pytest.approx(tail, abs=0.01)
    law = LAWS["curve-amplitude"]().at(alpha=alpha, g=tail).rhs
    assert less * more**tail == pytest.approx(float(law), rel=0.02)
    assert LAWS["curve-exponent"]().at(alpha=1, g=3).rhs == 2


def test_independent_features_have_the_known_curve():
    """MSE = (B + gamma sigma2)/(1 - gamma) and n = S1 + delta/kappa."""
    n, s1, s2, bias, noise = sympy.symbols("n S1 S2 B sigma2", positive=True)
    gamma = s2 / n
    for law, wanted in (
        ("learning-curve", (bias + gamma * noise) / (1 - gamma)),
        ("self-consistency", s1 + sympy.Symbol("delta") / sympy.Symbol("kappa")),
    ):
        value = LAWS[law]().at(u=0).rhs
        names = {str(s): s for s in wanted.free_symbols}
        value = value.subs({s: names[str(s)] for s in value.free_symbols})
        assert sympy.simplify(value - wanted) == 0


def test_distinct_points_of_small_populations():
    """All words of three letters out of four."""
    import itertools

    words = list(itertools.product(range(4), repeat=3))
    average = sympy.Rational(sum(len(set(w)) for w in words), len(words))
    assert LAWS["distinct-points"]().at(k=3, N=4).rhs == average
