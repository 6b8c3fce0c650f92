"""Properties: claims about everything a strategy can draw, checked by Hypothesis.

A property is a function of the theory and of Hypothesis's ``data``, which asserts something::

    @prop("nest-shift", "A constant added to the leaf is added to the nest.", source="..", wrong=("moved",))
    def shift(theory, data):
        leaf = data.draw(leaves(), label="leaf")
        ...
        close(shifted, value + constant)

It is a claim like any other, and a pytest test calls the same function. A failing example is shown as
small as Hypothesis can make it, with a token that ``widegap verify --reproduce TOKEN`` takes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .claims import Claim, Profile, Run, register
from .verdicts import Finding

if TYPE_CHECKING:
    from hypothesis import strategies as st

    from .subject import Theory

__all__ = ["EXAMPLES", "PROPERTIES", "Property", "close", "prop", "reproduce"]

Body = Callable[["Theory", "st.DataObject"], None]

EXAMPLES: dict[str, int] = {"quick": 1, "ci": 5, "full": 40}
"""By how much a profile multiplies the number of examples of a property."""


@dataclass(frozen=True)
class Property:
    """A property and how many examples of it are enough for a quick look.

    Attributes
    ----------
    claim : Claim
    body : callable
        ``body(theory, data)``; raises AssertionError where the property fails.
    examples : int
    """

    claim: Claim
    body: Body
    examples: int


PROPERTIES: dict[str, Property] = {}
"""Every registered property by the identifier of its claim."""


def prop(
    id: str,
    statement: str,
    *,
    source: str,
    wrong: Sequence[str],
    examples: int = 20,
    tags: Sequence[str] = (),
    profile: Profile = "quick",
    cost: float = 2.0,
    group: str = "properties",
) -> Callable[[Body], Body]:
    """Register the decorated function as a property, and as a claim.

    Parameters
    ----------
    id, statement, source, wrong, tags, profile, cost, group
        As in `verify.suite.claims.Claim`; the tag ``property`` is added.
    examples : int
        Examples in the profile ``quick``; the others take `EXAMPLES` times as many.

    Returns
    -------
    callable
        Decorator; the function stays what it is.
    """

    def decorate(body: Body) -> Body:
        def check(run: Run) -> Finding:
            return examine(PROPERTIES[id], run)

        new = Claim(
            id,
            statement,
            source,
            check,
            None,
            ("property", *tags),
            profile,
            cost=cost,
            group=group,
            wrong=tuple(wrong),
            module=body.__module__,
        )
        PROPERTIES[id] = Property(register(new), body, examples)
        return body

    return decorate


def close(value: float, wanted: float, *, rel: float = 1e-10, abs: float = 1e-12) -> None:
    """Assert that two numbers agree.

    Raises
    ------
    AssertionError
        With both numbers and their difference.
    """
    if not math.isclose(value, wanted, rel_tol=rel, abs_tol=abs):
        raise AssertionError(f"{value!r} and {wanted!r} differ by {value - wanted:.3e}")


def examine(one: Property, run: Run) -> Finding:
    """Try a property on random examples, and shrink the first that fails.

    Parameters
    ----------
    one : Property
    run : Run

    Returns
    -------
    Finding
        ``refuted`` with the smallest failing example, ``undecided`` if an example could not be
        evaluated, else ``confirmed``.
    """
    from hypothesis import seed

    wanted = one.examples * EXAMPLES[run.profile]
    tried = 0

    def counted(data: st.DataObject) -> None:
        nonlocal tried
        tried += 1
        if tried <= wanted:
            run.progress(tried / wanted, f"example {tried} of {wanted}")
        one.body(run.theory, data)

    test = seed(run.integer())(_configured(wanted)(_given(counted)))
    failure = _failure(test)
    evidence: dict[str, Any] = {"examples": wanted}
    if failure is None:
        return Finding("confirmed", f"No counterexample among {wanted}.", None, evidence)
    notes = [line for note in getattr(failure, "__notes__", ()) for line in note.splitlines()]
    draws = [line for line in notes if line.startswith("Draw ")]
    evidence |= {"smallest failing example": draws, "tried": tried}
    token = _token(one.claim.id, notes)
    if token:
        evidence["reproduce"] = f"widegap verify --reproduce {token}"
    shown = " ".join(str(failure).split()) or type(failure).__name__
    if isinstance(failure, AssertionError):
        return Finding("refuted", f"Fails: {shown}", None, evidence)
    reason = f"An example could not be evaluated: {type(failure).__name__}: {shown}"
    return Finding("undecided", reason, None, evidence)


def reproduce(token: str, theory: Theory) -> tuple[Claim, Exception | None]:
    """Run one recorded example again.

    Parameters
    ----------
    token : str
        As shown with a failing example.
    theory : Theory

    Returns
    -------
    (Claim, Exception or None)
        The property's claim, and how the example failed; None if it does not any more.

    Raises
    ------
    ValueError
        If the token is none, or of another version of Hypothesis.
    """
    import base64
    import binascii

    from hypothesis import __version__, reproduce_failure

    from .claims import all_claims

    all_claims()
    name, _, rest = token.partition(":")
    version, _, blob = rest.partition(":")
    if name not in PROPERTIES or not blob:
        raise ValueError(
            f"not a token of a failing example: {token!r}; it reads PROPERTY:VERSION:BLOB"
        )
    if version != __version__:
        raise ValueError(
            f"the token is of Hypothesis {version}, installed is {__version__}, which draws otherwise"
        )
    try:
        base64.b64decode(blob, validate=True)
    except binascii.Error as error:
        raise ValueError(f"the token {token!r} is damaged: {error}") from error
    one = PROPERTIES[name]
    test = _configured(1)(_given(lambda data: one.body(theory, data)))
    failure = _failure(reproduce_failure(version, blob.encode())(test))
    if failure is not None and type(failure).__name__ == "DidNotReproduce":
        failure = None
    return one.claim, failure


def _given(body: Callable[[st.DataObject], None]) -> Callable[[], None]:
    from hypothesis import given
    from hypothesis import strategies as st

    def example(data: st.DataObject) -> None:
        body(data)

    return given(data=st.data())(example)


def _configured(examples: int) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """No database, no clock: what is found depends on the seed alone."""
    from hypothesis import HealthCheck, Phase, settings

    return settings(
        max_examples=examples,
        database=None,
        deadline=None,
        derandomize=False,
        print_blob=True,
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.filter_too_much,
        ],
    )


def _failure(test: Callable[[], None]) -> Exception | None:
    """How a test fails, if it does; Hypothesis prints an example where it does not note it."""
    import io
    from contextlib import redirect_stdout

    printed = io.StringIO()
    try:
        with redirect_stdout(printed):
            test()
    except Exception as error:
        if not getattr(error, "__notes__", ()) and printed.getvalue():
            error.add_note(printed.getvalue())
        return error
    return None


def _token(name: str, notes: Sequence[str]) -> str:
    import re

    for line in notes:
        match = re.search(r"@reproduce_failure\('([^']+)', b'([^']+)'\)", line)
        if match:
            return f"{name}:{match[1]}:{match[2]}"
    return ""
