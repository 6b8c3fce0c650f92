"""A user's program: what the public names give has the types that their documentation promises."""

from pathlib import Path
from typing import assert_type

import numpy as np
from numpy.typing import NDArray

from numerics import (
    ConvergenceError,
    DivergenceError,
    MLPKernel,
    Solution,
    Sweep,
    WidegapError,
    kernel_derivatives,
    mlp_kernel,
    solve,
    solve_levels,
    sweep,
)
from numerics import kernel as kernel_of
from theory import (
    ABP,
    SBP,
    Dense,
    Dual,
    FreeEnergy,
    LayerNorm,
    Model,
    Residual,
    Sequential,
    dual,
    free_energy,
)
from theory.errors import WidegapError as Base
from verify import Claim, Finding, Run, all_claims, claim

models: list[Model] = [SBP(1), SBP(kappa="0.9"), ABP(0)]
energy = free_energy(models[0], level=3)
assert_type(energy, FreeEnergy)
assert_type(dual("relu"), Dual)

try:
    solution = solve(models[0], level=3, digits=10)
except ConvergenceError as error:
    assert_type(error.best, dict[str, float])
    assert_type(error.gradient_norm, float)
    raise
except WidegapError as error:
    base: Base = error
    raise SystemExit(str(error)) from base
assert_type(solution, Solution)
assert_type(solution.value, float)
assert_type(solution.p, tuple[float, ...])
assert_type(solution.inertia, int)
assert_type(solution.branches, tuple[Solution, ...])
assert_type(solution.order_parameters, dict[str, float])
for level in solve_levels(models[0], (2, 3)):
    assert_type(level, Solution)
assert_type(sweep(models, range(2, 4), out=Path("run.sqlite"), resume=True), Sweep)

kernel = mlp_kernel(np.eye(3), activation="gelu", depth=2)
assert_type(kernel, MLPKernel)
assert_type(kernel.ntk, NDArray[np.float64])
assert_type(kernel.error, float)
network = Sequential((Dense(1, 0), Residual((LayerNorm(), "relu", Dense(1, None))), Dense()))
assert_type(kernel_of(network, np.eye(3)), MLPKernel)
assert_type(kernel_derivatives(network, np.eye(3)).nngp, NDArray[np.float64])
too_wide: type[ValueError] = DivergenceError


@claim("my-claim", "A sentence.", source="nobody", tags=("mine",))
def check(run: Run) -> Finding:
    """Level 3 is below level 2."""
    two, three = (run.theory.solution(SBP(1), level).value for level in (2, 3))
    return Finding("confirmed" if three < two else "refuted", "It is.", three)


assert_type(all_claims(), tuple[Claim, ...])
