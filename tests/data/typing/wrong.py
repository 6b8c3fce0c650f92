"""A user's program with a mistake in every marked line, which a type checker has to find."""

import numerics
from numerics import mlp_kernel, solve
from theory import SBP
from verify import Finding, claim

solution = solve(SBP(1), level="three")  # wrong: a level is an integer
solve("sbp", level=3)  # wrong: a model, not its name
print(solution.alpha)  # wrong: no such attribute
solution.value = 1.0  # wrong: frozen
digits: str = solution.digits  # wrong: an integer
mlp_kernel([[1.0]], tangent="left")  # wrong: no such tangent
print(mlp_kernel([[1.0]]).nngp.shape.first)  # wrong: a tuple
print(numerics.lazy_loader)  # wrong: nothing that a user is meant to see
numerics.sqlve(SBP(1), 3)  # wrong: no such name
Finding("perhaps", "It may be.")  # wrong: no such verdict
claim("a", "b", source="c", profile="nightly")  # wrong: no such profile
