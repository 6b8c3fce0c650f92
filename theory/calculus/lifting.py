"""The lifted Gaussian expectation and its calculus.

A nest with leaf f_0, increments v_1..v_K and exponents s_1..s_K (innermost level first) is

    f_k(x) = (1/s_k) log E exp( s_k f_{k-1}(x + sqrt(v_k) U) ),   U ~ N(0, 1),

with E f_{k-1} in place of the logarithm where s_k = 0 (the quenched average). Derivatives of f_K
are averages over the tilted (Gibbs) measure, whose weight at level k is exp(s_k (f_{k-1} - f_k)).

Source: Stojnic, arXiv:2312.00073 (fully lifted random duality theory); the recursion is the one of
Parisi's functional (Guerra, Commun. Math. Phys. 233, 2003).
"""

from __future__ import annotations

from typing import Any

from sympy import (
    Add,
    Expr,
    Integer,
    Lambda,
    Rational,
    S,
    Symbol,
    Tuple,
    exp,
    expand_log,
    log,
    sqrt,
    sympify,
)
from sympy.core.basic import Basic
from sympy.printing.printer import Printer

from theory.calculus.binding import Binder, apply, fresh, private_lambda, shown
from theory.calculus.evenness import parity
from theory.calculus.gaussian import GaussianExpectation

__all__ = ["GaussianExpectation", "GibbsAverage", "LiftedExpectation", "unfolded"]


class LiftedExpectation(Binder):
    """The nest f_K(field).

    Parameters
    ----------
    leaf
        f_0 as a ``Lambda`` of one variable.
    field
        The argument x of f_K.
    increments
        Variances v_1..v_K, innermost level first.
    exponents
        Exponents s_1..s_K, innermost level first; 0 is a quenched average.

    Raises
    ------
    ValueError
        When the numbers of increments and exponents differ.

    Notes
    -----
    A nest without levels evaluates to leaf(field). Levels with zero increment or equal exponents
    are kept until `simplify` removes them.

    Examples
    --------
    >>> from sympy import Lambda, symbols
    >>> h, x, v, s = symbols("h x v s", positive=True)
    >>> LiftedExpectation(Lambda(h, h**2), x, (v,), (s,)).definition()
    log(E[exp(s*(U*sqrt(v) + x)**2)])/s
    """

    def __new__(cls, leaf: Lambda, field: Expr, increments: object, exponents: object) -> Expr:
        """Return the node, or leaf(field) when there are no levels."""
        if not isinstance(leaf, Lambda) or len(leaf.variables) != 1:
            raise TypeError(f"the leaf must be a Lambda of one variable, got {leaf!r}")
        field, v, s = sympify(field), Tuple(*sympify(increments)), Tuple(*sympify(exponents))
        if len(v) != len(s):
            raise ValueError(f"{len(v)} increments but {len(s)} exponents; give one per level")
        if not v:
            return apply(leaf, field)
        return Expr.__new__(cls, private_lambda(leaf), field, v, s)

    @property
    def leaf(self) -> Lambda:
        """The leaf f_0."""
        return self.args[0]

    @property
    def field(self) -> Expr:
        """The argument of the outermost function f_K."""
        return self.args[1]

    @property
    def increments(self) -> Tuple:
        """Variances, innermost level first."""
        return self.args[2]

    @property
    def exponents(self) -> Tuple:
        """Exponents, innermost level first."""
        return self.args[3]

    @property
    def depth(self) -> int:
        """The number K of levels."""
        return len(self.increments)

    def inner(self, level: int, field: Expr | None = None) -> Expr:
        """Return f_level at ``field`` (default: the field of the nest), 0 <= level <= depth."""
        if not 0 <= level <= self.depth:
            raise ValueError(f"a nest of depth {self.depth} has no level {level}")
        x = self.field if field is None else field
        return LiftedExpectation(self.leaf, x, self.increments[:level], self.exponents[:level])

    def inner_function(self, level: int) -> Lambda:
        """Return the function f_level."""
        h = fresh("h")
        return Lambda(h, self.inner(level, h))

    def gibbs(self, observable: Lambda, level: int | None = None) -> Expr:
        """Return the average of an observable of the field below ``level`` (default: outermost)."""
        return GibbsAverage(self, self.depth if level is None else level, observable)

    # -- unfolding ---------------------------------------------------------------------------

    def definition(self) -> Expr:
        """Return the outermost level written out, the inner nest kept as it is."""
        u = fresh()
        v, s = self.increments[-1], self.exponents[-1]
        inner = self.inner(self.depth - 1, self.field + sqrt(v) * u)
        if s.is_zero:
            return GaussianExpectation(inner, u)
        return log(GaussianExpectation(exp(s * inner), u)) / s

    def unfold(self) -> Expr:
        """Return the nest in terms of Gaussian expectations of the leaf alone."""
        s = self.exponents[-1]
        if s.is_zero:
            u = fresh()
            argument = self.field + sqrt(self.increments[-1]) * u
            return GaussianExpectation(unfolded(self.inner(self.depth - 1, argument)), u)
        return log(self.partition()) / s

    def partition(self) -> Expr:
        """Return exp(s_K f_K(field)) = E exp(s_K f_{K-1}) unfolded; the exponent is not 0."""
        u = fresh()
        argument = self.field + sqrt(self.increments[-1]) * u
        return GaussianExpectation(_weight(self, argument), u)

    def doit(self, **hints: object) -> Expr:
        """Return the closed form, level by level from the inside, where there is one."""
        leaf = self.leaf
        for level in range(self.depth):
            x = fresh("x")
            step = LiftedExpectation(leaf, x, [self.increments[level]], [self.exponents[level]])
            unfolded = step.unfold()
            value = unfolded.replace(
                lambda e: isinstance(e, GaussianExpectation), lambda e: e.doit(**hints)
            )
            if value.has(GaussianExpectation):
                rest = (self.increments[level:], self.exponents[level:])
                return LiftedExpectation(leaf, self.field, *rest)
            leaf = Lambda(x, expand_log(value))
        return apply(leaf, self.field)

    # -- calculus ----------------------------------------------------------------------------

    def leaf_derivative(self) -> Lambda:
        """Return f_0'."""
        (h,) = self.leaf.variables
        return Lambda(h, self.leaf.expr.diff(h))

    def field_derivative(self) -> Expr:
        """Return f_K'(field) = <f_0'>."""
        return GibbsAverage(self, 1, self.leaf_derivative())

    def increment_derivative(self, level: int) -> Expr:
        """Return d f_K / d v_level = 1/2 < f'' + s (f')**2 >, f = f_{level-1} (heat identity)."""
        h = fresh("h")
        below, s = self.inner(level - 1, h), self.exponents[level - 1]
        slope = below.diff(h)
        return GibbsAverage(self, level, Lambda(h, (slope.diff(h) + s * slope**2) / 2))

    def exponent_derivative(self, level: int) -> Expr:
        """Return d f_K / d s_level = < (<f_{level-1}>_level - f_level) / s_level > (an entropy)."""
        h = fresh("h")
        s = self.exponents[level - 1]
        here = self.inner(level, h)
        average = GibbsAverage(here, level, self.inner_function(level - 1))
        return GibbsAverage(self, level + 1, Lambda(h, (average - here) / s))

    def _eval_derivative(self, symbol: Symbol) -> Expr:
        terms: list[Expr] = []
        if symbol in self.field.free_symbols:
            terms.append(self.field.diff(symbol) * self.field_derivative())
        if symbol in self.leaf.free_symbols:
            (h,) = self.leaf.variables
            terms.append(GibbsAverage(self, 1, Lambda(h, self.leaf.expr.diff(symbol))))
        for level, (v, s) in enumerate(zip(self.increments, self.exponents, strict=True), start=1):
            if symbol in v.free_symbols:
                terms.append(v.diff(symbol) * self.increment_derivative(level))
            if symbol in s.free_symbols:
                terms.append(s.diff(symbol) * self.exponent_derivative(level))
        return Add(*terms)

    # -- exact transformations -----------------------------------------------------------------

    def drop_zero_increments(self) -> Expr:
        """Return the nest without the levels of zero variance, which are the identity."""
        kept = [
            (v, s)
            for v, s in zip(self.increments, self.exponents, strict=True)
            if not v.is_zero and v.expand() != 0
        ]
        return LiftedExpectation(self.leaf, self.field, *_columns(kept))

    def merge_equal_exponents(self) -> Expr:
        """Return the nest with adjacent levels of equal exponent merged; their variances add."""
        merged: list[tuple[Expr, Expr]] = []
        for v, s in zip(self.increments, self.exponents, strict=True):
            if merged and (merged[-1][1] - s).expand() == 0:
                merged[-1] = (merged[-1][0] + v, s)
            else:
                merged.append((v, s))
        return LiftedExpectation(self.leaf, self.field, *_columns(merged))

    def shift_constants(self) -> Expr:
        """Return the nest with the leaf's additive constant taken out: f_0 + a gives f_K + a."""
        (h,) = self.leaf.variables
        constant, rest = self.leaf.expr.as_independent(h, as_Add=True)
        nest = LiftedExpectation(Lambda(h, rest), self.field, self.increments, self.exponents)
        return constant + nest

    def scaled(self, value: Expr, field: Expr = S.One) -> Expr:
        """Return ``value`` times the nest as one nest (the scaling identity).

        value * nest[f; v_k, c_k](x) = nest[value f(. / field); field**2 v_k, c_k / value](field x).
        """
        value, field = sympify(value), sympify(field)
        h = fresh("h")
        return LiftedExpectation(
            Lambda(h, value * apply(self.leaf, h / field)),
            field * self.field,
            [(field**2 * v).expand() for v in self.increments],
            [s / value for s in self.exponents],
        )

    @property
    def is_even(self) -> bool:
        """Whether the leaf, hence every f_k, is an even function (decided symbolically)."""
        return parity(self.leaf) == 1

    def reflected(self, h: Symbol) -> Expr:
        """Return the nest with field h where its field is -h and it is even."""
        if self.field == -h and self.is_even:
            return LiftedExpectation(self.leaf, h, self.increments, self.exponents)
        return self

    def _eval_simplify(self, **_: object) -> Expr:
        nest: Expr = self
        for step in ("drop_zero_increments", "merge_equal_exponents", "shift_constants"):
            nest = nest.replace(
                lambda e: isinstance(e, LiftedExpectation), lambda e, name=step: getattr(e, name)()
            )
        return nest

    def normal(self, **_: object) -> Expr:
        """Return the nest simplified (called by ``sympy.simplify`` on every subexpression)."""
        return self._eval_simplify()

    def _eval_is_extended_real(self) -> bool | None:
        return True if self.leaf.expr.is_extended_real else None

    def _sympystr(self, printer: Printer) -> str:
        h, leaf = shown(self.leaf, self)
        v, s = (", ".join(map(printer.doprint, x)) for x in (self.increments, self.exponents))
        return f"nest[{h} -> {printer.doprint(leaf)}; {v}; {s}]({printer.doprint(self.field)})"

    def _latex(self, printer: Printer, *_: object) -> str:
        h, leaf = shown(self.leaf, self)
        v, s = (r",\, ".join(map(printer.doprint, x)) for x in (self.increments, self.exponents))
        mapped = rf"{printer.doprint(h)} \mapsto {printer.doprint(leaf)}"
        field = printer.doprint(self.field)
        return rf"\mathsf{{N}}_{{{v}}}^{{{s}}}\left[{mapped}\right]\left({field}\right)"


class GibbsAverage(Binder):
    """The average of an observable over the tilted measure of levels k..K of a nest.

    Parameters
    ----------
    nest
        The nest; its field is the field at level K.
    level
        The innermost level k averaged over, 1 <= k <= K + 1. For k = K + 1 nothing is averaged and
        the observable of the nest's field is returned.
    observable
        A ``Lambda`` of the field below level k, x_{k-1} = x_k + sqrt(v_k) U_k.

    Notes
    -----
    The weight of level j is exp(s_j (f_{j-1}(x_{j-1}) - f_j(x_j))), which has mean one. Constants
    are pulled out of the average on construction.
    """

    def __new__(cls, *args: object) -> Expr:
        """Pull out constants; return the node, or the observable where nothing is averaged.

        Called as ``GibbsAverage(nest, level, observable)``. The arguments of the node are those
        of the nest, then level and observable: the nest itself is not one, since simplifying it
        would change the number of its levels under the average.
        """
        nest, level, observable = _gibbs_arguments(*args)
        (h,) = observable.variables
        constant, rest = observable.expr.as_independent(h, as_Add=False)
        if rest == 1:
            return constant
        if level == nest.depth + 1:
            return apply(observable, nest.field)
        if not 1 <= level <= nest.depth:
            raise ValueError(f"a nest of depth {nest.depth} has no level {level}")
        return constant * Expr.__new__(cls, *nest.args, Integer(level), Lambda(h, rest))

    @property
    def nest(self) -> LiftedExpectation:
        """The nest whose measure is averaged over."""
        return LiftedExpectation(*self.args[:4])

    @property
    def level(self) -> int:
        """The innermost level averaged over."""
        return int(self.args[4])

    @property
    def observable(self) -> Lambda:
        """The observable, a function of the field below `level`."""
        return self.args[5]

    def outer_observable(self) -> Lambda:
        """Return the observable after the levels below the outermost one have been averaged."""
        if self.level == self.nest.depth:
            return self.observable
        h = fresh("h")
        return Lambda(h, GibbsAverage(self._below(h), self.level, self.observable))

    def definition(self) -> Expr:
        """Return the outermost level written out as a ratio of Gaussian expectations."""
        u = fresh()
        v, s = self.nest.increments[-1], self.nest.exponents[-1]
        argument = self.nest.field + sqrt(v) * u
        weight = exp(s * self._below(argument))
        return GaussianExpectation(
            apply(self.outer_observable(), argument) * weight, u
        ) / GaussianExpectation(weight, u)

    def unfold(self) -> Expr:
        """Return the average in terms of Gaussian expectations of leaf and observable alone."""
        u = fresh()
        argument = self.nest.field + sqrt(self.nest.increments[-1]) * u
        value = unfolded(apply(self.outer_observable(), argument))
        if self.nest.exponents[-1].is_zero:
            return GaussianExpectation(value, u)
        weight = _weight(self.nest, argument)
        return GaussianExpectation(value * weight, u) / self.nest.partition()

    def drop_zero_increments(self) -> Expr:
        """Return the average without the levels of zero variance, which average nothing."""
        kept = [not v.is_zero and v.expand() != 0 for v in self.nest.increments]
        nest = self.nest.drop_zero_increments()
        if not any(kept):
            return apply(self.observable, self.nest.field)
        return GibbsAverage(nest, 1 + sum(kept[: self.level - 1]), self.observable)

    def doit(self, **hints: object) -> Expr:
        """Return the closed form where there is one, else the average itself."""
        value = self.unfold().replace(
            lambda e: isinstance(e, GaussianExpectation), lambda e: e.doit(**hints)
        )
        return self if value.has(GaussianExpectation) else value

    def _below(self, field: Expr) -> Expr:
        return self.nest.inner(self.nest.depth - 1, field)

    def _eval_derivative(self, symbol: Symbol) -> Expr:
        nest, h = self.nest, fresh("h")
        v, s = nest.increments[-1], nest.exponents[-1]
        a, f = apply(self.outer_observable(), h), self._below(h)
        slope = f.diff(h)

        def average(expr: Expr) -> Expr:
            return GibbsAverage(nest, nest.depth, Lambda(h, expr))

        def covariance(expr: Expr) -> Expr:
            return average(a * expr) - average(a) * average(expr)

        terms = [average(a.diff(symbol))]
        if symbol in f.free_symbols and not s.is_zero:
            terms.append(s * covariance(f.diff(symbol)))
        if symbol in nest.field.free_symbols:
            moved = average(a.diff(h)) + s * covariance(slope)
            terms.append(nest.field.diff(symbol) * moved)
        if symbol in v.free_symbols:
            heat = average(a.diff(h, 2) + 2 * s * a.diff(h) * slope) + covariance(
                s * slope.diff(h) + s**2 * slope**2
            )
            terms.append(v.diff(symbol) * heat * Rational(1, 2))
        if symbol in s.free_symbols:
            terms.append(s.diff(symbol) * covariance(f))
        return Add(*terms)

    def _sympystr(self, printer: Printer) -> str:
        h, observable = shown(self.observable, self)
        return (
            f"<{h} -> {printer.doprint(observable)}>_{self.level}{{{printer.doprint(self.nest)}}}"
        )

    def _latex(self, printer: Printer, *_: object) -> str:
        h, observable = shown(self.observable, self)
        mapped = rf"{printer.doprint(h)} \mapsto {printer.doprint(observable)}"
        nest = printer.doprint(self.nest)
        return rf"\left\langle {mapped} \right\rangle_{{{self.level},\, {nest}}}"

    def _eval_simplify(self, **_: object) -> Expr:
        return self.normal()

    def normal(self, **_: object) -> Expr:
        """Return the average with sums split and zero increments dropped.

        Odd observables of an even nest at field 0 vanish.
        """
        reduced = self.drop_zero_increments()
        if reduced != self:
            return reduced.replace(lambda e: isinstance(e, GibbsAverage), lambda e: e.normal())
        if self._vanishes(self.observable):
            return S.Zero
        h = fresh("h")
        terms = Add.make_args(apply(self.observable, h).expand())
        observables = [Lambda(h, term) for term in terms]
        return Add(
            *[
                GibbsAverage(self.nest, self.level, observable)
                for observable in observables
                if not self._vanishes(observable)
            ]
        )

    def reflected(self, h: Symbol) -> Expr:
        """Return the average at field h where its field is -h and parities are known."""
        sign = parity(self.observable) if self.nest.field == -h and self.nest.is_even else None
        if sign is None:
            return self
        return sign * GibbsAverage(self.nest.reflected(h), self.level, self.observable)

    def _vanishes(self, observable: Lambda) -> bool:
        return bool(self.nest.field.is_zero) and parity(observable) == -1 and self.nest.is_even


def _gibbs_arguments(*args: Any) -> tuple[LiftedExpectation, int, Lambda]:
    """Read (nest, level, observable), or the six arguments of a node."""
    *parts, level, observable = args
    nest = LiftedExpectation(*parts) if len(parts) == 4 else parts[0]
    if not isinstance(nest, LiftedExpectation):
        raise TypeError(f"a Gibbs average needs a nest with levels, got {nest!r}")
    return nest, int(level), private_lambda(observable)


def _columns(levels: list[tuple[Expr, Expr]]) -> tuple[list[Expr], list[Expr]]:
    return [v for v, _ in levels], [s for _, s in levels]


def _weight(nest: LiftedExpectation, field: Expr) -> Expr:
    """Return exp(s_K f_{K-1}(field)) unfolded, a power of the inner partition function."""
    s, below = nest.exponents[-1], nest.inner(nest.depth - 1, field)
    if isinstance(below, LiftedExpectation) and not below.exponents[-1].is_zero:
        return below.partition() ** (s / below.exponents[-1])
    return exp(s * unfolded(below))


def unfolded(expr: Basic) -> Expr:
    """Return ``expr`` with every nest and Gibbs average in it unfolded."""
    if isinstance(expr, (LiftedExpectation, GibbsAverage)):
        return expr.unfold()
    if not expr.has(LiftedExpectation, GibbsAverage):
        return expr
    return expr.func(*[unfolded(arg) for arg in expr.args])
