"""Laws of counter-current learning: against finite differences, random networks, tight frames and scans."""

import numpy as np
import pytest
from sympy import Eq, Rational, Symbol, lambdify

from theory import countercurrent as ccl
from theory.countercurrent import ACTIVATIONS, LAWS

F = {name: lambdify(ccl.X, expression, "numpy") for name, expression in ACTIVATIONS.items()}


def drawn(seed, *shapes):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape) for shape in shapes]


def loss(f, a, w, b, v, y):
    return 0.5 * ((f(a @ w) @ f(b @ v).T - y) ** 2).sum()


def slopes(function, matrix):
    found = np.zeros_like(matrix)
    for place in np.ndindex(matrix.shape):
        step = np.zeros_like(matrix)
        step[place] = 1e-6
        found[place] = (function(matrix + step) - function(matrix - step)) / 2e-6
    return found


def test_gradients_are_those_of_finite_differences():
    a, w, b, v, y = given = drawn(0, (7, 3), (3, 4), (5, 6), (6, 4), (7, 5))
    symbols = (ccl.A, ccl.W, ccl.B, ccl.V, ccl.Y)
    forward, back = (lambdify(symbols, g, "numpy")(*given) for g in ccl.gradients())
    linear = F["linear"]
    np.testing.assert_allclose(forward, slopes(lambda m: loss(linear, a, m, b, v, y), w), atol=1e-7)
    np.testing.assert_allclose(back, slopes(lambda m: loss(linear, a, w, b, m, y), v), atol=1e-7)


@pytest.mark.parametrize(
    ("name", "kept"), [("linear", "matrix"), ("relu", "diagonal"), ("elu", "nothing")]
)
def test_what_a_random_network_conserves(name, kept):
    """The velocity of W'W - V'V, from finite differences."""
    assert ccl.conserved(name) == kept
    a, w, b, v, y = drawn(1, (7, 3), (3, 4), (5, 6), (6, 4), (7, 5))
    g = slopes(lambda m: loss(F[name], a, m, b, v, y), w)
    h = slopes(lambda m: loss(F[name], a, w, b, m, y), v)
    rate = w.T @ g + g.T @ w - v.T @ h - h.T @ v
    assert (abs(rate).max() < 1e-4) == (kept == "matrix")
    assert (abs(np.diag(rate)).max() < 1e-4) == (kept != "nothing")


def test_the_norms_of_an_elu_neuron_move_as_derived():
    (z, u), error, step = (-0.7, -1.2), 0.3, 1e-6
    law = LAWS["neuron"]().steps[-1].expression
    derived = float(law.rhs.subs({Symbol("z_j", real=True): z, Symbol("u_j", real=True): u}))
    f = F["elu"]
    scaled = [error * (f((1 + s) * z) * f(u) - f(z) * f((1 + s) * u)) for s in (-step, step)]
    assert (scaled[1] - scaled[0]) / (2 * step) == pytest.approx(error * derived, rel=1e-8)


def test_an_unknown_activation_is_refused():
    with pytest.raises(ValueError, match="no activation 'gelu'; choose from linear, relu, elu"):
        ccl.conserved("gelu")


def test_the_law_of_alignment_along_a_flow_and_its_bound():
    a, b, w, v, y = drawn(2, (8, 3), (5, 4), (3, 4), (4, 3), (8, 5))
    first = np.linalg.norm(w - v.T)
    for _ in range(300):
        change = -a.T @ (a @ w @ b.T - y) @ b, -b.T @ (a @ (b @ v).T - y).T @ a
        apart = w - v.T
        np.testing.assert_allclose(change[0] - change[1].T, -a.T @ a @ apart @ b.T @ b, atol=1e-9)
        w, v = w + 1e-3 * change[0], v + 1e-3 * change[1]
        assert np.linalg.norm(w - v.T) <= np.linalg.norm(apart)
    sizes = np.linalg.norm(w), np.linalg.norm(v)
    assert (w * v.T).sum() / np.prod(sizes) >= ccl.alignment_bound(*sizes, first)


def test_a_tight_frame_attains_the_floor_of_decorrelation():
    for n in (3, 5, 12):
        turns = 2 * np.pi * np.arange(n) / n
        rows = np.stack([np.cos(turns), np.sin(turns)], axis=1)
        mean = ((rows @ rows.T - np.eye(n)) ** 2).mean()
        assert mean == pytest.approx(float(LAWS["decorrelation"]().at(n=n, d=2).rhs))


@pytest.mark.parametrize(
    ("members", "classes", "c", "s"), [(2, 3, 1, 1), (5, 2, 2, Rational(1, 2))]
)
def test_the_joint_floor_is_attained_and_the_least_on_a_scan(members, classes, c, s):
    """Rows alpha b + sqrt(1 - alpha^2) times a simplex; the loss of Gram matrices, entry by entry."""
    share, floor = (float(x.evalf()) for x in ccl.joint_floor(members, classes, c, s))
    n = members * classes
    simplex = np.eye(members) - 1 / members
    simplex /= np.linalg.norm(simplex[0])
    y = np.kron(np.eye(classes), np.ones((members, 1)))

    def value(alpha):
        rows = alpha * y @ np.eye(classes, classes + n)
        rows[:, classes:] += np.sqrt(1 - alpha**2) * np.kron(np.eye(classes), simplex)
        apart = ((rows @ rows.T - np.eye(n)) ** 2).mean()
        return float(c) * ((rows[:, :classes] - y) ** 2).mean() + float(s) * apart

    assert value(share) == pytest.approx(floor, rel=1e-12)
    assert min(value(alpha) for alpha in np.linspace(members**-0.5, 1, 400)) >= floor - 1e-12


def test_a_floor_needs_two_samples_of_a_class():
    with pytest.raises(ValueError, match="at least 2 samples a class.*got 1, 10, 1 and 1"):
        ccl.joint_floor(1, 10, 1, 1)


def test_squared_differences_decay_at_the_derived_rate():
    rho = 0.6
    rates = np.linalg.eigvalsh([[1.0, -rho], [-rho, 1.0]])
    assert float(LAWS["collapse"]().value.subs(Symbol("rho", real=True), rho)) == pytest.approx(
        rates[0]
    )


def test_every_law_has_steps_and_says_where_it_holds():
    for name, law in LAWS.items():
        derived = law()
        assert derived.holds, name
        assert len(derived.steps) >= 3, name
        assert not any(step.expression in (True, False) for step in derived.steps), name
        assert derived.latex()
    assert LAWS["least-squares"]().statement.func is Eq
