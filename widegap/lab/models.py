"""The page of a model: how its functional is derived, and its thresholds as they are computed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from widegap.lab import page
from widegap.lab.references import bibtex, sources

if TYPE_CHECKING:
    from collections.abc import Callable

    from numerics import Limit, Solution
    from theory import Model
    from widegap.lab.worker import Tell

__all__ = ["MODELS", "MOST", "Asked", "derivation", "limit_of", "thresholds"]

MODELS = {
    "Symmetric binary perceptron": "sbp",
    "Binary perceptron": "abp",
    "u-function binary perceptron": "ubp",
    "Perceptron with weights 0 and 1": "zero-one",
    "Spherical perceptron": "spherical",
    "Hopfield model": "hopfield",
    "Negative Hopfield model": "negative-hopfield",
    "Sherrington-Kirkpatrick model": "sk",
    "Your own, typed": "typed",
}
"""Names of `theory.model_named` by what people call them, and what is typed."""

_MARGINS = (0.05, 3.0, 1.0), (-2.0, 3.0, 0.5)
KAPPA = {name: _MARGINS[name in ("abp", "zero-one", "spherical")] for name in MODELS.values()}
"""Smallest, largest and first margin of each model."""

DIGITS = 12
MOST = 8
"""Highest level of the page; each takes up to twice as long as the one below."""
HIGHEST = 20
"""Level that the limit of all is extrapolated from, with those below it."""


class Asked(NamedTuple):
    """A model as it is asked for on the page.

    Attributes
    ----------
    name : str
        One of `MODELS`.
    kappa, alpha : str
        Exact numbers, used where the model has them; empty for the symbols.
    constraint, prior : str
        In the grammar of `theory.thresholds.grammar`, for ``typed``.
    """

    name: str
    kappa: str = "1"
    alpha: str = "1"
    constraint: str = ""
    prior: str = ""

    def model(self) -> Model:
        """The model itself.

        Raises
        ------
        ValueError
            In one line, where it makes no sense.
        """
        if self.name == "typed":
            from theory.thresholds.grammar import typed_model

            return typed_model(self.constraint, self.prior, self.kappa or None)
        from theory import model_named

        given = {"alpha": self.alpha} if "hopfield" in self.name else {"kappa": self.kappa}
        known = {} if self.name == "sk" else given
        return model_named(self.name, {key: value for key, value in known.items() if value})

    def symbolic(self) -> Asked:
        """The same without numbers."""
        return self._replace(kappa="", alpha="")


def steps(lowest: float, highest: float) -> list[float]:
    """What a slider goes through: twentieths."""
    return [k / 20 for k in range(round(20 * lowest), round(20 * highest) + 1)]


def derivation(tell: Tell, asked: Asked, level: int) -> str:
    """The functional of a model at a level, its steps, and files with both."""
    from theory import free_energy

    tell(page.progress(0.0, "deriving"))
    model = asked.symbolic().model()
    energy = free_energy(model, level)
    name = f"{model.name}-level-{level}"
    shown = page.fold(f"The functional at level {level}", page.formula(energy.latex()), shown=True)
    return (
        page.steps(energy.steps)
        + shown
        + page.files(
            (f"{name}.tex", energy.latex() + "\n"),
            (f"{name}.py", energy.python()),
            (f"{name}.bib", bibtex(sources(model))),
        )
    )


def thresholds(tell: Tell, asked: Asked, level: int) -> str:
    """Values of all levels up to one, the gap, and pictures of both, as they are computed."""
    if asked not in _ladders:
        while len(_ladders) >= _KEPT:
            del _ladders[next(iter(_ladders))]
        _ladders[asked] = _Ladder(asked.model())
    ladder = _ladders[asked]
    if level < ladder.lowest:
        raise ValueError(f"{ladder.model} has levels from {ladder.lowest} on, got {level}")
    try:
        found = ladder.climb(tell, level)
    except Exception:
        del _ladders[asked]  # the next attempt begins anew
        raise
    document = _document(f"{ladder.model.name}-level-{level}", found[-1])
    return _values(found) + _pictures(found) + page.files(document)


def limit_of(tell: Tell, asked: Asked, highest: int = HIGHEST) -> str:
    """What the levels tend to, from all up to the highest: the value, its error, and the profile there."""
    from numerics import limit

    model = asked.model()

    def heard(level: int, stage: str, fraction: float) -> None:
        within = 0.0 if stage == "climb" else fraction  # which is of the whole climb
        tell(page.progress(min((level - 1 + within) / highest, 1.0), f"level {level}: {stage}"))

    heard(1, "begins", 0.0)
    found = limit(model, highest=highest, progress=heard)
    first, *more = str(found).splitlines()
    made = page.paragraph(first, "value") + "".join(page.paragraph(line.strip()) for line in more)
    if len(found.c) > 1:
        what = (
            f"Order parameters of level {found.levels[-1]} against their exponents, and distances"
        )
        made += page.figure(found.plot(), f"{what} of the levels to the limit")
    return made + page.files(_document(f"{model.name}-limit", found))


class _Ladder:
    """A model's levels as far as they have been asked for; the next ones go on from there."""

    def __init__(self, model: Model) -> None:
        from numerics import lowest_level, solve_levels

        self.model = model
        self.lowest = lowest_level(model)
        self._found: list[Solution] = []
        self._heard: Callable[[int, str, float], None] = lambda level, stage, fraction: None
        self._more = solve_levels(
            model,
            range(self.lowest, MOST + 1),
            digits=DIGITS,
            progress=lambda *told: self._heard(*told),
        )

    def climb(self, tell: Tell, highest: int) -> list[Solution]:
        """Solve all levels up to one, and return them."""
        count = highest - self.lowest + 1

        def heard(level: int, stage: str, fraction: float) -> None:
            done = (level - self.lowest + fraction) / count
            tell(page.progress(done, f"level {level}: {stage}") + _values(self._found))

        self._heard = heard
        while len(self._found) < count:
            heard(self.lowest + len(self._found), "begins", 0.0)
            self._found.append(next(self._more))
        return self._found[:count]


_KEPT = 8
_ladders: dict[Asked, _Ladder] = {}


def _values(found: list[Solution]) -> str:
    """The number that was asked for, the gap, and a row for each level."""
    if not found:
        return ""
    from numerics.results import stated
    from widegap.show.tables import significant

    last = found[-1]
    symbol = last.symbol
    rows = [
        {
            "level": s.level,
            symbol: significant(s.value, DIGITS),
            "error": stated(s.value, s.error, DIGITS)[1],
            "branch": s.branch,
        }
        for s in found
    ]
    text = f"{last.model}, level {last.level}: {symbol} = {significant(last.value, DIGITS)}"
    if len(found) > 1:
        gap = found[0].value - last.value
        text += f"; {gap:.6g} below level {found[0].level}" if gap >= 0 else f"; {-gap:.6g} above"
    return page.paragraph(text, "value") + page.table(rows, "Stationary values by lifting level")


def _pictures(found: list[Solution]) -> str:
    """How the values settle, and the profile of the last one, where there is something to draw."""
    from numerics.figures.levels import level_convergence
    from numerics.figures.profiles import profile

    last, made = found[-1], ""
    if len(found) > 1:
        what = f"{last.symbol} and its gaps by level, {found[0].level} to {last.level}"
        made += page.figure(level_convergence(found), what)
    if len(last.c) > 1:
        what = f"Order parameters of level {last.level} against their exponents"
        return made + page.figure(profile(last), what)
    return made + page.paragraph("A profile takes two exponents or more: a higher level.", "note")


def _document(name: str, result: Solution | Limit) -> tuple[str, str]:
    """A result as JSON, which its `from_dict` reads."""
    return f"{name}.json", json.dumps(result.to_dict(), indent=1, allow_nan=False) + "\n"
