"""The table of record: rows are what they say, read back, and recomputed from their own words."""

import csv
import io
import json
from importlib.resources import files

import mpmath
import numpy as np
import pytest

from numerics import Certificate, check, solve
from theory import SBP, model_named
from verify.suite.claims import get_claim
from verify.thresholds.record import (
    CASES,
    Record,
    chosen,
    computed,
    read,
    record_case,
    table_files,
)

CLOSED = [{"model": "sbp", "parameters": "kappa=1", "level": "2", "digits": 30},
          {"model": "spherical", "parameters": "kappa=0", "level": "1", "digits": 30}]  # fmt: skip


def test_every_row_is_there_once_and_makes_sense() -> None:
    assert len({tuple(case.values()) for case in CASES}) == len(CASES) > 100
    for case in CASES:
        parameters = dict([case["parameters"].split("=")] if case["parameters"] else [])
        model_named(case["model"], parameters)
        assert case["level"] == "inf" or int(case["level"]) >= 1


def test_closed_forms_are_proved_to_thirty_digits() -> None:
    record, certificates = computed(CLOSED)
    with mpmath.workdps(40):
        threshold = -mpmath.log(2) / mpmath.log(mpmath.erf(1 / mpmath.sqrt(2)))
        assert record.entries[0]["value"] == mpmath.nstr(threshold, 30)
    assert record.entries[1]["value"] == "2." + "0" * 29
    for entry in record.entries:
        assert entry["how"] == "proved closed form"
        assert entry["symbol"] == "alpha"
        check(Certificate.from_json(certificates[entry["certificate"]]))
        assert entry["certificate"] in "".join(table_files(record, certificates))
    assert record.entries[0]["printed"] == get_claim("sbp-level-2").printed == "1.8159"


@pytest.mark.long
def test_a_settled_row_has_all_its_digits() -> None:
    """Numbers of many digits were once rounded to sixteen on their way into the text."""
    case = {"model": "sbp", "parameters": "kappa=1", "level": "4", "digits": 30}
    made = record_case(case, 0)
    solution = solve(SBP(1), level=4, digits=40)
    with mpmath.workdps(45):
        assert abs(mpmath.mpf(made["value"]) - solution.value) < mpmath.mpf("6e-30")
    assert made["how"] == "proved upper bound"


def test_the_shipped_errors_hold_their_last_digit() -> None:
    for entry in read().entries:
        if entry["value"] and float(entry["value"]):
            decimals = len(entry["value"].partition(".")[2].partition("e")[0])
            assert float(entry["error"]) >= 0.5 * 10.0**-decimals


def test_what_is_not_reached_says_why() -> None:
    case = {"model": "spherical", "parameters": "kappa=-50", "level": "2", "digits": 15}
    made = record_case(case, 0)
    assert made["value"] == made["error"] == ""
    assert made["how"].startswith("not reached: ")


def test_the_table_is_filtered_and_read_back() -> None:
    record, _ = computed(CLOSED)
    assert Record.from_dict(json.loads(record.to_json())) == record
    assert [e["model"] for e in record.of("spherical").entries] == ["spherical"]
    assert [e["model"] for e in record.of(level="2").entries] == ["sbp"]
    with pytest.raises(ValueError, match="no row of abp level 9"):
        record.of("abp", "9")
    with pytest.raises(ValueError, match="no row of level 40"):
        chosen(level="40")
    (first, _) = csv.DictReader(io.StringIO(record.to_csv()))
    assert first == record.entries[0]
    assert str(record).splitlines()[0].split()[:3] == ["model", "parameters", "level"]


def test_the_shipped_table_is_that_of_the_cases() -> None:
    shipped = read()
    rows = [(e["model"], e["parameters"], e["level"]) for e in shipped.entries]
    assert rows == [(c["model"], c["parameters"], c["level"]) for c in CASES]
    folder = files("verify.thresholds").joinpath("data")
    assert folder.joinpath("record.csv").read_text("utf-8") == shipped.to_csv()
    named = {e["certificate"] for e in shipped.entries if e["certificate"]}
    assert named == {path.name for path in folder.joinpath("certificates").iterdir()}
    for entry in shipped.entries:
        if not entry["certificate"]:
            continue
        text = folder.joinpath("certificates", entry["certificate"]).read_text("utf-8")
        certificate = Certificate.from_json(text)
        with mpmath.workdps(40):
            bounds = mpmath.mpf(certificate.lower), mpmath.mpf(certificate.upper)
            slack = mpmath.mpf(10) ** -27 * bounds[1]
            assert bounds[0] - slack <= mpmath.mpf(entry["value"]) <= bounds[1] + slack


def _again(case: dict) -> None:
    """Compute a row of the shipped table again, with its certificate."""
    place = case["model"], case["parameters"], case["level"]
    (entry,) = (e for e in read().entries if (e["model"], e["parameters"], e["level"]) == place)
    made = record_case(dict(case), 0)
    assert made["how"] == entry["how"]
    with mpmath.workdps(40):
        apart = abs(mpmath.mpf(made["value"]) - mpmath.mpf(entry["value"]))
        digits = mpmath.mpf(10) ** (1 - min(int(case["digits"]), 30)) * mpmath.mpf(entry["value"])
        assert apart <= 2 * mpmath.mpf(entry["error"]) + digits


CHEAP = [case for case in CASES if case["level"] in ("1", "2")]


@pytest.mark.parametrize("k", np.random.default_rng(0).choice(len(CHEAP), 4, replace=False))
def test_a_sample_of_the_shipped_table_is_computed_again(k: int) -> None:
    _again(CHEAP[k])


@pytest.mark.slow
@pytest.mark.parametrize("k", np.random.default_rng(1).choice(len(CASES), 20, replace=False))
def test_a_larger_sample_is_computed_again(k: int) -> None:
    _again(CASES[k])
