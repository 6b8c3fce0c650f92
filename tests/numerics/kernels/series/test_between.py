"""Pairs between a few values, against closed forms."""

import numpy as np
import pytest

from numerics.kernels.loops.between import panel_of, taken
from numerics.kernels.loops.functions import functions
from numerics.kernels.mlp import mlp_kernel
from numerics.kernels.noise import _FALLBACK
from numerics.kernels.series import between as module
from numerics.kernels.series.between import PANELS, between, tabulated
from theory.kernels.activations import activation


def by_arcsine(a, b, c):
    """E erf(u) erf(v) and its derivatives in c and in a."""
    det = (1.0 + 2.0 * a) * (1.0 + 2.0 * b) - 4.0 * c * c
    value = 2.0 / np.pi * np.arctan2(2.0 * c, np.sqrt(det))
    slope = 4.0 / np.pi / np.sqrt(det)
    bend = 16.0 / np.pi * c / det**1.5
    by_a = -4.0 / np.pi * c / (1.0 + 2.0 * a) / np.sqrt(det)
    slope_by_a = -4.0 / np.pi * (1.0 + 2.0 * b) / det**1.5
    return value, slope, bend, by_a, slope_by_a


def by_waves(a, b, c):
    """E sin(u) sin(v)."""
    down = np.exp(-0.5 * (a + b))
    value, slope = down * np.sinh(c), down * np.cosh(c)
    return value, slope, value, -0.5 * value, -0.5 * slope


@pytest.mark.parametrize("count", [2, 400], ids=["one by one", "polynomials"])
@pytest.mark.parametrize("sense", [1.0, -1.0])
@pytest.mark.parametrize(
    ("phi", "exact", "variance"),
    [
        pytest.param("erf", by_arcsine, 300.0, marks=pytest.mark.long),
        ("sin", by_waves, 1.5),
    ],
    ids=["a mixture", "quadrature"],
)
def test_values_and_derivatives_are_those_of_closed_forms(
    phi, exact, variance, sense, count
) -> None:
    rng = np.random.default_rng(1)
    one, two = variance * np.exp(rng.uniform(-0.05, 0.05, (2, count)))
    rho = sense * (1.0 - np.exp(rng.uniform(np.log(2e-4), np.log(1e-2), count)))
    edge = np.sqrt(one * two)
    k, places = np.concatenate([one, two]), np.arange(count)
    found = between(activation(phi), k, places, count + places, rho)
    value, slope, bend, by_one, slope_by_one = exact(one, two, rho * edge)
    # in the logarithm of the first variance at a fixed correlation
    value_one = one * by_one + 0.5 * edge * rho * slope
    slope_one = one * slope_by_one + 0.5 * edge * rho * bend
    # values as the estimate says; derivatives are differences of steps of 1/512 where pairs go alone
    assert found.error < 1e-7
    steep = np.abs(slope).max()
    assert found.value == pytest.approx(value, abs=1e-7)
    assert found.slope == pytest.approx(slope, abs=1e-7 * steep)
    gap = 1.0 - np.abs(rho)
    assert gap * found.slope_rho == pytest.approx(gap * edge * bend, abs=1e-4 * steep)
    assert found.value_one == pytest.approx(value_one, abs=1e-4)
    assert found.slope_one == pytest.approx(slope_one, abs=1e-4 * steep)


def alike(count, pairs=1e6):
    """Variances near 4, and that so many pairs have gaps between 1e-3 and 1e-2."""
    rng = np.random.default_rng(2)
    k = 4.0 * np.exp(rng.uniform(-0.01, 0.01, (2, count)))
    found = np.zeros((2, PANELS, 3))
    found[:, panel_of(5e-3)] = pairs, 1e-2, 1e-3
    return k, np.exp(rng.uniform(np.log(1e-3), np.log(1e-2), count)), found


@pytest.mark.parametrize("sense", [1.0, -1.0])
def test_tables_are_closed_forms_to_what_quadrature_is_allowed(sense) -> None:
    k, gaps, found = alike(50)
    own = functions(activation("sin"), "limit").packed(5.0)
    own = (*own[:6], *tabulated(own, (k[0], k[1]), found))
    assert len(own[6]) == 2
    for a, b, gap in zip(*k, gaps, strict=True):
        edge = np.sqrt(a * b)
        c = sense * edge * (1.0 - gap)
        here, *values = taken(own, a, b, c, edge * edge * gap * (2.0 - gap))
        assert here
        # sqrt(D D) at correlation 1
        size = 0.5 * (1.0 - np.exp(-2.0 * 4.0))
        assert np.abs(np.subtract(values, by_waves(a, b, c)[:2])).max() <= _FALLBACK * size


def test_few_pairs_and_kinks_have_no_tables() -> None:
    k, _, found = alike(50, pairs=100.0)
    own = functions(activation("sin"), "limit").packed(5.0)
    assert len(tabulated(own, (k[0], k[1]), found)[0]) == 0
    kinked = functions(activation("max(0, x - 1)*tanh(x)"), "limit").packed(5.0)
    found[:, :, 0] *= 1e6
    assert len(tabulated(kinked, (k[0], k[1]), found)[0]) == 0


def test_a_table_that_is_off_is_not_taken(monkeypatch) -> None:
    k, _, found = alike(50)
    own = functions(activation("sin"), "limit").packed(5.0)
    made = module._table

    def off(*given):
        table, last = made(*given)
        return table * (1.0 + 1e-13), last

    monkeypatch.setattr(module, "_table", off)
    assert len(tabulated(own, (k[0], k[1]), found)[0]) == 0


@pytest.mark.long
def test_matrices_with_tables_are_those_pair_by_pair() -> None:
    x = np.random.default_rng(3).standard_normal((120, 5))
    given = {"activation": "softplus", "depth": 2, "sigma_w": 1.5, "sigma_b": 6.0}
    whole = mlp_kernel(x, None, **given)
    few = mlp_kernel(x[:9], None, **given)
    size = np.sqrt(np.outer(np.diag(few.ntk), np.diag(few.ntk)))
    off = np.abs(whole.ntk[:9, :9] - few.ntk) / size
    assert off.max() <= whole.error + few.error
    assert whole.error < 1e-12
