"""Counter-current learning: what its two networks conserve, how they align, where they come to rest.

One network carries n samples forward, A_l = f(A_{l-1} W_l) with A_0 = X; a second one carries the K classes
back, B_l = f(B_{l+1} V_{l+1}) with B_L = I. Rows are samples and classes, and W_l and V_{l+1} both end in the
units of layer l. The loss of layer l is that of A_l B_l' as a fit of the labels Y (one-hot), and what comes
into a layer counts as given: W_l and V_{l+1} descend along loss l alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from sympy import (
    Eq,
    Expr,
    Function,
    Ge,
    IndexedBase,
    Matrix,
    MatrixSymbol,
    Piecewise,
    Poly,
    S,
    Sum,
    Symbol,
    Trace,
    ZeroMatrix,
    diff,
    dsolve,
    exp,
    expand,
    factor,
    real_roots,
    simplify,
    solve,
    symbols,
)

from theory.calculus.law import Law
from theory.calculus.steps import Step

__all__ = [
    "ACTIVATIONS",
    "LAWS",
    "alignment_bound",
    "conserved",
    "gradients",
    "joint_floor",
    "step_drift",
]

_PAPER = "Kao and Hariharan, NeurIPS 2024, and its released code"
_N, _K, _P, _D, _Q = symbols("n K p d q", integer=True, positive=True)
A, W = MatrixSymbol("A", _N, _P), MatrixSymbol("W", _P, _D)
B, V = MatrixSymbol("B", _K, _Q), MatrixSymbol("V", _Q, _D)
Y, E = MatrixSymbol("Y", _N, _K), MatrixSymbol("E", _N, _K)
G, H = MatrixSymbol("G", _P, _D), MatrixSymbol("H", _Q, _D)
_ETA, _RATE_W, _RATE_V = symbols("eta eta_W eta_V", positive=True)
_MATRICES = {
    A: "what comes into the layer, A_{l-1}",
    W: "forward weights W_l",
    B: "what comes back into it, B_{l+1}",
    V: "feedback weights V_{l+1}",
    Y: "labels",
    E: "the fit's error A_l B_l' - Y",
}
_SIZES = {
    _N: "samples",
    _K: "classes",
    _P: "units before",
    _D: "units of the layer",
    _Q: "units behind",
}

X = Symbol("x", real=True)
ACTIVATIONS: dict[str, Expr] = {
    "linear": X,
    "relu": Piecewise((X, X > 0), (0, True)),
    "elu": Piecewise((X, X > 0), (exp(X) - 1, True)),
}
"""Activations by name; the source's is ELU."""


def _law(
    title: str, statement: Any, meaning: dict[Any, str], holds: str, *steps: Step, source: str = ""
) -> Law:
    known = {**_MATRICES, **_SIZES}
    common = {s: what for s, what in known.items() if s in statement.free_symbols}
    return Law(title, statement, common | meaning, holds, steps, source or "derived here")


@cache
def gradients() -> tuple[Any, Any]:
    """Gradients of half the squared error of a linear layer's fit, in W and in V: (p, d) and (q, d)."""
    error = A * W * (B * V).T - Y
    loss = Trace(error.T * error) / 2
    return loss.diff(W), loss.diff(V)


def _by_error() -> tuple[Any, Any]:
    """The same, written with the error; the difference is verified to vanish."""
    found = A.T * E * B * V, B.T * E.T * A * W
    for short, long in zip(found, gradients(), strict=True):
        gap = short.subs(E, A * W * (B * V).T - Y) - long
        assert gap.expand().doit() == ZeroMatrix(*gap.shape)
    return found


def step_drift(forward: Any, back: Any) -> Any:
    """What one step of size 1 along two gradients adds to W'W - V'V: `drift_law`."""
    return forward.T * forward - back.T * back


def alignment_bound(forward: Any, back: Any, distance: Any) -> Any:
    """Least cosine of W_l and V_l', from their norms and the first distance: `alignment_law`."""
    return (forward**2 + back**2 - distance**2) / (2 * forward * back)


_SHARE = Symbol("alpha", positive=True)


def _joint(alpha: Any, members: Any, classes: Any, target: Any, decorrelation: Any) -> Expr:
    """Loss of normalised layers where rows have cosine alpha with their class, and are spread about it."""
    within = (members * alpha**2 - 1) / (members - 1)
    apart = (members - 1) / (members * classes) * within**2
    return target * (1 - alpha) ** 2 / classes + decorrelation * apart


def joint_floor(members: int, classes: int, target: Any, decorrelation: Any) -> tuple[Any, Any]:
    """Cosine with their class at which rows have the least loss, and that loss: `joint_law`.

    Parameters
    ----------
    members : int
        Samples of each class, at least 2.
    classes : int
    target, decorrelation : number
        Scales of the two terms, positive.

    Returns
    -------
    (sympy number, sympy number)

    Raises
    ------
    ValueError
        For what makes no sense.
    """
    if members < 2 or classes < 1 or not (target > 0 and decorrelation > 0):
        raise ValueError(
            "the floor is that of at least 2 samples a class, 1 class and positive scales; got "
            f"{members}, {classes}, {target} and {decorrelation}"
        )
    loss = _joint(_SHARE, members, classes, target, decorrelation)
    roots = real_roots(Poly(diff(loss, _SHARE), _SHARE))
    share = max((root for root in roots if 0 < root <= 1), key=lambda root: root.evalf())
    return share, loss.subs(_SHARE, share)


def _moved(f: Callable[[Any], Any], *, pair: bool) -> Expr:
    """Change of a sample's output for a class where the units' weights are changed by a symmetric matrix.

    W goes to W (1 + s S) and V to V (1 - s S), S having ones at (j, j), or at (j, k) and (k, j) for a pair.
    The rate of W'W - V'V in that entry is the sum, over samples and classes, of minus the error times this.
    """
    s, z, u, z2, u2 = symbols("s z_j u_j z_k u_k", real=True)
    if pair:
        output = f(z + s * z2) * f(u - s * u2) + f(z2 + s * z) * f(u2 - s * u)
    else:
        output = f((1 + s) * z) * f((1 - s) * u)
    return diff(output, s).subs(s, 0).doit()


def conserved(activation: str) -> str:
    """What of W_l'W_l - V_{l+1}'V_{l+1} gradient flow keeps: "matrix", "diagonal" or "nothing".

    Raises
    ------
    ValueError
        For an activation that there is not.
    """
    if activation not in ACTIVATIONS:
        raise ValueError(
            f"no activation {activation!r}; choose from {', '.join(map(str, ACTIVATIONS))}"
        )
    return _conserved(ACTIVATIONS[activation])


@cache
def _conserved(expression: Expr) -> str:
    for pair, instead in ((False, "nothing"), (True, "diagonal")):
        if simplify(_moved(lambda value: expression.subs(X, value), pair=pair)) != 0:
            return instead
    return "matrix"


@cache
def flow_law() -> Law:
    """Where the weights go."""
    forward, back = _by_error()
    rate_w, rate_v = MatrixSymbol("dW", _P, _D), MatrixSymbol("dV", _Q, _D)
    return _law(
        "Gradient flow of a layer",
        Eq(rate_w, -forward),
        {rate_w: "velocity of W_l"},
        "linear units; time in units of the loss's scale, 512 c/(d_l n K) in the released code",
        Step("The loss", "Of layer l, whose output is A W and whose signal is B V.",
             Trace((A * W * (B * V).T - Y).T * (A * W * (B * V).T - Y)) / 2),
        Step("Forward weights", "Minus the gradient; A does not depend on W.", Eq(rate_w, -forward)),
        Step("Feedback weights", "Nor B on V.", Eq(rate_v, -back)),
        source=f"{_PAPER} (the loss; it is squared inner products with the classes, not |a - b|^2)",
    )  # fmt: skip


@cache
def conservation_law() -> Law:
    """The matrix that linear networks keep."""
    forward, back = _by_error()
    change_w = -_RATE_W * (W.T * forward + forward.T * W)
    change_v = -_RATE_V * (V.T * back + back.T * V)
    kept = (change_w / _RATE_W - change_v / _RATE_V).expand().doit()
    clipped = (change_w - change_v).expand().doit()
    rate = MatrixSymbol("dC", _D, _D)
    return _law(
        "Conservation law of linear networks",
        Eq(rate, kept),
        {rate: "velocity of W_l'W_l/eta_W - V_{l+1}'V_{l+1}/eta_V"},
        "linear units, gradient flow with rates eta_W and eta_V that do not change; any samples, batches too",
        Step("Forward", "Velocity of W'W.", change_w),
        Step("Back", "Velocity of V'V: the same matrix, but for the rate.", change_v),
        Step("Together", "What comes in cancels, however A and B change.", Eq(rate, kept)),
        Step("Clipping", "Norms of the two networks' gradients that are clipped apart are two rates that "
             "change with time, and then W'W - V'V moves by this.", clipped),
    )  # fmt: skip


@cache
def neuron_law() -> Law:
    """What other activations keep."""
    f, r = Function("f"), Symbol("r", real=True)
    z = Symbol("z", positive=True)
    degree = Symbol("k", positive=True)
    rate = _moved(f, pair=False)
    (u_j, z_j) = sorted(rate.free_symbols, key=str)
    return _law(
        "Norms of a neuron's weights",
        Eq(r, rate),
        {
            r: "velocity of (|w_j|^2 - |v_j|^2)/2 for an error of -1 at one sample and one class",
            z_j: "the neuron's input, of the sample",
            u_j: "its input in the feedback network, of the class",
        },
        "any activation f; half a squared error, summed over samples and classes",
        Step("Scaling", "Weights in times 1 + s, weights back times 1 - s: the output's change.", rate),
        Step("Where it vanishes", "z f'(z)/f(z) has to be one and the same number wherever f is not 0: on "
             "each side of 0 a power of this degree, or nothing.",
             dsolve(Eq(z * f(z).diff(z), degree * f(z)), f(z))),
        Step("ReLU", "A power of degree 1, and so norms are kept.",
             Eq(r, simplify(_moved(lambda t: ACTIVATIONS["relu"].subs(X, t), pair=False)))),
        Step("Two neurons", "The same for w_j.w_k - v_j.v_k. ReLU does not keep it: where the second "
             "neuron is off it is z_k u_j - z_j u_k.", _moved(f, pair=True)),
        Step("ELU", "Not even norms.",
             Eq(r, simplify(_moved(lambda t: ACTIVATIONS["elu"].subs(X, t), pair=False)))),
    )  # fmt: skip


@cache
def drift_law() -> Law:
    """What steps of finite size add."""
    drift, rate = MatrixSymbol("DeltaC", _D, _D), MatrixSymbol("dC", _D, _D)
    stepped = (W - _ETA * G).T * (W - _ETA * G) - (V - _ETA * H).T * (V - _ETA * H)
    change = (stepped - (W.T * W - V.T * V)).expand().doit()
    forward, back = _by_error()
    linear = change.subs({G: forward, H: back}).expand().doit()
    square = (_ETA**2 * step_drift(G, H)).subs({G: forward, H: back}).expand().doit()
    assert (linear - square).expand().doit() == ZeroMatrix(_D, _D)
    return _law(
        "Drift of the conserved matrix in a step of gradient descent",
        Eq(drift, _ETA**2 * step_drift(G, H)),
        {
            drift: "change of W'W - V'V",
            _ETA: "step size",
            G: "gradient in W_l",
            H: "gradient in V_{l+1}",
        },
        "linear units, exactly; ReLU, on the diagonal",
        Step("A step", "Of both.", change),
        Step("First order", "It cancels by the conservation law, what is left is of second order.",
             Eq(drift, _ETA**2 * step_drift(G, H))),
        Step("All steps", "One each eta of time: C moves at this velocity, and by eta times an integral.",
             Eq(rate, _ETA * step_drift(G, H))),
    )  # fmt: skip


@cache
def alignment_law() -> Law:
    """Forward weights and those of the same two layers back follow one equation."""
    back, other = MatrixSymbol("B_l", _K, _D), MatrixSymbol("V_l", _D, _P)
    apart, rate = MatrixSymbol("D", _P, _D), MatrixSymbol("dD", _P, _D)
    forward = -A.T * (A * W * back.T - Y) * back
    # loss l - 1: its output is A, its signal B_l V_l
    feedback = -(back.T * (A * (back * other).T - Y).T * A).T
    change = (forward - feedback).expand().doit()
    found = -A.T * A * apart * back.T * back
    gap = change - found.subs(apart, W - other.T).expand()
    assert gap.expand().doit() == ZeroMatrix(_P, _D)
    w, v, first, inner, cosine = symbols("w v D_0 i c", positive=True)
    least = solve(Eq(w**2 + v**2 - 2 * inner, first**2), inner)[0] / (w * v)
    assert simplify(least - alignment_bound(w, v, first)) == 0
    return _law(
        "Alignment: the distance of W_l from V_l' only falls",
        Eq(rate, found),
        {rate: "velocity of D", apart: "W_l - V_l'", back: "signal B_l"},
        "linear units, losses of layers l - 1 and l of one scale and one rate; the last layer if its loss "
        "is squared",
        Step("Forward weights", "W_l descends along loss l.", forward),
        Step("Feedback weights", "V_l descends along loss l - 1, in which A is the output.", feedback),
        Step("One equation", "Both are solutions of U' = -A'(A U B' - Y)B from different starts.",
             Eq(rate, found)),
        Step("The distance", "Half the velocity of |D|^2 is minus the square of what A and B see of D.",
             -Trace((A * apart * back.T).T * (A * apart * back.T))),
        Step("Transposed", "D = 0 stays: then all losses are the last one's, and CCL is backpropagation.",
             Eq(rate, found.subs(apart, ZeroMatrix(_P, _D)).doit())),
        Step("The cosine", "Norms w and v, and a distance that was largest at first, D_0, leave at least "
             "this. What grows aligns, without transport.", Ge(cosine, alignment_bound(w, v, first))),
    )  # fmt: skip


@cache
def least_squares_law() -> Law:
    """Rest is regression, in every layer."""
    m, z = MatrixSymbol("M", _P, _D), MatrixSymbol("Z", _D, _K)
    n, fit = MatrixSymbol("N", _D, _K), MatrixSymbol("beta", _P, _K)
    square, cross = MatrixSymbol("S", _P, _P), MatrixSymbol("R", _P, _K)
    normal = m.T * square * m * z - m.T * cross
    with_fit = normal.subs(cross, square * fit).subs(fit, m * n)
    rest = m.T * square * m * (z - n)
    assert (with_fit - rest).expand().doit() == ZeroMatrix(_D, _K)
    return _law(
        "Rest: every layer is ordinary least squares",
        Eq(square * fit, cross),
        {
            square: "X'X",
            cross: "X'Y",
            fit: "coefficients of A_l B_l' in X, the same for all layers l",
        },
        "linear units, all losses squared; signals B_l of rank K, so widths are at least K",
        Step("Layer 0", "V_1 rests where B_1'(X B_0' - Y)'X = 0; B_1 has rank K: the normal equations.",
             Eq(square * fit, cross)),
        Step("Layer l", "Likewise W_l, with A = X M and Z = W_l B_l'.", Eq(normal, ZeroMatrix(_D, _K))),
        Step("Induction", "If M N = beta for the layer before, with N = B', this is left.",
             Eq(rest, ZeroMatrix(_D, _K))),
        Step("So", "X M Z = X M N: A_l B_l' is what it was one layer before. No rank of W is needed.",
             Eq(square * m * z, square * m * n)),
    )  # fmt: skip


@cache
def collapse_law() -> Law:
    """The squared difference forgets."""
    w, v, rho, rate = symbols("w v rho lambda", real=True)
    loss = expand((w**2 - 2 * rho * w * v + v**2) / 2)
    hessian = Matrix([[diff(loss, a, b) for b in (w, v)] for a in (w, v)])
    slowest, fastest = sorted(hessian.eigenvals(), key=lambda e: e.coeff(rho))
    velocity = factor(-2 * (w * diff(loss, w) + v * diff(loss, v)))
    assert expand(velocity + 4 * loss) == 0
    return _law(
        "Squared difference |a - b|^2: collapse",
        Eq(rate, slowest),
        {rate: "rate at which the slowest part decays", rho: "canonical correlation of input and label"},
        "linear units, white inputs and labels, one layer; rho < 1 wherever samples of a class differ",
        Step("A mode", "Mean of (w x - v y)^2/2 where x and y have variance 1 and correlation rho.", loss),
        Step("Rates", "Both eigenvalues are positive: w = v = 0 is the only minimum.", (slowest, fastest)),
        Step("Norms", "Velocity of w^2 + v^2, in any basis: minus four losses. They fall, all the time.",
             velocity),
    )  # fmt: skip


@cache
def floor_law() -> Law:
    """Rows cannot all be orthogonal."""
    n, d = symbols("n d", integer=True, positive=True)
    i = Symbol("i", integer=True)
    eigenvalue, trace, floor = IndexedBase("lambda"), Symbol("Lambda", positive=True), Symbol("F")
    spread = expand((eigenvalue[i] - n / d) ** 2)
    least = d * (spread.coeff(eigenvalue[i], 1) * n / d + spread.coeff(eigenvalue[i], 0))
    mean = expand((-least - 2 * n + n) / n**2)
    return _law(
        "Floor of the decorrelation term",
        Ge(floor, mean),
        {floor: "mean square of the entries of A A' - I", n: "rows", d: "features"},
        "rows of norm 1, n > d; attained by tight frames",
        Step("Eigenvalues", "At most d of A A' are not 0, and they add up to n; summed over them this is not "
             "negative.", Sum((eigenvalue[i] - n / d) ** 2, (i, 1, d))),
        Step("Their squares", "Add up to tr (A A')^2.", Ge(trace + least, 0)),
        Step("The mean", "Less twice the diagonal, plus n ones.",
             Ge(floor, mean)),
    )  # fmt: skip


@cache
def joint_law() -> Law:
    """The two terms of the convolutional loss contradict each other."""
    m, k = symbols("m K", integer=True, positive=True)
    c, s, floor = symbols("c s ell", positive=True)
    loss = _joint(_SHARE, m, k, c, s)
    slope = factor(diff(loss, _SHARE) * k / 2)
    large = simplify(slope.limit(m, S.Infinity))
    return _law(
        "Floor of the convolutional loss, both terms together",
        Ge(floor, loss),
        {
            floor: "local loss: c times the mean square of A B' - Y, s times those of A A' - I and B B' - I",
            c: "scale of the target term",
            s: "scale of the decorrelation terms",
            m: "samples of each class",
            k: "classes",
            _SHARE: "cosine of a row with its class, at its best value: the last step",
        },
        "rows of norm 1, as many samples of each class; attained from n features on",
        Step("Symmetry", "The loss is convex in the Gram matrix of all rows, and averages of Gram matrices "
             "over exchanges of samples and classes are Gram matrices: rows of a class may be taken as "
             "alike, and what crosses classes as 0.", loss),
        Step("Rows of a class", "Cosine at least this, where rows have cosine alpha with their class.",
             (m * _SHARE**2 - 1) / (m - 1)),
        Step("The best cosine", "Root of the slope: below 1, however long it is trained.", Eq(slope, 0)),
        Step("Many samples", "In the limit.", Eq(large, 0)),
    )  # fmt: skip


LAWS: dict[str, Callable[[], Law]] = {
    "flow": flow_law,
    "conservation": conservation_law,
    "neuron": neuron_law,
    "drift": drift_law,
    "alignment": alignment_law,
    "least-squares": least_squares_law,
    "collapse": collapse_law,
    "decorrelation": floor_law,
    "joint-floor": joint_law,
}
"""What ``widegap derive countercurrent`` shows."""
