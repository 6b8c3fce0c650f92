"""What a functional shows: text, LaTeX, Python, stationarity equations."""

import ast
import subprocess
import sys

import mpmath
import pytest
from sympy import Lambda, Symbol, diff, expand

from theory import SBP, Chain, GibbsAverage, free_energy
from theory.calculus.lifting import unfolded
from theory.thresholds.free_energy import gathered


def module(fe):
    """Return the namespace of the generated module."""
    namespace = {}
    exec(fe.python(), namespace)
    return namespace


# -- text and LaTeX ------------------------------------------------------------------------------


def test_text_writes_the_nests_level_by_level():
    lines = [line.strip() for line in free_energy(SBP(), 4).text().splitlines()]
    assert lines[0] == ("sbp, level 4: alpha = -Ent/En, stationary in p_2, p_3, Q_2, Q_3, s_2, s_3")
    for line in (
        "En  = g_3(0)",
        "f_1(h) = log(2*cosh(h))",
        "f_2(x) = (1/s_2) log E exp(s_2 f_1(x + sqrt(Q_2 - Q_3)*U))",
        "f_3(x) = (1/s_3) log E exp(s_3 f_2(x + sqrt(Q_3)*U))",
        "g_3(x) = (1/s_3) log E exp(s_3 g_2(x + sqrt(p_3)*U))",
    ):
        assert line in lines
    assert "1 > p_2 > p_3 > 0; Q_2 > Q_3 > 0; s_2 > 0; s_3 > 0" in lines[-1]


def test_text_of_level_two_is_the_closed_form():
    text = free_energy(SBP(1), 2).text()
    assert text.startswith("sbp(kappa=1), level 2: alpha = -Ent/En")
    assert "Ent = log(2)" in text
    assert "En  = log(erf(sqrt(2)/2))" in text


@pytest.mark.parametrize("level", [2, 3, 7])
def test_latex_is_balanced_and_recursive(level):
    source = free_energy(SBP(), level).latex()
    assert source.startswith("\\begin{aligned}")
    assert source.endswith("\\end{aligned}")
    assert source.count("{") == source.count("}")
    assert source.count(r"\left") == source.count(r"\right")
    assert source.count(r"\mathbb{E}") == 2 * (level - 2)
    assert free_energy(SBP(), level)._repr_latex_() == f"$$\n{source}\n$$"


def test_printing_grows_linearly_with_the_level():
    lengths = [len(free_energy(SBP(), level).text()) for level in (4, 8, 12)]
    assert lengths[2] - lengths[1] < 1.2 * (lengths[1] - lengths[0]) + 50


def test_chain_as_text():
    x, y = Symbol("x"), Symbol("y")
    assert str(Chain((x, y), Symbol("b"), Symbol("a"))) == "b > x > y > a"


# -- the Python reference ------------------------------------------------------------------------


def test_python_is_self_contained(tmp_path):
    source = free_energy(SBP(), 3).python()
    imports = [
        n for n in ast.walk(ast.parse(source)) if isinstance(n, (ast.Import, ast.ImportFrom))
    ]
    assert [alias.name for n in imports for alias in n.names] == ["mpmath"]
    file = tmp_path / "level3.py"
    file.write_text(source + "\nprint(alpha(0.6, 1.2, 2.5, 1))\n")
    run = subprocess.run(
        [sys.executable, "-I", str(file)], capture_output=True, text=True, check=True
    )
    own = module(free_energy(SBP(1), 3))["alpha"](0.6, 1.2, 2.5)
    assert float(run.stdout) == pytest.approx(float(own), rel=1e-13)


def test_python_at_level_two_is_the_closed_form():
    with mpmath.workdps(40):
        value = module(free_energy(SBP(), 2))["alpha"](mpmath.mpf("0.7"))
        exact = -mpmath.log(2) / mpmath.log(mpmath.erf(mpmath.mpf("0.7") / mpmath.sqrt(2)))
        assert abs(value - exact) < mpmath.mpf(10) ** -38


POINTS = [(0.6, 1.2, 2.5, 1.0), (0.9, 4.0, 7.0, 0.5), (0.3, 0.2, 0.4, 2.0), (0.99, 0.05, 30.0, 1.0)]


@pytest.mark.parametrize("point", POINTS)
def test_python_at_level_three_against_direct_quadrature(point):
    """Both nests as single integrals in the field itself, on a fixed fine grid of panels."""
    p, q, s, kappa = map(mpmath.mpf, point)

    def log_mean(exponent_times_leaf, variance):
        root = mpmath.sqrt(variance)
        nodes = [root * mpmath.mpf(i) / 4 for i in range(-160, 161, 4)]

        def density(y):
            return mpmath.exp(exponent_times_leaf(y) - y**2 / (2 * variance))

        total = mpmath.quad(density, nodes, method="gauss-legendre")
        return mpmath.log(total / (root * mpmath.sqrt(2 * mpmath.pi)))

    def log_probability(y):
        width = mpmath.sqrt(2 * (1 - p))
        y = abs(y)  # tails by complements
        return mpmath.log((mpmath.erfc((y - kappa) / width) - mpmath.erfc((y + kappa) / width)) / 2)

    entropy = (
        -q / 2 - q * p * (s - 1) / 2 + log_mean(lambda y: s * mpmath.log(2 * mpmath.cosh(y)), q) / s
    )
    energy = log_mean(lambda y: s * log_probability(y), p) / s
    value = module(free_energy(SBP(), 3))["alpha"](*point)
    assert abs(value + entropy / energy) < 1e-12 * abs(value)


@pytest.mark.parametrize("point", [(1, 1, 2), (0.5, -1, 2), (0.5, 1, -2), (float("nan"), 1, 2)])
def test_python_refuses_points_outside_the_chains(point):
    with pytest.raises(ValueError, match="order parameters outside"):
        module(free_energy(SBP(1), 3))["alpha"](*point)


def test_python_reaches_more_digits():
    alpha = module(free_energy(SBP(1), 3))["alpha"]
    low = alpha("0.6", "1.2", "2.5")
    with mpmath.workdps(30):
        high = alpha("0.6", "1.2", "2.5")
    with mpmath.workdps(40):
        higher = alpha("0.6", "1.2", "2.5")
        assert abs(high - higher) < mpmath.mpf(10) ** -27
        assert abs(low - higher) < mpmath.mpf(10) ** -12


@pytest.mark.slow
def test_python_at_level_four_embeds_level_three():
    """Equal outermost exponents merge, so level 4 must give the level-3 value there."""
    three = module(free_energy(SBP(1), 3))["alpha"](0.6, 1.2, 2.5)
    four = module(free_energy(SBP(1), 4))["alpha"](0.6, 0.25, 1.2, 0.5, 2.5, 2.5)
    assert four == pytest.approx(three, rel=1e-11)


# -- stationarity --------------------------------------------------------------------------------


def test_stationarity_is_the_gradient_of_the_functional(quadrature):
    fe = free_energy(SBP(1), 3)
    point = dict(zip(fe.order_parameters, (0.6, 1.2, 2.5), strict=True))
    alpha = module(fe)["alpha"]
    for index, (symbol, equation) in enumerate(fe.stationarity().items()):
        with mpmath.workdps(80):  # the tails of log P cancel when differenced naively
            symbolic = quadrature.evaluate(unfolded(equation), point)

        def moved(value, index=index):
            arguments = [mpmath.mpf(z) for z in point.values()]
            arguments[index] = value
            return alpha(*arguments)

        numeric = mpmath.diff(moved, point[symbol], h=1e-5)
        assert float(symbolic) == pytest.approx(float(numeric), rel=1e-6, abs=1e-8)


def test_stationarity_has_one_average_per_nest_and_level():
    for level in (3, 4):
        for symbol, equation in free_energy(SBP(), level).stationarity().items():
            averages = {
                (a.nest, a.level) for a in equation.atoms(GibbsAverage) if a.nest.field == 0
            }
            outermost = [a for a in equation.atoms(GibbsAverage) if a.nest.field == 0]
            assert symbol in free_energy(SBP(), level).order_parameters
            assert len(outermost) == len(averages)


def test_gathered_does_not_change_the_value():
    nest = free_energy(SBP(1), 3).energy
    h, a = Symbol("h", real=True), Symbol("a", real=True)
    first, second = (GibbsAverage(nest, 1, Lambda(h, f)) for f in (h**2, h**4))
    joined = gathered(3 * first - a * second + a**2)
    assert joined == a**2 + GibbsAverage(nest, 1, Lambda(h, -(h**2) * (a * h**2 - 3)))
    assert expand(joined.normal() if joined.func is GibbsAverage else joined) is not None
    assert diff(joined, a).has(GibbsAverage)


def test_stationarity_of_level_two_is_empty():
    assert free_energy(SBP(), 2).stationarity() == {}
