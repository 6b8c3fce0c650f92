"""How a dual was derived, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sympy import Eq, Function, Symbol, pycode

from theory.calculus.price import K1, K2
from theory.calculus.steps import Step
from theory.calculus.terms import derivative, elementary, mean, polynomial, written
from theory.kernels.moments import moment

if TYPE_CHECKING:
    from theory.kernels.duals import Dual

__all__ = ["python_source", "steps"]


def steps(dual: Dual) -> tuple[Step, ...]:
    """Write out the ladder of a dual.

    Parameters
    ----------
    dual : Dual

    Returns
    -------
    tuple of Step
        What phi is, its derivatives down to the elementary rung, the Gaussian integral there, and the
        rungs integrated back with their constants.
    """
    x = dual.activation.symbol
    phi = Function("phi")
    made = [
        Step(
            "The activation",
            "D(K) = E phi(u) phi(v) for (u, v) ~ N(0, K). Price's theorem: the derivative of E f(u) g(v) "
            "in k12 is E f'(u) g'(v).",
            Eq(phi(x), dual.activation.expr),
        )
    ]
    if dual.terms is None or not dual.is_closed:
        made.append(
            Step(
                "No elementary rung",
                "No derivative of phi is a polynomial, exponential, Gaussian or delta for all pairs of "
                "its terms. Where phi is linear in tanh, D is a mixture of the duals of error functions; "
                "elsewhere a Hermite series, with the rest of Parseval's sum as its bound.",
                Eq(Symbol("D"), dual.expr),
            )
        )
        return tuple(made)
    rungs = [dual.terms]
    while not (elementary(rungs[-1]) or polynomial(rungs[-1])) and len(rungs) < 16:
        rungs.append(derivative(rungs[-1]))
    depth = len(rungs) - 1
    made.append(
        Step(
            "As a sum of terms",
            "Kinks at 0 are written with sign(x), sines and cosines as exponentials; the value at 0 itself "
            "does not matter.",
            Eq(phi(x), written(dual.terms, x)),
        )
    )
    for j in range(1, depth + 1):
        made.append(
            Step(
                f"Derivative {j}",
                "Down the ladder" + (": everything is elementary now." if j == depth else "."),
                Eq(Symbol("phi" + "'" * j), written(rungs[j], x)),
            )
        )
    for j in range(depth, -1, -1):
        own = moment(rungs[j], rungs[j])
        assert own is not None
        name = Symbol("D" + "'" * j)
        if j == depth:
            made.append(
                Step(
                    "The elementary rung",
                    "A Gaussian integral: completing the square and differentiating the generating function."
                    if depth
                    else "Already elementary: a Gaussian integral.",
                    Eq(name, own.expr),
                )
            )
            continue
        constant = sum((mean(t, K1) for t in rungs[j]), start=0 * K1) * sum(
            (mean(t, K2) for t in rungs[j]), start=0 * K2
        )
        made.append(
            Step(
                f"Up to rung {j}",
                f"Integrate in k12 from 0, where u and v are independent: the constant is the product of the "
                f"means, {constant}.",
                Eq(name, own.expr),
            )
        )
    return tuple(made)


def python_source(dual: Dual) -> str:
    """Write D and D' as a Python module.

    Parameters
    ----------
    dual : Dual

    Returns
    -------
    str
        ``dual(k11, k12, k22)`` returns the pair; the standard library is enough.

    Raises
    ------
    ValueError
        Where they are not closed forms.
    """
    if not dual.is_closed:
        raise ValueError(f"the dual of {dual.activation} has no closed form to print as a program")
    value, slope = (pycode(e) for e in (dual.expr, dual.derivative))
    return (
        f'"""Dual of phi(x) = {dual.activation.expr}, derived by Price\'s theorem."""\n\nimport math\n\n\n'
        "def dual(k11, k12, k22):\n"
        '    """Return D = E phi(u) phi(v) and dD/dk12 for (u, v) ~ N(0, [[k11, k12], [k12, k22]])."""\n'
        f"    return (\n        {value},\n        {slope},\n    )\n"
    )
