"""From a leaf as theory derives it to its stable form.

A leaf is ``A log S(h) + polynomial``, where S is a sum of exponentials of polynomials of degree two at
most, each alone or times an error function: what Gaussian integrals of piecewise exponentials are.
Terms with the same exponential are brought together, ``exp(a) (k_0 + sum_j k_j erf z_j)``, and
rewritten as a sum of positive ones, which is where all cancellation ends:

* ``k_0 >= sum |k_j|``: tails ``|k_j| (1 + erf(+-z_j)) = 2 |k_j| Phi(+-sqrt(2) z_j)``, and what is left of
  ``k_0``;
* error functions beyond that come in pairs, ``k (erf a + erf b)`` with a + b > 0: the probability of
  an interval.

The logarithm of a sum of positive terms is a log-sum-exp of `numerics.nests.stable`'s functions. Signs are
decided by sympy from the assumptions on the symbols (parameters and gaps are positive).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import sympy
from sympy import Add, Dummy, Expr, Mul, Poly, Rational, S, Symbol, cosh, erf, exp, log, sqrt
from sympy.functions.elementary.hyperbolic import HyperbolicFunction

from .stable import LogAddExp, LogErfMean, LogNdtr, LogTwoCosh

__all__ = ["StableForm", "Term", "stable_form", "with_stable_logarithms"]


@dataclass(frozen=True)
class Term:
    """One positive term of a leaf's sum, by its logarithm.

    Attributes
    ----------
    exponent : sympy.Expr
        Polynomial in the field, of degree two at most.
    arguments : tuple of sympy.Expr
        Linear in the field. None: the term is ``exp(exponent)``. One, b: times ``Phi(b)``. Two, (a, b):
        times ``(erf a + erf b)/2``.
    """

    exponent: Expr
    arguments: tuple[Expr, ...] = ()

    @property
    def logarithm(self) -> Expr:
        """Log of the term, in functions of `numerics.nests.stable`."""
        if not self.arguments:
            return self.exponent
        function = LogNdtr if len(self.arguments) == 1 else LogErfMean
        return self.exponent + function(*self.arguments)

    def mirrored(self, h: Symbol) -> Term:
        """The term at -h."""
        back = {h: -h}
        return Term(self.exponent.xreplace(back), tuple(a.xreplace(back) for a in self.arguments))

    def equals(self, other: Term) -> bool:
        """Whether two terms are the same function, proved symbolically."""
        if len(self.arguments) != len(other.arguments) or not _same(self.exponent, other.exponent):
            return False
        orders = [other.arguments, other.arguments[::-1]]
        return any(all(map(_same, self.arguments, order)) for order in orders)


@dataclass(frozen=True)
class StableForm:
    """``scale log(sum of terms) + offset``.

    Attributes
    ----------
    field : sympy.Symbol
        The variable h.
    scale : sympy.Expr
        Positive, free of h.
    offset : sympy.Expr
        Free of h.
    terms : tuple of Term
    logarithm : sympy.Expr
        Log of the sum in functions of `numerics.nests.stable`.
    """

    field: Symbol
    scale: Expr
    offset: Expr
    terms: tuple[Term, ...]
    logarithm: Expr

    @property
    def expr(self) -> Expr:
        """The leaf in functions of `numerics.nests.stable`."""
        return self.scale * self.logarithm + self.offset

    @cached_property
    def is_even(self) -> bool:
        """Whether the leaf is an even function: its terms are mapped on each other by h -> -h."""
        left = list(self.terms)
        for term in self.terms:
            image = term.mirrored(self.field)
            match = next((other for other in left if image.equals(other)), None)
            if match is None:
                return False
            left.remove(match)
        return True


class _UnknownError(Exception):
    """Why a leaf is not of the kind this module knows."""


def stable_form(expr: Expr, h: Symbol) -> StableForm:
    """Rewrite a leaf so that it can be evaluated in floating point.

    Parameters
    ----------
    expr : sympy.Expr
        The leaf.
    h : sympy.Symbol
        Its real variable; every other symbol is a parameter.

    Returns
    -------
    StableForm
        Its ``expr``, written out by `numerics.nests.stable.definition`, equals the leaf.

    Raises
    ------
    ValueError
        If no stable form is known for the expression.
    """
    try:
        offset, scale, total, polynomial = _split(expr, h)
        special = _special(total, h) if polynomial.is_zero else None
        if special is not None:
            shift, terms, logarithm = special
            return StableForm(h, scale, offset + scale * shift, terms, logarithm)
        terms, shift = _without_common(
            [
                term
                for exponent, constant, tails in _grouped(
                    total, sympy.expand(polynomial / scale), h
                )
                for term in _positive(exponent, constant, tails, h)
            ],
            h,
        )
    except _UnknownError as reason:
        raise ValueError(
            f"no stable form is known for the leaf {expr} ({reason}); add one to numerics.nests.recognise"
        ) from None
    logarithms = [term.logarithm for term in terms]
    whole = logarithms[-1]
    for other in logarithms[-2::-1]:
        whole = LogAddExp(other, whole)
    return StableForm(h, scale, offset + sympy.expand(scale * shift), terms, whole)


def with_stable_logarithms(expr: Expr) -> Expr:
    """Rewrite the logarithms in an expression that a leaf without liftings leaves behind.

    Parameters
    ----------
    expr : sympy.Expr

    Returns
    -------
    sympy.Expr
        Logarithms of sums of exponentials and error functions in functions of
        `numerics.nests.stable`, where that can be proved; others as they are.
    """
    constants = {}
    for logarithm in expr.atoms(log):
        if logarithm.args[0].has(exp, erf):
            try:
                constants[logarithm] = _stable_constant(logarithm.args[0])
            except _UnknownError:
                continue
    return sympy.expand_mul(expr.xreplace(constants)) if constants else expr


def _stable_constant(total: Expr) -> Expr:
    """Logarithm of a positive sum without a field."""
    h = Dummy("h", real=True)
    moved = total.replace(erf, lambda z: erf(z + h))
    logarithms: list[Expr] = []
    for exponent, constant, tails in _grouped(moved, S.Zero, h):
        signed = []
        for k, z in tails:
            if not (k.is_positive or k.is_negative):
                raise _UnknownError(f"the sign of {k} is not known")
            signed.append((abs(k), z.xreplace({h: S.Zero}) * (1 if k.is_positive else -1)))
        rest = sympy.simplify(constant - Add(*[k for k, _ in signed]))
        if rest.is_zero or rest.is_positive:
            logarithms += [_log(2 * k) + LogNdtr(sqrt(2) * z) + exponent for k, z in signed]
        elif constant.is_nonnegative and all(_is_positive(z) for _, z in signed):
            rest = constant
            logarithms += [_log(k) + LogErfMean(z, z) + exponent for k, z in signed]
        else:
            raise _UnknownError("it is not a sum of terms that are known to be positive")
        if not rest.is_zero:
            logarithms.append(_log(rest) + exponent)
    whole = logarithms[-1]
    for other in logarithms[-2::-1]:
        whole = LogAddExp(other, whole)
    return whole


def _split(expr: Expr, h: Symbol) -> tuple[Expr, Expr, Expr, Expr]:
    """Offset, scale, S and polynomial of ``offset + scale log S + polynomial``."""
    summands = [sympy.expand_mul(part, deep=False) for part in Add.make_args(expr)]
    offset, rest = Add(*summands).as_independent(h, as_Add=True)
    parts = Add.make_args(rest)
    logarithms = [part for part in parts if any(e.has(h) for e in part.atoms(log))]
    polynomial = Add(*[part for part in parts if part not in logarithms])
    if not polynomial.is_polynomial(h):
        raise _UnknownError("it is not a logarithm")
    if not logarithms:
        return offset, S.One, S.One, polynomial
    if len(logarithms) > 1:
        raise _UnknownError("it has more than one logarithm")
    scale, logarithm = logarithms[0].as_independent(h, as_Add=False)
    if not isinstance(logarithm, log):
        raise _UnknownError("it is not linear in its logarithm")
    if not scale.is_positive:
        raise _UnknownError(f"the factor {scale} of its logarithm is not known to be positive")
    return offset, scale, logarithm.args[0], polynomial


def _special(total: Expr, h: Symbol) -> tuple[Expr, tuple[Term, ...], Expr] | None:
    """Forms with a function of their own, arguments as they are: shift, terms, logarithm."""
    inner = total.expand(deep=False)
    coefficient, rest = inner.as_independent(h, as_Add=False)
    if isinstance(rest, cosh) and coefficient.is_positive and _degree(rest.args[0], h) == 1:
        (u,) = rest.args
        return log(coefficient / 2), (Term(u), Term(-u)), LogTwoCosh(u)
    parts = [term.as_coeff_Mul() for term in Add.make_args(inner)]
    halves = [e.args[0] for c, e in parts if isinstance(e, erf) and c == Rational(1, 2)]
    if len(parts) == len(halves) == 2 and _is_positive(Add(*halves)):
        first, second = sorted(halves, key=sympy.default_sort_key)
        return S.Zero, (Term(S.Zero, (first, second)),), LogErfMean(first, second)
    return None


# -- terms -----------------------------------------------------------------------------------------

_Tail = tuple[Expr, Expr]  # coefficient and argument of an error function


def _grouped(total: Expr, shift: Expr, h: Symbol) -> list[tuple[Expr, Expr, list[_Tail]]]:
    """Terms of ``exp(shift) total`` by exponential: exponent, k_0 and (k_j, z_j)."""
    if total.has(HyperbolicFunction):
        total = total.rewrite(exp)
    # functions are set aside, so that expanding does not touch their arguments
    aside = {e: Dummy() for e in total.atoms(exp, erf) if e.has(h) or isinstance(e, exp)}
    back = {dummy: e for e, dummy in aside.items()}
    groups: list[tuple[Expr, list[Expr], list[_Tail]]] = []
    for product in Add.make_args(sympy.expand(total.xreplace(aside))):
        constant, exponent, argument = _factors(product, back, h)
        exponent = _exponent(exponent + shift, h)
        group = next((g for g in groups if _same(g[0], exponent)), None)
        if group is None:
            group = (exponent, [], [])
            groups.append(group)
        if argument is None:
            group[1].append(constant)
        else:
            group[2].append((constant, argument))
    return [(e, sympy.simplify(Add(*constants)), tails) for e, constants, tails in groups]


def _factors(product: Expr, back: dict[Dummy, Expr], h: Symbol) -> tuple[Expr, Expr, Expr | None]:
    """Coefficient, exponent and argument of the error function of one term."""
    constant, exponent = S.One, S.Zero
    argument: Expr | None = None
    for factor in Mul.make_args(product):
        base, power = factor.as_base_exp()
        function = back.get(base)
        if function is None:
            constant *= factor
        elif isinstance(function, exp):
            exponent += power * function.args[0]
        elif argument is None and power == 1 and _degree(function.args[0], h) == 1:
            argument = function.args[0]
        else:
            raise _UnknownError("a term has an error function that is not linear or not alone")
    if constant.has(h):
        raise _UnknownError("a term is not an exponential times at most one error function")
    degree = _degree(exponent, h)
    if degree is None or degree > 2:
        raise _UnknownError("an exponent is not a polynomial of degree two at most")
    return constant, exponent, argument


def _positive(exponent: Expr, constant: Expr, tails: Sequence[_Tail], h: Symbol) -> list[Term]:
    """Positive terms whose sum is ``exp(exponent) (constant + sum k erf z)``."""
    signed = []
    for k, z in tails:
        if not (k.is_positive or k.is_negative):
            raise _UnknownError(f"the sign of {k} is not known")
        # erf is odd: all coefficients positive
        signed.append((k, z) if k.is_positive else (-k, -z))
    cover = _cover(constant, signed)
    if cover is None:
        raise _UnknownError("it is not a sum of terms that are known to be positive")
    rest, singles, pairs = cover
    terms = [Term(exponent + _log(2 * k), (_linear(sqrt(2) * z, h),)) for k, z in singles]
    for k, *ends in pairs:
        terms.append(Term(exponent + _log(2 * k), tuple(_linear(z, h) for z in ends)))
    if not rest.is_zero:
        terms.append(Term(exponent + _log(rest)))
    return terms


def _without_common(terms: list[Term], h: Symbol) -> tuple[tuple[Term, ...], Expr]:
    """Take out constants that all exponents share: large ones would cost the sum its digits."""
    constants = [{e for e in Add.make_args(t.exponent) if not e.has(h)} for t in terms]
    common = Add(*set.intersection(*constants))
    return tuple(Term(t.exponent - common, t.arguments) for t in terms), common


def _cover(
    constant: Expr, tails: list[_Tail]
) -> tuple[Expr, list[_Tail], list[tuple[Expr, Expr, Expr]]] | None:
    """Share out ``constant`` among tails; what it does not reach must form intervals."""
    rest = sympy.simplify(constant - Add(*[k for k, _ in tails]))
    if rest.is_zero or rest.is_positive:
        return rest, tails, []
    for i, (k, a) in enumerate(tails):
        for j, (other, b) in enumerate(tails[:i]):
            if _same(k, other) and _is_positive(a + b):
                inner = _cover(constant, [t for n, t in enumerate(tails) if n not in (i, j)])
                if inner is not None:
                    return inner[0], inner[1], [*inner[2], (k, a, b)]
    return None


# -- expressions -----------------------------------------------------------------------------------


def _degree(expr: Expr, h: Symbol) -> int | None:
    """Degree as a polynomial in h, None for anything else."""
    return (
        Poly(expr, h).degree()
        if expr.is_polynomial(h) and expr.has(h)
        else (None if expr.has(h) else 0)
    )


def _tidy(expr: Expr) -> Expr:
    return sympy.factor(sympy.together(sympy.simplify(expr)))


def _exponent(expr: Expr, h: Symbol) -> Expr:
    """A polynomial of degree two around its centre, so that nothing cancels there."""
    a, b, c = (_tidy(Poly(expr, h).coeff_monomial(h**n)) for n in (2, 1, 0))
    if a.is_zero or b.is_zero:
        return a * h**2 + b * h + c
    return a * (h + _tidy(b / (2 * a))) ** 2 + _tidy(c - b**2 / (4 * a))


def _linear(expr: Expr, h: Symbol) -> Expr:
    """``slope (h - root)``, so that nothing cancels at the root; kept a product if slope is a number."""
    slope, intercept = (_tidy(Poly(expr, h).coeff_monomial(h**n)) for n in (1, 0))
    shifted = h + _tidy(intercept / slope)
    return shifted if slope == 1 else Mul(slope, shifted, evaluate=False)


def _log(positive: Expr) -> Expr:
    value = sympy.simplify(positive)
    if not value.is_positive:
        raise _UnknownError(f"{value} is not known to be positive")
    return log(value)


def _is_positive(expr: Expr) -> bool:
    """Whether a real expression is positive for certain, its square roots taken to be of positive numbers."""
    value = sympy.simplify(expr)
    roots = {
        a: sympy.Dummy(positive=True)
        for a in value.atoms(sympy.Pow)
        if a.exp.is_Rational and not a.exp.is_Integer
    }
    return bool(value.xreplace(roots).is_positive)


def _same(first: Expr, second: Expr) -> bool:
    if first == second:
        return True
    return sympy.simplify(first - second) == 0
