"""What stationarity says of a solution without a derivative of the functional."""

from __future__ import annotations

from verify.suite.claims import Run, claim
from verify.suite.verdicts import Curve, Finding, Plot

# Levels of each model: one with each kind of leaf, of either side, with and without a quenched average.
_LEVELS = {
    "SBP(1)": range(3, 6),
    "ABP(0)": range(2, 4),
    "SphericalPerceptron(-1)": range(2, 3),
    "SK()": range(2, 4),
    "Hopfield(1, 1)": range(2, 4),
}
_TOLERANCE = 1e-8


@claim(
    "stationary-identities",
    "At every solution p_k = <f'^2> and Q_k = alpha <g'^2> (of a ground state q_k): each overlap is the mean "
    "square of its partner's slope under the tilted law.",
    source="stationarity of the functional in its increments; Parisi 1980 for SK",
    tags=("functional", "routes", "sbp", "abp", "sk", "hopfield"),
    wrong=("moved",),
    cost=6,
)
def stationary_identities(run: Run) -> Finding:
    """Average squared differences over the tilted laws, which no derivative of the functional enters."""
    import numpy as np

    from numerics.functionals.doubles import evaluator_of
    from numerics.functionals.identities import identity_residual
    from theory import ABP, SBP, SK, Hopfield, SphericalPerceptron, free_energy

    models = (SBP(1), ABP(0), SphericalPerceptron(-1), SK(), Hopfield(1, 1))
    residuals: dict[str, float] = {}
    for model, levels in zip(models, _LEVELS.values(), strict=True):
        for level in levels:
            solution = run.theory.solution(model, level)
            fe, generic = free_energy(model, level), free_energy(model.generic, level)
            residual = identity_residual(
                generic, evaluator_of(fe, generic), np.array(solution.gaps), float(solution.value)
            )
            assert residual is not None
            residuals[f"{model.name}, level {level}"] = residual
    worst = max(residuals, key=lambda name: residuals[name])
    verdict = "confirmed" if residuals[worst] < _TOLERANCE else "refuted"
    at = tuple(range(len(residuals)))
    plot = Plot(
        "Deviation of overlaps from mean squares, solution by solution",
        "solution",
        "relative deviation",
        (Curve("largest", at, tuple(residuals.values()), style="points"),),
    )
    reason = f"At most {residuals[worst]:.0e}, at {worst}."
    return Finding(verdict, reason, None, dict(residuals), (plot,))
