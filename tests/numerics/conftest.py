"""Shared by the tests of numbers: solved levels, leaves, and a reference in many digits."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import mpmath
import numpy as np
import pytest
import sympy
from sympy import Lambda, Max, Rational, Symbol, erf, exp, log, sqrt

from numerics import Solution, solve_levels
from numerics.nests.doubles import Leaf
from numerics.nests.grids import Strip
from numerics.nests.leaf import CompiledLeaf, compile_leaf
from numerics.nests.shape import EVEN_FALLING, Shape
from theory import (
    ABP,
    SBP,
    BinaryPrior,
    GaussianExpectation,
    LiftedExpectation,
    UPerceptron,
    free_energy,
)
from theory.calculus.lifting import unfolded
from theory.thresholds.hard_constraints import P2, constraint_limit

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
    even: bool = True

    def values(self, y: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        return -0.5 * parameters[0] * y * y

    def derivatives(self, y: np.ndarray, f: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        return -0.5 * (y * y)[None, :]

    def facts(self, parameters: np.ndarray) -> tuple[Strip, Shape]:
        return Strip(float("inf"), float(parameters[0]), "log-concave"), EVEN_FALLING


@dataclass(frozen=True)
class ShiftedLeaf:
    """A leaf plus a constant, which is its last parameter."""

    inner: Leaf

    @property
    def parameters(self) -> tuple[str, ...]:
        return (*self.inner.parameters, "shift")

    @property
    def even(self) -> bool:
        return self.inner.even

    def values(self, y: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        return self.inner.values(y, parameters[:-1]) + parameters[-1]

    def derivatives(self, y: np.ndarray, f: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        own = self.inner.derivatives(y, f - parameters[-1], parameters[:-1])
        return np.concatenate((own, np.ones((1, y.size))))

    def facts(self, parameters: np.ndarray) -> tuple[Strip, Shape]:
        return self.inner.facts(parameters[:-1])


@dataclass(frozen=True)
class MirroredLeaf:
    """``f(-h)``; with ``even=False`` also an even leaf's way through the code for any leaf."""

    inner: Leaf
    even: bool = False

    @property
    def parameters(self) -> tuple[str, ...]:
        return self.inner.parameters

    def values(self, y: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        return self.inner.values(-y, parameters)

    def derivatives(self, y: np.ndarray, f: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        return self.inner.derivatives(-y, f, parameters)

    def facts(self, parameters: np.ndarray) -> tuple[Strip, Shape]:
        strip, shape = self.inner.facts(parameters)
        left, right = shape.settled
        flipped = Shape(
            shape.slopes[::-1],
            shape.steepest[::-1],
            (-right, -left),
            shape.falls[::-1],
            shape.unimodal,
        )
        return strip, flipped


@dataclass(frozen=True)
class LeafCase:
    """A leaf at given parameters, in double precision and in many digits.

    ``steep``: largest slope, if that is finite; ``finest``: length over which it changes.
    """

    name: str
    leaf: Leaf
    parameters: np.ndarray
    exact: Callable[[mpmath.mpf], mpmath.mpf]
    finest: float
    steep: float = math.inf

    @property
    def strip(self) -> Strip:
        return self.leaf.facts(self.parameters)[0]

    @property
    def shape(self) -> Shape:
        return self.leaf.facts(self.parameters)[1]


@pytest.fixture(scope="session")
def gaussian_leaf() -> GaussianLeaf:
    return GaussianLeaf()


@pytest.fixture(scope="session")
def shifted() -> type[ShiftedLeaf]:
    return ShiftedLeaf


@pytest.fixture(scope="session")
def mirrored() -> type[MirroredLeaf]:
    return MirroredLeaf


@pytest.fixture(scope="session")
def theory_leaves() -> dict[str, Lambda]:
    """The leaves that theory derives, by name; their parameters are those of `SCALES`, by their names.

    Hard constraints in their variance 1 - p_2, as the evaluator compiles them.
    """
    fe = free_energy(SBP(), 3)
    variance = Symbol("variance", positive=True)
    found = {}
    for name, part in (("growing", fe.entropy), ("falling", fe.energy)):
        (nest,) = part.atoms(LiftedExpectation)
        h = nest.leaf.variables
        found[name] = Lambda(h, nest.leaf.expr.subs(fe.p[0], 1 - variance))
    h, u, width = Symbol("h", real=True), Symbol("U"), Symbol("w", positive=True)
    c, gamma = Symbol("c", positive=True), Symbol("gamma", positive=True)
    one_sided, union, window = ABP().constraint, UPerceptron().constraint, SBP().constraint
    for name, constraint in (("one-sided", one_sided), ("union", union)):
        found[name] = Lambda(h, constraint_limit(constraint).leaf(h).subs(P2, 1 - variance))
    at = h + width * u
    for name, exponent in (
        ("absolute", c * BinaryPrior().leaf(at)),
        ("hinge", c * Max(at, 0)),
        ("soft one-sided", -c * one_sided.leaf(at, gamma)),
        ("soft window", -c * window.leaf(at, gamma)),
        ("soft union", -c * union.leaf(at, gamma)),
    ):
        lifted = GaussianExpectation(exp(exponent), u).doit()
        assert not lifted.has(GaussianExpectation)
        found[name] = Lambda(h, (log(lifted) / c).subs(width, sqrt(variance)))
    found["logistic"] = Lambda(h, log(1 + exp(h - Symbol("d", real=True))))
    rates = (-1, 0, Rational(1, 2), 2)
    found["levels"] = Lambda(
        h, log(sum(exp(x * h + Symbol(f"d_{j}", real=True)) for j, x in enumerate(rates)))
    )
    a, b = Symbol("a", real=True), Symbol("b", real=True)
    found["linear"] = Lambda(h, a * h + b)
    return found


@pytest.fixture(scope="session")
def exact_values(theory_leaves) -> Callable[..., Callable[[mpmath.mpf], mpmath.mpf]]:
    """Return ``exact_values(name, *parameters)``: a leaf of theory in many digits."""
    h = Symbol("h", real=True)

    @cache
    def function(name: str) -> Callable[..., mpmath.mpf]:
        leaf = theory_leaves[name]
        symbols = sorted(leaf.free_symbols, key=str)
        if name == "falling":
            return log_probability(leaf(h), h, symbols)
        return exact_leaf(leaf(h), h, symbols)

    def at(name: str, *parameters: float | mpmath.mpf) -> Callable[[mpmath.mpf], mpmath.mpf]:
        numbers = [mpmath.mpf(p) for p in parameters]
        return lambda y: function(name)(y, *numbers)

    return at


@pytest.fixture(scope="session")
def leaf_case(theory_leaves, gaussian_leaf, exact_values) -> Callable[..., LeafCase]:
    """Return ``leaf_case(name, *parameters)``: a leaf of theory, or ``("gaussian", a)``."""

    def at(name: str, *parameters: float) -> LeafCase:
        array = np.array(parameters, dtype=float)
        if name == "gaussian":
            (a,) = parameters
            return LeafCase(name, gaussian_leaf, array, lambda y: -a * y * y / 2, a**-0.5)
        compiled: CompiledLeaf = compile_leaf(theory_leaves[name])
        exact = exact_values(name, *parameters)
        return LeafCase(name, compiled, array, exact, *SCALES[name](*parameters))

    return at


LEAVES = [
    ("growing",),
    ("falling", 1.0, 0.05),
    ("falling", 0.3, 0.4),
    ("gaussian", 1.7),
    ("one-sided", 0.3, 0.05),
    ("one-sided", -0.7, 0.4),
    ("union", 0.8, 0.2),
    ("absolute", 3.0, 0.1),
    ("hinge", 4.0, 0.05),
    ("soft one-sided", 5.0, 0.2, 0.3, 0.1),
    ("soft window", 5.0, 0.2, 0.6, 0.1),
    ("soft union", 5.0, 0.2, 0.6, 0.1),
    ("logistic", 0.5),
    ("levels", 0.0, 0.5, -0.3, -1.0),
    ("linear", 0.7, -0.2),
]
# every way of growing and falling once
FEW = [LEAVES[k] for k in (0, 1, 4, 6, 7, 9, 12)]


@pytest.fixture(scope="module", params=LEAVES, ids=lambda case: "-".join(map(str, case)))
def case(request, leaf_case) -> LeafCase:
    """Every leaf."""
    return leaf_case(*request.param)


@pytest.fixture(scope="module", params=FEW, ids=lambda case: "-".join(map(str, case)))
def some_case(request, leaf_case) -> LeafCase:
    """One leaf of every kind."""
    return leaf_case(*request.param)


# -- leaves in many digits -----------------------------------------------------------------------

# Length over which each leaf changes, and its largest slope.
SCALES: dict[str, Callable[..., tuple[float, float]]] = {
    "growing": lambda: (1.0, 1.0),
    "falling": lambda kappa, variance: (variance**0.5, math.inf),
    "one-sided": lambda kappa, variance: (variance**0.5, math.inf),
    "union": lambda kappa, variance: (
        min(variance**0.5, variance / kappa),
        kappa / variance + 2 / variance**0.5,
    ),
    "absolute": lambda c, variance: (min(variance**0.5, 1 / c), 1.0),
    "hinge": lambda c, variance: (min(variance**0.5, 1 / c), 1.0),
    "soft one-sided": lambda c, gamma, kappa, variance: (variance**0.5, math.inf),
    "soft window": lambda c, gamma, kappa, variance: (variance**0.5, math.inf),
    "soft union": lambda c, gamma, kappa, variance: (
        min(variance**0.5, gamma / (c * kappa)),
        kappa / (2 * gamma),
    ),
    "logistic": lambda d: (1.0, 1.0),
    "levels": lambda *d: (0.5, 2.0),
    "linear": lambda a, b: (1.0, abs(a)),
}


def exact_leaf(leaf: sympy.Expr, h: Symbol, parameters: list[Symbol]) -> Callable[..., mpmath.mpf]:
    """``A log S + polynomial`` by complementary error functions, so that constants cancel exactly."""

    def compiled(expr: sympy.Expr) -> Callable[..., mpmath.mpf]:
        return sympy.lambdify([h, *parameters], expr, "mpmath")

    logarithms = [e for e in leaf.atoms(log) if e.has(h)]
    whole = sympy.Dummy()
    rest = leaf.xreplace(dict.fromkeys(logarithms, whole))
    outside = compiled(rest.subs(whole, 0))
    if not logarithms:
        return outside
    scale = compiled(sympy.diff(rest, whole))
    total = logarithms[0].args[0].rewrite(exp)
    aside = {e: sympy.Dummy() for e in total.atoms(exp, erf) if e.has(h)}
    back = {dummy: e for e, dummy in aside.items()}
    # the same exponential, if it is at one field and set of parameters
    probe = [mpmath.mpf(k + 3) / (2 * k + 5) for k in range(1 + len(parameters))]
    groups: dict[str, tuple[Callable, list[tuple[Callable, Callable | None]]]] = {}
    for product in sympy.Add.make_args(sympy.expand(total.xreplace(aside))):
        constant, functions = product.as_independent(*back, as_Add=False)
        factors = [e.xreplace(back) for e in sympy.Mul.make_args(functions)]
        exponent = compiled(sum((e.args[0] for e in factors if isinstance(e, exp)), sympy.S.Zero))
        tails = [e.args[0] for e in factors if isinstance(e, erf)]
        key = mpmath.nstr(mpmath.mpf(exponent(*probe)), 12)
        found = groups.setdefault(key, (exponent, []))
        found[1].append((compiled(constant), compiled(tails[0]) if tails else None))

    def value(*at: mpmath.mpf) -> mpmath.mpf:
        with mpmath.workdps(40):
            total = mpmath.mpf(0)
            for exponent, parts in groups.values():
                constant, rest, size = mpmath.mpf(0), mpmath.mpf(0), mpmath.mpf(0)
                for number, z in parts:
                    k = mpmath.mpf(number(*at))
                    t = mpmath.inf if z is None else z(*at)
                    sign = 1 if t >= 0 else -1
                    constant, size = constant + sign * k, size + abs(k)
                    rest -= 0 if z is None else sign * k * mpmath.erfc(abs(t))
                constant = mpmath.mpf(0) if abs(constant) < 1e-35 * size else constant
                total += mpmath.exp(exponent(*at)) * (constant + rest)
            return scale(*at) * mpmath.log(total) + outside(*at)

    return value


def log_probability(
    expr: sympy.Expr, h: Symbol, parameters: list[Symbol]
) -> Callable[..., mpmath.mpf]:
    """Log of half a sum of two error functions, by complements also where it is close to 0."""
    terms = [term.as_coeff_Mul() for term in sympy.Add.make_args(expr.args[0].expand(deep=False))]
    assert sorted(abs(c) for c, _ in terms) == [sympy.Rational(1, 2)] * 2
    arguments = [  # erf is odd
        sympy.lambdify([h, *parameters], 2 * c * e.args[0], "mpmath") for c, e in terms
    ]

    def value(*at: mpmath.mpf) -> mpmath.mpf:
        low, high = sorted((arguments[0](*at), arguments[1](*at)))
        if low > 0:
            return mpmath.log1p(-(mpmath.erfc(low) + mpmath.erfc(high)) / 2)
        return mpmath.log((mpmath.erfc(-low) - mpmath.erfc(high)) / 2)

    return value


# -- many digits ---------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def exact_nest() -> Callable[..., mpmath.mpf]:
    """A nest in 25 digits: chained trapezoid sums, every one far finer than its strip needs.

    Where slopes are finite, windows are as wide as they allow. Otherwise the leaf falls, and a sum goes
    over all nodes.
    """

    def nest(
        case: LeafCase, field, increments, exponents, *, refine: int = 1, deviations: int = 9
    ) -> mpmath.mpf:
        with mpmath.workdps(25):
            v = [mpmath.mpf(x) for x in increments]
            s = [mpmath.mpf(x) for x in exponents]
            steep = case.steep if math.isfinite(case.steep) else 0.0
            left, right = (x if math.isfinite(x) else 0.0 for x in case.shape.settled)
            ends, low, high = [], mpmath.mpf(field), mpmath.mpf(field)
            for x, y in zip(reversed(v), reversed(s), strict=True):
                step = deviations * mpmath.sqrt(x) + x * y * steep
                low, high = min(low, left) - step, max(high, right) + step
                ends.insert(0, (low, high))
            scale = mpmath.mpf(case.finest)
            nodes, inner = [], []
            for k in range(len(v)):
                h = min(mpmath.sqrt(v[k]) / 2, scale / 6) / refine
                at = [j * h for j in range(int(ends[k][0] / h) - 1, int(ends[k][1] / h) + 2)]
                if k == 0:
                    values = [case.exact(y) for y in at]
                else:
                    values = _lift(nodes, inner, v[k - 1], s[k - 1], at, case.steep)
                nodes, inner = at, values
                # the next function is smooth on the scale of this lifting, or narrowed by its exponent
                if steep > 0.0:
                    scale = min(scale, 1 / (s[k] * steep)) if s[k] > 0 else scale
                else:
                    scale = mpmath.sqrt(v[k])
            return _lift(nodes, inner, v[-1], s[-1], [mpmath.mpf(field)], case.steep)[0]

    return nest


def _lift(nodes, values, v, s, points, steep):
    """One lifting at several points; deviations from 1 are summed where the result is near 1."""
    h = nodes[1] - nodes[0]
    norm = h / mpmath.sqrt(2 * mpmath.pi * v)
    reach = 13 * mpmath.sqrt(v) + s * v * steep if math.isfinite(steep) else None
    deviations = [f if s == 0 else mpmath.expm1(s * f) for f in values]
    whole = [mpmath.exp(s * f) for f in values]
    out = []
    for x in points:
        first, last = 0, len(nodes)
        if reach is not None:
            first = max(0, int((x - reach - nodes[0]) / h))
            last = min(len(nodes), int((x + reach - nodes[0]) / h) + 2)
        weights = [mpmath.exp(-((y - x) ** 2) / (2 * v)) for y in nodes[first:last]]
        total = norm * mpmath.fdot(weights, deviations[first:last])
        if s == 0:
            out.append(total)
        elif total > -0.5:
            out.append(mpmath.log1p(total) / s)
        else:
            out.append(mpmath.log(norm * mpmath.fdot(weights, whole[first:last])) / s)
    return out


@pytest.fixture(scope="session")
def symbolic_value() -> Callable[..., float]:
    """Number of an expression of theory whose unfolded expectations are not nested.

    In up to 350 digits: far out the error functions of an interval's probability cancel to 1e-330.
    """

    def expectation(node: GaussianExpectation) -> mpmath.mpf:
        function = sympy.lambdify(node.variable, node.integrand, "mpmath")
        nodes = (mpmath.mpf(j) / 12 for j in range(-12 * 12, 12 * 12 + 1))
        return mpmath.fsum(function(u) * mpmath.npdf(u) for u in nodes) / 12

    def value(expr: sympy.Expr, values: dict, digits: int = 350) -> float:
        with mpmath.workdps(digits):
            exact = {symbol: sympy.Float(number, digits) for symbol, number in values.items()}
            expr = unfolded(expr).subs(exact)
            numbers = {node: expectation(node) for node in expr.atoms(GaussianExpectation)}
            stand_ins = {node: sympy.Dummy() for node in numbers}
            function = sympy.lambdify(
                list(stand_ins.values()), expr.xreplace(stand_ins), modules="mpmath"
            )
            return float(function(*(numbers[node] for node in stand_ins)))

    return value
