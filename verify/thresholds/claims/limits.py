"""The limit of all levels: against the literature's best number, and against itself with fewer levels."""

from __future__ import annotations

from verify.suite.claims import Run, claim
from verify.suite.verdicts import Curve, Finding, Plot


@claim(
    "sk-limit-digits",
    "The levels of the Sherrington-Kirkpatrick model tend to its ground-state energy, 0.7631667265665.",
    source="Oppermann, Schmidt, Phys. Rev. E 78, 061124 (2008); Schmidt's thesis, 200 steps",
    printed="0.7631667265665",
    tags=("sk", "energy", "published", "extrapolation"),
    group="sk",
    cost=35,
    profile="ci",
    wrong=("moved",),
)
def sk_limit_digits(run: Run) -> Finding:
    """Extrapolate levels up to 14; the error bar has to hold the printed number and to be below 1e-9."""
    from theory import SK

    known = 0.7631667265665
    limit = run.theory.limit(SK(), 14)
    off = abs(limit.value - known)
    good = off <= limit.error < 1e-9
    evidence = {
        "limit": limit.value,
        "error": limit.error,
        "difference to the printed value": off,
        "fitted exponent": limit.exponent,
        **limit.estimates,
    }
    misses = tuple(abs(x - known) for x in limit.values)
    curve = Curve("level", tuple(map(float, limit.levels)), misses, style="points")
    plot = Plot("Distance of the levels to the ground-state energy", "level", "distance", (curve,))
    reason = f"{limit.value:.12f}, {off:.0e} off, with an error of {limit.error:.0e}."
    return Finding("confirmed" if good else "refuted", reason, limit.value, evidence, (plot,))


@claim(
    "limit-error-bars",
    "The limit's error bar holds when the top levels are left out: fewer levels give wider bars around the "
    "same number.",
    source="a promise of this toolkit",
    tags=("sk", "sbp", "extrapolation"),
    group="sbp",
    cost=150,
    profile="full",
    wrong=("lowered",),
)
def limit_error_bars(run: Run) -> Finding:
    """Compare limits from levels up to 12, 14 and 17 with that from 20, for two models."""
    from theory import SBP, SK

    failures: list[str] = []
    evidence: dict[str, list[float]] = {}
    for model in (SK(), SBP(1)):
        best = run.theory.limit(model, 20)
        for highest in (12, 14, 17):
            fewer = run.theory.limit(model, highest)
            evidence[f"{model}, up to {highest}"] = [fewer.value, fewer.error]
            if abs(fewer.value - best.value) > fewer.error + best.error:
                failures.append(f"{model} up to {highest}")
        evidence[f"{model}, up to 20"] = [best.value, best.error]
        if not best.error < 1e-6 or not abs(best.value - best.values[-1]) < 1e-3:
            failures.append(f"{model}: {best.value} is not where its levels go")
    reason = f"Bars that miss: {', '.join(failures) or 'none'}."
    return Finding("refuted" if failures else "confirmed", reason, None, evidence)
