"""What a solver returns, and what it raises when it cannot."""

from __future__ import annotations

import html
import itertools
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

from numerics.errors import ConvergenceError
from numerics.results import html_table, stated
from theory import Model, model_named

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Branch", "ConvergenceError", "Solution", "Statistics"]

#: Digits of an energy are relative to itself, or to this where it is nearly zero.
ENERGY = 0.1
Branch = Literal["closed form", "finite", "s -> infinity", "merged", "satisfiable"]
_GROUPS = ("p", "q", "c", "fields", "gaps")
# An mpf as it is; exponents are bounded, so that no file makes numbers of any size.
_EXACT = re.compile(r"(-?[0-9]{1,4000})\*2\^(-?[0-9]{1,6})")


@dataclass(frozen=True)
class Statistics:
    """What a level cost.

    Attributes
    ----------
    evaluations : int
        Values or values with gradients.
    exponentials : int
        Exponentials, logarithms and error functions taken by the nests.
    products : int
        Multiply-adds of the nests' convolutions.
    seconds : float
        Wall time; two runs that differ in it alone are equal.
    """

    evaluations: int = 0
    exponentials: int = 0
    products: int = 0
    seconds: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class Solution:
    """A stationary point of a free energy.

    Attributes
    ----------
    model : theory.Model
    level : int
    value : float
        alpha = m/n for a capacity model, the energy xi for a ground state; an `mpmath.mpf` for more than
        15 digits, and so are the order parameters and the error.
    p, q, c : tuple of float
        Order parameters; for hard constraints q holds Q_2.. and c holds s_2.., which are `Q` and `s`, too.
        Empty where the level is a closed form; for the branch ``s -> infinity`` the outermost pair (Q, s) is
        at (0, infinity) and left out.
    fields : tuple of float
        Multipliers gamma_x, gamma, or the field H of a limit functional.
    order_parameters : dict of str to float
        All of these by name; of up to 15 digits, with two digits fewer than the value.
    gaps : tuple of float
        Differences of neighbours in the chains of order parameters, from the upper end down: ``1 - p_2``,
        ``p_2 - p_3``, .. (`numerics.functionals.coordinates`), which have digits of their own where
        p is near 1.
    gradient_norm : float
        Euclidean norm of the gradient of log(alpha), or of xi, in the logarithms of the chains' gaps; while
        it is not settled, of what liftings leave of a multiplier.
    residual : float or None
        Largest relative deviation of an overlap from the mean square that it is at a stationary point
        (`theory.thresholds.identities`), in doubles; None where there is no identity, or it is beyond them.
    inertia : int
        Number of negative Hessian eigenvalues of the functional; 0 is a minimum.
    hessian_eigenvalues : tuple of float
        Ascending, in the coordinates of the search (`numerics.functionals.coordinates`).
    digits : int
        Number of significant decimal digits asked for, which the error supports; of an energy below 0.1 in
        size, digits relative to 0.1.
    error : float
        Bound on the absolute error of ``value``, from balls (`numerics.thresholds.settle`):
        discretisation, truncation and every rounding, and what is left of the distance to the
        stationary point. Where a leaf's strip of analyticity is found by looking, also the change
        on other grids; on the branch ``s -> infinity`` the distance to the functional at the
        largest s that was resolved.
    branch : {"closed form", "finite", "s -> infinity", "merged", "satisfiable"}
        "merged": level 1 is stable (`numerics.thresholds.stability`), and the liftings of this level merge
        into it.
    split : str
        How the point grew out of the level below.
    reason : str
        Why this one of the branches is the physical one.
    note : str
        What was not reached, in a sentence; empty when everything was.
    branches : tuple of Solution
        Every distinct stationary point found at this level, this one included, lowest value first; their own
        are left out.
    statistics : Statistics

    Raises
    ------
    ConvergenceError
        If a number is not finite: there is no such solution.
    """

    model: Model
    level: int
    value: float
    p: tuple[float, ...] = ()
    q: tuple[float, ...] = ()
    c: tuple[float, ...] = ()
    fields: tuple[float, ...] = ()
    order_parameters: dict[str, float] = field(default_factory=dict, hash=False)
    gaps: tuple[float, ...] = ()
    gradient_norm: float = 0.0
    residual: float | None = None
    inertia: int = 0
    hessian_eigenvalues: tuple[float, ...] = ()
    digits: int = 15
    error: float = 0.0
    branch: Branch = "finite"
    split: str = ""
    reason: str = ""
    note: str = ""
    branches: tuple[Solution, ...] = field(default=(), repr=False)
    statistics: Statistics = Statistics()

    def __post_init__(self) -> None:
        """Refuse what is no number: it could be taken for a result, shown and stored."""
        if any(other.branches for other in self.branches):
            flat = tuple(replace(other, branches=()) for other in self.branches)
            object.__setattr__(self, "branches", flat)
        numbers = {self.symbol: self.value, "its error": self.error}
        numbers["its gradient norm"] = self.gradient_norm
        numbers.update(self.order_parameters)
        for name in (*_GROUPS, "hessian_eigenvalues"):
            numbers.update({f"{name}[{k}]": x for k, x in enumerate(getattr(self, name))})
        bad = [name for name, number in numbers.items() if not _is_finite(number)]
        if bad:
            raise ConvergenceError(
                f"level {self.level} of {self.model}: {bad[0]} is {numbers[bad[0]]}, no finite number; the "
                "parameters are too extreme",
                {name: float(x) for name, x in self.order_parameters.items() if _is_finite(x)},
                math.nan,
            )

    @property
    def is_finite(self) -> bool:
        """Whether its exponents are the dual's own c_2, c_3, .., not ratios to a c_2 gone to infinity."""
        return self.model.is_finite

    @property
    def Q(self) -> tuple[float, ...]:
        """Q_2, Q_3, .. of hard constraints; AttributeError for a ground state, which has q."""
        return self._hard(self.q, "Q", "q")

    @property
    def s(self) -> tuple[float, ...]:
        """Ratios s_2, s_3, .. of exponents for hard constraints; AttributeError for a ground state: c."""
        return self._hard(self.c, "s", "c")

    def _hard(self, values: tuple[float, ...], name: str, instead: str) -> tuple[float, ...]:
        if self.is_finite:
            raise AttributeError(f"a ground state has no {name} but {instead}")
        return values

    @property
    def parameter_digits(self) -> int:
        """Significant digits that the order parameters have."""
        return parameter_digits(self.digits)

    @property
    def symbol(self) -> str:
        """Name of the value: alpha or xi."""
        return "alpha" if self.model.problem == "capacity" else "xi"

    @property
    def ordering(self) -> str:
        """Order of c_2, c_3, ..: increasing, decreasing or mixed; '' if there are fewer than two.

        For hard constraints of 1, s_2, s_3, .., which are proportional to them. The quenched average, of
        exponent 0, is left out.
        """
        values = self.c if self.is_finite else (1.0, *self.c)
        if len(values) < 2:
            return ""
        steps = [b - a for a, b in itertools.pairwise(values)]
        if all(step > 0 for step in steps):
            return "increasing"
        return "decreasing" if all(step < 0 for step in steps) else "mixed"

    def plot(self) -> Figure:
        """Draw the order parameters against the exponents: `numerics.figures.profiles.profile`.

        Raises
        ------
        ValueError
            If there are no two exponents.
        """
        from numerics.figures.profiles import profile

        return profile(self)

    def _repr_html_(self) -> str:
        first, *rest = str(self).splitlines()
        head = f"<p>{html.escape(first)}</p>"
        rows = [
            {"order parameter": name, "value": written(x, min(self.digits, 10))}
            for name, x in self.order_parameters.items()
        ]
        said = "<br>".join(html.escape(line) for line in rest if " = " not in line)
        return f"{head}{html_table(rows) if rows else ''}<p>{said}</p>"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready content; `from_dict` reads it.

        Numbers of more than 15 digits are text, to as many digits as the solution has; under ``exact`` the
        same ones stand as they are, ``mantissa*2^exponent``.
        """
        return {
            "model": self.model.name,
            "parameters": {str(k): str(v) for k, v in self.model.parameters.items()},
            "level": self.level,
            "symbol": self.symbol,
            **self._content(),
            "ordering": self.ordering,
            "branches": [other._content(timed=False) for other in self.branches],
        }

    def _content(self, *, timed: bool = True) -> dict[str, Any]:
        """What is known of the point itself; its branches are of the same model and level."""
        statistics = asdict(self.statistics)
        if not timed:
            del statistics["seconds"]
        content = {
            **self._numbers(lambda x: written(x, self.digits), lambda x: written(x, 3)),
            "residual": self.residual,
            "inertia": self.inertia,
            "hessian_eigenvalues": list(self.hessian_eigenvalues),
            "digits": self.digits,
            "branch": self.branch,
            "split": self.split,
            "reason": self.reason,
            "note": self.note,
            "statistics": statistics,
        }
        return (
            content
            if _is_plain(self.value)
            else {**content, "exact": self._numbers(_exact, _exact)}
        )

    def _numbers(self, number: Callable[[Any], str], rough: Callable[[Any], str]) -> dict[str, Any]:
        """Everything that may be an mpf, which becomes text."""

        def plain(x: Any, write: Callable[[Any], str] = number) -> float | str:
            return x if _is_plain(x) else write(x)

        return {
            "value": plain(self.value),
            **{name: [plain(x) for x in getattr(self, name)] for name in _GROUPS},
            "order_parameters": {k: plain(x) for k, x in self.order_parameters.items()},
            "gradient_norm": plain(self.gradient_norm, rough),
            "error": plain(self.error, rough),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], model: Model | None = None) -> Self:
        """Read what `to_dict` wrote.

        Parameters
        ----------
        content : Mapping of str to object
        model : theory.Model, optional
            The model, if it is none that `theory.model_named` makes.

        Returns
        -------
        Solution
            Equal to the one written.

        Raises
        ------
        ValueError
            If it is not such a content.
        """
        try:
            made = model_named(content["model"], content["parameters"]) if model is None else model
            if made.name != content["model"]:
                raise ValueError(f"it is a solution of {content['model']!r}, not of {made.name}")
            level = _integer(content["level"])
            branches = tuple(cls._read(made, level, other) for other in content["branches"])
            solution = cls._read(made, level, content, branches)
            for name, value in solution.to_dict().items():
                if name == "residual" and name not in content:  # files of versions without it
                    continue
                if content[name] != value:
                    raise ValueError(f"its {name} is {value}, which the rest of it contradicts")
            return solution
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
            what = f"it lacks {error}" if isinstance(error, KeyError) else error
            raise ValueError(f"this is not a solution as to_dict writes it: {what}") from error

    @classmethod
    def _read(
        cls, model: Model, level: int, content: Mapping[str, Any], branches: tuple[Self, ...] = ()
    ) -> Self:
        if content["branch"] not in get_args(Branch):
            raise ValueError(f"unknown branch {content['branch']!r}")
        known = {**content, **content.get("exact", {})}
        statistics = content["statistics"].items()
        return cls(
            model,
            level,
            _number(known["value"]),
            **{name: tuple(map(_number, known[name])) for name in _GROUPS},
            order_parameters={k: _number(x) for k, x in known["order_parameters"].items()},
            gradient_norm=_number(known["gradient_norm"]),
            residual=_optional(content.get("residual")),
            inertia=_integer(content["inertia"]),
            hessian_eigenvalues=tuple(map(_number, content["hessian_eigenvalues"])),
            digits=_integer(content["digits"]),
            error=_number(known["error"]),
            branch=content["branch"],
            split=str(content["split"]),
            reason=str(content["reason"]),
            note=str(content["note"]),
            branches=branches,
            statistics=Statistics(**{name: _number(x) for name, x in statistics}),
        )

    def __str__(self) -> str:
        """Return one block of text with the value, its order parameters and the evidence."""
        value, error = stated(self.value, self.error, self.digits)
        lines = [f"{self.model}, level {self.level}: {self.symbol} = {value} ({self.branch})"]
        names = ("p", "q", "c") if self.is_finite else ("p", "Q", "s")
        for name, values in zip(names, (self.p, self.q, self.c), strict=True):
            if values:
                lines.append(f"  {name} = " + "  ".join(written(v, 8) for v in values))
        norm = written(self.gradient_norm, 2)
        lines.append(f"  error {error}, gradient norm {norm}, inertia {self.inertia}")
        if self.note:
            lines.append(f"  {self.note}")
        if len(self.branches) > 1:
            others = ", ".join(written(b.value, 12) for b in self.branches if b.value != self.value)
            lines.append(f"  other stationary points: {others}")
        return "\n".join(lines)


def parameter_digits(digits: int) -> int:
    """Digits of order parameters beside those of a value; in doubles two fewer: the value is stationary."""
    return digits if digits > 15 else max(digits - 2, 1)


def written(number: Any, digits: int) -> str:
    """A float or an mpf to so many significant digits, no more than a float has."""
    if isinstance(number, (float, int)):
        return f"{number:.{min(digits, 15)}g}"
    import mpmath

    return str(mpmath.nstr(number, digits))


def _is_finite(number: Any) -> bool:
    if _is_plain(number):
        return math.isfinite(number)
    import mpmath

    return bool(mpmath.isfinite(number))


def _is_plain(number: Any) -> bool:
    return isinstance(number, (float, int))


def _exact(number: Any) -> str:
    """An mpf as text, to the last bit."""
    return f"{int(number.man_exp[0])}*2^{int(number.man_exp[1])}"


def _optional(content: Any) -> Any:
    return None if content is None else _number(content)


def _number(content: Any) -> Any:
    """A number as `to_dict` writes it: a float, an integer, or `_exact` text."""
    if isinstance(content, str) and (matched := _EXACT.fullmatch(content)):
        import mpmath

        mantissa = int(matched[1])
        with mpmath.workprec(max(mantissa.bit_length(), 53)):
            return mpmath.mpf((mantissa, int(matched[2])))
    if isinstance(content, bool) or not _is_plain(content):
        raise ValueError(f"{str(content)[:60]!r} is no number")
    return content


def _integer(content: Any) -> int:
    if isinstance(content, bool) or not isinstance(content, int):
        raise ValueError(f"{str(content)[:60]!r} is no integer")
    return content


def supported_digits(value: float, error: float) -> int:
    """Significant decimal digits of ``value`` that an error estimate supports, at most 15."""
    if not math.isfinite(value) or value == 0.0 or not math.isfinite(error):
        return 0
    relative = max(error / abs(value), 1e-16)
    return max(0, min(15, math.floor(-math.log10(2.0 * relative))))
