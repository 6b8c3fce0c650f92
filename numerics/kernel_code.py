"""From a dual activation to a compiled module that fills Gram matrices.

The pair function is printed from theory's stable expressions, common subexpressions shared; the loops
around it are the files ``kernel_loops_*.py``, pasted behind it.
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

from theory.duals import DELTA, DET, SIGMA, Dual
from theory.ladder import K1, K2, C
from theory.mixtures import A, B, Mixture, mixture

from .codegen import generated_module
from .mixture_nodes import mixture_nodes

__all__ = ["has_module", "kernel_module", "pasted", "printed", "uses_power_loops"]

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


def printed(outputs: Sequence[Expr]) -> list[str]:
    """Print expressions as the body of a function that returns them.

    Parameters
    ----------
    outputs : sequence of Expr

    Returns
    -------
    list of str
        Lines, without indentation; the last one returns a tuple.
    """
    shared, final = sympy.cse([_angles(e) for e in outputs], symbols=sympy.numbered_symbols("w"))
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
    text = re.sub(r"^from \.\S* import [^\n]*\n", "", text, flags=re.M)
    return text.replace("from __future__ import annotations\n", "")


def uses_power_loops(dual: Dual) -> bool:
    """Whether the angle is the state: a homogeneous activation with a kink."""
    return dual.degree is not None and any(t.kind == "sign" for t in dual.terms or ())


@lru_cache(maxsize=64)
def kernel_module(dual: Dual) -> ModuleType:
    """Compile the loops of an activation with a closed dual.

    Parameters
    ----------
    dual : theory.duals.Dual

    Returns
    -------
    types.ModuleType
        With ``run`` and ``diagonal`` of `numerics.kernel_loops_power` or ``_smooth``.
    """
    if uses_power_loops(dual):
        parts = [_power(dual), pasted("kernel_loops_power"), pasted("deq_loops_power")]
        name = "power_kernel"
    else:
        parts = [_smooth(dual), pasted("kernel_loops_smooth"), pasted("deq_loops_smooth")]
        name = "smooth_kernel"
    return generated_module(name, "\n\n".join([pasted("kernel_primitives"), *parts]))


def has_module(dual: Dual) -> bool:
    """Whether D is a closed form, or a finite mixture of closed forms."""
    return dual.is_closed or mixture(dual.activation) is not None


def _smooth(dual: Dual) -> str:
    source: Dual | Mixture = dual
    if not dual.is_closed:
        found = mixture(dual.activation)
        assert found is not None
        source = found
    outputs = [source.moment(i, i).stable for i in (0, 1)]
    bend = _on_diagonal(source.moment(2, 0).stable)
    curve = source.moment(2, 2).stable
    used = set().union(*(e.free_symbols for e in outputs))
    flags = f"USES_DET = {DET in used}\nUSES_GAP = {bool({DELTA, SIGMA} & used)}\n"
    flags += f"USES_SERIES = {source is not dual}\n"
    arguments = [K1, K2, C, DET, DELTA, SIGMA]
    if source is dual:
        text = function_text("pair", arguments, outputs)
        text += function_text("curvature", arguments, [curve])
        text += function_text("diagonal_slope", [K1], [bend])
        return flags + text + pasted("kernel_hermite")
    nodes, masses = mixture_nodes()
    scales, weights = [*map(float, nodes)], [*map(float, masses)]
    while len(scales) % 8:  # whole vectors
        scales.append(1.0)
        weights.append(0.0)
    flags += f"SCALES = {tuple(scales)!r}\nWEIGHTS = {tuple(weights)!r}\n"
    text = function_text("member", [A, B, *arguments], outputs)
    text += function_text("member_curvature", [A, B, *arguments], [curve])
    text += function_text("member_slope", [A, B, K1], [bend])
    return flags + text + pasted("kernel_mixture") + pasted("kernel_hermite")


def _on_diagonal(stable: Expr) -> Expr:
    """Put k12 = k22 = k11."""
    return stable.subs({DET: 0, DELTA: 0, SIGMA: 4 * K1, C: K1, K2: K1}, simultaneous=True).replace(
        sympy.DiracDelta, lambda *_: sympy.S.Zero
    )


def _power(dual: Dual) -> str:
    rho, s, theta = sympy.symbols("rho s theta", real=True)
    t, psi = sympy.symbols("t psi", real=True)
    value, slope = dual.profile
    norm = value.subs({rho: 1, s: 0, theta: 0})
    rest = sympy.expand(1 - value.subs(rho, 1 - t) / norm)
    head = f"DEGREE = {float(dual.degree or 0)!r}\nNORM = {float(norm)!r}\n"
    near = function_text("profile", [rho, t, s, theta], [rest, slope])
    opposite = {rho: -_taylor(sympy.cos, psi), s: _taylor(sympy.sin, psi), theta: sympy.pi - psi}
    ends = []
    for expr in (value, slope):
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
