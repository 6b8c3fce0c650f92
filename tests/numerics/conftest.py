"""Shared by the tests of numbers: solved levels, leaves, and a reference in many digits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import mpmath
import numpy as np
import pytest
import sympy
from sympy import Lambda, Symbol

from numerics import Solution, solve_levels
from numerics.compile import CompiledLeaf, compile_leaf
from numerics.grids import Strip
from numerics.lifted import Leaf
from theory import SBP, GaussianExpectation, LiftedExpectation, free_energy
from theory.lifting import unfolded

# Order parameters found by `solve` at kappa = 1. The tests that use them need points of this kind at
# every level, not these digits.
RECORDED: dict[int, tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]] = {
    3: ((0.9851936121398,), (0.879986805969,), (4.257155881531,)),
    4: ((0.9986948863741, 0.9726984274921), (1.16780301032, 0.0846534393830), (3.965431, 11.39095)),
    5: (
        (0.9998034134527, 0.9963180166507, 0.9626860413010),
        (1.428503988518, 0.10729076800909, 0.0145660833107),
        (3.838875306607, 10.74999090407, 24.84297671997),
    ),
    6: (
        (0.9999584210412, 0.9992816912863, 0.9932819244643, 0.9545105919877),
        (1.641701320721, 0.1298841983288, 0.0177234942830, 0.0034565164667),
        (3.796601810600, 10.30589684180, 23.82054798335, 47.75031103560),
    ),
    7: (
        (0.9999888984995, 0.9998194683399, 0.9984132875392, 0.9898644951493, 0.9476939464382),
        (1.818896851304, 0.1498607547397, 0.0211723292445, 0.0040735161379, 0.0010158652703),
        (3.783087549559, 10.07805147190, 22.81267429445, 46.37544792348, 83.99122133779),
    ),
}


@pytest.fixture(scope="session")
def recorded() -> dict[int, dict[str, float]]:
    """Order parameters near the minimum of levels 3 to 7 at kappa = 1, by name."""
    return {
        level: {
            f"{letter}_{k}": x
            for letter, group in zip("pQs", groups, strict=True)
            for k, x in enumerate(group, start=2)
        }
        for level, groups in RECORDED.items()
    }


@pytest.fixture(scope="session")
def solved() -> Callable[..., Solution]:
    """Return ``solved(level, kappa="1")``: every level of every margin is solved once per process."""
    running: dict[str, Iterator[Solution]] = {}
    found: dict[tuple[str, int], Solution] = {}

    def at(level: int, kappa: str = "1") -> Solution:
        levels = running.setdefault(kappa, solve_levels(SBP(kappa), range(2, 8)))
        while (kappa, level) not in found:
            solution = next(levels)
            found[kappa, solution.level] = solution
        return found[kappa, level]

    return at


# -- leaves --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GaussianLeaf:
    """``-a h^2 / 2``: log-concave, entire, and its nests have a closed form."""

    parameters: tuple[str, ...] = ("a",)
    slope: float = 0.0

    def values(self, y: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        return -0.5 * parameters[0] * y * y

    def derivatives(self, y: np.ndarray, f: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        return -0.5 * (y * y)[None, :]

    def strip(self, parameters: np.ndarray) -> Strip:
        return Strip(float("inf"), float(parameters[0]), "log-concave")


@dataclass(frozen=True)
class ShiftedLeaf:
    """A leaf plus a constant, which is its last parameter."""

    inner: Leaf

    @property
    def parameters(self) -> tuple[str, ...]:
        return (*self.inner.parameters, "shift")

    @property
    def slope(self) -> float:
        return self.inner.slope

    def values(self, y: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        return self.inner.values(y, parameters[:-1]) + parameters[-1]

    def derivatives(self, y: np.ndarray, f: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        own = self.inner.derivatives(y, f - parameters[-1], parameters[:-1])
        return np.concatenate((own, np.ones((1, y.size))))

    def strip(self, parameters: np.ndarray) -> Strip:
        return self.inner.strip(parameters[:-1])


@dataclass(frozen=True)
class LeafCase:
    """A leaf at given parameters, in double precision and in many digits."""

    name: str
    leaf: Leaf
    parameters: np.ndarray
    exact: Callable[[mpmath.mpf], mpmath.mpf]
    finest: float

    @property
    def strip(self) -> Strip:
        return self.leaf.strip(self.parameters)


@pytest.fixture(scope="session")
def gaussian_leaf() -> GaussianLeaf:
    return GaussianLeaf()


@pytest.fixture(scope="session")
def shifted() -> type[ShiftedLeaf]:
    return ShiftedLeaf


@pytest.fixture(scope="session")
def theory_leaves() -> dict[str, Lambda]:
    """The leaves that theory derives: ``growing`` (log 2cosh) and ``falling`` (log P).

    The second in its variance 1 - p_2, as the evaluator compiles it, and kappa.
    """
    fe = free_energy(SBP(), 3)
    found = {}
    for name, part in (("growing", fe.entropy), ("falling", fe.energy)):
        (nest,) = part.atoms(LiftedExpectation)
        h = nest.leaf.variables
        found[name] = Lambda(h, nest.leaf.expr.subs(fe.p[0], 1 - Symbol("variance", positive=True)))
    return found


@pytest.fixture(scope="session")
def leaf_case(theory_leaves, gaussian_leaf) -> Callable[..., LeafCase]:
    """Return ``leaf_case("growing")``, ``("falling", kappa, variance)`` or ``("gaussian", a)``."""
    h = Symbol("h", real=True)

    def at(name: str, *parameters: float) -> LeafCase:
        array = np.array(parameters, dtype=float)
        if name == "gaussian":
            (a,) = parameters
            return LeafCase(name, gaussian_leaf, array, lambda y: -a * y * y / 2, a**-0.5)
        compiled: CompiledLeaf = compile_leaf(theory_leaves[name])
        if name == "growing":
            return LeafCase(name, compiled, array, log_two_cosh, 1.0)
        assert compiled.parameters == ("kappa", "variance")
        symbols = sorted(theory_leaves[name].free_symbols, key=str)
        expr = theory_leaves[name](h).subs(dict(zip(symbols, parameters, strict=True)))
        return LeafCase(name, compiled, array, log_probability(expr, h), parameters[1] ** 0.5)

    return at


def log_two_cosh(y: mpmath.mpf) -> mpmath.mpf:
    return mpmath.log(2 * mpmath.cosh(y))


def log_probability(expr: sympy.Expr, h: Symbol) -> Callable[[mpmath.mpf], mpmath.mpf]:
    """Log of half a sum of two error functions, by complements where these cancel."""
    terms = [term.as_coeff_Mul() for term in sympy.Add.make_args(expr.args[0].expand(deep=False))]
    assert sorted(abs(c) for c, _ in terms) == [sympy.Rational(1, 2)] * 2
    arguments = [sympy.lambdify(h, 2 * c * e.args[0], "mpmath") for c, e in terms]  # erf is odd

    def value(y: mpmath.mpf) -> mpmath.mpf:
        low, high = sorted((arguments[0](y), arguments[1](y)))
        if low > 0:
            return mpmath.log1p(-(mpmath.erfc(low) + mpmath.erfc(high)) / 2)
        return mpmath.log((mpmath.erfc(-low) - mpmath.erfc(high)) / 2)

    return value


# -- many digits ---------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def exact_nest() -> Callable[..., mpmath.mpf]:
    """A nest in 25 digits: chained trapezoid sums, every one far finer than its strip needs."""

    def nest(
        case: LeafCase, field, increments, exponents, *, refine: int = 1, deviations: int = 9
    ) -> mpmath.mpf:
        with mpmath.workdps(25):
            v = [mpmath.mpf(x) for x in increments]
            s = [mpmath.mpf(x) for x in exponents]
            growing = case.name == "growing"
            reaches, reach = [], mpmath.mpf(abs(field))
            for x, y in zip(reversed(v), reversed(s), strict=True):
                reach += deviations * mpmath.sqrt(x) + (x * y if growing else 0)
                reaches.insert(0, reach)
            scale = mpmath.mpf(case.finest)
            nodes, inner = [], []
            for k in range(len(v)):
                h = min(mpmath.sqrt(v[k]) / 2, scale / 6) / refine
                n = int(mpmath.ceil(reaches[k] / h))
                at = [j * h for j in range(n + 1)]
                if k == 0:
                    half = [case.exact(y) for y in at]
                else:
                    half = _lift(nodes, inner, v[k - 1], s[k - 1], at)
                nodes = [-y for y in at[:0:-1]] + at
                inner = half[:0:-1] + half
                scale = min(scale, 1 / s[k]) if growing and s[k] > 0 else scale
                scale = scale if growing else mpmath.sqrt(v[k])
            return _lift(nodes, inner, v[-1], s[-1], [mpmath.mpf(field)])[0]

    return nest


def _lift(nodes, values, v, s, points):
    """One lifting at several points; deviations from 1 are summed where the result is near 1."""
    h = nodes[1] - nodes[0]
    norm = h / mpmath.sqrt(2 * mpmath.pi * v)
    reach = 13 * mpmath.sqrt(v) + s * v
    deviations = [f if s == 0 else mpmath.expm1(s * f) for f in values]
    out = []
    for x in points:
        first = max(0, int((x - reach - nodes[0]) / h))
        last = min(len(nodes), int((x + reach - nodes[0]) / h) + 2)
        weights = [mpmath.exp(-((y - x) ** 2) / (2 * v)) for y in nodes[first:last]]
        total = norm * mpmath.fdot(weights, deviations[first:last])
        if s == 0:
            out.append(total)
        elif total > -0.5:
            out.append(mpmath.log1p(total) / s)
        else:
            whole = mpmath.fdot(weights, (mpmath.exp(s * f) for f in values[first:last]))
            out.append(mpmath.log(norm * whole) / s)
    return out


@pytest.fixture(scope="session")
def symbolic_value() -> Callable[..., float]:
    """Number of an expression of theory whose unfolded expectations are not nested.

    In 450 digits: far out the error functions of an interval's probability cancel to 1e-400.
    """

    def expectation(node: GaussianExpectation) -> mpmath.mpf:
        function = sympy.lambdify(node.variable, node.integrand, "mpmath")
        nodes = (mpmath.mpf(j) / 16 for j in range(-14 * 16, 14 * 16 + 1))
        return mpmath.fsum(function(u) * mpmath.npdf(u) for u in nodes) / 16

    def value(expr: sympy.Expr, values: dict) -> float:
        with mpmath.workdps(450):
            exact = {symbol: sympy.Float(number, 450) for symbol, number in values.items()}
            expr = unfolded(expr).subs(exact)
            numbers = {node: expectation(node) for node in expr.atoms(GaussianExpectation)}
            stand_ins = {node: sympy.Dummy() for node in numbers}
            function = sympy.lambdify(
                list(stand_ins.values()), expr.xreplace(stand_ins), modules="mpmath"
            )
            return float(function(*(numbers[node] for node in stand_ins)))

    return value
