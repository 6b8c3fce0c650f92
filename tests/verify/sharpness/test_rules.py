"""Learning rules against their definitions, on two quadratic losses."""

import numpy as np
import pytest

from theory.sharpness import evaluations, plus_norm
from verify.networks.training import jax_modules
from verify.sharpness.rules import DEFAULTS, METHODS, gradients_per_step, rule

RNG = np.random.default_rng(0)
W = {"first": RNG.standard_normal(3), "second": RNG.standard_normal(2)}
ZERO = {name: np.zeros_like(x) for name, x in W.items()}
ROOT = RNG.standard_normal((2, 5, 5))
HESSIANS = [r @ r.T for r in ROOT]
MINIMA = RNG.standard_normal((2, 5))


def flat(w):
    return np.concatenate([w["first"], w["second"]])


def gradient(which):
    def of(w, k):
        _, jnp, _ = jax_modules()
        x = jnp.concatenate([w["first"], w["second"]])
        g = jnp.asarray(HESSIANS[which]) @ (x - MINIMA[which])
        return {"first": g[:3], "second": g[3:]}

    return of


GRAPH, PEER = gradient(0), gradient(1)


def g(x):
    return HESSIANS[0] @ (x - MINIMA[0])


def m(x):
    return HESSIANS[1] @ (x - MINIMA[1])


def ahead(x, rho, first=False):
    e = g(x) * (np.arange(5) < 3 if first else 1.0)
    return x + rho * e / np.linalg.norm(e)


def rest(a, b):
    return a - (a @ b) / (b @ b) * b


def scaled(a, b):
    return a * np.linalg.norm(b) / np.linalg.norm(a)


X = flat(W)
EXPECTED = {
    "adam": g(X),
    "peer": m(X),
    "joint": 0.5 * g(X) + m(X),
    "sam": g(ahead(X, 0.05)),
    "fgsam": 0.5 * g(X) + m(ahead(X, 0.05)),
    "fgsam-code": 0.5 * g(X) + 0.5 * m(ahead(X, 0.05, True)),
    "fgsam+": 0.5 * g(X) + m(ahead(X, 0.1)),
    "fgsam+-code": 0.5 * g(X) + 0.5 * m(ahead(X, 0.1, True)),
}


@pytest.mark.parametrize("method", METHODS)
def test_directions_are_those_of_the_definitions(method):
    along, _ = rule(method, GRAPH, PEER)(W, (ZERO, ZERO), 0)
    np.testing.assert_allclose(flat(along), EXPECTED[method], rtol=1e-12)


def test_corrections_are_kept_and_orthogonal():
    follow = rule("fgsam+", GRAPH, PEER)
    _, memory = follow(W, (ZERO, ZERO), 0)
    v, top = rest(m(ahead(X, 0.1)), m(X)), rest(g(X), m(X))
    for kept, own in zip(memory, (v, top), strict=True):
        np.testing.assert_allclose(flat(kept), own, rtol=1e-10)
        assert abs(flat(kept) @ m(X)) < 1e-10
    along, same = follow(W, memory, 1)  # at the same place: orthogonal still
    wanted = m(X) + 0.7 * scaled(v, m(X)) + 0.5 * (m(X) + scaled(top, m(X)))
    np.testing.assert_allclose(flat(along), wanted, rtol=1e-10)
    np.testing.assert_array_equal(flat(same[0]), flat(memory[0]))
    corrected = m(X) + scaled(top, m(X))
    law = plus_norm().at(nu_M=np.linalg.norm(m(X)))
    assert np.linalg.norm(corrected) == pytest.approx(float(law.rhs))


def test_the_released_code_projects_tensor_by_tensor():
    follow = rule("fgsam+-code", GRAPH, PEER)
    _, memory = follow(W, (ZERO, ZERO), 0)
    mixed = EXPECTED["fgsam+-code"]
    parts = [slice(0, 3), slice(3, 5)]
    own = np.concatenate([rest(mixed[p], m(X)[p]) for p in parts])
    np.testing.assert_allclose(flat(memory[0]), own, rtol=1e-10)
    along, _ = follow(W, memory, 1)
    wanted = m(X) + 0.7 * np.concatenate([scaled(own[p], m(X)[p]) for p in parts])
    np.testing.assert_allclose(flat(along), wanted, rtol=1e-10)


def test_no_gradient_is_no_step_and_no_nan():
    def none(w, k):
        return ZERO

    for method in METHODS:
        along, memory = rule(method, none, none)(W, (ZERO, ZERO), 0)
        along, _ = rule(method, none, none)(W, memory, 1)
        np.testing.assert_array_equal(flat(along), np.zeros(5))


def test_costs_are_those_of_the_law():
    for every in (1, 2, 5):
        law = evaluations().at(k=every).rhs
        counted = gradients_per_step("fgsam+", DEFAULTS._replace(every=every))
        names = {str(s): s for s in law.free_symbols}
        assert tuple(float(law.coeff(names[c])) for c in ("C_G", "C_M")) == pytest.approx(counted)
    assert gradients_per_step("sam") == (2.0, 0.0)
    with pytest.raises(ValueError, match="no method 'sgd'; choose from adam"):
        rule("sgd", GRAPH, PEER)
