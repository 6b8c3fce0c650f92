"""What the tests of the command line share."""

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from numerics import Solution, solve_levels
from theory import SBP
from widegap.cli import cli


@pytest.fixture(scope="session")
def run() -> Callable[..., Result]:
    """Run the command line in this process, with arguments as they would be typed."""

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(cli, arguments, prog_name="widegap")

    return run


@pytest.fixture(scope="session")
def solutions() -> list[Solution]:
    """Levels 2 to 4 of the symmetric binary perceptron at kappa = 1."""
    return list(solve_levels(SBP(kappa=1), range(2, 5)))
