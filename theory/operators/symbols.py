"""Fourier multipliers of linear equations on the torus, derived from the operator.

Space is periodic with period 2 pi, wavenumbers k_x, k_y are integers; in one dimension k_y = 0. A real symbol
of a real operator has g(-k) = conj g(k).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sympy
from sympy import Derivative, Eq, Expr, Function, I, Symbol, exp, simplify, symbols

from theory.calculus.law import Law
from theory.calculus.steps import Step
from theory.errors import ActivationError
from theory.kernels.grammar import parse

__all__ = [
    "EQUATIONS",
    "KX",
    "KY",
    "TIME",
    "Equation",
    "equation_of",
    "multiplier",
]

X, Y = symbols("x y", real=True)
KX, KY = symbols("k_x k_y", real=True)
TIME = Symbol("t", positive=True)
NU, SPEED, BETA, KAPPA = symbols("nu c beta kappa", positive=True)
_AMPLITUDE, _SOURCE = Function("a"), Symbol("f")


@dataclass(frozen=True, eq=False)
class Equation:
    """A linear equation residual(u) = 0 for u(x, y, t), or residual(u) = f without time.

    Attributes
    ----------
    title : str
    residual : callable
        Takes the expression u, returns what vanishes (or equals the source).
    start : callable, optional
        Of an equation of second order: the amplitude's velocity at time 0, from c |k|.
    meaning : dict of Symbol to str
        Parameters, without time and wavenumbers.
    steady : bool
        Whether it has a source instead of an initial value.
    """

    title: str
    residual: Callable[[Any], Any]
    start: Callable[[Any], Any] | None = None
    meaning: dict[Any, str] = field(default_factory=dict)
    steady: bool = False


def _laplacian(u: Any) -> Any:
    return u.diff(X, 2) + u.diff(Y, 2)


def _wave(u: Any) -> Any:
    return u.diff(TIME, 2) - SPEED**2 * _laplacian(u)


EQUATIONS: dict[str, Equation] = {
    "heat": Equation(
        "Heat equation", lambda u: u.diff(TIME) - NU * _laplacian(u), meaning={NU: "diffusivity"}
    ),
    "advection": Equation(
        "Advection, in two dimensions along the diagonal",
        lambda u: u.diff(TIME) + SPEED * (u.diff(X) + u.diff(Y)),
        meaning={SPEED: "speed along each axis"},
    ),
    "dispersion": Equation(
        "Linear dispersion (Airy)",
        lambda u: u.diff(TIME) + BETA * (u.diff(X, 3) + u.diff(Y, 3)),
        meaning={BETA: "dispersion"},
    ),
    "screened-poisson": Equation(
        "Screened Poisson equation",
        lambda u: KAPPA**2 * u - _laplacian(u),
        meaning={KAPPA: "inverse screening length"},
        steady=True,
    ),
    "poisson": Equation("Poisson equation, of mean zero", lambda u: -_laplacian(u), steady=True),
    "wave": Equation(
        "Wave equation, at rest at time 0", _wave, lambda _: 0, {SPEED: "speed of the waves"}
    ),
    "half-wave": Equation(
        "Wave equation, outgoing", _wave, lambda omega: -I * omega, {SPEED: "speed of the waves"}
    ),
}
"""Equations that have names."""


def equation_of(text: str) -> Equation:
    """Return a named equation, or u_t = P(D) u in one dimension, with P a polynomial in D = d/dx as text.

    Parameters
    ----------
    text : str
        ``"heat"`` or, for instance, ``"0.01*D^2 - D"``.

    Raises
    ------
    ValueError
        If it is neither, or its coefficients depend on x: only periodic problems with constant coefficients
        have a symbol.
    """
    if text in EQUATIONS:
        return EQUATIONS[text]
    words = set(re.findall(r"[A-Za-z_]\w*", text))
    shown = text if len(text) <= 60 else text[:57] + "..."
    if words & {"x", "y", "t"}:
        raise ValueError(
            f"the coefficients of {shown!r} are not constant: the equation is not periodic for every shift, "
            "and has no symbol"
        )
    if "D" not in words:
        raise ValueError(
            f"unknown equation {shown!r}; choose from {', '.join(EQUATIONS)}, or write a polynomial in D"
        )
    try:
        operator = sympy.expand(parse(re.sub(r"\bD\b", "x", text), X))
    except ActivationError as error:
        reason = str(error).split(": ", 1)[-1].replace("known are x,", "known are D,")
        raise ValueError(f"cannot read the operator {shown!r}: {reason}") from None
    if not operator.is_polynomial(X):
        raise ValueError(f"the operator {shown!r} is not a polynomial in D")
    terms = sympy.Poly(operator, X).terms()

    def residual(u: Any) -> Any:
        return u.diff(TIME) - sum(c * (u.diff(X, n) if n else u) for (n,), c in terms)

    return Equation(f"u_t = ({shown}) u", residual)


def multiplier(equation: Equation) -> Law:
    """Derive the symbol of an equation: what multiplies each Fourier coefficient.

    Raises
    ------
    ValueError
        If the coefficients depend on x or y, so that plane waves do not stay plane waves.

    Examples
    --------
    >>> multiplier(EQUATIONS["heat"]).value
    exp(-nu*t*(k_x**2 + k_y**2))
    """
    wave = exp(I * (KX * X + KY * Y))
    given: Any = _AMPLITUDE(TIME) if not equation.steady else Symbol("a")
    inserted = sympy.expand(sympy.powsimp(sympy.expand(equation.residual(given * wave) / wave)))
    if inserted.has(X, Y):
        raise ValueError(
            f"the coefficients of {equation.title} depend on the place: it has no symbol, only equations "
            "with constant coefficients have"
        )
    steps = [
        Step(
            "Plane wave",
            "Put a exp(i k x) into the operator and divide by the exponential: no x is left.",
            Eq(inserted, _SOURCE if equation.steady else 0),
        )
    ]
    if equation.steady:
        (amplitude,) = sympy.solve(Eq(inserted, _SOURCE), given)
        value = sympy.factor(amplitude / _SOURCE)
        if not equation.meaning:  # the mean has no equation
            value = sympy.Piecewise((0, Eq(KX**2 + KY**2, 0)), (value, True))
    else:
        value = _evolved(inserted, equation)
        back = inserted.subs(_AMPLITUDE(TIME), value).doit()
        steps.append(
            Step(
                "Check",
                "The amplitude put back into its equation.",
                Eq(Symbol("r"), simplify(back)),
            )
        )
    steps.append(Step("Symbol", "The amplitude of a wave that starts with 1.", value))
    return Law(
        f"Symbol: {equation.title}",
        Eq(Function("g")(KX, KY), value, evaluate=False),
        {KX: "wavenumber along x", KY: "wavenumber along y, 0 in one dimension"}
        | ({} if equation.steady else {TIME: "time"})
        | equation.meaning,
        "periodic functions of period 2 pi, constant coefficients",
        tuple(steps),
        "derived here",
    )


def _evolved(inserted: Any, equation: Equation) -> Expr:
    """Solve the amplitude's equation, of first or second order in time."""
    rate = Symbol("lambda")
    characteristic = sympy.expand(
        inserted.subs(_AMPLITUDE(TIME), exp(rate * TIME)).doit() / exp(rate * TIME)
    )
    characteristic = sympy.expand(sympy.powsimp(characteristic))
    if not inserted.has(Derivative(_AMPLITUDE(TIME), (TIME, 2))):
        (root,) = sympy.solve(characteristic, rate)
        return exp(sympy.factor(sympy.expand(root * TIME)))
    omega = SPEED * sympy.sqrt(KX**2 + KY**2)
    assert equation.start is not None
    assert simplify(characteristic.subs(rate, I * omega)) == 0  # the roots are +- i omega
    plus, minus = symbols("A B")
    begin = sympy.solve(
        [plus + minus - 1, I * omega * (plus - minus) - equation.start(omega)], [plus, minus]
    )
    solved = begin[plus] * exp(I * omega * TIME) + begin[minus] * exp(-I * omega * TIME)
    return simplify(solved.rewrite(sympy.cos)) if equation.start(omega) == 0 else simplify(solved)
