"""Solutions as values: no number that is none, and content that can be written and read again."""

import dataclasses
import json
import math
from typing import Any

import mpmath
import pytest

from numerics import ConvergenceError, Solution, Statistics, refine, solve, solve_levels
from theory import ABP, SBP, SK, BinaryPrior, Hopfield, Model, SphericalPerceptron, UConstraint

POINT = Solution(
    SBP("1/3", alpha=2), 3, 1.5, (0.5,), (0.25,), (2.0, 1.0), order_parameters={"p_2": 0.5}
)


@pytest.fixture(scope="module")
def solutions() -> list[Solution]:
    """Closed forms, minima, saddles, several branches, merged and satisfiable levels, many digits."""
    return [
        *solve_levels(SBP(1), range(2, 5)),
        *solve_levels(SK(), range(1, 4)),
        solve(ABP(0), 2),
        solve(SphericalPerceptron(1), 2),
        solve(SBP("1/2", alpha="1/10"), 2),
        solve(Hopfield(-1, "7/3"), 1),
        solve(SBP(1), 2, digits=40),
        solve(ABP(0), 2, digits=25),
        refine(solve(SK(), 3), 20, check=False),
    ]


@pytest.mark.long
def test_what_is_written_is_read_again(solutions: list[Solution]) -> None:
    assert any(len(one.branches) > 1 for one in solutions)
    for solution in solutions:
        text = json.dumps(solution.to_dict(), allow_nan=False)
        again = Solution.from_dict(json.loads(text))
        assert again == solution
        assert again.to_dict() == solution.to_dict()
        assert type(again.value) is type(solution.value)
        assert again.model == solution.model


def test_a_solution_of_a_model_of_ones_own_is_read_with_the_model() -> None:
    model = Model("window", BinaryPrior(), UConstraint(1))
    solution = dataclasses.replace(POINT, model=model)
    assert Solution.from_dict(solution.to_dict(), model) == solution
    with pytest.raises(ValueError, match="no model is named 'window'"):
        Solution.from_dict(solution.to_dict())
    with pytest.raises(ValueError, match="of 'window', not of sbp"):
        Solution.from_dict(solution.to_dict(), SBP(1))


def test_order_parameters_have_the_names_they_are_printed_with(solutions: list[Solution]) -> None:
    for solution in solutions:
        table = solution.order_parameters
        if solution.is_finite:
            assert solution.q == tuple(x for name, x in table.items() if name.startswith("q_"))
            with pytest.raises(AttributeError, match="no Q but q"):
                solution.Q  # noqa: B018
        else:
            assert tuple(x for name, x in table.items() if name.startswith("Q_")) == solution.Q
            assert solution.s == tuple(x for name, x in table.items() if name.startswith("s_"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"value": None}, "'None' is no number"),
        ({"value": "1.5"}, "no number"),
        ({"value": math.inf}, "no finite number"),
        ({"value": "1*2^9999999"}, "no number"),
        ({"level": "3"}, "no integer"),
        ({"level": True}, "no integer"),
        ({"symbol": "alpha"}, "contradicts"),
        ({"model": "nothing"}, "no model is named"),
        ({"parameters": {"kappa": "-1"}}, "kappa must be"),
        ({"parameters": {"kappa": "0.5", "alpha": "2"}}, "contradicts"),
        ({"branch": "other"}, "unknown branch"),
        ({"branches": [1]}, "not subscriptable"),
        ({"branches": None}, "not iterable"),
        ({"statistics": {"x": 1}}, "unexpected"),
        ({"order_parameters": []}, "items"),
    ],
    ids=str,
)
def test_what_is_no_solution_is_refused(change: dict[str, Any], says: str) -> None:
    content = POINT.to_dict() | change
    with pytest.raises(ValueError, match=says):
        Solution.from_dict(content)


@pytest.mark.parametrize("name", sorted(POINT.to_dict().keys() - {"residual"}))
def test_what_is_missing_is_named(name: str) -> None:
    content = POINT.to_dict()
    del content[name]
    with pytest.raises(ValueError, match=f"lacks '{name}'"):
        Solution.from_dict(content)
    with pytest.raises(ValueError, match="not a solution"):
        Solution.from_dict([])  # type: ignore[arg-type]


def test_settle_that_were_changed_are_noticed() -> None:
    content = solve(SBP(1), 2, digits=20).to_dict()
    content["value"] = "1.8158754958372073037"
    with pytest.raises(ValueError, match="contradicts"):
        Solution.from_dict(content)


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan, mpmath.inf, mpmath.nan])
@pytest.mark.parametrize(
    "name", ["value", "error", "gradient_norm", "p", "q", "c", "fields", "hessian_eigenvalues"]
)
def test_a_number_that_is_none_makes_no_solution(name: str, bad: Any) -> None:
    single = name in ("value", "error", "gradient_norm")
    change: dict[str, Any] = {name: bad if single else (0.5, bad)}
    with pytest.raises(ConvergenceError, match="no finite number") as caught:
        dataclasses.replace(POINT, **change)
    assert caught.value.best == {"p_2": 0.5}
    with pytest.raises(ConvergenceError, match="p_2 is"):
        dataclasses.replace(POINT, order_parameters={"p_2": bad})


def test_two_runs_differ_in_nothing_but_their_time() -> None:
    one, other = Statistics(3, 2, 1, 0.5), Statistics(3, 2, 1, 0.7)
    assert one == other
    assert one != Statistics(4, 2, 1, 0.5)
    first, second = (solve(SBP("0.7"), 3) for _ in range(2))
    assert first == second
    assert first != dataclasses.replace(second, inertia=1)


def test_branches_have_none_of_their_own() -> None:
    one = dataclasses.replace(POINT, branches=(POINT,))
    two = dataclasses.replace(POINT, branches=(one, POINT))
    assert two.branches == (POINT, POINT)
