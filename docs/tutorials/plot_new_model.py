r"""
A model of your own
===================

A model is a prior on :math:`x`, a constraint on the rows of :math:`G x`, and a sign. Each of them adds one
leaf to the random dual. Everything else, the functional, its limit, the code that evaluates it and the
search for its stationary points, follows from the leaves. This page adds a perceptron that nobody has
asked for, solves it, and looks at the models that are already there.
"""

# %%
# The leaf
# --------
#
# Let every row of :math:`G x` lie in a window beside zero, :math:`0 \le (G x)_i \le \kappa`. The leaf is the
# squared violation, divided by :math:`4 \gamma`.

from dataclasses import dataclass

from sympy import Expr, Max

from theory import BinaryPrior, Constraint, Model, free_energy, parameter


@dataclass(frozen=True)
class Window(Constraint):
    """0 <= G x <= kappa in every row, kappa > 0."""

    kappa: Expr = parameter("kappa", positive=True)

    def leaf(self, h, gamma):
        """Return the squared distance from the window, divided by 4 gamma."""
        return Max(-h, h - self.kappa, 0) ** 2 / (4 * gamma)


window = Model("window", BinaryPrior(), Window(2))

# %%
# That was all. The hard-constraint limit finds the probability of the window, and that the model is not
# even, so that its outermost average stays.

print(free_energy(window.generic, 2).text())

# %%
# Its capacity, level by level. The stationary point is a saddle with one direction of ascent, as for every
# perceptron that is not even.

from numerics import solve_levels

for solution in solve_levels(window, [2, 3]):
    print(f"level {solution.level}: {solution.value:.12f}, inertia {solution.inertia}")

# %%
# Ground states
# -------------
#
# With a number of rows the same model asks for the energy: how far is the best :math:`x` from
# fulfilling everything? Nothing has to be derived anew.

frustrated = Model("window", BinaryPrior(), Window(2), alpha=1)
for solution in solve_levels(frustrated, [1, 2]):
    print(f"level {solution.level}: xi = {solution.value:.10f}")

# %%
# The models of the literature
# ----------------------------
#
# The Sherrington-Kirkpatrick model has no constraint, the Hopfield models have one that nothing fulfils. The
# exponents :math:`c_k` of the former decrease, as in Parisi's scheme; those of the negative Hopfield
# model do not.

from theory import ABP, SK, Hopfield, SphericalPerceptron

for model, levels in (
    (ABP(0), [2, 3]),
    (SK(), [1, 2, 3]),
    (Hopfield(1, alpha=1), [1, 2, 3]),
    (Hopfield(-1, alpha=1), [1, 2, 3]),
    (SphericalPerceptron(-1), [1, 2]),
):
    found = list(solve_levels(model, levels))
    values = "  ".join(f"{solution.value:.8f}" for solution in found)
    print(f"{model!s:28} {values}  {found[-1].ordering}")
