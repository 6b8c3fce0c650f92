"""Every form of a row is the same sum: one lifting and its adjoint against a full log-sum-exp."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp

from numerics.nests.lifting import rows as forms
from numerics.nests.lifting.convolution import Lifting, adjoint, lift
from numerics.nests.lifting.outermost import lift_point


def log_positive(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(math.log(low), math.log(high)).map(math.exp)


# Functions that are flat, that fall on one side or both, that grow on one side or both, that dip.
FUNCTIONS = {
    "flat": np.zeros_like,
    "small": lambda y: 1e-9 * np.cos(y),
    "falls": lambda y: -0.5 * np.maximum(-y, 0.0) ** 2 * 400.0,
    "falls twice": lambda y: -30.0 * y**2,
    "grows": lambda y: np.logaddexp(0.0, 30.0 * y),
    "grows twice": lambda y: np.logaddexp(40.0 * y, -40.0 * y),
    "dips": lambda y: -200.0 * np.exp(-0.5 * y**2),
    "line": lambda y: 25.0 * y,
    "late": lambda y: 60.0 * np.tanh(5.0 * (y - 3.0)),
    "waves": lambda y: 50.0 * np.sin(3.0 * y),
}


def direct(f, nodes, outputs, v, s):
    """Values, their derivatives in v, and Gibbs weights (outputs x nodes), with nothing left out."""
    u = outputs[:, None] - nodes
    norm = math.log((nodes[1] - nodes[0]) / math.sqrt(2.0 * math.pi * v))
    log_gauss = norm - 0.5 * u * u / v
    if s == 0.0:
        weights = np.exp(log_gauss)
        values = weights @ f
        return values, (weights * f * (u * u / v - 1.0)).sum(axis=1) / (2.0 * v), weights
    values = logsumexp(s * f + log_gauss, axis=1) / s
    weights = np.exp(s * (f - values[:, None]) + log_gauss)
    return values, (weights * (u * u / v - 1.0)).sum(axis=1) / (2.0 * v * s), weights


@st.composite
def liftings(draw: st.DrawFn):
    """A function on a grid, where it is wanted, and by what it is lifted."""
    f = FUNCTIONS[draw(st.sampled_from(sorted(FUNCTIONS)))]
    v = draw(log_positive(0.01, 0.5))
    s = draw(st.sampled_from([0.0, 0.3, 2.0, 12.0]))
    a, b = draw(st.sampled_from([(1, 1), (1, 3), (2, 1), (5, 1)]))
    h = draw(st.floats(0.15, 0.4)) * math.sqrt(v)
    outer = h * b / a
    start = math.ceil(draw(st.floats(-2.0, 0.0)) / outer)
    count = draw(st.integers(1, 40))
    # nodes reach beyond the outputs as far as any weight does
    reach = 10.0 * math.sqrt(v) + s * v * 60.0
    first = math.ceil((reach - start * outer) / h) + draw(st.integers(0, 5))
    size = first + math.ceil((reach + (start + count) * outer) / h)
    nodes = h * (np.arange(size) - first)
    return f(nodes), h, first, v, s, (a, b), start, count


def run(f, h, first, v, s, steps, start, count, *, pivot=0, cut=math.inf, ref=None):
    reach = math.ceil(9.0 * math.sqrt(v) / h) + 1
    ref = float(f[min(max(first, 0), f.size - 1)]) if ref is None else ref
    own = Lifting(h, v, s, ref, first, *steps, start, reach)
    rows = lift(f, own, count, pivot, 1e-19, cut, 10**9)
    outputs = h * steps[1] / steps[0] * (start + np.arange(count))
    return rows, outputs, own


def nodes_of(f, h, first):
    return h * (np.arange(f.size) - first)


@given(liftings(), st.data())
@settings(max_examples=150)
def test_rows_are_the_full_sum(lifting, data):
    """In any form, from any reference, in either direction."""
    f, h, first, v, s, _, _, count = lifting
    nodes = nodes_of(f, h, first)
    ref = data.draw(st.sampled_from([None, float(f.max()), float(f.min())]))
    rows, outputs, *_ = run(*lifting, pivot=data.draw(st.integers(0, count - 1)), ref=ref)
    values, dv, _ = direct(f, nodes, outputs, v, s)
    size = 1.0 + np.abs(f).max()  # differences of f round
    assert (rows.begin, rows.end) == (0, count)
    assert (np.abs(rows.g - values) <= 1e-13 * size * (1.0 + 1.0 / max(s, 0.3))).all()
    assert (np.abs(rows.dv - dv) <= 1e-11 * (size / v + np.abs(dv))).all()


@given(liftings(), st.data())
@settings(max_examples=80)
def test_the_adjoint_is_the_transpose_of_the_weights(lifting, data):
    f, h, first, v, s, _, _, count = lifting
    nodes = nodes_of(f, h, first)
    rows, outputs, own = run(*lifting, pivot=data.draw(st.integers(0, count - 1)))
    mu = np.random.default_rng(count).uniform(0.0, 1.0, count)
    inner, _, _ = adjoint(f, own, rows, mu, 0.0)
    _, _, weights = direct(f, nodes, outputs, v, s)
    flat = rows.kind == forms.FLAT
    expected = mu[~flat] @ weights[~flat]
    # flat rows keep their weight where they are: its sum and its mean are right
    assert inner.sum() == pytest.approx(mu @ weights.sum(axis=1), rel=1e-10)
    mean = (mu[:, None] * weights).sum(axis=0) @ nodes
    assert inner @ nodes == pytest.approx(mean, rel=1e-11, abs=1e-10)
    if not flat.any():
        np.testing.assert_allclose(inner, expected, atol=1e-12)


def test_all_forms_occur():
    """The property above is one of five forms, not of one: each is the right one somewhere."""
    seen = set()
    for name, s, ref in (
        ("flat", 1.0, None), ("small", 2.0, None), ("waves", 0.0, None), ("falls", 3.0, 0.0),
        ("grows twice", 12.0, None),
    ):  # fmt: skip
        v, h = 0.05, 0.05
        nodes = h * np.arange(-400, 401)
        rows, *_ = run(FUNCTIONS[name](nodes), h, 400, v, s, (1, 1), -60, 121, ref=ref)
        seen |= set(map(int, rows.kind))
    # two distant peaks of equal weight: the one row that no tilt serves
    nodes = 0.05 * np.arange(-1000, 1001)
    rows, *_ = run(FUNCTIONS["grows twice"](nodes), h, 1000, 0.05, 12.0, (1, 1), 0, 1)
    seen |= set(map(int, rows.kind))
    assert seen == {
        forms.FLAT,
        forms.TABLE,
        forms.QUENCHED,
        forms.TILTED,
        forms.LOG_SUM,
    }


def test_tilts_take_few_exponentials():
    """Where the weight lies a hundred standard deviations away, rows share theirs."""
    v, h = 0.01, 0.02
    nodes = h * np.arange(-900, 401)
    f = FUNCTIONS["falls"](nodes)
    rows, outputs, *_ = run(f, h, 900, v, 4.0, (1, 1), -700, 600, ref=0.0)
    values, _, _ = direct(f, nodes, outputs, v, 4.0)
    assert (rows.kind == forms.TILTED).sum() > 400
    assert rows.exponentials < 20 * 600
    np.testing.assert_allclose(rows.g, values, rtol=1e-14)


@given(st.integers(0, 80), st.sampled_from(["falls", "falls twice"]))
def test_cuts_end_rows_where_they_have_fallen(pivot, name):
    """Every row that is left out lies below the cut, on whichever side; the others are untouched."""
    nodes = 0.05 * np.arange(-200, 201)
    lifting = FUNCTIONS[name](nodes), 0.05, 200, 0.04, 2.0, (1, 1), -40, 81
    whole, *_ = run(*lifting, ref=0.0)
    top = whole.g.max()
    cut, *_ = run(*lifting, pivot=pivot, cut=15.0 + top - whole.g[pivot], ref=0.0)
    np.testing.assert_array_equal(cut.g, whole.g[cut.begin : cut.end])
    left_out = np.concatenate((whole.g[: cut.begin], whole.g[cut.end :]))
    assert (left_out < top - 15.0).all()


def test_a_limit_gives_up():
    nodes = 0.05 * np.arange(-200, 201)
    own = Lifting(0.05, 0.04, 2.0, 0.0, 200, 1, 1, -40, 40)
    rows = lift(FUNCTIONS["waves"](nodes), own, 81, 0, 1e-19, math.inf, 500)
    assert rows.end == -1


@given(liftings(), st.floats(0.0, 1.0))
@settings(max_examples=60)
def test_the_outermost_lifting_is_one_row(lifting, share):
    f, h, first, v, s, (a, b), start, count = lifting
    x = h * b / a * (start + share * count)
    nodes = nodes_of(f, h, first)
    reach = math.ceil(9.0 * math.sqrt(v) / h) + 1
    own = Lifting(h, v, s, float(f.max()), first, 1, 1, 0, reach)
    value, d_v, d_x, mu, _ = lift_point(f, own, x, 1.0)
    values, dv, weights = direct(f, nodes, np.array([x]), v, s)
    size = 1.0 + np.abs(f).max()
    assert abs(value - values[0]) <= 1e-13 * size * (1.0 + 1.0 / max(s, 0.3))
    assert abs(d_v - dv[0]) <= 1e-11 * (size / v + abs(dv[0]))
    np.testing.assert_allclose(mu, weights[0], atol=1e-12)
    slope = (weights[0] * (nodes - x) * (f if s == 0.0 else 1.0 / s)).sum() / v
    assert abs(d_x - slope) <= 1e-11 * (size / math.sqrt(v) + abs(slope))
