"""Rows of pairs by series."""

import numpy as np
import pytest

from numerics.kernels.diagonal import advance, packed, stacked
from numerics.kernels.loops import state
from numerics.kernels.loops.code import kernel_module
from theory.kernels.duals import dual


@pytest.mark.parametrize("phi", ["tanh", "x*tanh(x)", "softplus"], ids=["odd", "even", "neither"])
def test_bends_are_the_derivative_of_the_slope(phi) -> None:
    own = dual(phi)
    module = kernel_module(own, "limit")
    k = np.array([0.5, 0.8, 1.1, 0.6, 0.9])
    path = advance(own, "limit", k, k, np.ones(1), np.zeros(1))
    left, right = stacked(path, path)
    most, inverse = np.empty(64), np.empty(len(k))
    module.remainders(right[0], most)
    module.inverse_roots(k, inverse)
    one = np.ascontiguousarray(left[0].T)[0]
    tables = state.Tables(one, right[0], 0, most, inverse, packed(own, "limit", path), -1)
    edge = np.sqrt(k[0] * k)
    c = edge * np.array([0.3, -0.7, 0.5, -0.1, 0.6])

    def slope(at: np.ndarray) -> np.ndarray:
        value, made = np.empty_like(at), np.empty_like(at)
        det = k[0] * k - at * at
        around = k[0] + k - 2.0 * at, k[0] + k + 2.0 * at
        module.rows(k[0], k, state.Pairs(at, det, *around), tables, value, made)
        return made

    bends, step = np.empty_like(c), 1e-4
    module.row_bends(k[0], k, c, tables, bends)
    rate = (slope(c + step) - slope(c - step)) / (2.0 * step)
    # of the step's square and of roundings over the step
    assert bends == pytest.approx(np.abs(rate), rel=1e-5, abs=1e-9)
    assert (bends > 0.0).all()
