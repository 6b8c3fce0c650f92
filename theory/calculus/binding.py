"""Bound variables: expressions that differ only in a bound variable's name are equal.

sympy's ``Lambda`` and ``Integral`` compare their dummy variables literally. The nodes of this
package bind variables at every level of a nest, so they compare by a canonical form instead: the
variable bound by a node of *height* n (n nested binders inside it) is renamed to the n-th canonical
variable. A node inside the body has a smaller height, hence a different variable, so nothing is
captured. Dummies are the bound variables themselves, so substitution cannot capture either.
"""

from __future__ import annotations

from functools import cache

from sympy import Derivative, Dummy, Expr, Lambda, Symbol
from sympy.core.basic import Basic


@cache
def canonical_variable(height: int) -> Dummy:
    """Return the variable every binder of this height is renamed to before comparison."""
    return Dummy(f"U_{height}", real=True)


def fresh(name: str = "U") -> Dummy:
    """Return a new real variable, distinct from every other one."""
    return Dummy(name, real=True)


def height(expr: Basic) -> int:
    """Return the largest number of binders nested inside each other in ``expr``."""
    if isinstance(expr, Binder):
        return expr.height
    own = 1 if isinstance(expr, Lambda) else 0
    return own + max((height(arg) for arg in expr.args), default=0)


def private_lambda(function: Lambda) -> Lambda:
    """Return ``function`` with a real dummy as its (single) variable."""
    (variable,) = function.variables
    if isinstance(variable, Dummy) and variable.is_real:
        return function
    own = fresh(variable.name)
    return Lambda(own, function.expr.xreplace({variable: own}))


class Binder(Expr):
    """Base of expressions that bind real variables in some of their arguments.

    An argument that is a ``Lambda`` of one variable binds it; a subclass that keeps body and
    variable as separate arguments says so by overriding ``_scopes``.
    """

    is_commutative = True

    def _scopes(self) -> dict[int, Symbol]:
        """Return the bound variable of every argument in which one is bound."""
        return {i: a.variables[0] for i, a in enumerate(self.args) if isinstance(a, Lambda)}

    def reflected(self, h: Symbol) -> Expr:
        """Return the node, a function of -h, in terms of h where its parity allows."""
        return self

    @property
    def bound_symbols(self) -> list[Symbol]:
        """The bound variables."""
        return list(dict.fromkeys(self._scopes().values()))

    @property
    def height(self) -> int:
        """Number of binders nested in this one, itself included."""
        if "_height" not in self.__dict__:
            self.__dict__["_height"] = 1 + max(height(_body(arg)) for arg in self.args)
        return self.__dict__["_height"]

    @property
    def free_symbols(self) -> set[Basic]:
        """Free symbols, the bound variables not among them."""
        scopes = self._scopes()
        return set().union(*(a.free_symbols - {scopes.get(i)} for i, a in enumerate(self.args)))

    def _hashable_content(self) -> tuple:
        if "_canonical" not in self.__dict__:
            variable, scopes = canonical_variable(self.height), self._scopes()
            self.__dict__["_canonical"] = tuple(
                _body(a).xreplace({scopes[i]: variable}) if i in scopes else a
                for i, a in enumerate(self.args)
            )
        return self.__dict__["_canonical"]

    def _renamed(self) -> Expr:
        """Return an equal node with bound variables nobody else knows."""
        scopes = self._scopes()
        names = {variable: fresh(variable.name) for variable in scopes.values()}
        return self.func(
            *[a.xreplace(names) if i in scopes else a for i, a in enumerate(self.args)]
        )

    def _xreplace(self, rule: dict) -> tuple[Basic, bool]:
        if self in rule:
            return rule[self], True
        scopes = self._scopes()
        plain = isinstance(rule, dict)  # sympy also passes Transform objects, rules on whole nodes
        if plain and any(
            bound in new.free_symbols and bound not in old.free_symbols
            for old, new in rule.items()
            for bound in scopes.values()
        ):
            return self._renamed()._xreplace(rule)
        args, changed = [], False
        for i, arg in enumerate(self.args):
            own = rule
            if plain and i in scopes:
                own = {k: v for k, v in rule.items() if scopes[i] not in k.free_symbols}
            new, touched = arg._xreplace(own)
            args.append(new)
            changed |= touched
        return (self.func(*args), True) if changed else (self, False)

    def _eval_subs(self, old: Basic, new: Basic) -> Expr | None:
        scopes = self._scopes()
        bound = set(scopes.values())
        if bound & new.free_symbols:
            return self._renamed()._subs(old, new)
        if bound & old.free_symbols:
            kept = {i for i, variable in scopes.items() if variable in old.free_symbols}
            return self.func(
                *[a if i in kept else a._subs(old, new) for i, a in enumerate(self.args)]
            )
        return None  # sympy substitutes in the arguments


def _body(arg: Basic) -> Basic:
    return arg.expr if isinstance(arg, Lambda) else arg


def shown(body: Lambda, node: Expr) -> tuple[Symbol, Expr]:
    """Return a readable variable for a body bound in ``node``, and the body in terms of it."""
    (variable,) = body.variables
    base, nested = variable.name.strip("_"), height(body.expr)
    name = f"{base}_{nested + 1}" if nested else base
    taken = {s.name for s in node.free_symbols if isinstance(s, Symbol)}
    while name in taken:
        name += "'"
    symbol = Symbol(name, real=True)
    return symbol, body.expr.xreplace({variable: symbol})


def apply(function: Lambda, argument: Expr) -> Expr:
    """Return function(argument), also where derivatives of undefined functions occur in it."""
    (variable,) = function.variables
    if function.expr.has(Derivative) and not argument.is_symbol:
        return function.expr.subs(variable, argument)
    return function.expr.xreplace({variable: argument})
