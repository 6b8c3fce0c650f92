"""From a dual activation to a compiled module that fills Gram matrices.

The pair function is printed from theory's stable expressions, common subexpressions shared; the loops
around it are files beside this one, pasted behind it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from types import ModuleType

import sympy
from sympy import Expr, Symbol
from sympy.printing.pycode import PythonCodePrinter

from numerics.codegen import generated_module
from numerics.kernels.series.rounding import power_constants
from numerics.kernels.series.series import ENOUGH, TIERS
from theory.calculus.price import K1, K2, C
from theory.kernels.duals import Dual, Tangent
from theory.kernels.moments import DELTA, DET, SIGMA

from . import state

__all__ = ["kernel_module", "pasted", "printed", "uses_power_loops", "uses_series"]

_ANGLE = sympy.Function("angle")
_HERE = Path(__file__).parent


class _Printer(PythonCodePrinter):
    """Numbers as doubles, half-integer powers by square roots, angles by our own function."""

    def _print(self, expr: Expr, **kwargs: object) -> str:
        if isinstance(expr, Expr) and expr.is_number and not expr.is_Integer:
            return f"({float(sympy.N(expr, 30))!r})"
        return super()._print(expr, **kwargs)

    def _print_Integer(self, expr: Expr) -> str:
        return f"{int(expr)}.0"

    def _print_Pow(self, expr: Expr, rational: bool = False) -> str:
        base, index = expr.as_base_exp()
        if index.is_negative:
            return f"(1.0/{self._print_Pow_positive(base, -index)})"
        return self._print_Pow_positive(base, index)

    def _print_Pow_positive(self, base: Expr, index: Expr) -> str:
        text = self._print(base)
        if index == 1:
            return f"({text})"
        if (2 * index).is_Integer and index < 20:
            factors = [f"({text})"] * int(sympy.floor(index))
            if not index.is_Integer:
                factors.append(f"math.sqrt({text})")
            return f"({'*'.join(factors)})"
        return f"(({text})**{self._print(index)})"

    def _print_ExpDifference(self, expr: Expr) -> str:
        return f"exp_difference({', '.join(self._print(a) for a in expr.args)})"


def _angles(expr: Expr) -> Expr:
    """Write arc tangents with the two-argument function."""
    expr = expr.replace(sympy.atan, lambda a: _ANGLE(*sympy.fraction(sympy.together(a))))
    return expr.replace(sympy.atan2, _ANGLE)


def _numbers(expr: Expr) -> Expr:
    """Every number in one piece, rounded once: shared subexpressions would take exp(2) - 1 apart."""
    if expr.is_Rational or not expr.args:
        return expr
    if expr.is_number:
        return sympy.N(expr, 30)
    if isinstance(expr, sympy.Add | sympy.Mul):
        number, rest = expr.as_independent(*expr.free_symbols, as_Add=expr.is_Add)
        parts = [_numbers(a) for a in expr.func.make_args(rest)]
        return expr.func(_numbers(number), *parts)
    return expr.func(*map(_numbers, expr.args))


def printed(outputs: Sequence[Expr], angles: bool = True) -> list[str]:
    """Print expressions as the body of a function that returns them.

    Parameters
    ----------
    outputs : sequence of Expr
    angles : bool
        Whether arc tangents are our own.

    Returns
    -------
    list of str
        Lines, without indentation; the last one returns a tuple.
    """
    exprs = [_angles(e) if angles else e for e in map(_numbers, outputs)]
    shared, final = sympy.cse(exprs, symbols=sympy.numbered_symbols("w"))
    printer = _Printer({"fully_qualified_modules": True, "user_functions": {"angle": "angle"}})
    lines = [f"{name} = {printer.doprint(value)}" for name, value in shared]
    return [*lines, f"return {', '.join(printer.doprint(e) for e in final)}"]


def function_text(name: str, arguments: Sequence[Symbol], outputs: Sequence[Expr]) -> str:
    """Return the source of an inlined function."""
    body = "\n    ".join(printed(outputs))
    head = f"def {name}({', '.join(map(str, arguments))}):"
    return (
        f'@numba.njit(forceinline=True, error_model="numpy", fastmath=_FLAGS)\n{head}\n    {body}\n'
    )


def pasted(name: str) -> str:
    """Return the text of one of this package's files, its docstring and relative imports removed."""
    text = (_HERE / f"{name}.py").read_text(encoding="utf-8")
    text = re.sub(r'\A""".*?"""\n', "", text, flags=re.S)
    text = re.sub(r"^from \.\S* import (\([^)]*\))?[^\n]*\n", "", text, flags=re.M)
    return text.replace("from __future__ import annotations\n", "")


def _imports() -> str:
    """Return what generated modules import, and its fields, on whose order compiled code depends."""
    shared = [t for t in vars(state).values() if getattr(t, "__module__", "") == state.__name__]
    lines = [f"from {state.__name__} import {t.__name__}  # {', '.join(t._fields)}" for t in shared]
    return "\n".join(lines) + "\n"


_OF_SERIES = ("rows", "row_bends", "moduli", "remainders", "inverse_roots", "needs_determinants")


def stand_ins(*names: str) -> str:
    """Return the text of functions of `numerics.kernels.loops.stub`, for what an activation does not need."""
    text = pasted("stub")
    return "".join(
        re.search(rf"^@numba\.njit[^\n]*\ndef {name}\(.*?(?=^@numba|\Z)", text, re.S | re.M)[0]  # type: ignore[index]
        for name in names
    )


def uses_power_loops(dual: Dual) -> bool:
    """Whether the angle is the state: a homogeneous activation with a kink."""
    return dual.degree is not None and any(t.kind == "sign" for t in dual.terms or ())


def uses_series(dual: Dual) -> bool:
    """Whether D is a Hermite series: there is no closed form."""
    return not dual.is_closed


@lru_cache(maxsize=64)
def kernel_module(dual: Dual, tangent: Tangent = "limit") -> ModuleType:
    """Compile the loops of an activation.

    Parameters
    ----------
    dual : theory.kernels.duals.Dual
    tangent : {"limit", "almost_everywhere"}
        Which slope the tangent kernel has, see `theory.kernels.duals.Dual.tangent`.

    Returns
    -------
    types.ModuleType
        With ``run``, ``diagonal`` and ``equilibrium`` of `numerics.kernels.loops.power` or ``smooth``.
    """
    if uses_power_loops(dual):
        parts = [_power(dual, tangent), pasted("power"), pasted("deq_power")]
        name = "power_kernel"
    else:
        own = _series() if uses_series(dual) else _smooth(dual, tangent)
        parts = [own, pasted("smooth"), pasted("deq_smooth")]
        name = "series_kernel" if uses_series(dual) else "smooth_kernel"
    return generated_module(name, "\n\n".join([_imports(), pasted("primitives"), *parts]))


_ARGUMENTS = [K1, K2, C, DET, DELTA, SIGMA]


def _smooth(dual: Dual, tangent: Tangent) -> str:
    outputs = [dual.moment(0, 0).stable, dual.tangent(tangent).stable]
    drifts = [dual.moment(1, 1).stable, dual.tangent(tangent, 1, 1).stable]
    used = set().union(*(e.free_symbols for e in outputs))
    text = (
        f"USES_DET = {DET in used}\nUSES_GAP = {bool({DELTA, SIGMA} & used)}\nUSES_SERIES = False\n"
    )
    text += function_text("pair", _ARGUMENTS, outputs)
    text += function_text("drift", _ARGUMENTS, drifts)
    text += function_text("diagonal_slope", [K1], [_on_diagonal(dual.moment(2, 0).stable)])
    return text + stand_ins(*_OF_SERIES)


def _series() -> str:
    """The same for every activation, which comes as numbers and pointers."""
    text = f"USES_DET = True\nUSES_GAP = False\nUSES_SERIES = True\nTIERS = {TIERS!r}\nENOUGH = {ENOUGH!r}\n"
    text += pasted("between") + pasted("quadrature") + pasted("hermite")
    return text + stand_ins("pair", "drift", "diagonal_slope")


def _on_diagonal(stable: Expr) -> Expr:
    """Put k12 = k22 = k11; 0 where phi jumps and this is not finite, as no equilibrium needs it."""
    value = stable.subs({DET: 0, DELTA: 0, SIGMA: 4 * K1, C: K1, K2: K1}, simultaneous=True)
    value = value.replace(sympy.DiracDelta, lambda *_: sympy.S.Zero)
    return sympy.S.Zero if value.has(sympy.zoo, sympy.nan, sympy.oo) else value


def _power(dual: Dual, tangent: Tangent) -> str:
    rho, s, theta = sympy.symbols("rho s theta", real=True)
    t, psi = sympy.symbols("t psi", real=True)
    parts = dual.profile
    one = {rho: 1, s: 0, theta: 0}
    shares = [value.subs(one) for value, _ in parts]
    norm = sympy.Add(*shares)
    jumps = bool(dual.existence.jumps) and tangent == "limit"
    rests: list[Expr] = []
    for share, (value, _) in zip(shares, parts, strict=True):
        # the polynomial in rho apart from what the angle brings: their sum does not cancel
        plain = value.subs({s: 0, theta: 0})
        rests.append(sympy.expand((share - plain.subs(rho, 1 - t)) / norm))
        turned = sympy.collect(sympy.expand((plain - value) / norm), [theta, s])
        rests.append(turned)
    flat = bool(dual.existence.jumps) and not jumps
    slopes = [sympy.S.Zero if flat else slope for _, slope in parts]
    constants = power_constants(rests, slopes, jumps)
    head = f"DEGREE = {float(dual.degree or 0)!r}\nNORM = {float(norm)!r}\nJUMPS = {jumps}\n"
    head += f"EVEN = {float(shares[0] / norm)!r}\nODD = {float(shares[1] / norm)!r}\n"
    steep = sympy.Add(*slopes).subs(one) / norm if dual.degree else sympy.S.Zero
    head += f"STEEP = {float(steep)!r}\n"
    head += "".join(f"{name} = {value!r}\n" for name, value in constants.items())
    near = function_text("profile", [rho, t, s, theta], [*rests, *slopes])
    opposite = {rho: -_taylor(sympy.cos, psi), s: _taylor(sympy.sin, psi), theta: sympy.pi - psi}
    ends = []
    for expr in (sympy.Add(*(v for v, _ in parts)), sympy.Add(*slopes)):
        if sympy.fraction(sympy.together(expr))[1].has(s):
            ends.append(expr.subs({rho: -sympy.cos(psi), s: sympy.sin(psi), theta: sympy.pi - psi}))
        else:
            poly = sympy.Poly(sympy.expand(expr.subs(opposite)), psi)
            kept = [c * psi**n for (n,), c in poly.terms() if n <= 24]
            ends.append(sympy.horner(sympy.Add(*kept)) if kept else sympy.S.Zero)
    return head + near + function_text("far", [psi], ends)


def _taylor(function: type[sympy.Function], x: Symbol) -> Expr:
    """Taylor polynomial of sin or cos of degree 24 or more."""
    odd = function is sympy.sin
    return sympy.Add(
        *((-1) ** j * x ** (2 * j + odd) / sympy.factorial(2 * j + odd) for j in range(13))
    )
