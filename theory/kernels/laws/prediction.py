"""What a wide network predicts: gradient flow on the squared loss, its ensemble, and the posterior.

A wide network stays linear in its parameters while it is trained, so its outputs follow a linear equation
with the tangent kernel Theta. For N numbers y, the loss is

    (1/N) ( |f - y|^2/2 + lambda |w - w_0|^2/2 ) ,

lambda = 0 by default: half the mean of the squares, and a decay towards the initial parameters that makes
Theta a Theta + lambda. Outputs at initialisation are a Gaussian process with the NNGP kernel K.
"""

from __future__ import annotations

from collections.abc import Callable

import sympy
from sympy import (
    BlockMatrix,
    Eq,
    Function,
    Identity,
    Inverse,
    MatrixSymbol,
    Symbol,
    block_collapse,
)

from theory.calculus.law import Law
from theory.calculus.steps import Step

__all__ = [
    "LAWS",
    "coefficient",
    "coefficient_at_infinity",
    "covariance",
    "largest_rate",
    "mean",
    "posterior",
]

TIME = Symbol("t", nonnegative=True)
EIGENVALUE = Symbol("s", positive=True)
RATE = Symbol("eta", positive=True)
COUNT = Symbol("N", positive=True)
DECAY = Symbol("lambda", nonnegative=True)
_THETA, _TARGET = Symbol("theta", nonnegative=True), Symbol("delta", real=True)
_N, _M = (Symbol(name, integer=True, positive=True) for name in "nm")

K_TEST = MatrixSymbol("K_tt", _M, _M)
K_CROSS = MatrixSymbol("K_tx", _M, _N)
K_TRAIN = MatrixSymbol("K_xx", _N, _N)
THETA_CROSS = MatrixSymbol("Theta_tx", _M, _N)
WEIGHTS = MatrixSymbol("B", _M, _N)
COEFFICIENTS = MatrixSymbol("A", _N, _N)
LABELS = MatrixSymbol("y", _N, 1)

_ENSEMBLE = {
    K_TEST: "NNGP kernel of the new inputs",
    K_CROSS: "NNGP kernel of new and training inputs",
    K_TRAIN: "NNGP kernel of the training inputs; with noise, that of what is observed",
    WEIGHTS: "Theta_tx A(t), what the labels are multiplied by",
    _N: "training inputs",
    _M: "new inputs",
}
_FLOW = {
    EIGENVALUE: "eigenvalue of the training inputs' Theta, plus lambda",
    TIME: "steps of gradient descent",
    RATE: "learning rate",
    COUNT: "numbers in y: inputs times outputs",
}
_SOURCE = "Jacot, Gabriel, Hongler, NeurIPS 2018; Lee et al., NeurIPS 2019"


def coefficient() -> Law:
    """The matrix A(t) in an eigenvector's direction: f_t(x) = f_0(x) + Theta(x, X) A(t) (y - f_0(X))."""
    w, a = Function("w")(TIME), Function("a")
    feature = sympy.sqrt(_THETA)
    at = Symbol("w", real=True)
    loss = ((feature * at - _TARGET) ** 2 + DECAY * at**2) / (2 * COUNT)
    slope = sympy.expand(-RATE * sympy.diff(loss, at))
    flow = Eq(w.diff(TIME), slope.subs(at, w))
    # w = sqrt(theta) a: parameters move in the span of the features
    rate = sympy.solve(flow.subs(w, feature * a(TIME)).doit(), a(TIME).diff(TIME))[0]
    rate = sympy.collect(sympy.expand(rate), a(TIME), sympy.factor)
    equation = Eq(a(TIME).diff(TIME), rate.subs(_THETA + DECAY, EIGENVALUE))
    solved = sympy.dsolve(equation, a(TIME), ics={a(0): 0})
    gain = sympy.collect(sympy.expand(solved.rhs / _TARGET), 1 / EIGENVALUE)
    statement = Eq(Symbol("A"), gain)
    return Law(
        "Gradient flow on the squared loss, in an eigenvector of the tangent kernel",
        statement,
        {statement.lhs: "factor of the labels' distance from the initial outputs", **_FLOW},
        "The network is so wide that its tangent kernel stays what it is at initialisation; steps are small "
        "compared with the largest rate.",
        (
            Step(
                "The loss",
                "One eigenvector, eigenvalue theta: the output moves by sqrt(theta) w, from f_0 at w = 0; "
                "delta = y - f_0.",
                Eq(Symbol("L"), loss),
            ),
            Step("Gradient flow", "t counts steps, of learning rate eta.", flow),
            Step(
                "In coefficients",
                "w = sqrt(theta) a, and s = theta + lambda; a new output then moves by Theta(x, X) a.",
                equation,
            ),
            Step("Solved", "From a = 0.", solved),
            Step("What multiplies delta", "One factor for each eigenvector.", statement),
        ),
        _SOURCE,
    )


def coefficient_at_infinity() -> Law:
    """`coefficient` as t grows: A = (Theta + lambda)^-1, kernel regression."""
    flow = coefficient()
    limit = sympy.limit(flow.value, TIME, sympy.oo)
    statement = Eq(flow.statement.lhs, limit)
    return Law(
        "The end of gradient flow: kernel regression",
        statement,
        {
            statement.lhs: flow.symbols[statement.lhs],
            EIGENVALUE: _FLOW[EIGENVALUE],
        },
        "As for finite times, and s > 0: the kernel tells all training inputs apart, or lambda > 0.",
        (
            Step("Gradient flow", "Until t.", flow.statement),
            Step("The limit", "t to infinity.", statement),
        ),
        _SOURCE,
    )


def largest_rate() -> Law:
    """The learning rate below which gradient descent converges."""
    k = Symbol("k", integer=True, nonnegative=True)
    a = Function("a")
    factor = 1 - RATE * EIGENVALUE / COUNT
    step = Eq(a(k + 1), factor * a(k) + RATE * _TARGET / COUNT)
    solved = sympy.rsolve(step.lhs - step.rhs, a(k), {a(0): 0})
    edge = sympy.solve(Eq(factor, -1), RATE)[0]
    statement = Eq(Symbol("eta_max"), edge)
    return Law(
        "The largest learning rate",
        statement,
        {
            statement.lhs: "rates below it converge",
            EIGENVALUE: "largest " + _FLOW[EIGENVALUE],
            COUNT: _FLOW[COUNT],
        },
        "As for gradient flow.",
        (
            Step("A step of gradient descent", "The flow's equation over one unit of time.", step),
            Step("After k steps", "Solved from a = 0.", Eq(a(k), solved)),
            Step("At the edge", "The factor that is raised to the power k reaches -1.", statement),
        ),
        _SOURCE,
    )


def mean() -> Law:
    """Mean of the ensemble's outputs at new inputs."""
    start, prior = MatrixSymbol("f_t", _M, 1), MatrixSymbol("f_x", _N, 1)
    outputs = start + WEIGHTS * (LABELS - prior)
    zero = {start: sympy.ZeroMatrix(_M, 1), prior: sympy.ZeroMatrix(_N, 1)}
    value = outputs.subs(zero).doit()
    statement = Eq(MatrixSymbol("mean", _M, 1), value)
    return Law(
        "Mean of the outputs of an ensemble of trained networks",
        statement,
        {
            statement.lhs: "at the new inputs",
            LABELS: "training labels, one output at a time",
            **{symbol: _ENSEMBLE[symbol] for symbol in (WEIGHTS, _N, _M)},
        },
        "As for gradient flow. Outputs of one network are independent of each other.",
        (
            Step(
                "A trained network",
                "f_t and f_x are its outputs at initialisation, at new and training inputs.",
                outputs,
            ),
            Step(
                "B", "From the eigenvectors' coefficients.", Eq(WEIGHTS, THETA_CROSS * COEFFICIENTS)
            ),
            Step("Mean", "Networks at initialisation have mean 0.", statement),
        ),
        _SOURCE,
    )


def covariance() -> Law:
    """Covariance of the ensemble's outputs at new inputs."""
    joint = BlockMatrix([[K_TEST, K_CROSS], [K_CROSS.T, K_TRAIN]])
    map_ = BlockMatrix([[Identity(_M), -WEIGHTS]])
    value = block_collapse(map_ * joint * map_.T)
    statement = Eq(MatrixSymbol("Cov", _M, _M), value)
    return Law(
        "Covariance of the outputs of an ensemble of trained networks",
        statement,
        {statement.lhs: "of the new inputs' outputs", **_ENSEMBLE},
        "As for gradient flow.",
        (
            Step(
                "Networks at initialisation",
                "Outputs at new and training inputs are jointly normal with the NNGP kernel.",
                joint,
            ),
            Step("Training is linear in them", "f_t - B f_x, beside what the labels add.", map_),
            Step(
                "Covariance", "The map, times the covariance, times the map's transpose.", statement
            ),
        ),
        _SOURCE,
    )


def posterior() -> Law:
    """Covariance of the Gaussian process given noisy labels: `covariance` of the best B."""
    ensemble = covariance()
    noisy = MatrixSymbol("S", _N, _N)
    # what is left is uncorrelated with the labels: K_tx - B S = 0
    left = K_CROSS - WEIGHTS * noisy
    best = K_CROSS * Inverse(noisy)
    value = ensemble.value.subs({WEIGHTS: best, K_TRAIN: noisy}).doit()
    value = value.subs(Inverse(noisy).T.doit(), Inverse(noisy)).doit()
    statement = Eq(MatrixSymbol("Cov", _M, _M), value)
    return Law(
        "Posterior covariance of the Gaussian process",
        statement,
        {
            statement.lhs: "of the new inputs' outputs, given the labels",
            noisy: "K_xx + lambda, with lambda the variance of the labels' noise",
            **{symbol: _ENSEMBLE[symbol] for symbol in (K_TEST, K_CROSS, _N, _M)},
        },
        "The Gaussian process of the wide network at initialisation, labels with independent normal noise.",
        (
            Step(
                "Uncorrelated with the labels",
                "f_t - B y has this covariance with y; where it is 0, what is left is independent of y.",
                left,
            ),
            Step("B", "Hence the mean is B y.", Eq(WEIGHTS, best)),
            Step(
                "Covariance of what is left", "That of an ensemble with this B.", ensemble.statement
            ),
            Step("With this B", "S is symmetric.", statement),
        ),
        "Neal 1996; Lee et al., ICLR 2018",
    )


LAWS: dict[str, Callable[[], Law]] = {
    "gradient-flow": coefficient,
    "end-of-training": coefficient_at_infinity,
    "largest-rate": largest_rate,
    "ensemble-mean": mean,
    "ensemble-covariance": covariance,
    "posterior-covariance": posterior,
}
"""Laws by name."""
