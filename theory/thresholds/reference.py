"""A readable numerical reference: the functional as a self-contained mpmath module.

The module nests adaptive quadratures, one inside the other, so its cost is exponential in the
level. It is for reading and for checking, not for solving.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sympy import Add, Expr, Function, Rational, S, Symbol, erf
from sympy.printing.pycode import MpmathPrinter

from theory.calculus.lifting import LiftedExpectation
from theory.thresholds.printing import numbered_nests

if TYPE_CHECKING:
    from theory.thresholds.free_energy import Chain, FreeEnergy

_HEAD = '''"""{symbol} of {model} at level {level}: a slow reference by nested quadrature.

Conventions: alpha = m/n, natural logarithms, U ~ N(0, 1). f_{first} and g_{first} are the leaves and

    f_k(x) = (1/s) log E exp(s f_{{k-1}}(x + sqrt(v) U)),   f_k(x) = E f_{{k-1}} for s = 0.

Every choice of the order parameters with
{domain} may be evaluated.
Accuracy is that of mpmath.mp.dps less a few digits; cost grows about 500-fold per level.
"""

import mpmath


def window(log_weight):
    """Return break points of the interval where exp(log_weight) matters, and its maximum there.

    The weight is a Gaussian times exp(s f): its centre is tilted away from 0 and may be a pair. A
    scan finds the best point and the range within 10^-(dps + 5) of it; ternary search sharpens
    the maximum, and the break points close in on it geometrically.
    """
    depth = (mpmath.mp.dps + 5) * mpmath.log(10)
    reach = mpmath.sqrt(2 * depth)
    while True:
        nodes = mpmath.linspace(-reach, reach, 49)
        values = [log_weight(u) for u in nodes]
        best = max(values)
        if max(values[0], values[-1]) < best - depth:
            break
        reach *= 1.5
    step = nodes[1] - nodes[0]
    kept = [u for u, value in zip(nodes, values) if value > best - depth]
    lower, upper = kept[0] - step, kept[-1] + step
    centre = nodes[values.index(best)]
    left, right = centre - step, centre + step
    for _ in range(12):
        a, b = (2 * left + right) / 3, (left + 2 * right) / 3
        left, right = (a, right) if log_weight(a) < log_weight(b) else (left, b)
    centre = (left + right) / 2
    best = max(best, log_weight(centre))
    width = step
    while width > 1e-9 * step and log_weight(centre + width) + log_weight(centre - width) < (
        2 * best - 8
    ):
        width /= 2
    points = {{lower, upper, centre}}
    while centre - width > lower or centre + width < upper:
        points |= {{u for u in (centre - width, centre + width) if lower < u < upper}}
        width *= 2
    return sorted(points), best


def lift(f, variance, exponent):
    """Return x -> (1/s) log E exp(s f(x + sqrt(v) U)), or x -> E f(x + sqrt(v) U) for s = 0."""
    root = mpmath.sqrt(variance)
    normalisation = mpmath.log(2 * mpmath.pi) / 2

    def lifted(x):
        if not variance:
            return f(x)
        if not exponent:
            points, _ = window(lambda u: -u * u / 2)
            density = lambda u: mpmath.exp(-u * u / 2 - normalisation)  # noqa: E731
            tilted = lambda u: f(x + root * u) * density(u)  # noqa: E731
            return mpmath.quad(tilted, points, method="gauss-legendre")
        log_weight = lambda u: -u * u / 2 + exponent * f(x + root * u)  # noqa: E731
        points, best = window(log_weight)
        weight = lambda u: mpmath.exp(log_weight(u) - best)  # noqa: E731
        total = mpmath.quad(weight, points, method="gauss-legendre")
        return (mpmath.log(total) + best - normalisation) / exponent

    return lifted


def erf_sum(a, b):
    """Return erf(a) + erf(b) without cancellation when the arguments have opposite signs."""
    small, large = min(a, b), max(a, b)
    if min(-small, large) < 0.5:
        return mpmath.erf(small) + mpmath.erf(large)
    return mpmath.erfc(-small) - mpmath.erfc(large)


def parts({arguments}):
    """Return (Ent, En)."""
    {mpf}
'''

_TAIL = '''

def {symbol}({arguments}):
    """Return {symbol} = {formula}."""
    entropy, energy = parts({arguments})
    return {code}
'''


class _Printer(MpmathPrinter):
    """Prints mpmath code; sums of two error functions without cancellation."""

    def _print_Rational(self, expr: Rational) -> str:
        return f"mpmath.mpf({expr.p})/{expr.q}"

    def _print_Complement(self, expr: Expr) -> str:
        return f"mpmath.erfc({self._print(expr.args[0])})"

    def _print_ErfSum(self, expr: Expr) -> str:
        return f"erf_sum({', '.join(self._print(a) for a in expr.args)})"


class Complement(Function):
    """erfc(z), for printing only: sympy's own turns erfc(-z) into 2 - erfc(z)."""


class ErfSum(Function):
    """erf(a) + erf(b), for printing only."""


def python_source(fe: FreeEnergy) -> str:
    """Return the source of a Python module with functions ``parts`` and ``alpha`` (or ``xi``).

    It imports mpmath only. ``parts`` returns (Ent, En). The arguments of both are the order
    parameters, in their order, followed by the model's parameters where these are symbolic.
    """
    extra = sorted(fe.expr.free_symbols - set(fe.order_parameters), key=str)
    arguments = [str(x) for x in (*fe.order_parameters, *extra)]
    domain = ",\n".join(map(_weak, fe.chains)) or "nothing to choose"
    nests = numbered_nests(fe)
    lines = [
        _HEAD.format(
            symbol=fe.symbol,
            model=fe.model,
            level=fe.level,
            first=nests[0][1] if nests else 1,
            arguments=", ".join(arguments),
            domain=domain,
            mpf="\n    ".join(f"{a} = mpmath.mpf({a})" for a in arguments) or "pass",
        ).rstrip()
    ]
    for chain in fe.chains:
        lines += [
            f"    if not {_weak(chain)}:",
            f'        raise ValueError("order parameters outside {_weak(chain)}")',
        ]
    names: dict[Expr, Expr] = {}
    for letter, first, nest in nests:
        lines += _nest_lines(nest, letter, first)
        names[nest] = Function(f"{letter}_{first + nest.depth}")(nest.field)
    lines += [
        "",
        f"    entropy = {_code(fe.entropy.xreplace(names))}",
        f"    energy = {_code(fe.energy.xreplace(names))}",
        "    return entropy, energy",
    ]
    formula, code = "-Ent/En", "-entropy / energy"
    if not fe.is_capacity:
        density = S.One if fe.model.alpha is None else fe.model.alpha
        formula, code = "-(Ent + alpha En)", f"-(entropy + ({_code(density)}) * energy)"
    tail = _TAIL.format(
        symbol=fe.symbol, arguments=", ".join(arguments), formula=formula, code=code
    )
    return "\n".join(lines) + "\n" + tail


def _weak(chain: Chain) -> str:
    """Return the inequalities with equality allowed (levels may merge), but below the bound."""
    inside = " >= ".join(map(str, (*chain.symbols, chain.lower)))
    return inside if chain.upper is S.Infinity else f"{chain.upper} > {inside}"


def _nest_lines(nest: LiftedExpectation, name: str, first: int) -> list[str]:
    (h,) = nest.leaf.variables
    leaf = nest.leaf.expr.xreplace({h: Symbol("h", real=True)})
    lines = ["", f"    def {name}_{first}(h):", f"        return {_code(leaf)}", ""]
    for k, (v, s) in enumerate(zip(nest.increments, nest.exponents, strict=True), start=first + 1):
        lines.append(f"    {name}_{k} = lift({name}_{k - 1}, {_code(v)}, {_code(s)})")
    return lines


def _code(expr: Expr) -> str:
    return _Printer({"fully_qualified_modules": True, "allow_unknown_functions": True}).doprint(
        expr.replace(lambda e: e.is_Add, _without_cancellation)
    )


def _without_cancellation(expr: Expr) -> Expr:
    """Return a sum with c - c erf(z) as c erfc(z) and c erf(a) + c erf(b) as c ErfSum(a, b)."""
    terms = [(term, *_split(term)) for term in expr.args]
    pairs = [(term, coefficient, z) for term, coefficient, z in terms if z is not None]
    plain = [term for term, _, z in terms if z is None]
    for constant in plain:
        ratios = [(term, (c / constant).cancel(), z) for term, c, z in pairs]
        mine = [(term, ratio, z) for term, ratio, z in ratios if ratio.is_number]
        if mine and Add(*[abs(ratio) for _, ratio, _ in mine]) == 1:
            kept = [t for t in expr.args if t is not constant and t not in [m[0] for m in mine]]
            tails = [
                constant * abs(ratio) * Complement(-z if ratio.is_positive else z)
                for _, ratio, z in mine
            ]
            return _without_cancellation(Add(*kept, *tails)) if kept else Add(*tails)
    seen: dict[Expr, tuple[Expr, Expr]] = {}
    for term, coefficient, z in pairs:
        if coefficient in seen:
            other, first = seen[coefficient]
            rest = [t for t in expr.args if t not in (other, term)]
            return Add(*rest, coefficient * ErfSum(first, z))
        seen[coefficient] = (term, z)
    return expr


def _split(term: Expr) -> tuple[Expr, Expr | None]:
    """Return (c, z) of a term c erf(z), (term, None) of any other."""
    coefficient, rest = term.as_independent(erf, as_Add=False)
    return (coefficient, rest.args[0]) if isinstance(rest, erf) else (term, None)
