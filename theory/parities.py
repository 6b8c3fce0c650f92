"""Sparse parities: what one gradient step tells a ReLU neuron, and how many neurons are lucky.

Inputs are uniform on {-1, 1}^n, labels y the product of k of their coordinates, S. A network
f(x) = sum v relu(w.x + b) whose outputs are small descends along -E[y f]. A neuron sees s coordinates, with
weights 1 or -1; it is a full ticket if S is among them, a partial one if all of S but one coordinate is.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from sympy import (
    And,
    Eq,
    Expr,
    Le,
    Max,
    Min,
    S,
    Sum,
    Symbol,
    binomial,
    combsimp,
    exp,
    expand_log,
    factor,
    gamma,
    gammasimp,
    log,
    powsimp,
    solve,
    sqrt,
    symbols,
)

from theory.calculus.law import Law
from theory.calculus.steps import Step
from theory.calculus.walsh import (
    BIAS,
    hermite_law,
    majority_coefficient,
    majority_law,
    threshold_coefficient,
    threshold_law,
    walsh_coefficient,
)
from theory.kernels.laws.hypercube import both_active, eigenvalue_law, kernel_samples_law

__all__ = [
    "LAWS",
    "active",
    "check_parity",
    "finding_probability",
    "fourier_gap",
    "full_tickets",
    "gaussian_signal",
    "partial_tickets",
    "query_budget",
    "samples_for",
    "signal",
    "success_bounds",
    "width_for",
]

N, K, SPARSITY, T = symbols("n k s t", integer=True, positive=True)
_ACTIVE, _PLUS, _J = symbols("N B j", integer=True, nonnegative=True)
_PAPER = "Edelman, Goel, Kakade, Malach, Zhang, NeurIPS 2023"
_MEANING = {
    N: "input coordinates",
    K: "coordinates of the parity",
    SPARSITY: "coordinates that a neuron sees",
}


def check_parity(n: int, k: int, s: int | None = None) -> None:
    """Make sure that a parity of k out of n coordinates, and neurons that see s of them, make sense.

    Raises
    ------
    ValueError
        If they do not.
    """
    for name, value in (("n", n), ("k", k), ("s", 1 if s is None else s)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} is an integer >= 1, got {value!r}")
    if k > n:
        raise ValueError(f"a parity of k = {k} coordinates needs n >= {k}, got n = {n}")
    if s is not None and s > n:
        raise ValueError(f"a neuron sees at most n = {n} coordinates, got s = {s}")


def active(s: int, bias: Any = 0) -> Expr:
    """How often a neuron is active, a_0."""
    return threshold_coefficient(s, 0, bias)


def signal(s: int, k: int, bias: Any = 0, *, relevant: bool = True) -> Expr:
    """Size of a ticket's population gradient in one coordinate, for a readout of 1.

    Parameters
    ----------
    s, k : int
    bias : number
    relevant : bool
        Whether the coordinate is one of the parity, and the neuron sees the k - 1 others. If not, it sees
        that coordinate and the whole parity.

    Returns
    -------
    Rational
        Zero where s is too small for that.
    """
    t = k - 1 if relevant else k + 1
    return abs(threshold_coefficient(s, t, bias)) if t <= s else S.Zero


def fourier_gap(s: int, k: int, bias: Any = 0) -> Expr:
    """How much larger a full ticket's gradient is in the parity's coordinates than in others that it sees.

    Parameters
    ----------
    s, k : int
    bias : number

    Returns
    -------
    Rational
        Without bias, for even k and odd s: zero at s = 2 k - 1, negative below.

    Raises
    ------
    ValueError
        If s < k.
    """
    if s < k:
        raise ValueError(f"the gap is that of neurons that see the parity, s >= k = {k}; got {s}")
    return signal(s, k, bias) - signal(s, k, bias, relevant=False)


def full_tickets(n: Any, k: Any, s: Any) -> Any:
    """Probability that s random coordinates contain the k of the parity."""
    return binomial(n - k, s - k) / binomial(n, s)


def partial_tickets(n: Any, k: Any, s: Any) -> Any:
    """Probability that s random coordinates contain all of the parity's k but one."""
    return k * binomial(n - k, s - k + 1) / binomial(n, s)


def width_for(probability: Any, eta: Any) -> Any:
    """Width of which no neuron is a ticket with probability eta, where each is with a probability."""
    return log(eta) / log(1 - probability)


def samples_for(second: Any, difference: Any, c: Any) -> Any:
    """Samples from which a mean ``difference`` is c standard errors, ``second`` being its mean square."""
    return c**2 * (second - difference**2) / difference**2


def gaussian_signal(s: Any, t: Any) -> Any:
    """Mean square, over s normal weights, of E z_1 .. z_t [w.z > 0]."""
    return walsh_coefficient(lambda z: both_active(z / S(s)), s, t)


def query_budget(tolerance: Any, delta: Any, n: Any, k: Any) -> Any:
    """Derivatives, parameters times steps, that may be asked for without learning: `query_law`."""
    return delta * tolerance**2 * binomial(n, k)


def finding_probability(rate: Any, mean: Any, others: Any, m: Any) -> Sum:
    """Probability that a partial ticket finds the coordinate that it misses: `finding_law`.

    Parameters
    ----------
    rate, mean : number or sympy expression
        How often the neuron is active, and the size of its signal.
    others : int or sympy expression
        Coordinates that it does not see, without the one of the parity.
    m : int or sympy expression
        Samples.
    """
    up = (1 + mean / rate) / 2
    signs = binomial(_ACTIVE, _PLUS) * up**_PLUS * (1 - up) ** (_ACTIVE - _PLUS)
    found = Sum(signs * _walk_below() ** others, (_PLUS, 0, _ACTIVE))
    return Sum(_active_samples(rate, m) * found, (_ACTIVE, 0, m))


def _active_samples(rate: Any, m: Any) -> Expr:
    """Probability that N of m samples are active."""
    return binomial(m, _ACTIVE) * rate**_ACTIVE * (1 - rate) ** (m - _ACTIVE)


def _walk_below() -> Expr:
    """Probability that N fair signs add up to less, in size, than N signs of which B are +1."""
    beyond = Sum(binomial(_ACTIVE, _J), (_J, 0, Min(_PLUS, _ACTIVE - _PLUS)))
    return Max(0, 1 - 2 * beyond / 2**_ACTIVE)


def success_bounds(width: Any, ticket: Any, found: Any) -> tuple[Any, Any]:
    """Bounds of the probability that some neuron is a ticket and finds its coordinate: `success_law`.

    Parameters
    ----------
    width : int or sympy expression
    ticket, found : number or sympy expression
        Probabilities of a ticket, and that one finds its coordinate.
    """
    there = 1 - (1 - ticket) ** width
    return found * there, Min(there, width * ticket * found)


def _law(
    title: str, statement: Any, meaning: dict[Any, str], holds: str, *steps: Step, source: str = ""
) -> Law:
    common = {x: what for x, what in _MEANING.items() if x in statement.free_symbols}
    return Law(title, statement, meaning | common, holds, steps, source or "derived here")


@cache
def gradient_law() -> Law:
    """Population gradient at initialisation."""
    g, v, sign, a = symbols("g v varsigma a_t", real=True)
    return _law(
        "Population gradient of a ReLU neuron in the weight of coordinate i",
        Eq(g, -v * sign * threshold_coefficient(SPARSITY, T, BIAS)),
        {
            g: "derivative of -E[y f]",
            v: "the neuron's readout",
            sign: "product of its weights' signs on the t coordinates",
            T: "k - 1 if i is one of the parity, k + 1 if not",
            BIAS: "the neuron's bias",
        },
        "the neuron sees all of S without i (t = k - 1) or S and i (t = k + 1); otherwise it is 0",
        Step(
            "A Walsh coefficient",
            "y x_i is the product of the coordinates of S without i, or of S and i. Its mean over active "
            "inputs is 0 unless the neuron sees them all; signs of weights go into those of coordinates.",
            Eq(g, -v * sign * a),
        ),
        *threshold_law().steps,
        source=f"{_PAPER} (setting); derived here",
    )


@cache
def gap_law() -> Law:
    """The gap in closed form, and where it closes."""
    gap, near, far = symbols("Delta a_{k-1} a_{k+1}", real=True)
    t = Symbol("t", integer=True, positive=True)
    ratio = majority_coefficient(SPARSITY, t + 2) / majority_coefficient(SPARSITY, t)
    ratio = factor(-gammasimp(ratio.rewrite(gamma)).subs(t, K - 1))
    first = majority_coefficient(SPARSITY, K - 1)
    size = powsimp(first / (-1) ** ((K - 2) / S(2)))
    closed = factor(1 - ratio)
    return _law(
        "Fourier gap",
        Eq(gap, size * closed),
        {gap: "|a_{k-1}| - |a_{k+1}|"},
        "s odd, k even, s >= k + 1, no bias",
        Step("Relevant coordinates", "Those of the parity; signs alternate.", Eq(near, first)),
        Step("Irrelevant ones", "Relative to these.", Eq(-far / near, ratio)),
        Step("The gap", "Relative to these as well.", Eq(gap / near, closed)),
        Step("Where it closes", "Below it is negative.", Eq(SPARSITY, *solve(closed, SPARSITY))),
        source=f"derived here; {_PAPER} asks for s of the order of k",
    )


@cache
def gaussian_law() -> Law:
    """Normal weights instead of signs."""
    square, rho = Symbol("A_t", positive=True), Symbol("rho", real=True)
    return _law(
        "Mean square gradient of a neuron with normal weights",
        Eq(square, gaussian_signal(SPARSITY, T)),
        {square: "mean of a_t^2 over the weights", T: "k - 1 or k + 1, as for signs"},
        "s independent standard normal weights, no bias",
        Step(
            "Two inputs",
            "The square is a mean over two inputs. Both are active with this probability over the weights.",
            both_active(rho),
        ),
        Step(
            "A Walsh coefficient",
            "The product of both inputs is uniform again, and rho its mean sign.",
            Eq(square, gaussian_signal(SPARSITY, T)),
        ),
    )


@cache
def tickets_law() -> Law:
    """Partial tickets, and how they compare with full ones."""
    p, full = symbols("p p_full", positive=True)
    partial, whole = partial_tickets(N, K, SPARSITY), full_tickets(N, K, SPARSITY)
    return _law(
        "Tickets",
        Eq(p, partial),
        {p: "probability that a neuron sees all of the parity but one coordinate"},
        "every set of s coordinates is as likely",
        Step("Full tickets", "The other s - k are any of the n - k.", Eq(full, whole)),
        Step("Partial tickets", "k choices of the one that is missing.", Eq(p, partial)),
        Step(
            "Their ratio",
            "Partial ones are the many.",
            Eq(p / full, factor(combsimp(partial / whole))),
        ),
    )


@cache
def width_law() -> Law:
    """Width for one ticket."""
    r, p, eta = symbols("r p eta", positive=True)
    none = (1 - p) ** r
    return _law(
        "Width for one ticket",
        Eq(r, width_for(p, eta)),
        {r: "width", p: "probability of a ticket", eta: "probability that there is none"},
        "0 < p < 1; neurons are independent",
        Step("No ticket", "Among r neurons.", Eq(eta, none)),
        Step("Solve", "For the width.", Eq(r, *solve(Eq(log(eta), r * log(none.base)), r))),
    )


@cache
def finding_law() -> Law:
    """What a partial ticket finds, exactly."""
    q, rate, mean = symbols("q a_0 a", positive=True)
    others, m = symbols("l m", integer=True, positive=True)
    value = finding_probability(rate, mean, others, m)
    return _law(
        "Probability that a partial ticket finds the missing coordinate",
        Eq(q, value),
        {
            q: "probability that the missing one has the largest gradient of those it does not see",
            rate: "how often the neuron is active",
            mean: "|a_{k-1}|, its signal",
            others: "coordinates of no relevance that it does not see, n - s - 1",
            m: "samples",
        },
        "weights 1 or -1; one gradient over m independent samples",
        Step("Active samples", "N of the m; the others do not count.", _active_samples(rate, m)),
        Step(
            "The signal",
            "y x_i is the product of the other k - 1, which are seen: N independent signs, each 1 with this "
            "probability, or each -1.",
            (1 + mean / rate) / 2,
        ),
        Step(
            "The noise",
            "Of other coordinates they are fair, and independent of all else. Their sum is smaller in size "
            "than one in which B signs are 1 with this probability.",
            _walk_below(),
        ),
        Step("All of them", "They are independent: the l-th power, averaged.", Eq(q, value)),
    )


@cache
def success_law() -> Law:
    """Some neuron finds a coordinate."""
    r, p, q = symbols("r p q", positive=True)
    low, high = success_bounds(r, p, q)
    chance = Symbol("P", positive=True)
    return _law(
        "Probability that a network's first step finds a coordinate",
        And(Le(low, chance), Le(chance, high)),
        {
            chance: "probability that some neuron is a partial ticket that finds its coordinate",
            r: "width",
            p: "probability of a partial ticket",
            q: "probability that one finds its coordinate",
        },
        "neurons share their samples, so that what two tickets find is not independent",
        Step("From below", "Supports know nothing of samples: take the first ticket.", low),
        Step("From above", "There is a ticket, and the union bound.", high),
        Step("One neuron", "Both are the same.", tuple(x.subs(r, 1) for x in (low, high))),
    )


@cache
def samples_law() -> Law:
    """Samples at which a signal stands out of the gradient's noise."""
    m, c, delta, second = symbols("m c Delta q", positive=True)
    error = sqrt((second - delta**2) / m)
    t = Symbol("t", integer=True, positive=True)
    ratio = majority_coefficient(SPARSITY, t + 2) / majority_coefficient(SPARSITY, t)
    return _law(
        "Samples at which a signal is c standard errors",
        Eq(m, samples_for(second, delta, c)),
        {
            m: "samples",
            c: "standard errors",
            delta: "|a_{k-1}| of a partial ticket, against a coordinate that it does not see; the gap of a "
            "full one, against a coordinate that it sees",
            second: "mean square of a sample's difference: 2 a_0 (a_0 is how often the neuron is active); "
            "at most 2 a_0 + 2 |a_2| if both coordinates are seen",
        },
        "gradients over m independent samples, readout 1",
        Step("Standard error", "Of the mean over the samples.", error),
        Step("Solve", "For the samples.", Eq(m, *solve(Eq(delta, c * error), m))),
        Step(
            "Growth",
            "a_1 falls as 1/sqrt(s), and each two degrees by this ratio, as 1/s: so m grows as s^(k - 1).",
            factor(gammasimp(ratio.rewrite(gamma))),
        ),
    )


@cache
def query_law() -> Law:
    """The statistical-query bound with all its constants."""
    p, steps, tau, delta, seen, m, eta = symbols("P T tau delta B m eta", positive=True)
    (most,) = solve(Eq(seen * tau**2, 1), seen)
    (samples,) = solve(Eq(2 * p * steps * exp(-m * tau**2 / 2), eta), m)
    return _law(
        "Statistical queries: nothing is learned",
        Le(p * steps, query_budget(tau, delta, N, K)),
        {
            p: "parameters, of each of which every step asks the derivative",
            steps: "steps",
            tau: "tolerance of each derivative",
            delta: "probability, over the initialisation, that is given up",
        },
        "the loss's derivative is -y + l_0(f), derivatives of f are at most 1; then for some parity the "
        "parameters after T steps may be those without labels, with probability 1 - delta",
        Step(
            "Bessel",
            "Parities are orthonormal and labels enter a derivative as E[y h], |h| <= 1. Those that change "
            "it by more than tau are at most B.",
            Eq(seen, most),
        ),
        Step(
            "All queries",
            "A parity that none of them sees on the path without labels may be answered as if there were "
            "none, and then stays on that path.",
            Le(Symbol("B_all"), p * steps * most),
        ),
        Step(
            "The mean over parities",
            "Of the share that is seen, over the initialisation as well: some parity is seen no more often.",
            Le(p * steps * most / binomial(N, K), delta),
        ),
        Step(
            "Fresh samples",
            "By Hoeffding, this many a step answer all within tau with probability 1 - eta.",
            Eq(m, expand_log(samples)),
        ),
        source=f"{_PAPER}, Proposition 3, with C(n, k)/2 on the right; derived here, without that factor",
    )


LAWS: dict[str, Callable[[], Law]] = {
    "gradient": gradient_law,
    "majority": majority_law,
    "fourier-gap": gap_law,
    "hermite": hermite_law,
    "gaussian-weights": gaussian_law,
    "tickets": tickets_law,
    "width": width_law,
    "samples": samples_law,
    "finding": finding_law,
    "success": success_law,
    "statistical-queries": query_law,
    "kernel-eigenvalue": eigenvalue_law,
    "kernel-samples": kernel_samples_law,
}
"""What ``widegap derive parities`` shows."""
