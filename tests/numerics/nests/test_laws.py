"""Tilted laws: weights that are probabilities, and averages that the gradient of the nest knows, too."""

import numpy as np
import pytest
from sympy import Lambda, Symbol, cosh, erf, log, sqrt

from numerics.nests.doubles import evaluate_nest
from numerics.nests.laws import tilted_laws
from numerics.nests.leaf import compile_leaf

H = Symbol("h", real=True)
LEAVES = {
    "even": compile_leaf(Lambda(H, log(2 * cosh(H)))),
    "falling": compile_leaf(
        Lambda(H, log(erf((1 - H) / sqrt(2)) / 2 + erf((1 + H) / sqrt(2)) / 2))
    ),
    "one-sided": compile_leaf(Lambda(H, log((1 + erf(H / sqrt(2))) / 2))),
}
NONE = np.empty(0)


@pytest.mark.parametrize("name", LEAVES)
@pytest.mark.parametrize(
    ("field", "v", "s"),
    [
        (0.0, (0.7,), (1.6,)),
        (0.0, (0.7, 0.2), (1.6, 4.0)),
        (0.4, (0.3, 0.2, 0.5), (2.0, 3.5, 0.7)),
        (0.3, (0.5, 0.8), (1.5, 0.0)),
    ],
)
def test_mean_squares_are_differences_of_increment_derivatives(name, field, v, s) -> None:
    # T_{j+1} - T_j = (s_{j+1} - s_j) B_j / 2; see theory.thresholds.identities
    leaf = LEAVES[name]
    laws = tilted_laws(leaf, NONE, field, v, s)
    assert len(laws) == len(v)
    t = evaluate_nest(leaf, NONE, field, v, s).d_increments
    for law in laws:
        assert law.weights.sum() == pytest.approx(1.0, abs=1e-13)
        assert law.weights.min() >= -1e-15
    for j in range(1, len(v)):
        mean = laws[j].average(laws[j].slopes() ** 2)
        assert t[j] - t[j - 1] == pytest.approx(0.5 * (s[j] - s[j - 1]) * mean, abs=3e-10)


@pytest.mark.parametrize("name", LEAVES)
def test_slopes_are_martingales_and_bends_follow_the_heat_identity(name) -> None:
    field, v, s = 0.4, (0.3, 0.2, 0.5), (2.0, 3.5, 0.7)
    leaf = LEAVES[name]
    laws = tilted_laws(leaf, NONE, field, v, s)
    slope = evaluate_nest(leaf, NONE, field, v, s).d_field
    moments = []
    for law in laws:
        first, second = law.derivatives(2)
        if not law.even:  # of an even leaf the weights of both signs are added up
            assert law.average(first) == pytest.approx(slope, abs=1e-9)
        moments.append((law.average(second), law.average(first**2)))
    for j in range(1, len(v)):  # A_j - A_{j-1} = s_j (B_{j-1} - B_j)
        (a0, b0), (a1, b1) = moments[j - 1], moments[j]
        assert a1 - a0 == pytest.approx(s[j - 1] * (b0 - b1), abs=1e-7)


def test_an_increment_of_nothing_has_no_law() -> None:
    with pytest.raises(ValueError, match="positive increments"):
        tilted_laws(LEAVES["even"], NONE, 0.0, (0.5, 0.0), (1.0, 2.0))
