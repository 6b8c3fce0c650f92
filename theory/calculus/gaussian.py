"""The expectation over one standard Gaussian variable, as a sympy expression with its calculus."""

from __future__ import annotations

from sympy import (
    Add,
    Dummy,
    Expr,
    Integral,
    Lambda,
    Mul,
    Poly,
    S,
    Symbol,
    exp,
    expand,
    oo,
    pi,
    powsimp,
    sqrt,
    sympify,
)
from sympy.printing.printer import Printer

from theory.calculus.binding import Binder, fresh, shown
from theory.calculus.closed import gaussian_integral


class GaussianExpectation(Binder):
    """E[F(U)] over U ~ N(0, 1).

    Parameters
    ----------
    integrand
        The expression F(U).
    variable
        The Gaussian variable U, bound by the expectation. A plain symbol is replaced by a private
        dummy of the same name, so substituting into the expectation never captures anything.

    Notes
    -----
    The expectation is linear: sums are split and factors without U are pulled out on construction,
    and E[constant] = constant. It differentiates under the integral sign. Two expectations that
    differ in the bound variable's name are equal.

    `simplify` and `normal` bring it to a canonical form with Stein's lemma,
    E[U F(U)] = E[F'(U)], so identities between expectations are proved by
    ``sympy.simplify(lhs - rhs) == 0``. `doit` evaluates in closed form where there is one.

    Examples
    --------
    >>> from sympy import Function, Symbol, simplify
    >>> from theory.calculus.lifting import GaussianExpectation
    >>> U, F = Symbol("U"), Function("F", real=True)
    >>> simplify(GaussianExpectation(U * F(U), U) - GaussianExpectation(F(U).diff(U), U))
    0
    """

    def __new__(cls, integrand: Expr, variable: Symbol) -> Expr:
        """Split sums and pull out constants; return the node, or what is left without one."""
        integrand, variable = sympify(integrand), sympify(variable)
        if not isinstance(variable, Symbol):
            raise TypeError(f"the Gaussian variable must be a symbol, got {variable!r}")
        if not (isinstance(variable, Dummy) and variable.is_real):
            own = fresh(variable.name)
            integrand, variable = integrand.xreplace({variable: own}), own
        if variable not in integrand.free_symbols:
            return integrand
        if integrand.is_Add:
            return Add(*[cls(term, variable) for term in integrand.args])
        constant, rest = integrand.as_independent(variable, as_Add=False)
        node = Expr.__new__(cls, rest, variable)
        return node if constant is S.One else Mul(constant, node)

    @property
    def integrand(self) -> Expr:
        """The expression averaged, a function of ``variable``."""
        return self.args[0]

    @property
    def variable(self) -> Symbol:
        """The bound Gaussian variable."""
        return self.args[1]

    def _scopes(self) -> dict[int, Symbol]:
        return {0: self.variable, 1: self.variable}

    def _eval_is_extended_real(self) -> bool | None:
        return True if self.integrand.is_extended_real else None

    def _eval_is_positive(self) -> bool | None:
        return True if self.integrand.is_positive else None

    def _eval_is_nonnegative(self) -> bool | None:
        return True if self.integrand.is_nonnegative else None

    def _eval_is_nonzero(self) -> bool | None:
        return True if self.integrand.is_positive else None

    def _eval_derivative(self, symbol: Symbol) -> Expr:
        if symbol not in self.free_symbols:
            return S.Zero
        return GaussianExpectation(self.integrand.diff(symbol), self.variable)

    def doit(self, **hints: object) -> Expr:
        """Return the closed form where `theory.calculus.closed` finds one, else the expectation itself."""
        integrand = self.integrand
        if hints.get("deep", True):
            integrand = integrand.doit(**hints)
        node = GaussianExpectation(integrand, self.variable)
        if not isinstance(node, GaussianExpectation):
            return node if node == self else node.doit(**hints)
        value = gaussian_integral(node.integrand, node.variable)
        return node if value is None else value

    def as_integral(self) -> Integral:
        """Return the integral over the real line with the density written out."""
        u = self.variable
        return Integral(self.integrand * exp(-(u**2) / 2) / sqrt(2 * pi), (u, -oo, oo))

    def normal(self, **_: object) -> Expr:
        """Return the canonical form: expanded, split, powers of U removed by Stein's lemma."""
        return _canonical(self.integrand, self.variable)

    def _shown(self) -> tuple[Symbol, Expr]:
        return shown(Lambda(self.variable, self.integrand), self)

    def _sympystr(self, printer: Printer) -> str:
        return f"E[{printer.doprint(self._shown()[1])}]"

    def _latex(self, printer: Printer, *_: object) -> str:
        symbol, body = self._shown()
        return rf"\mathbb{{E}}_{{{printer.doprint(symbol)}}}\left[{printer.doprint(body)}\right]"

    def _eval_simplify(self, **_: object) -> Expr:
        return self.normal()


def _canonical(integrand: Expr, u: Symbol) -> Expr:
    """Return E[integrand], expanded, with powers of u removed by Stein's lemma."""
    total: Expr = S.Zero
    hints = {"power_exp": False, "log": False}
    expanded = expand(powsimp(expand(integrand, **hints)), **hints)
    for term in Add.make_args(expanded):
        constant, rest = term.as_independent(u, as_Add=False)
        power, others = _polynomial_factor(rest, u)
        if power == 0 or _gaussian_growth(others, u):
            total += constant * GaussianExpectation(rest, u)
        else:
            total += constant * _canonical((u ** (power - 1) * others).diff(u), u)
    return total


def _polynomial_factor(expr: Expr, u: Symbol) -> tuple[int, Expr]:
    """Return (n, F) with expr = u**n F and F without a power of u as factor."""
    power, others = 0, []
    for factor in Mul.make_args(expr):
        base, exponent = factor.as_base_exp()
        if base == u and exponent.is_Integer and exponent > 0:
            power += int(exponent)
        else:
            others.append(factor)
    return power, Mul(*others)


def _gaussian_growth(expr: Expr, u: Symbol) -> bool:
    """Whether a factor is exp(polynomial of degree >= 2), for which Stein's lemma does not end."""
    for factor in Mul.make_args(expr):
        if isinstance(factor, exp) and factor.args[0].is_polynomial(u):
            return Poly(factor.args[0], u).degree() >= 2
    return False
