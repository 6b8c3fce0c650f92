"""What the weights of units show of samples: their span, their kinks, and one of them from two units."""

from __future__ import annotations

from sympy import (
    Eq,
    IndexedBase,
    KroneckerDelta,
    Le,
    Matrix,
    Max,
    Min,
    Sum,
    Symbol,
    diff,
    expand,
    limit,
    solve,
    symbols,
)

from theory.calculus.law import Law
from theory.calculus.steps import Step
from theory.reconstruction.multipliers import RHO, K, N, gradient, summed
from theory.reconstruction.network import DERIVED

__all__ = ["identified", "kink", "kink_sign", "linear_units", "span"]

RANK = Symbol("r", integer=True, nonnegative=True)


def span() -> Law:
    """Rank of a first layer: rows are combinations of the samples' patches, one a sample if it is dense."""
    i, p, e, o = symbols("i p e o", integer=True)
    patches, size = symbols("P q", integer=True, positive=True)
    back, w, x = (IndexedBase(name, real=True) for name in ("delta", "w", "x"))
    before = Sum(w[e] * x[i, p, e], (e, 1, size))
    slope = gradient(before, w[o])
    row = Sum(Sum(back[i, p] * slope, (p, 1, patches)), (i, 1, N))
    bound = Min(N * patches, size)
    return Law(
        "Rank of the first layer",
        Le(RANK, bound),
        {
            RANK: "rank of the first layer's weights",
            N: "number of samples",
            patches: "patches of a sample; 1 if the layer is dense",
            size: "inputs of a unit, its bias among them",
        },
        "theta = sum lambda grad f. If a dense layer has rank n < q, its row space is the samples' span, "
        "given away exactly. A convolution with at least q patches in all gives away no span",
        (
            Step("A unit on a patch", "w . x_ip, patch p of sample i.", before),
            Step("Derive", "In one weight of the unit.", slope),
            Step("A unit's weights", "Sensitivities delta_ip times patches, added up.", row),
            Step("Rank", "At most as many as there are patches, and pixels in one.", bound),
        ),
        DERIVED,
    )


def linear_units() -> Law:
    """Units that are on for all samples show no more of them than there are outputs."""
    i, c, j, e = symbols("i c j e", integer=True)
    readout, lam, x = (IndexedBase(name, real=True) for name in ("a", "lambda", "x"))
    delta = Sum(lam[i, c] * readout[c, j], (c, 1, K))
    row = Sum(delta * x[i, e], (i, 1, N))
    swapped = Sum(readout[c, j] * Sum(lam[i, c] * x[i, e], (i, 1, N)), (c, 1, K))
    small = {N: 2, K: 2}
    assert expand((row - swapped).subs(small).doit()) == 0
    bound = Min(N, K)
    return Law(
        "Units that are always on",
        Le(RANK, bound),
        {
            RANK: "rank of their weights",
            N: "number of samples",
            K: "number of outputs, less 1 under the cross-entropy",
        },
        "two layers. With one output all such units are multiples of one sum of samples: fewer outputs "
        "give less away",
        (
            Step("A unit's weights", "Row j of the first layer, all gates 1.", row),
            Step("Swap the sums", "k weighted sums of samples, the same for all units.", swapped),
            Step("Rank", "At most k.", bound),
        ),
        DERIVED,
    )


def kink() -> Law:
    """Gate of a sample that lies on a unit's kink: the one for which it lies there."""
    gate = Symbol("s", real=True)
    others, own = symbols("v c", real=True)
    size = Symbol("q", positive=True)
    z = Symbol("z", real=True)
    slopes = [limit(diff(Max(z, 0), z), z, 0, side) for side in "-+"]
    lies = Eq(others + gate * own * size, 0)
    (value,) = solve(lies, gate)
    return Law(
        "Gate at a kink",
        Eq(gate, value),
        {
            gate: "the gate, between 0 and 1",
            others: "inner product of the sample with the other samples' part of the unit's weights",
            own: "the sample's sensitivity before the gate, sum_c lambda_c a_c",
            size: "squared norm of the sample, its coordinate 1 included",
        },
        "at Clarke-stationary points where one sample lies on the unit's kink, w . x = 0; hard gates, 0 or "
        "1, miss it",
        (
            Step(
                "Clarke's derivative",
                "At 0 that of max(z, 0) is every number between its one-sided slopes.",
                Matrix([slopes]),
            ),
            Step("The sample lies on the kink", "w . x = 0.", lies),
            Step("Solve", "The weights are the others' part, projected.", Eq(gate, value)),
        ),
        DERIVED,
    )


def kink_sign() -> Law:
    """At a minimum, only samples that a unit hurts lie on its kink."""
    step, price, smooth = symbols("t b g", real=True)
    # the loss falls by rho b for each unit of the hidden value; everything else is smooth
    objective = -RHO * price * Max(step, 0) + smooth * step
    ahead = limit(diff(objective, step), step, 0, "+")
    behind = -limit(diff(objective, step), step, 0, "-")
    both = expand(ahead + behind)
    return Law(
        "Sign at a kink",
        Le(-both / RHO, 0),
        {price: "sensitivity of the sample before the gate, sum_c lambda_c a_c"},
        "local minima under decay, two layers: samples that a unit helps have hard gates; Clarke's "
        "condition alone allows either sign",
        (
            Step("Move the weights", "By t x / |x|^2 from the kink.", objective),
            Step("Both directions", "Neither may go down.", Matrix([[ahead, behind]])),
            Step("Add", "What is smooth cancels.", Le(0, both)),
        ),
        DERIVED,
    )


def identified() -> Law:
    """A sample from two units whose gates differ in it alone."""
    i, o = symbols("i o", integer=True)
    lam, gate, x = (IndexedBase(name, real=True) for name in ("lambda", "s", "x"))
    own = lam[i] * gate[i] * x[i]
    other = lam[i] * (gate[i] - KroneckerDelta(i, o)) * x[i]
    gap = summed(Sum(expand(own - other), (i, 1, N)))
    coordinate, w, b = symbols("x_e D_e D_1", real=True)
    force = Symbol("lambda_o", real=True)
    (value,) = solve(Eq(w, force * coordinate).subs(force, b), coordinate)
    return Law(
        "A sample from two units",
        Eq(coordinate, value),
        {
            coordinate: "coordinate e of the sample",
            w: "coordinate e of w_j / a_j - w_k / a_k",
            b: "the same of the biases",
        },
        "two layers, one output, units j and k without kinks whose gates agree but for one sample; all "
        "w_j / a_j lie in the zonotope of the lambda_i x_i",
        (
            Step("One unit", "w_j / a_j.", Sum(own, (i, 1, N))),
            Step(
                "The other",
                "Its gate of sample o is 0 where the first one's is 1.",
                Sum(other, (i, 1, N)),
            ),
            Step("The difference", "A multiple of the sample.", gap),
            Step("With the bias", "The input 1 gives the multiple.", Eq(b, force)),
            Step("Divide", "The sample itself.", Eq(coordinate, value)),
        ),
        DERIVED,
    )
