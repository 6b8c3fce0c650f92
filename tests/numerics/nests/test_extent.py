"""Grids reach no further than a tilted path goes, and values are those of grids that reach further."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Lambda, Symbol, erf, log, sqrt

from numerics.nests.doubles import evaluate_nest
from numerics.nests.extent import extent
from numerics.nests.leaf import CompiledLeaf, compile_leaf
from numerics.nests.shape import Shape

H, KAPPA, V = Symbol("h", real=True), Symbol("kappa", real=True), Symbol("v", positive=True)
LEAF = compile_leaf(Lambda(H, log((1 + erf((H - KAPPA) / sqrt(2 * V))) / 2)))
MIRROR = compile_leaf(Lambda(H, log((1 - erf((H + KAPPA) / sqrt(2 * V))) / 2)))


def _without_tails(leaf: CompiledLeaf) -> CompiledLeaf:
    facts = leaf.facts
    return replace(leaf, _facts=lambda p: (facts(p)[0], replace(facts(p)[1], tails=(None, None))))


def test_a_one_sided_leaf_has_a_tail_on_the_side_where_it_falls() -> None:
    shape: Shape = LEAF.facts(np.array([0.5, 0.04]))[1]
    (c, variance), other = shape.tails
    assert other is None
    assert (c, variance) == pytest.approx((0.5, 0.04))
    other, (c, variance) = MIRROR.facts(np.array([0.5, 0.04]))[1].tails
    assert other is None
    assert (c, variance) == pytest.approx((-0.5, 0.04))


@settings(max_examples=25)
@given(
    st.floats(-1.0, 1.0),
    st.floats(0.01, 0.3),
    st.floats(-3.0, 2.0),
    st.lists(st.tuples(st.floats(0.02, 1.0), st.floats(1.0, 20.0)), min_size=2, max_size=4),
    st.booleans(),
)
def test_values_do_not_see_what_is_left_out(kappa, blur, field, liftings, quenched) -> None:
    v = tuple(a for a, _ in liftings)
    s = tuple(b for _, b in liftings)
    if quenched:
        s = (*s[:-1], 0.0)
    numbers = np.array([kappa, blur])
    near = evaluate_nest(LEAF, numbers, field, v, s)
    far = evaluate_nest(_without_tails(LEAF), numbers, field, v, s)
    size = max(1.0, abs(far.value))
    assert near.value == pytest.approx(far.value, abs=2e-13 * size)
    for name in ("d_increments", "d_exponents", "d_parameters"):
        a, b = getattr(near, name), getattr(far, name)
        assert a == pytest.approx(b, abs=1e-10 * max(1.0, np.abs(b).max()))
    assert near.products <= far.products
    mirrored = evaluate_nest(MIRROR, numbers, -field, v, s)
    assert mirrored.value == pytest.approx(near.value, abs=2e-13 * size)


def test_windows_contract_with_the_variances() -> None:
    shape = LEAF.facts(np.array([0.0, 1e-4]))[1]
    v, s = (1e-3, 1e-2, 0.1, 0.9), (4.0, 20.0, 80.0, 0.0)
    reach = extent(0.0, v, s, shape, 8.0, 37.0, even=False)
    inside = [1e-4]
    for a, b in zip(v, s, strict=True):
        inside.append(inside[-1] + a * b)
    wide = math.sqrt(64.0 + 20.0)
    expected, place = [0.0] * 4, 0.0
    for k in (3, 2, 1, 0):
        place = place * inside[k] / inside[k + 1] + wide * math.sqrt(v[k])
        expected[k] = -place
    assert reach.lows == pytest.approx(expected)
    assert reach.lows[0] > -0.4
    assert reach.highs[0] > 8.0
