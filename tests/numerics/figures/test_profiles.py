"""Figures of profiles: what is drawn is what the result holds."""

import pytest

from numerics import Limit, solve
from numerics.figures.profiles import profile
from theory import SBP, SK


@pytest.mark.long
def test_a_solution_has_a_panel_for_each_kind_of_overlap() -> None:
    solution = solve(SBP(1), 5)
    figure = profile(solution)
    ps, qs = (ax.lines[0].get_xydata() for ax in figure.axes)
    assert ps[:, 0] == pytest.approx(solution.c)
    assert ps[:, 1] == pytest.approx([1.0 - p for p in solution.p])
    assert qs[:, 1] == pytest.approx(solution.q)


def test_a_limit_shows_by_how_much_levels_miss_it() -> None:
    limit = Limit(SK(), 0.76, 1e-4, (6, 7, 8), (0.764, 0.762, 0.761), q=(0.9, 0.5), c=(4.0, 1.0))
    figure = profile(limit, "a title")
    assert figure.get_suptitle() == "a title"
    overlaps, misses = figure.axes
    assert overlaps.lines[0].get_ydata() == pytest.approx([0.1, 0.5])
    assert misses.lines[0].get_ydata() == pytest.approx([0.004, 0.002, 0.001])


def test_without_exponents_there_is_no_profile() -> None:
    with pytest.raises(ValueError, match="two exponents or more"):
        profile(solve(SBP(1), 2))
