"""How far D and the slope move where phi jumps: against integrals of the bivariate normal density."""

import itertools
import math

import numpy as np
import pytest
from scipy.integrate import quad

from numerics.kernels.diagonal import packed, stacked
from numerics.kernels.layers.bounded import Bounded
from numerics.kernels.layers.dual_values import dual_values
from numerics.kernels.loops import state
from numerics.kernels.loops.code import kernel_module
from theory.kernels.duals import dual

STEPS = {
    # jumps, by hand
    "sign(x-1)": [(1.0, 2.0)],
    "sign(x-1)-sign(x-1.001)": [(1.0, 2.0), (1.001, -2.0)],
    "sign(x-1)+sign(x-1.001)+sign(x-0.999)": [(1.0, 2.0), (1.001, 2.0), (0.999, 2.0)],
}


def change(text: str, k: float, low: float, high: float) -> float:
    """D at 1 - high minus D at 1 - low: Price's theorem, as an integral over the angle."""
    total = 0.0
    for (p, h), (r, g) in itertools.product(STEPS[text], repeat=2):

        def density(angle: float, p: float = p, r: float = r) -> float:
            apart = (p - r) ** 2 / (2.0 * k * math.sin(angle) ** 2) if p != r else 0.0
            return math.exp(-apart - p * r / (k * (1.0 + math.cos(angle))))

        ends = [2.0 * math.asin(math.sqrt(t / 2.0)) for t in (low, high)]
        inner = [v for v in (2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 2e-2) if ends[0] < v < ends[1]]
        for a, b in itertools.pairwise([ends[0], *inner, ends[1]]):
            total += h * g * quad(density, max(a, 1e-15), b, epsabs=0.0, epsrel=1e-12)[0]
    return -total / (2.0 * math.pi)


@pytest.mark.long
@pytest.mark.parametrize("tangent", ["limit", "almost_everywhere"])
@pytest.mark.parametrize("text", STEPS)
def test_narrow_bumps_move_as_far_as_a_jump_lies_between(text, tangent) -> None:
    k = 1.3
    values = dual_values(dual(text), tangent)
    module = kernel_module(dual(text), tangent)
    one = Bounded.exact(np.array([[k]]))
    path = values._path(np.full(2, k))
    (whole,), _ = stacked(path, path)
    tables = state.Tables(
        whole[:, 0].copy(),
        whole,
        1,
        np.empty(64),
        np.ones(2),
        packed(dual(text), tangent, path),
        -1,
    )
    size = float(path.tables[0].second[0])
    for gap, step in itertools.product((0.0, 1e-6, 0.1), (1e-10, 1e-6, 1e-4)):
        c = k * (1.0 - gap)
        made, slope = values.pair(one, Bounded(np.array([[c]]), np.array([[step * k]])), one)
        near = state.Near(k, c, float(made.value[0, 0]), float(slope.value[0, 0]), -1.0)
        moved, turned = module.moduli(tables, 0, near, step * k, step * k, 1.0, size)
        true = abs(change(text, k, gap, gap + step))
        if gap >= step:
            true = max(true, abs(change(text, k, gap - step, gap)))
        assert true <= made.error[0, 0] * (1.0 + 1e-6)
        assert made.error[0, 0] < 12.0 * max(true, step * size / max(gap, step)) + 1e-15
        assert true <= moved * (1.0 + 1e-6)  # the angle of the integral is rounded
        if tangent == "almost_everywhere":
            assert turned == 0.0


@pytest.mark.long
def test_a_slope_almost_everywhere_has_a_bound_next_to_jumps() -> None:
    text = "x*sign(x-1)"
    made = dual_values(dual(text), "almost_everywhere")
    one = Bounded.exact(np.array([[1.0]]))
    for step in (1e-12, 1e-8, 1e-4):
        _, slope = made.pair(one, Bounded(np.array([[1.0]]), np.array([[step]])), one)
        # phi' = sign(x - 1) moves by 4 times the probability that 1 lies between
        angle = 2.0 * math.asin(math.sqrt(step / 2.0))
        between = quad(lambda a: math.exp(-1.0 / (1.0 + math.cos(a))), 0.0, angle)[0] / math.pi
        assert 2.0 * between <= slope.error[0, 0] < 12.0 * between


def test_the_probability_of_a_jump_between_inputs_is_bounded_tightly() -> None:
    """D falls by twice the probability, at most 2 arccos(1 - t) exp(-a^2/(2 k))/pi, all of it at t = 1."""
    tables = dual_values(dual("sign(x-0.001)"), "limit")._path(np.full(2, 1.0)).tables[0]
    h, power = tables.rows[-4, 0], tables.rows[-3, 0]
    for t in np.geomspace(1e-9, 1.0, 60):
        true = 2.0 * math.acos(1.0 - t) / math.pi * math.exp(-0.5e-6)
        assert true <= (h * t**power) ** 2
    assert h**2 < 1.02 * true
