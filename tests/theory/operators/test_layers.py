"""Laws of layers against counting, brute force and random fields."""

from functools import cache

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from theory.operators import layers
from theory.operators.layers import DIM, MODES, N_FEATURES, WIDTH


def counted(shapes) -> int:
    return sum(int(np.prod(shape)) for shape in shapes)


def network(into: int, hidden: int, out: int) -> list[tuple[int, ...]]:
    return [(into, hidden), (hidden,), (hidden, out), (out,)]


@given(st.integers(1, 12), st.integers(1, 9), st.integers(1, 3))
def test_kernels_are_counted_weight_by_weight(n: int, w: int, d: int) -> None:
    parts = counted(network(n, 2 * n, w * w) * 2 * d)
    assert layers.amortised_parameters().value.subs({N_FEATURES: n, WIDTH: w, DIM: d}) == parts
    blocks = counted([(2, w, w, *(n,) * d)] * 2 ** (d - 1))
    assert layers.fourier_parameters().value.subs({MODES: n, WIDTH: w, DIM: d}) == blocks


@pytest.mark.parametrize("d", [1, 2])
def test_the_kernel_with_fewer_parameters_changes_at_the_break_even(d: int) -> None:
    at = {N_FEATURES: 10, WIDTH: 32, DIM: d}
    even = float(layers.break_even().value.subs(at))
    ours = layers.amortised_parameters().value.subs(at)
    for m in range(1, 40):
        theirs = layers.fourier_parameters().value.subs(at | {MODES: m})
        assert bool(ours < theirs) == (m > even)


def test_pairs_of_units_are_linear() -> None:
    law = layers.readout()
    z = np.linspace(-4.0, 4.0, 9)

    def gelu(x: np.ndarray) -> np.ndarray:
        return x * norm.cdf(x)

    (symbol,) = law.statement.free_symbols
    np.testing.assert_allclose(
        sympy.lambdify([symbol], law.statement.lhs, {"gelu": gelu})(z), z, atol=1e-14
    )
    np.testing.assert_allclose(sympy.lambdify([symbol], law.value)(z), z, atol=0.0)


@cache
def hermitian():
    law = layers.hermitian()
    (k,) = law.symbols
    plus, minus = sympy.symbols("plus minus")
    terms = {f: plus if f.args[0] == k else minus for f in law.value.atoms(sympy.Function("R"))}
    return sympy.lambdify([plus, minus], law.value.subs(terms))


@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(2, 5))
def test_real_outputs_use_the_hermitian_part(seed: int, half: int, other: int) -> None:
    rng, n, m = np.random.default_rng(seed), 2 * half, 2 * other
    r = rng.standard_normal((n, other + 1)) + 1j * rng.standard_normal((n, other + 1))
    v = np.fft.rfft2(rng.standard_normal((n, m)))
    mirrored = np.roll(r[::-1], 1, axis=0)
    used = r.copy()
    for column in (0, other):
        plus, minus = r[:, column], mirrored[:, column]
        used[:, column] = hermitian()(plus, minus)
    size = np.abs(v * r).max()
    np.testing.assert_allclose(
        np.fft.irfft2(r * v, s=(n, m)), np.fft.irfft2(used * v, s=(n, m)), atol=1e-12 * size
    )
    assert np.abs(used - r).max() > 1e-3  # the kernel itself is another one


@cache
def evaluated(law, *names: str):
    derived = law()
    symbols = {str(s): s for s in derived.statement.free_symbols}
    return sympy.lambdify([symbols[name] for name in names], derived.value)


@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_no_sum_of_products_beats_the_singular_values(seed: int, r: int) -> None:
    rng = np.random.default_rng(seed)
    g = rng.standard_normal((6, 5))
    s = np.linalg.svd(g, compute_uv=False)
    bound = evaluated(layers.rank_error, "s", "r", "R")(s, r, 5)
    left = rng.standard_normal((6, r))
    for _ in range(10):  # alternating least squares from a random start
        right = np.linalg.lstsq(left, g, rcond=None)[0]
        left = np.linalg.lstsq(right.T, g.T, rcond=None)[0].T
        error = np.linalg.norm(g - left @ right) / np.linalg.norm(g)
        assert error >= bound - 1e-12


def test_truncation_is_the_best_of_layers_with_these_modes() -> None:
    rng = np.random.default_rng(0)
    g, power = rng.standard_normal(9) + 1j * rng.standard_normal(9), rng.random(9)
    best = evaluated(layers.truncation, "g", "P", "m", "K")(g, power, 4, 8)
    for _ in range(20):
        r = np.where(np.arange(9) < 4, g + 0.1 * rng.standard_normal(9), 0.0)
        assert np.sqrt(power @ abs(g - r) ** 2 / (power @ abs(g) ** 2)) > best
    kept = np.where(np.arange(9) < 4, g, 0.0)
    assert np.sqrt(power @ abs(g - kept) ** 2 / (power @ abs(g) ** 2)) == pytest.approx(
        best, rel=1e-12
    )
