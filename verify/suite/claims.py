"""A claim: one sentence of the theory or of a paper, as data plus one function that checks it.

A new claim is one decorated function, in a module of its room's ``claims`` or of one's own (``--module``)::

    @claim(
        "sk-level-2",
        "The second-level SK energy is below the first-level one.",
        source="Stojnic, arXiv:2507.09247",
        tags=("sk",),
    )
    def second_level(run):
        one, two = (run.theory.solution(SK(), level).value for level in (1, 2))
        verdict = "confirmed" if two < one else "refuted"
        return Finding(verdict, f"{two:.6f} against {one:.6f}.", two)

A check takes its theory from ``run.theory`` and from nowhere else. That is what lets a test hand it a
theory that is wrong on purpose (`verify.suite.wrong`), and see it rejected.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import math
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

from verify.errors import UnknownClaimError

from .verdicts import Design, Expected, Finding

if TYPE_CHECKING:
    import numpy as np

    from .subject import Theory

__all__ = [
    "PROFILES",
    "Claim",
    "Profile",
    "Run",
    "UnknownClaimError",
    "all_claims",
    "claim",
    "false_alarm_bound",
    "get_claim",
    "register",
    "select",
]

Profile = Literal["quick", "ci", "full"]

PROFILES: tuple[Profile, ...] = get_args(Profile)
"""Profiles, each containing those before it: below a minute, below ten minutes, everything."""


@dataclass(frozen=True)
class Run:
    """What a check may use.

    Attributes
    ----------
    claim : Claim
    theory : Theory
        The theory under test.
    seed : int
        Seed of the run; the claim's own streams follow from it and from the claim's identifier alone, so
        that a selection of claims does not change their results.
    profile : {"quick", "ci", "full"}
    progress : callable
        ``progress(fraction, what)`` with a fraction from 0 to 1.
    """

    claim: Claim
    theory: Theory
    seed: int = 0
    profile: Profile = "quick"
    progress: Callable[[float, str], None] = lambda fraction, what: None

    def stream(self, *path: int) -> np.random.Generator:
        """Return a random stream of this claim; other ``path``, other, independent stream."""
        import numpy as np

        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=self._key(path)))

    def integer(self, *path: int) -> int:
        """Return a random 63-bit integer of this claim, for generators that want one."""
        return int(self.stream(*path).integers(2**63))

    def _key(self, path: tuple[int, ...]) -> tuple[int, ...]:
        digest = hashlib.sha256(self.claim.id.encode()).digest()
        words = (int.from_bytes(digest[k : k + 4], "little") for k in range(0, 16, 4))
        return (*words, *path)


Check = Callable[[Run], Finding]


@dataclass(frozen=True)
class Claim:
    """A statement, where it comes from, and how it is checked.

    Attributes
    ----------
    id : str
        Lower-case words joined by hyphens.
    statement : str
        What is claimed, in one sentence.
    source : str
        Paper, equation or abstract.
    check : callable
        Takes a `Run`, returns a `Finding`.
    printed : str, optional
        The published value, digit by digit.
    tags : tuple of str
    profile : {"quick", "ci", "full"}
        The smallest profile that contains it.
    expected : Expected
    cost : float
        Seconds on one core, roughly; orders the work and scales the progress bar.
    group : str
        Claims of one group use the same solved levels and are best run by one process.
    wrong : tuple of str
        The deliberately wrong theories of `verify.suite.wrong` that it must reject.
    designs : tuple of Design
        Its random tests.
    module : str
        Module that registers it.
    needs : tuple of str
        Modules of an extra without which it is not run: ``("jax", "optax")``.
    """

    id: str
    statement: str
    source: str
    check: Check = field(repr=False)
    printed: str | None = None
    tags: tuple[str, ...] = ()
    profile: Profile = "quick"
    expected: Expected = field(default_factory=Expected)
    cost: float = 1.0
    group: str = ""
    wrong: tuple[str, ...] = ("moved",)
    designs: tuple[Design, ...] = ()
    module: str = ""
    needs: tuple[str, ...] = ()

    @property
    def false_alarm(self) -> float:
        """Bound on the probability that a true claim is rejected."""
        return sum(design.false_alarm for design in self.designs)


_CLAIMS: dict[str, Claim] = {}


def register(new: Claim) -> Claim:
    """Add a claim to the list.

    Raises
    ------
    ValueError
        If it has no statement, no wrong theory to reject, or the identifier of another one.
    """
    from .wrong import WRONG

    there = _CLAIMS.get(new.id)
    if there is not None and _place(there) != _place(new):  # a module may be imported anew
        raise ValueError(f"there is a claim {new.id!r} already, in {'.'.join(_place(there))}")
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", new.id):
        raise ValueError(f"an identifier is lower-case words joined by hyphens, got {new.id!r}")
    if not new.statement.strip() or not new.source.strip():
        raise ValueError(f"the claim {new.id} needs a statement and a source")
    if not new.wrong:
        raise ValueError(f"the claim {new.id} names no wrong theory that it would reject")
    for name in new.wrong:
        if name not in WRONG:
            raise ValueError(
                f"the claim {new.id} would reject {name!r}; wrong theories are {', '.join(WRONG)}"
            )
    if not 0.0 <= new.cost < math.inf:
        raise ValueError(f"the cost of {new.id} is a number of seconds, got {new.cost}")
    if new.profile not in PROFILES:
        raise ValueError(f"a profile is one of {', '.join(PROFILES)}, got {new.profile!r}")
    _CLAIMS[new.id] = new
    return new


def _place(one: Claim) -> tuple[str, str]:
    """Where the check of a claim is defined."""
    return one.module, getattr(one.check, "__qualname__", repr(one.check))


def _names(what: str, names: Sequence[str]) -> tuple[str, ...]:
    """Several names; one string would be taken for its letters."""
    if isinstance(names, str):
        raise TypeError(f"{what} is a sequence of names, got {names!r}: write ({names!r},)")
    return tuple(names)


def claim(
    id: str,
    statement: str,
    *,
    source: str,
    printed: str | None = None,
    tags: Sequence[str] = (),
    profile: Profile = "quick",
    expected: Expected | None = None,
    cost: float = 1.0,
    group: str = "",
    wrong: Sequence[str] = ("moved",),
    designs: Sequence[Design] = (),
    needs: Sequence[str] = (),
) -> Callable[[Check], Check]:
    """Register the decorated function as the check of a claim.

    Parameters
    ----------
    id, statement, source, printed, tags, profile, expected, cost, group, wrong, designs, needs
        As in `Claim`.

    Returns
    -------
    callable
        Decorator; the function stays what it is.
    """

    def decorate(check: Check) -> Check:
        register(
            Claim(
                id,
                statement,
                source,
                check,
                printed,
                _names("tags", tags),
                profile,
                expected or Expected(),
                cost,
                group,
                _names("wrong", wrong),
                tuple(designs),
                check.__module__,
                _names("needs", needs),
            )
        )
        return check

    return decorate


def all_claims(modules: Iterable[str] = ()) -> tuple[Claim, ...]:
    """Every claim there is: those of the suite's subjects, and those of further modules.

    A subject's claims are in its room's ``claims``, a module or a package of modules, and nothing else has
    to know of them: `verify.thresholds.claims`, `verify.kernels.claims`.

    Parameters
    ----------
    modules : iterable of str
        Modules to import, whose claims register themselves.

    Returns
    -------
    tuple of Claim
    """
    for name in (*_rooms_claims(), *modules):
        importlib.import_module(name)
    return tuple(_CLAIMS.values())


def _rooms_claims() -> Iterator[str]:
    """Names of the modules that register the claims of the rooms of `verify`, in alphabetical order."""
    import verify

    for room in pkgutil.iter_modules(verify.__path__, "verify."):
        name = f"{room.name}.claims"
        if room.ispkg and importlib.util.find_spec(name):
            yield name
            inside = getattr(importlib.import_module(name), "__path__", ())
            yield from (module.name for module in pkgutil.walk_packages(inside, f"{name}."))


def get_claim(id: str, module: str = "") -> Claim:
    """Return a claim by its identifier, importing the module that registers it.

    Raises
    ------
    UnknownClaimError
        If there is none.
    """
    if id not in _CLAIMS and module:
        importlib.import_module(module)
    if id not in _CLAIMS:
        all_claims()
    if id not in _CLAIMS:
        raise UnknownClaimError(f"there is no claim {id!r}")
    return _CLAIMS[id]


def select(
    claims: Iterable[Claim], profile: Profile = "quick", only: Sequence[str] = ()
) -> tuple[Claim, ...]:
    """Choose claims.

    Parameters
    ----------
    claims : iterable of Claim
    profile : {"quick", "ci", "full"}
        Claims of larger profiles are left out, unless ``only`` names them.
    only : sequence of str
        Identifiers, which are taken whatever the profile, and tags, which are not.

    Returns
    -------
    tuple of Claim
        In their order of registration.

    Raises
    ------
    UnknownClaimError
        If a name of ``only`` is neither; the message lists what comes nearest.
    """
    if profile not in PROFILES:
        raise ValueError(f"a profile is one of {', '.join(PROFILES)}, got {profile!r}")
    claims, only = tuple(claims), _names("only", only)
    largest = PROFILES.index(profile)
    within = {c.id for c in claims if PROFILES.index(c.profile) <= largest}
    if not only:
        return tuple(c for c in claims if c.id in within)
    ids = {c.id for c in claims}
    tags = {tag for c in claims for tag in c.tags}
    for name in only:
        if name not in ids | tags:
            import difflib

            near = difflib.get_close_matches(name, sorted(ids | tags), 3, 0.4)
            hint = f"did you mean {' or '.join(near)}?" if near else "--list shows all"
            raise UnknownClaimError(f"there is no claim and no tag {name!r}; {hint}")
    wanted = set(only)
    return tuple(
        c for c in claims if c.id in wanted or (c.id in within and not wanted.isdisjoint(c.tags))
    )


def false_alarm_bound(claims: Iterable[Claim]) -> float:
    """Bound on the probability that any of the claims, all true, is rejected: the sum over their tests."""
    return sum(c.false_alarm for c in claims)
