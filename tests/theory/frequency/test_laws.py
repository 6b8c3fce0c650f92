"""The laws of frequency-domain layers and spectra, against exact sums, enumeration and other routes."""

import itertools
from typing import Any

import mpmath
import numpy as np
import pytest
from sympy import (
    I,
    Integer,
    Rational,
    Symbol,
    conjugate,
    diff,
    exp,
    im,
    integrate,
    lambdify,
    log,
    pi,
    re,
    sqrt,
    symbols,
    sympify,
)

from theory.frequency import LAWS
from theory.frequency.layers import gain, hilbert_kernel, quadrant, shared_kernel, shrinkage
from theory.frequency.spectra import (
    first_order,
    lam,
    mu,
    periodogram,
    pole_periodogram,
    pole_share,
    pole_weights,
    r,
    risk_of_spectrum,
    soft_threshold,
    sparse_spectrum,
)
from theory.frequency.transform import T, character, k, n


@pytest.mark.parametrize("name", list(LAWS))
def test_every_law_is_derived_and_printed(name: str) -> None:
    law = LAWS[name]()
    assert law.text()
    assert law.latex()
    assert law is LAWS[name]()  # derived once


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 6, 8])
def test_kernels_are_the_inverse_transform_in_exact_arithmetic(length: int) -> None:
    """Bin by bin: the weight, its conjugate in the mirrored bin, the real part in the bins 0 and T/2."""
    c = Rational(2, 3) + I * Rational(5, 7)
    weights = {
        j: c if 2 * j < length else conjugate(c) for j in range(1, length) if 2 * j != length
    }
    weights |= {j: re(c) for j in (0, *([length // 2] if length % 2 == 0 else []))}
    even = length % 2 == 0
    for time in range(length):
        direct = sum(weights[j] * character(j, time, length) for j in range(length)) / length
        closed = shared_kernel(even, c, Integer(time)).subs(T, length)
        assert (direct - closed).expand(complex=True).equals(0)
        sines = sum(im(2 * character(j, time, length)) for j in range(1, length) if 2 * j < length)
        assert (sines / length - hilbert_kernel(even, Integer(time)).subs(T, length)).equals(0)


def in_numbers(expression: Any, values: dict[str, Any], **named: Any) -> complex:
    """An expression at symbols by name, its functions read from tables by their integer arguments."""
    at = {s: named[str(s)] for s in expression.free_symbols if str(s) in named}
    done = expression.subs(at).doit()

    def looked_up(e: Any) -> Any:
        found = values[str(e.func)][tuple(int(a) for a in e.args)]
        return sympify(complex(found))

    known = done.replace(lambda e: e.is_Function and str(e.func) in values, looked_up)
    return complex(known.doit().evalf())


@pytest.mark.parametrize("length", [3, 4])
def test_statements_hold_in_numbers(length: int) -> None:
    """Both sides of each, for signals and spectra from NumPy's transform."""
    rng = np.random.default_rng(length)
    x, w = rng.standard_normal((2, length))
    X, W = (np.fft.fft(v, norm="ortho") for v in (x, w))
    C = np.fft.fft(rng.standard_normal(length))
    values = {"x": x, "w": w, "X": X, "W": W, "C": C}
    tables = {name: {(j,): v for j, v in enumerate(row)} for name, row in values.items()}

    def sides(name: str, tables: Any = tables, **named: Any) -> Any:
        statement = LAWS[name]().statement
        both = [in_numbers(side, tables, T=length, **named) for side in statement.args]
        assert both[0] == pytest.approx(both[1], abs=1e-12)

    sides("parseval")
    half = LAWS["parseval"]().steps[-1].expression.rhs
    assert in_numbers(half, tables, T=length) == pytest.approx(x @ x)
    for j in range(length):
        sides("orthogonality", d=j)
        sides("orthogonality", d=-length * j)
        sides("convolution", k=j)
        sides("per-bin-filter", {**tables, "w": dict.fromkeys([(j,)], np.fft.ifft(C)[j])}, n=j)


def test_a_bias_is_what_the_weight_makes_of_a_pulse() -> None:
    b = Rational(2, 3) - I * Rational(5, 7)
    law = LAWS["bias"]()
    for length, time in itertools.product((4, 5), range(4)):
        h = hilbert_kernel(length % 2 == 0, Integer(time)).subs(T, length)
        value = law.value.replace(lambda e: e.is_Function and str(e.func) == "h", lambda _, h=h: h)
        at = value.subs({n: time, T: length}).subs({"b": b}).doit()
        kernel = shared_kernel(length % 2 == 0, b, Integer(time)).subs(T, length)
        assert (at - sqrt(length) * kernel).equals(0)


def test_dense_layers_and_ridge_regressions_are_the_same_in_numbers() -> None:
    rng = np.random.default_rng(0)
    phi, W = rng.standard_normal(3), rng.standard_normal((3, 3))
    tables: dict[str, Any] = {
        "phi": {(j + 1,): v for j, v in enumerate(phi)},
        "W": {(i + 1, j + 1): W[i, j] for i in range(3) for j in range(3)},
        "C": {(j + 1,): phi @ W[:, j] / phi[j] for j in range(3)},
    }
    for e in (1, 2, 3):
        statement = LAWS["embedding"]().statement
        one, two = (in_numbers(side, tables, D=3, e=e, X=0.7) for side in statement.args)
        assert one == pytest.approx(two)
    Q = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    x, v, y = rng.standard_normal((2, 3)), rng.standard_normal(3), rng.standard_normal(2)
    both = {"x": x, "z": x @ Q}
    tables = {k: {(i + 1, j): a[i, j] for i in range(2) for j in range(3)} for k, a in both.items()}
    tables |= {k: {(j,): a[j] for j in range(3)} for k, a in (("v", v), ("w", Q @ v))}
    tables["y"] = {(i + 1,): y[i] for i in range(2)}
    statement = LAWS["ridge"]().statement
    one, two = (in_numbers(side, tables, T=3, N=2, alpha=0.3) for side in statement.args)
    assert one == pytest.approx(two)
    assert one == pytest.approx(((y - x @ Q @ v) ** 2).sum() + 0.3 * v @ v)


def test_shrinkage_behind_a_rectifier_is_a_bias() -> None:
    law, (u, threshold) = shrinkage(), symbols("u lambda")
    named = {str(symbol): symbol for symbol in law.symbols}
    for a, b in itertools.product(
        (-2, Rational(-1, 3), 0, Rational(1, 3), 1, 4), (Rational(1, 2), 1)
    ):
        at = {named[str(u)]: a, named[str(threshold)]: b}
        assert law.statement.lhs.subs(at) == law.value.subs(at) == max(a - b, 0)


def test_split_rectifiers_put_a_peak_at_time_0() -> None:
    A = [Rational(j * j % 5, 3) for j in (0, 1, 2, 3, 2, 1)]  # even in k, not negative
    y = [
        sum(a * character(j, t, 6) for j, a in enumerate(A)).expand(complex=True) for t in range(6)
    ]
    law = quadrant()
    for t in range(1, 6):
        at = law.value.subs({T: 6, n: t}).doit()
        at = at.replace(lambda e: e.is_Function and str(e.func) == "A", lambda e: A[int(e.args[0])])
        assert (at * 6 ** Rational(1, 2) - y[0] + (y[t] + y[6 - t]) / 2).equals(0)
        assert at >= 0


def test_the_gain_is_the_mean_slope() -> None:
    """Stein's lemma by another route: the probability that the part is above its threshold."""
    z = Symbol("z", real=True)
    for s, b, threshold in ((1, 1, 0), (2, -1, 1), (Rational(1, 2), 1, 3)):
        wanted = (
            integrate(exp(-(z**2) / 2), (z, Rational(threshold - b) / s, 100)) / (2 * pi) ** 0.5
        )
        assert gain().at(s=s, b=b, **{"lambda": threshold}).rhs.evalf() == pytest.approx(
            float(wanted)
        )


def test_unequal_gains_of_both_parts_bring_time_reversed() -> None:
    """The layer linearised at gains 1 and 1/2 of the parts, on a signal of seven samples."""
    step = gain().steps[-1].expression
    named = {str(symbol): symbol for symbol in step.free_symbols}
    x = np.random.default_rng(0).standard_normal(7)
    bins = np.fft.fft(x)
    mixed = lambdify([named[name] for name in ("p", "q", "G_r", "G_i")], step.rhs)
    ours = np.fft.ifft(mixed(bins.real, bins.imag, 1.0, 0.5))
    assert ours == pytest.approx(0.75 * x + 0.25 * np.roll(x[::-1], 1), abs=1e-14)
    assert bins.real + 0.5j * bins.imag == pytest.approx(np.fft.fft(ours), abs=1e-13)


def test_one_pole_is_the_first_order_law() -> None:
    law = first_order()
    for phi, edge in ((Rational(9, 10), Rational(1, 3)), (Rational(-1, 2), 2), (0, 1)):
        closed = law.at(phi=phi, w=edge).rhs
        assert abs((pole_share(phi, edge) - closed).evalf(30)) < 1e-25
    assert law.at(phi=0, w=1).rhs.evalf() == pytest.approx(float(1 / pi))


@pytest.mark.parametrize(
    "poles",
    [
        (Rational(1, 2), Rational(-1, 3)),
        ((3 + 4 * I) / 7, (3 - 4 * I) / 7, Rational(1, 4)),
        (Rational(9, 10), Rational(4, 5), Rational(-1, 2), Rational(1, 5)),
    ],
)
def test_shares_are_integrals_of_the_spectrum(poles: tuple) -> None:
    roots = [mpmath.mpmathify(pole.evalf(30)) for pole in poles]

    def spectrum(x):
        return 1 / abs(mpmath.fprod(1 - root * mpmath.expj(x) for root in roots)) ** 2

    weights = pole_weights(poles)
    share = sum(
        c * pole_share(pole, Rational(2, 3)) for c, pole in zip(weights, poles, strict=True)
    )
    ratio = mpmath.quad(spectrum, [0, 2 / mpmath.mpf(3)]) / mpmath.quad(spectrum, [0, 1, mpmath.pi])
    assert complex(share.evalf(20)) == pytest.approx(float(ratio), abs=1e-12)
    tables = {
        "c": {(j,): complex(c) for j, c in enumerate(weights, 1)},
        "r": {(j,): complex(pole) for j, pole in enumerate(poles, 1)},
    }
    law = in_numbers(LAWS["autoregression"]().value, tables, p=len(poles), w=Rational(2, 3))
    assert law == pytest.approx(float(ratio), abs=1e-12)


@pytest.mark.long
def test_expected_periodograms_are_sums_of_covariances() -> None:
    pole = Rational(-3, 4)
    for length in (1, 2, 4):
        for j in range(min(length, 3)):
            lags = range(-length + 1, length)
            direct = sum(
                Rational(length - abs(h), length) * pole ** abs(h) * character(j, h, length)
                for h in lags
            )
            closed = pole_periodogram(pole, j).subs(T, length)
            assert (direct - closed).expand(complex=True).equals(0)
    assert periodogram().value.subs(r, 0).subs(k, 2) == 1


def test_soft_thresholding_costs_what_an_integral_says() -> None:
    risk = soft_threshold().value
    for m, t in ((0, 1), (2, 1), (-1.5, 2.5)):

        def loss(x, m=m, t=t):
            kept = mpmath.sign(x) * max(abs(x) - t, 0)
            return (kept - m) ** 2 * mpmath.npdf(x, m)

        wanted = mpmath.quad(loss, sorted([-mpmath.inf, -t, t, m, mpmath.inf]))
        assert risk.subs({mu: m, lam: t}).evalf() == pytest.approx(float(wanted), rel=1e-10)
    assert diff(risk, mu).subs({mu: 1, lam: 2}).evalf() > 0


def test_silent_coefficients_cost_less_than_one() -> None:
    """In all, behind the universal threshold; and a sparse spectrum costs k (1 + 2 log T) more."""
    law = sparse_spectrum()
    for length in (2, 3, 10, 1000, 10**6):
        silent = law.at(k=0, T=length, sigma=1).rhs.evalf()
        assert 0 < silent < 1
        assert silent / length == pytest.approx(
            float(soft_threshold().value.subs({mu: 0, lam: sqrt(2 * log(length))}).evalf())
        )
    assert risk_of_spectrum(5, 3).subs(T, 5) == 50
