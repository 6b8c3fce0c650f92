"""Limits of profiles in two pieces: a known law, points of the perceptron, and what is no such profile."""

import numpy as np
import pytest

from numerics.limits.extrapolation import extrapolate
from numerics.limits.pieces import Shape, by_split, in_pieces, sides

# Lowest points of SBP(1/2), and second ones, by their liftings inside and outside of the gap.
HALF = {
    (4, 3): 0.4986286227812922,
    (3, 4): 0.49913682756925676,
    (4, 4): 0.49736685466605146,
    (5, 3): 0.4976357281330278,
    (5, 4): 0.4964451256601242,
    (6, 4): 0.4959231599677393,
    (6, 5): 0.4954384925874838,
    (7, 4): 0.49560604660658036,
    (7, 5): 0.49513787060351777,
    (8, 5): 0.494946783027197,
    (8, 6): 0.4947270963755312,
}


def shape(n: int, m: int, value: float) -> Shape:
    inner, outer = (np.arange(k) + 0.5 for k in (n, m))
    logits = np.concatenate((4.0 + 8.0 * inner[::-1] / n, 2.0 * outer[::-1] / m))
    return Shape(n + m + 2, value, logits)


def points(top: int, law) -> list[Shape]:
    pairs = [(n, m) for n in range(2, top) for m in range(2, top) if n + m + 2 <= top]
    return [shape(n, m, law(n, m)) for n, m in pairs if 0 <= n - m <= 3]


def test_liftings_are_counted_on_either_side_of_the_gap() -> None:
    assert sides([shape(n, m, 0.5) for n, m in HALF]) == list(HALF)
    assert sides([shape(3, 3, 0.5)]) == [(3, 3)]


def test_every_split_has_its_lowest_point() -> None:
    shapes = [shape(n, m, value) for (n, m), value in HALF.items()]
    shapes.insert(0, shape(6, 5, 0.4956))
    table = by_split(shapes)
    assert {pair: shapes[k].value for pair, k in table.items()} == HALF
    assert by_split([]) == {}


def test_one_overlap_outside_at_a_low_level_does_not_move_the_gap() -> None:
    pairs = [(4, 1), (3, 2), (5, 2), (4, 3), (5, 3), (5, 4), (6, 3)]
    assert sides([shape(n, m, 0.5) for n, m in pairs]) == pairs


def test_the_law_is_found_from_its_points() -> None:
    def law(n: int, m: int) -> float:
        x, z = n + 3.2, m + 1.5
        return 0.494 + 5.0 * x**-4 + 0.7 * z**-4 + 1.0 * (x * z) ** -2

    found = in_pieces(points(16, law))
    assert found is not None
    assert found.value == pytest.approx(0.494, abs=1e-9)


@pytest.mark.parametrize("top", [12, 13, 14, 15, 16])
def test_the_error_bar_holds_on_other_laws(top: int) -> None:
    def law(n: int, m: int) -> float:
        return 0.5 + (n + 1) ** -4 * (5.0 + 3.0 / n) + 0.6 * (m + 1) ** -4 + 0.7 / (n * m + 4) ** 2

    found = in_pieces(points(top, law))
    assert found is not None
    assert abs(found.value - 0.5) <= found.error < 1e-2


def test_the_lowest_points_of_a_perceptron_jump_and_the_pieces_do_not() -> None:
    """Fewer levels hold what more levels give, and all are better than the levels by themselves."""
    shapes = [shape(n, m, value) for (n, m), value in HALF.items()]
    best = in_pieces(shapes)
    assert best is not None
    assert abs(best.value - 0.494) <= best.error < 1e-4
    lowest = {s.level: min(x.value for x in shapes if x.level == s.level) for s in shapes}
    levels = sorted(lowest)
    alone = extrapolate(levels, [lowest[r] for r in levels])
    assert abs(alone.value - best.value) <= alone.error
    assert alone.error > 3.0 * best.error


def test_profiles_without_a_gap_and_few_points_have_no_such_limit() -> None:
    assert in_pieces([]) is None
    assert in_pieces(points(9, lambda n, m: 0.5)) is None
    lone = [Shape(r, 1.0 + r**-4.0, np.linspace(10.0, 0.0, r)) for r in range(8, 20)]
    found = in_pieces(lone)  # one point a level
    assert found is None or abs(found.value - 1.0) <= found.error
