"""Balls and exact decimals: what a certificate claims, written and read without rounding."""

from __future__ import annotations

import math
import re

from flint import arb, fmpz

from numerics.errors import CertificationError

__all__ = ["LONGEST", "CertificationError", "decimals", "exact_decimal"]

#: Characters of the longest decimal that is read.
LONGEST = 2000
_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]{1,4})?")


def exact_decimal(text: str) -> arb:
    """A decimal as a ball in the precision of the moment; exactly that decimal is inside."""
    if not _DECIMAL.fullmatch(text) or len(text) > LONGEST:
        raise CertificationError(f"{text[:40]!r} is not a decimal of at most {LONGEST} characters")
    mantissa, _, exponent = text.lower().partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = int(whole + fraction)
    power = int(exponent or 0) - len(fraction)
    return arb(digits) * arb(10**power) if power >= 0 else arb(digits) / arb(10**-power)


def decimals(ball: arb, digits: int) -> tuple[str, str]:
    """Bounds of a ball as exact decimals of so many significant digits, rounded outwards."""
    if not ball.is_finite():
        raise CertificationError("the enclosure is not finite")
    size = ball.abs_upper()
    places = digits - math.floor(float(size.log() / arb(10).log()))
    scaled = ball * arb(fmpz(10) ** places) if places >= 0 else ball / arb(fmpz(10) ** -places)
    low, high = scaled.lower().floor().unique_fmpz(), scaled.upper().ceil().unique_fmpz()
    if low is None or high is None:
        raise CertificationError(f"the enclosure {ball.str(10)} is too wide for {digits} digits")
    return _written(int(low), places), _written(int(high), places)


def _written(number: int, places: int) -> str:
    """``number / 10**places`` in decimals."""
    if places <= 0:
        return str(number * 10**-places)
    sign, digits = ("-" if number < 0 else ""), str(abs(number)).zfill(places + 1)
    return f"{sign}{digits[:-places]}.{digits[-places:]}"
