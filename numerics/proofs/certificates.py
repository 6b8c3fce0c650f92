"""Certificates: proved enclosures of thresholds, and their verification from scratch.

What is proved depends on the functional.

- A closed form is evaluated in balls.
- A functional whose nests are single liftings: existence and local uniqueness of the stationary point by the
  Krawczyk test, hence an enclosure of its value (`numerics.proofs.krawczyk`, by rigorous
  integration, no grids).
- The symmetric perceptron at any level: the functional, evaluated in balls at rational order parameters
  (`numerics.balls.nest`, every discretisation error bounded by a theorem), is an upper bound of its infimum
  over ordered exponents.

A certificate holds the statement, the claimed bounds as exact decimals and the point, nothing else of the
solver that found it. `check` evaluates the functional anew, derived by theory from the model's name, and
compares every field to the last digit; what a kind does not need has to be empty.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

import mpmath
from flint import arb, ctx

from numerics.balls.functional import BallFunctional, functional_at
from numerics.balls.plan import BallGrid
from numerics.balls.program import to_digits
from numerics.durable import from_json
from numerics.errors import CertificateError, CertificationError, EnclosureError, ResolutionError
from numerics.thresholds.settle import refine
from numerics.thresholds.solution import Solution
from theory import SBP, Model, free_energy, model_named

from .decimals import decimals, exact_decimal
from .integrals import tails_are_bounded
from .krawczyk import StationaryProof, prove_stationary
from .small_margin import small_margin_ball

__all__ = [
    "Certificate",
    "CertificateError",
    "CertificationError",
    "certify",
    "certify_small_margin",
    "check",
]

Kind = Literal["closed form", "stationary point", "upper bound", "small-margin constant"]
FORMAT = "widegap certificate 1"
# Digits of the point beyond those of the claim, and of the working precision beyond these.
_POINT = 12
_GUARD = 10
_MAX_DIGITS = 300
# What a certificate may hold: nothing in it makes its verification take for ever.
_MAX_LEVEL = 50
_MAX_NODES = 1_000_000
_PLAIN = re.compile(r"-?[0-9]+(\.[0-9]+)?")


@dataclass(frozen=True)
class Certificate:
    """A proved enclosure.

    Attributes
    ----------
    lower, upper : str
        Exact decimals between which the value lies.
    statement : str
        What is proved, in a sentence.
    kind : {"closed form", "stationary point", "upper bound", "small-margin constant"}
    model : str
        The model's name.
    parameters : dict of str to str
        Its parameters, exact.
    level : int
    point : dict of str to str
        Order parameters as exact decimals; empty for a closed form.
    radius : str
        Half-width, relative, of the box in which the stationary point is the only one; else empty.
    digits : int
        Decimal digits of the claim.
    """

    lower: str
    upper: str
    statement: str
    kind: Kind
    model: str
    parameters: dict[str, str] = field(hash=False)
    level: int
    point: dict[str, str] = field(hash=False)
    radius: str
    digits: int

    @property
    def width(self) -> float:
        """Upper minus lower."""
        with mpmath.workdps(self.digits + 20):
            return float(mpmath.mpf(self.upper) - mpmath.mpf(self.lower))

    def to_json(self) -> str:
        """The certificate as text, with a checksum of its content."""
        content = {"format": FORMAT, **asdict(self)}
        return json.dumps({**content, "checksum": _checksum(content)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Certificate:
        """Read a certificate.

        Raises
        ------
        CertificateError
            If it is not a certificate, or its content and its checksum do not match.
        """
        try:
            content = from_json(text, dict)
        except ValueError as error:
            raise CertificateError(f"not a certificate: {error}") from None
        if content.get("format") != FORMAT:
            raise CertificateError(f'not a certificate: it lacks "format": "{FORMAT}"')
        claimed = content.pop("checksum", None)
        if claimed != _checksum(content):
            raise CertificateError("the content does not match its checksum: it was changed")
        del content["format"]
        names = {field.name for field in fields(cls)}
        if content.keys() != names:
            lacking = ", ".join(sorted(names - content.keys())) or "nothing"
            foreign = ", ".join(sorted(content.keys() - names))[:60] or "nothing"
            raise CertificateError(
                f"not a certificate: it lacks {lacking}, and has {foreign} that is not part of one"
            )
        certificate = cls(**content)
        certificate.check_types()
        return certificate

    def check_types(self) -> None:
        """Refuse fields that hold something else than they should.

        Raises
        ------
        CertificateError
            Naming the field.
        """
        kinds = {"level": int, "digits": int, "parameters": dict, "point": dict}
        for own in fields(self):
            value, kind = getattr(self, own.name), kinds.get(own.name, str)
            inside = (
                [text for pair in value.items() for text in pair] if type(value) is dict else []
            )
            if type(value) is not kind or not all(isinstance(text, str) for text in inside):
                raise CertificateError(f"its {own.name} is {str(value)[:60]!r}")

    def __str__(self) -> str:
        """Return the bounds and the statement."""
        return f"[{self.lower}, {self.upper}]\n{self.statement}"


def _checksum(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


# -- proving ---------------------------------------------------------------------------------------


def certify(solution: Solution, digits: int = 30) -> Certificate:
    """Prove what can be proved of a solution.

    Parameters
    ----------
    solution : Solution
        Of any number of digits; it is refined where it has too few for the claim.
    digits : int, default 30
        Decimal digits of the claim, 5 to 300.

    Returns
    -------
    Certificate

    Raises
    ------
    TypeError, ValueError
        For input outside the stated ranges.
    CertificationError
        If nothing is known to be provable for this functional and branch, or a proof failed.

    Notes
    -----
    Cost: an evaluation for an upper bound, twelve to twenty integrals (half a minute for thirty digits) for a
    stationary point.
    """
    if not isinstance(solution, Solution):
        raise TypeError(f"expected a Solution, got {solution!r}")
    _check_digits(digits)
    kind = _kind(solution)
    point: dict[str, str] = {}
    radius = ""
    if kind != "closed form":
        known = digits + (_POINT if kind == "stationary point" else 0)
        if solution.digits < known:
            solution = refine(solution, known, check=False)
        point = {
            name: mpmath.nstr(x, known, strip_zeros=False, min_fixed=-math.inf, max_fixed=math.inf)
            for name, x in solution.order_parameters.items()
        }
        radius = f"1e-{digits}" if kind == "stationary point" else ""
    model = solution.model
    parameters = {str(x): str(value) for x, value in model.parameters.items()}
    bounds, statement = _proof(kind, model, solution.level, point, radius, digits)
    return Certificate(
        *bounds, statement, kind, model.name, parameters, solution.level, point, radius, digits
    )


def certify_small_margin(digits: int = 30) -> Certificate:
    """Prove the small-margin constant C of kappa ~ C sqrt(alpha/(-log alpha)).

    See `numerics.proofs.small_margin`.

    Parameters
    ----------
    digits : int, default 30
        5 to 300.

    Returns
    -------
    Certificate
    """
    _check_digits(digits)
    bounds, statement = _proof("small-margin constant", SBP(), 3, {}, "", digits)
    return Certificate(*bounds, statement, "small-margin constant", "sbp", {}, 3, {}, "", digits)


def check(certificate: Certificate | str) -> Certificate:
    """Verify a certificate from scratch.

    Parameters
    ----------
    certificate : Certificate or str
        A certificate, or its JSON text.

    Returns
    -------
    Certificate
        The one given, verified.

    Raises
    ------
    TypeError
        If it is neither.
    CertificateError
        If it is damaged, or what it claims is not what can be proved.
    """
    if isinstance(certificate, str):
        certificate = Certificate.from_json(certificate)
    if not isinstance(certificate, Certificate):
        raise TypeError(f"expected a Certificate or its text, got {certificate!r}")
    certificate.check_types()
    try:
        model = model_named(certificate.model, certificate.parameters)
        _check_form(certificate, model)
        bounds, statement = _proof(
            certificate.kind,
            model,
            certificate.level,
            certificate.point,
            certificate.radius,
            certificate.digits,
        )
    except (ArithmeticError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise CertificateError(f"the certificate could not be verified: {error}") from error
    if statement != certificate.statement:
        raise CertificateError(f"its statement is not what is proved; that is: {statement}")
    if bounds != (certificate.lower, certificate.upper):
        raise CertificateError(
            f"it claims [{certificate.lower}, {certificate.upper}]; what is proved is [{', '.join(bounds)}]"
        )
    return certificate


def _check_form(certificate: Certificate, model: Model) -> None:
    """Refuse fields that no proof of this kind reads, or that say the same in another way."""
    written = {str(x): str(value) for x, value in model.parameters.items()}
    wanted: dict[str, Any] = {"parameters": written}
    if certificate.kind == "small-margin constant":
        wanted = {"model": "sbp", "parameters": {}, "level": 3}
    if certificate.kind in ("closed form", "small-margin constant"):
        wanted["point"] = {}
    stationary = certificate.kind == "stationary point"
    wanted["radius"] = f"1e-{certificate.digits}" if stationary else ""
    for name, value in wanted.items():
        there = getattr(certificate, name)
        if there != value:
            raise CertificationError(
                f"the {name} of a {certificate.kind} is {value!r} here, not {str(there)[:60]!r}"
            )
    # what is not worth the evaluation: as many digits everywhere as are claimed, one more or less by a carry
    for name in ("lower", "upper"):
        text = getattr(certificate, name)
        digits = len(text.replace(".", "").lstrip("-0"))
        if abs(digits - certificate.digits - (2 if stationary else 0)) > 1 or not _PLAIN.fullmatch(
            text
        ):
            raise CertificationError(f"its bound {text[:60]!r} has not the digits that it claims")
    for name, text in certificate.point.items():
        if len(text) < certificate.digits:
            raise CertificationError(f"its {name} = {text[:60]} has fewer digits than it claims")


def _check_digits(digits: int) -> None:
    if isinstance(digits, bool) or not isinstance(digits, int):
        raise TypeError(f"digits must be an integer, got {digits!r}")
    if not 5 <= digits <= _MAX_DIGITS:
        raise ValueError(f"digits must be between 5 and {_MAX_DIGITS}, got {digits}")


def _kind(solution: Solution) -> Kind:
    """What can be proved, by the form of the functional."""
    where = f"level {solution.level} of {solution.model}"
    fe = free_energy(solution.model, solution.level)
    if not fe.order_parameters:
        if solution.value == 0:
            raise CertificationError(
                f"{where}: nothing is to be proved of the value 0; {solution.note}"
            )
        return "closed form"
    if solution.branch != "finite":
        raise CertificationError(
            f"{where}: nothing is proved of a solution on the branch {solution.branch!r}"
        )
    if not solution.error < 1e-6:
        raise CertificationError(f"{where}: the solution did not converge (error {solution.error})")
    functional = functional_at(solution.model, solution.level, len(solution.q))
    nests = functional.program.nests
    if all(nest.depth == 1 for nest in nests) and not fe.is_finite:
        for nest in nests:
            if not tails_are_bounded(nest.leaf):
                raise CertificationError(
                    f"{where}: no bounds are known for the tails of the leaf {nest.leaf.form.expr}"
                )
        return "stationary point"
    if not fe.is_finite and len(fe.q) == len(fe.c):
        return "upper bound"
    raise CertificationError(
        f"{where}: proofs exist for closed forms, for nests of one lifting in the hard-constraint limit and "
        "for minima of even perceptrons"
    )


def _proof(
    kind: str, model: Model, level: int, point: Mapping[str, str], radius: str, digits: int
) -> tuple[tuple[str, str], str]:
    """Bounds and statement, from nothing but the arguments."""
    if isinstance(digits, bool) or not isinstance(digits, int) or not 5 <= digits <= _MAX_DIGITS:
        raise CertificationError(f"digits must be between 5 and {_MAX_DIGITS}, got {digits!r}")
    if isinstance(level, bool) or not isinstance(level, int) or not 1 <= level <= _MAX_LEVEL:
        raise CertificationError(f"the level must be between 1 and {_MAX_LEVEL}, got {level!r}")
    if kind == "small-margin constant":
        return _small_margin(digits)
    fe = free_energy(model, level)
    name = f"{model}, level {level}"
    unset = sorted(map(str, fe.expr.free_symbols - set(fe.order_parameters)))
    if unset:
        raise CertificationError(f"{name} needs numbers for {', '.join(unset)}")
    value = "alpha" if fe.is_capacity else "xi"
    with ctx.workdps(digits + _POINT + _GUARD):
        if kind == "closed form":
            if fe.order_parameters:
                raise CertificationError(f"{name} is no closed form")
            try:
                bounds = decimals(to_digits(fe.expr, digits + 1), digits)
            except ResolutionError as error:
                raise CertificationError(str(error)) from error
            return bounds, f"{name}: the closed form {value} = {fe.expr} lies in these bounds."
        functional = functional_at(model, level, _overlaps(point))
        names = [str(x) for x in functional.generic.order_parameters]
        if sorted(point) != sorted(names):
            raise CertificationError(f"{name} has order parameters {names}, not {sorted(point)}")
        at = [exact_decimal(point[key]) for key in names]
        where = ", ".join(f"{key} = {point[key]}" for key in names)
        if kind == "stationary point":
            proof = _stationary(functional, at, radius, digits)
            bounds = decimals(proof.value, digits + 2)
            sign = {0: "a minimum", 1: "a saddle with one negative direction"}.get(
                proof.negative, f"of {proof.negative} negative directions"
            )
            return bounds, (
                f"{name}: the equations of stationarity have exactly one solution within a relative distance "
                f"{radius} of {where}; it is {sign}, and its {value} lies in these bounds."
            )
        if kind != "upper bound":
            raise CertificationError(f"unknown kind of certificate {kind!r}")
        ball = _upper(functional, at, digits)
        return decimals(ball, digits), (
            f"{name}: at {where}, exponents in increasing order from 1, the functional lies in these bounds; "
            f"its infimum over ordered exponents is at most {decimals(ball, digits)[1]}."
        )


def _small_margin(digits: int) -> tuple[tuple[str, str], str]:
    with ctx.workdps(digits + _GUARD):
        try:
            constant = small_margin_ball(digits)
        except EnclosureError as error:
            raise CertificationError(str(error)) from error
        return decimals(constant, digits), (
            "The constant C of the third level's kappa ~ C sqrt(alpha/(-log alpha)), twice the square root "
            "of the global maximum of -t^2 log erf(t/sqrt 2) over t > 0, lies in these bounds."
        )


def _overlaps(point: Mapping[str, str]) -> int:
    return sum(name[0] in "qQ" for name in point)


def _stationary(
    functional: BallFunctional, at: list[arb], radius: str, digits: int
) -> StationaryProof:
    # the integrals' tails are to be far below the box
    reach = math.sqrt(2.0 * (digits + _POINT + 5) * math.log(10.0))
    try:
        return prove_stationary(functional, at, exact_decimal(radius), reach)
    except EnclosureError as error:
        raise CertificationError(str(error)) from error


def _upper(functional: BallFunctional, at: list[arb], digits: int) -> arb:
    """The functional at a point of its domain, enclosed."""
    fe = functional.generic
    if fe.is_finite or len(fe.q) != len(fe.c):
        raise CertificationError(f"level {fe.level} of {fe.model.name} is not a minimum problem")
    exponents = [arb(1), *at[len(fe.p) + len(fe.q) :]]
    if not all(b > a for a, b in itertools.pairwise(exponents)):
        raise CertificationError("the exponents are not in increasing order from 1")
    gaps = functional.gaps_at(at)
    if not all(gap > 0 for gap in gaps):
        raise CertificationError("the order parameters are not in decreasing order in their bounds")
    grid = BallGrid(digits + 3)
    try:
        nodes = functional.planned_nodes(gaps, grid)
        if nodes > _MAX_NODES:
            raise ResolutionError(
                f"{digits} digits need grids of {nodes} nodes here, and at most {_MAX_NODES} are verified"
            )
        ball = functional.at_gaps(gaps, grid)
    except ResolutionError as error:
        raise CertificationError(str(error)) from error
    if not ball.proved:
        raise CertificationError(
            f"the strips of analyticity of {fe.model.name} are found by looking, not proved"
        )
    if not ball.value.rel_accuracy_bits() > 10:
        raise CertificationError(
            f"the evaluation encloses nothing: {ball.value.str(10)}; windows too small or grids too coarse"
        )
    return ball.value


# -- decimals --------------------------------------------------------------------------------------
