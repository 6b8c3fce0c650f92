"""Linear layers on the spectrum of a real signal, and what bias, split ReLU and shrinkage make of them.

A layer takes the half spectrum, bins 0 to floor(T/2), multiplies it by complex weights, and transforms back;
of the bins 0 and T/2, which are real in a real signal, the imaginary part is dropped. K is the number of bins
strictly between those two: T/2 - 1 for even T, (T - 1)/2 for odd T.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from sympy import (
    Abs,
    Eq,
    Expr,
    Function,
    I,
    KroneckerDelta,
    Max,
    Piecewise,
    Sum,
    Symbol,
    conjugate,
    cos,
    cot,
    exp,
    im,
    integrate,
    oo,
    pi,
    re,
    sign,
    simplify,
    sin,
    sqrt,
    symbols,
)

from theory.calculus.law import Law
from theory.calculus.steps import Step

from .transform import T, character, dft, inverse_dft, k, m, n, picked, verified

__all__ = [
    "constant_in_every_bin",
    "gain",
    "hilbert",
    "hilbert_kernel",
    "per_bin_filter",
    "quadrant",
    "rank_one_embedding",
    "ridge",
    "shared_kernel",
    "shared_layer",
    "shrinkage",
]

c = Symbol("c")
_K = Symbol("K", integer=True, positive=True)
_theta = Symbol("theta", positive=True)
_time = {T: "length", n: "time, from 0 to T - 1"}
_c = {c: "weight, the same complex number in every bin"}


def _interior(even: bool) -> Any:
    """K, the number of bins between 0 and T/2."""
    return T / 2 - 1 if even else (T - 1) / 2


def _parity(even: bool) -> str:
    return f"T is {'even' if even else 'odd'}"


@cache
def _geometric(even: bool) -> tuple[Any, Any, Any, Any]:
    """The sum of exp(i k theta) over k from 1 to K; its real and imaginary part, for any K and at T."""
    total = Sum(character(k, _theta / (2 * pi), 1), (k, 1, _K))
    closed = total.doit().args[-1][0]
    parts = [simplify(part) for part in closed.as_real_imag()]
    at = [part.subs(_K, _interior(even)).subs(_theta, 2 * pi * n / T) for part in parts]
    return total, parts[0], parts[1], at


@cache
def _cotangent(even: bool) -> Expr:
    """The kernel of the discrete Hilbert transform at times from 1 to T - 1."""
    sines = _geometric(even)[3][1]
    alternating = (-1) ** n
    tidy = (
        (1 - alternating) * cot(pi * n / T) / T
        if even
        else (cos(pi * n / T) - alternating) / (T * sin(pi * n / T))
    )
    return verified(2 * sines / T, tidy)


def hilbert_kernel(even: bool, time: Any = n) -> Expr:
    """The kernel of the discrete Hilbert transform at a time n, cyclic with the period T."""
    return Piecewise((0, Eq(n, 0)), (_cotangent(even), True)).subs(n, time)


def shared_kernel(even: bool, weight: Any = c, time: Any = n) -> Expr:
    """The kernel of the layer whose weight is the same in every bin."""
    return Piecewise((re(weight), Eq(n, 0)), (-im(weight) * _cotangent(even), True)).subs(n, time)


@cache
def hilbert(*, even: bool) -> Law:
    """The discrete Hilbert transform turns every bin by a quarter; its kernel is a cotangent."""
    total, _, sines, at = _geometric(even)
    h = Function("h")(n)
    return Law(
        f"The discrete Hilbert transform, {_parity(even)[5:]} length",
        Eq(h, hilbert_kernel(even)),
        _time,
        f"{_parity(even)}; the transform multiplies the bins 0 < k < T/2 by -i, and 0 and T/2 by 0",
        (
            Step(
                "Definition",
                "Bins k and T - k contribute complex conjugates.",
                Eq(h, 2 * Sum(sin(2 * pi * k * n / T), (k, 1, _K)) / T),
            ),
            Step("Geometric series", "Its imaginary part is wanted.", Eq(im(total), sines)),
            Step(
                "At the length",
                f"theta = 2 pi n/T and K = {_interior(even)}; it vanishes at n = 0.",
                Eq(h, 2 * at[1] / T),
            ),
            Step("Simplified", "For integer n.", Eq(h, _cotangent(even))),
        ),
        "derived here",
    )


@cache
def shared_layer(*, even: bool) -> Law:
    """A weight shared by all bins makes an identity and a Hilbert transform, and nothing else."""
    w, total = Function("w")(n), _geometric(even)
    cosines = total[1]
    whole = 1 + 2 * total[3][0] + ((-1) ** n if even else 0)
    h = Function("h")(n)
    return Law(
        f"A layer with shared weights is an identity and a Hilbert transform, {_parity(even)[5:]} length",
        Eq(w, shared_kernel(even)),
        {**_time, **_c},
        f"{_parity(even)}; before bias and activation; the layer is the circular convolution with w, a "
        "family of two real dimensions out of T",
        (
            Step(
                "Kernel",
                "The layer's response to a unit pulse. Pairs of conjugate bins give twice a real part.",
                Eq(
                    w,
                    (
                        re(c) * (1 + ((-1) ** n if even else 0))
                        + 2 * Sum(re(c) * cos(2 * pi * k * n / T), (k, 1, _K))
                        - 2 * Sum(im(c) * sin(2 * pi * k * n / T), (k, 1, _K))
                    )
                    / T,
                ),
            ),
            Step("Cosines", "The real part of a geometric series.", Eq(re(total[0]), cosines)),
            Step(
                "The real part is the identity",
                "With the bins 0 and T/2 the cosines sum to 0 at every n but 0, and to T there.",
                Eq(re(c) * whole / T, verified(whole, 0) * re(c), evaluate=False),
            ),
            Step(
                "The imaginary part is the Hilbert transform",
                "The sines are its kernel.",
                Eq(w, Piecewise((re(c), Eq(n, 0)), (-im(c) * h, True))),
            ),
        ),
        "derived here",
    )


@cache
def per_bin_filter() -> Law:
    """A weight of its own in each bin is the general circular convolution."""
    C, w, x, X = map(Function, ("C", "w", "x", "X"))
    shifted = Sum(C(k) * X(k) * character(k, n), (k, 0, T - 1)) / sqrt(T)
    inside = Sum(C(k) * x(m) * character(k, n - m), (m, 0, T - 1), (k, 0, T - 1)) / T
    back = picked(C(m), m, k)
    return Law(
        "A weight per bin is the general filter",
        Eq(w(n), Sum(C(k) * character(k, n), (k, 0, T - 1)) / T),
        {**_time, k: "bin"},
        "C(T - k) is the conjugate of C(k), and then w is real: T real numbers on either side",
        (
            Step(
                "Layer", "Weights times spectrum, transformed back.", Eq(Function("y")(n), shifted)
            ),
            Step(
                "Convolution",
                "With the transform written out: a sum over m of w(n - m) x(m), w as stated.",
                Eq(Function("y")(n), inside),
            ),
            Step(
                "Every filter is one",
                "The weights of a given kernel; by orthogonality they give it back.",
                Eq(Sum(w(n) * character(-k, n), (n, 0, T - 1)), back),
            ),
        ),
        "derived here",
    )


@cache
def constant_in_every_bin() -> Law:
    """A bias added to every bin is a pulse at time 0, turned like everything else."""
    b, B, h = Symbol("b"), Function("beta"), Function("h")
    pulse = dft(lambda time: sqrt(T) * KroneckerDelta(time, 0), k)
    value = sqrt(T) * Piecewise((re(b), Eq(n, 0)), (-im(b) * h(n), True))
    return Law(
        "A bias in every bin is a pulse at time 0",
        Eq(B(n), value),
        {**_time, b: "bias, the same complex number in every bin"},
        "h is the kernel of the Hilbert transform. Shifting the input does not shift this: a layer with bias "
        "knows where its window begins",
        (
            Step("The pulse", "Its transform is 1 in every bin.", Eq(pulse, pulse.doit())),
            Step("Layer", "The bias is what weights b make of this pulse.", Eq(B(n), value)),
        ),
        "derived here",
    )


@cache
def shrinkage() -> Law:
    """Soft shrinkage after a rectifier is a smaller bias."""
    u = Symbol("u", real=True)
    lam, q = symbols("lambda q", positive=True)

    def shrunk(value: Any) -> Any:
        return sign(value) * Max(Abs(value) - lam, 0)

    steps = []
    for what, at in (("Below 0", -q), ("Up to lambda", lam * q / (1 + q)), ("Above", lam + q)):
        value = verified(shrunk(Max(0, at)), simplify(Max(0, at - lam)))
        steps.append(Step(what, f"u = {at} with q > 0.", Eq(shrunk(Max(0, u)), value)))
    return Law(
        "Soft shrinkage after ReLU is a bias",
        Eq(shrunk(Max(0, u)), Max(0, u - lam)),
        {u: "real or imaginary part of a bin", lam: "threshold"},
        "every real u and positive lambda: a layer with ReLU on both parts and shrinkage lambda is the one "
        "without, its bias less by lambda (1 + i)",
        tuple(steps),
        "derived here",
    )


@cache
def quadrant() -> Law:
    """Real parts that are not negative make the output largest at time 0, up to its odd part."""
    A, y = Function("A"), Function("y")
    start = inverse_dft(A, 0)
    symmetric = Sum(A(k) * cos(2 * pi * k * n / T), (k, 0, T - 1)) / sqrt(T)
    kernel = simplify(1 - cos(2 * pi * k * n / T))
    return Law(
        "Split ReLU puts a peak at time 0",
        Eq(y(0) - (y(n) + y(T - n)) / 2, Sum(A(k) * kernel, (k, 0, T - 1)) / sqrt(T)),
        {**_time, k: "bin"},
        "A(k) are the real parts of the bins of a real y. Behind ReLU on both parts phases are in [0, pi/2], "
        "so A(k) >= 0 and the right side is not negative: no value of the even part exceeds y(0)",
        (
            Step("At time 0", "The sines vanish.", Eq(y(0), start)),
            Step(
                "Even part",
                "Imaginary parts are odd in k and belong to the odd part.",
                Eq((y(n) + y(T - n)) / 2, symmetric),
            ),
            Step(
                "Difference", "Bin by bin.", Eq(1 - cos(2 * pi * k * n / T), kernel, evaluate=False)
            ),
        ),
        "derived here",
    )


@cache
def gain() -> Law:
    """What a rectified bin passes on average, by Stein's lemma: it depends on the bin's energy alone."""
    s = Symbol("s", positive=True)
    b, z = symbols("b z", real=True)
    lam = Symbol("lambda", nonnegative=True)
    density = exp(-(z**2) / 2) / sqrt(2 * pi)
    covariance = simplify(integrate(z * (s * z + b) * density, (z, -b / s, oo)))
    value = (covariance / s).subs(b, b - lam)
    G = Symbol("G")
    first, second, p, q = symbols("G_r G_i p q", real=True)
    bin = p + I * q
    gained = first * p + I * second * q
    mixed = (first + second) / 2 * bin + (first - second) / 2 * conjugate(bin)
    return Law(
        "The gain of a rectified bin",
        Eq(G, value),
        {
            G: "gain of the best linear approximation",
            s: "standard deviation of the real and of the imaginary part of the weighted bin",
            b: "bias of the part",
            lam: "threshold of the shrinkage",
        },
        "the part is normal with mean 0, as in a stationary Gaussian signal. Bins are told apart by their "
        "energies, from 1/2 (s large) to 1 (b > lambda) or 0 (b < lambda); not where energies are equal, or "
        "b = lambda. With equal gains for all bins and both parts the linearised layer is an identity and a "
        "Hilbert transform; where those of the real and imaginary parts differ, half their difference comes "
        "back with time reversed",
        (
            Step(
                "Regression",
                "The coefficient of the rectified part on the part itself, z in standard deviations.",
                Eq(G * s, covariance),
            ),
            Step("Shrinkage", "It takes lambda off the bias.", Eq(G, value)),
            Step(
                "Both parts",
                "Gains G_r of the real part p, G_i of the imaginary part q; p - iq is the signal at -n.",
                Eq(gained, verified(gained, mixed), evaluate=False),
            ),
        ),
        "Stein 1981, Bussgang 1952; derived here",
    )


@cache
def rank_one_embedding() -> Law:
    """On embedded scalars a dense layer is a diagonal one."""
    phi, W, C = map(Function, ("phi", "W", "C"))
    d, e, D = symbols("d e D", integer=True, positive=True)
    X = Symbol("X")
    dense = Sum(phi(d) * X * W(d, e), (d, 1, D))
    weight = Sum(phi(d) * W(d, e), (d, 1, D)) / phi(e)
    return Law(
        "On an embedded series a dense layer is a diagonal one",
        Eq(dense, phi(e) * X * C(e)),
        {X: "a bin of the series", D: "size of the embedding", d: "component", e: "component"},
        "phi is the embedding, no component of it 0, and the layer is the first after it; the same with any "
        "bias and activation behind. D complex numbers do what D^2 do",
        (
            Step("Embedding", "Every component is a multiple of the same bin.", Eq(C(e), weight)),
            Step(
                "Diagonal layer",
                "With these weights.",
                Eq(verified(phi(e) * X * weight, dense), dense, evaluate=False),
            ),
        ),
        "derived here",
    )


@cache
def ridge() -> Law:
    """Ridge regression is the same in every orthonormal basis; a sum of absolute values is not."""
    v, w, x, z = map(Function, ("v", "w", "x", "z"))
    j = Symbol("j", integer=True)
    i, N, a = Symbol("i", integer=True), Symbol("N", integer=True), Symbol("alpha", positive=True)

    def objective(feature: Any, weight: Any, index: Any) -> Any:
        forecast = Sum(feature(i, index) * weight(index), (index, 0, T - 1))
        penalty = Sum(weight(index) ** 2, (index, 0, T - 1))
        return Sum((Function("y")(i) - forecast) ** 2, (i, 1, N)) + a * penalty

    one = dft(lambda time: KroneckerDelta(time, 0), k)
    return Law(
        "Ridge regression is the same in both domains",
        Eq(objective(z, v, k), objective(x, w, n)),
        {**_time, k: "coefficient", i: "sample", N: "samples", a: "penalty"},
        "z(i, k) = sum over n of Q(n, k) x(i, n) and w(n) = sum over k of Q(n, k) v(k), with Q orthogonal, "
        "such as the real Fourier basis: one function in two coordinates, so forecasts are identical. So it "
        "is for least squares and every loss with such a penalty; the lasso's is another in every basis",
        (
            Step(
                "Forecasts",
                "Columns of Q are orthonormal: what is summed over coefficients picks equal times.",
                Eq(
                    Sum(z(i, k) * v(k), (k, 0, T - 1)),
                    Sum(picked(x(i, n) * w(m), m, n), (n, 0, T - 1)),
                ),
            ),
            Step(
                "Penalty",
                "In the same way (Parseval).",
                Eq(Sum(v(j) ** 2, (j, 0, T - 1)), Sum(picked(w(n) * w(m), m, n), (n, 0, T - 1))),
            ),
            Step(
                "Absolute values",
                "One weight of size 1 in time, as the forecast of a random walk by its last value has, is in "
                "frequency T of this size: their sum is sqrt(T) instead of 1. For a tone it is the other way "
                "round.",
                Eq(one.doit() * T, Sum(one.doit(), (k, 0, T - 1)).doit(), evaluate=False),
            ),
        ),
        "derived here",
    )
