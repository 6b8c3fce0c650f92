"""Figures of levels: the data in them."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from numerics import Solution, Sweep, SweepFailure, SweepRow, solve_levels
from numerics.figures.levels import level_convergence, phase_diagram
from numerics.runs.records import Settings
from theory import SBP, SK, Hopfield, Model, SphericalPerceptron
from widegap.show.plots import save


@pytest.fixture(scope="module")
def solutions() -> list[Solution]:
    return list(solve_levels(SBP(1), range(2, 5)))


def test_the_figure_draws_the_solutions(solutions: list[Solution]) -> None:
    upper, lower = level_convergence(solutions).axes
    alphas = np.array([solution.value for solution in solutions])
    curves = {line.get_label(): np.asarray(line.get_xydata()) for line in upper.lines + lower.lines}
    threshold = next(line for line in upper.lines if line.get_linestyle() == "--")
    assert set(np.asarray(threshold.get_ydata())) == {alphas[0]}
    np.testing.assert_array_equal(curves[r"$\alpha_r$"][:, 0], [2, 3, 4])
    np.testing.assert_array_equal(curves[r"$\alpha_r$"][:, 1], alphas)
    np.testing.assert_array_equal(curves[r"$\alpha_{r-1} - \alpha_r$"][:, 1], -np.diff(alphas))
    np.testing.assert_array_equal(curves[r"$\alpha_c - \alpha_r$"][:, 1], alphas[0] - alphas[1:])
    assert lower.get_yscale() == "log"


def energies(model: Model, values: list[float], first: int = 1) -> list[Solution]:
    return [Solution(model, first + k, value) for k, value in enumerate(values)]


@pytest.mark.parametrize(
    ("model", "values", "steps", "label"),
    [
        (SK(), [0.8, 0.76, 0.763], [0.04, math.nan], r"$\xi_{r-1} - \xi_r$"),
        (Hopfield(-1, 1), [0.2, 0.32, 0.327], [0.12, 0.007], r"$\xi_r - \xi_{r-1}$"),
        (SBP(1, alpha=2), [-0.2, 0.0, 0.0], [0.2, math.nan], r"$\xi_r - \xi_{r-1}$"),
        (
            SphericalPerceptron(-1),
            [13.0, 12.0, 12.0],
            [1.0, math.nan],
            r"$\alpha_{r-1} - \alpha_r$",
        ),
    ],
    ids=str,
)
def test_ground_states_and_spheres_have_a_figure(
    model: Model, values: list[float], steps: list[float], label: str
) -> None:
    upper, lower = level_convergence(energies(model, values)).axes
    curves = {line.get_label(): np.asarray(line.get_xydata()) for line in upper.lines + lower.lines}
    capacity = model.problem == "capacity"
    symbol = r"$\alpha_r$" if capacity else r"$\xi_r$"
    np.testing.assert_array_equal(curves[symbol], list(zip((1, 2, 3), values, strict=True)))
    np.testing.assert_allclose(curves[label][:, 1], steps, atol=1e-15)
    # a line for the lowest level of a capacity, and the gap to it
    assert any(line.get_linestyle() == "--" for line in upper.lines) == capacity
    assert (r"$\alpha_1 - \alpha_r$".replace("_1", "_{1}") in curves) == capacity
    assert upper.get_ylabel().startswith(r"$\alpha" if capacity else r"$\xi")


def test_levels_that_all_merge_have_a_figure_that_says_so(tmp_path: Path) -> None:
    figure = level_convergence(energies(SphericalPerceptron(1), [0.5, 0.5, 0.5]))
    assert "no level differs" in " ".join(text.get_text() for text in figure.axes[1].texts)
    save(figure, tmp_path / "merged.png")


def test_levels_must_be_consecutive(solutions: list[Solution]) -> None:
    for levels in (solutions[:1], solutions[1:], solutions[::-1], [solutions[0], solutions[2]]):
        with pytest.raises(ValueError, match="needs levels 2, 3"):
            level_convergence(levels)


def swept(values: dict[tuple[float, int], float], quantity: str = "alpha") -> Sweep:
    rows = [
        SweepRow({"kappa": str(at)}, {"kappa": at}, level, value, 0.0, 12, "finite", {})
        for (at, level), value in values.items()
    ]
    settings = Settings("sbp", ("kappa",), (2, 3, 4), 12, quantity, "0.1.0")
    return Sweep(settings, tuple(rows), ())


VALUES = {(k, r): k + 1.0 / r for k in (0.5, 1.0, 1.5) for r in (2, 3, 4)}


def test_a_phase_diagram_draws_every_level_and_the_gap() -> None:
    figure = phase_diagram(swept(VALUES))
    upper, lower = figure.axes
    assert [line.get_label() for line in upper.lines] == [
        r"$\alpha_c$",
        r"$\alpha_{3}$",
        r"$\alpha_{4}$",
    ]
    for line, level in zip(upper.lines, (2, 3, 4), strict=True):
        assert [tuple(point) for point in np.asarray(line.get_xydata())] == [
            (k, VALUES[k, level]) for k in (0.5, 1.0, 1.5)
        ]
    for line, level in zip(lower.lines, (3, 4), strict=True):
        gap = [1.0 - VALUES[k, level] / VALUES[k, 2] for k in (0.5, 1.0, 1.5)]
        np.testing.assert_allclose(np.asarray(line.get_ydata()), gap)
    assert upper.get_yscale() == "linear"
    assert lower.get_xlabel() == r"$\kappa$"
    assert upper.get_title() == "SBP"


def test_the_limit_of_all_levels_is_the_last_curve() -> None:
    values = VALUES | {(k, math.inf): VALUES[k, 4] - 0.01 for k in (0.5, 1.0, 1.5)}
    upper, _ = phase_diagram(swept(values)).axes
    assert [line.get_label() for line in upper.lines][-2:] == [
        r"$\alpha_{4}$",
        r"$\alpha_{\infty}$",
    ]


def test_a_wide_range_of_values_is_drawn_on_a_logarithmic_scale() -> None:
    upper, _ = phase_diagram(swept({key: value**4 for key, value in VALUES.items()})).axes
    assert upper.get_yscale() == "log"


def test_a_threshold_of_nothing_has_no_relative_gap() -> None:
    values = {**VALUES, (1.0, 2): 0.0}
    _, lower = phase_diagram(swept(values)).axes
    assert math.isnan(np.asarray(lower.lines[0].get_ydata())[1])


def test_a_missing_value_interrupts_its_curve() -> None:
    values = {key: value for key, value in VALUES.items() if key != (1.0, 4)}
    sweep = swept(values)
    upper, lower = phase_diagram(sweep).axes
    assert math.isnan(np.asarray(upper.lines[2].get_ydata())[1])
    assert math.isnan(np.asarray(lower.lines[1].get_ydata())[1])
    failure = SweepFailure({"kappa": "2"}, {"kappa": 2.0}, 2, "ConvergenceError", "", {}, None)
    upper, _ = phase_diagram(replace(sweep, failures=(failure,))).axes
    assert np.asarray(upper.lines[0].get_xdata())[-1] == 2.0


def test_energies_have_differences_for_a_gap() -> None:
    energies = {(k, r): k * (r - 2) for k in (0.5, 1.0) for r in (2, 3)}  # level 2 vanishes
    upper, lower = phase_diagram(swept(energies, "xi")).axes
    np.testing.assert_array_equal(np.asarray(lower.lines[0].get_ydata()), [-0.5, -1.0])
    assert [line.get_label() for line in upper.lines] == [r"$\xi_{2}$", r"$\xi_{3}$"]


def test_level_one_is_the_reference_where_there_is_one() -> None:
    energies = {(k, r): k / r for k in (0.5, 1.0) for r in (1, 2, 3)}
    upper, lower = phase_diagram(swept(energies, "xi")).axes
    assert [line.get_linestyle() for line in upper.lines] == ["--", "-", "-"]
    np.testing.assert_array_equal(np.asarray(lower.lines[0].get_ydata()), [0.25, 0.5])
    assert r"\xi_{1} - \xi_r" in lower.get_ylabel()


def test_without_level_two_there_is_no_gap() -> None:
    figure = phase_diagram(swept({key: v for key, v in VALUES.items() if key[1] > 2}))
    assert len(figure.axes) == 1


def test_what_has_no_phase_diagram() -> None:
    sweep = swept(VALUES)
    both = tuple(
        replace(row, parameters={"kappa": str(k), "alpha": str(k)}, coordinates={"alpha": k})
        for k, row in enumerate(sweep.rows)
    )
    for bad, says in (
        (replace(sweep, rows=()), "nothing to draw"),
        (replace(sweep, settings=replace(sweep.settings, parameters=())), "no parameter"),
        (
            replace(
                sweep, rows=both, settings=replace(sweep.settings, parameters=("kappa", "alpha"))
            ),
            "kappa and alpha",
        ),
    ):
        with pytest.raises(ValueError, match=says):
            phase_diagram(bad)
