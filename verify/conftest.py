"""Settings of ``pytest --pyargs verify``, from the environment.

``WIDEGAP_PROFILE`` (quick, ci, full), ``WIDEGAP_SEED`` and ``WIDEGAP_EXPECT`` (a TOML file) are the options
of ``widegap verify``; pytest's own ``-k`` chooses claims.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from verify.suite.claims import PROFILES, Profile


def _profile() -> Profile:
    name = os.environ.get("WIDEGAP_PROFILE", "quick")
    for profile in PROFILES:
        if profile == name:
            return profile
    raise pytest.UsageError(f"WIDEGAP_PROFILE is one of {', '.join(PROFILES)}, got {name!r}")


def pytest_generate_tests(metafunc: Any) -> None:
    """Make one test of each claim."""
    if "claim" in metafunc.fixturenames:
        from verify.suite.claims import all_claims, select

        claims = select(all_claims(), _profile())
        metafunc.parametrize("claim", claims, ids=[claim.id for claim in claims])


@pytest.fixture(scope="session")
def verify_options() -> dict[str, Any]:
    """Options of `verify.suite.runner.run_claims`."""
    from verify.suite.claims import all_claims
    from verify.suite.expectations import read_expectations

    seed, path = os.environ.get("WIDEGAP_SEED", "0"), os.environ.get("WIDEGAP_EXPECT")
    if not (seed.isascii() and seed.isdigit()):
        raise pytest.UsageError(f"WIDEGAP_SEED is an integer >= 0, got {seed!r}")
    expected = None if path is None else read_expectations(path, all_claims())
    return {"seed": int(seed), "profile": _profile(), "expected": expected}
