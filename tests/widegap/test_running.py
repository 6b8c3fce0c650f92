"""What ends work that resumes ends it in one line, which says where the rest is."""

import sqlite3

import click
import pytest

from numerics import ConvergenceError, ResolutionError
from numerics.errors import WorkersError
from widegap.errors import Failure
from widegap.running import resumable


@pytest.mark.parametrize(
    "error",
    [
        ConvergenceError("there is no such profile", {}, 1.0),
        ResolutionError("a grid is too large"),
        WorkersError("the workers are gone"),
        sqlite3.OperationalError("disk is full"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_ends_a_point_says_where_the_others_are(error: Exception) -> None:
    with pytest.raises(Failure) as caught, resumable("run.sqlite", None, "trials", KeyError):
        raise error
    assert caught.value.message == f"{error}; --resume goes on from what is in run.sqlite"


def test_what_a_file_does_not_take_is_the_users_mistake() -> None:
    with pytest.raises(click.UsageError, match="of another model"):  # noqa: SIM117
        with resumable("run.sqlite", None, "trials", ValueError):
            raise ValueError("of another model")
