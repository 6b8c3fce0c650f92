"""Every claim rejects the theories that are wrong on purpose, and confirms the right one."""

from __future__ import annotations

import pytest

from verify.suite.claims import PROFILES, Claim, Run, all_claims
from verify.suite.wrong import theory_by_name

QUICK = PROFILES.index("quick")
# A claim's cost counts what its group shares; alone it solves its levels itself.
_HEAVY = {"sbp", "abp", "sk", "hopfield", "negative-hopfield", "margins", "ubp", "instances"}
_HEAVY |= {"negative-spherical", "sbp-small"}
_LIGHT = {"sbp-level-2", "abp-level-2", "sk-level-1", "nest-definition"}


def _cases() -> list:
    cases = []
    for claim in all_claims():
        heavy = claim.group in _HEAVY or claim.cost > 2.0 or claim.profile != "quick"
        marks = [pytest.mark.slow] if heavy and claim.id not in _LIGHT else []
        cases += [
            pytest.param(claim, wrong, id=f"{claim.id}-{wrong}", marks=marks)
            for wrong in claim.wrong
        ]
    return cases


def _complaint(claim: Claim, theory: str, seed: int = 0) -> str:
    run = Run(claim, theory_by_name(theory), seed)
    return claim.expected.complaint(claim.check(run))


@pytest.mark.long
@pytest.mark.parametrize(("claim", "wrong"), _cases())
def test_a_wrong_theory_is_rejected(claim: Claim, wrong: str):
    assert _complaint(claim, wrong)


_RIGHT = [
    pytest.param(c, id=c.id, marks=[pytest.mark.slow] if c.profile != "quick" else [])
    for c in all_claims()
]


@pytest.mark.long
@pytest.mark.parametrize("claim", _RIGHT)
def test_the_theory_itself_is_not(claim: Claim):
    assert not _complaint(claim, "")
