r"""
From a model to a threshold
===========================

How many constraints :math:`|(G x)_i| \le \kappa` can a binary vector :math:`x` of length :math:`n`
fulfil, and how many of them can a fast algorithm satisfy? We derive the functional that answers
both questions, look at it, solve it, and watch the answer settle as the lifting level grows.
"""

# %%
# Derive
# ------
#
# A model says *what*: here the symmetric binary perceptron with margin :math:`\kappa`, which stays
# symbolic. :func:`theory.free_energy` starts from the model's random dual and takes the
# hard-constraint limit.

from theory import SBP, free_energy

level_3 = free_energy(SBP(), level=3)
print(level_3.text())

# %%
# Level 3 has three order parameters. Each of them has a stationarity condition, an average over the
# Gibbs weights of the two nests.

for parameter, derivative in level_3.stationarity().items():
    print(f"d alpha / d {parameter}: {derivative.count_ops()} operations")

# %%
# At level 2 nothing is left to vary. What remains is the satisfiability threshold
# :math:`\alpha_c` in closed form: below it solutions exist, above it they do not.

print(free_energy(SBP(), level=2).expr)

# %%
# Solve
# -----
#
# :func:`numerics.solve_levels` says *how*. It compiles the expressions above and follows the
# stationary point from level to level, starting from nothing but lower levels.

from numerics import solve_levels

solutions = list(solve_levels(SBP(kappa=1), range(2, 8)))
for solution in solutions:
    print(f"alpha_{solution.level} = {solution.value:.12f}")

# %%
# A solution carries what is needed to trust it: the norm of the gradient, the number of negative
# eigenvalues of the Hessian (none: a minimum, so every choice of order parameters gives an upper
# bound), and how much the value moved when all grids were refined.

best = solutions[-1]
print(best)

# %%
# Check a printed value
# ---------------------
#
# For level 7 the literature prints 1.6021 (Stojnic, arXiv:2601.10628). The stationary point above lies
# lower. Whoever doubts it needs no solver: level 7 is a minimum, so a single evaluation at these order
# parameters bounds it from above. :func:`numerics.cross_check` makes that evaluation with another
# quadrature, which shares nothing with the solver but the expression.

from numerics import cross_check

printed = 1.6021
independent = cross_check(free_energy(SBP(kappa=1), level=7), best.order_parameters)
print(f"stationary point   {best.value:.12f}, {best.inertia} negative Hessian eigenvalues")
print(f"other quadrature   {independent:.12f}")
print(f"minus the printed  {independent - printed:.4f}")

# %%
# Look at the levels
# ------------------
#
# The steps between levels shrink by roughly a constant factor, while the gap to
# :math:`\alpha_c` stays open.

from numerics.figures.levels import level_convergence

figure = level_convergence(solutions)

# %%
# Small margins
# -------------
#
# Below :math:`\kappa \approx 0.6` level 3 has another branch, on which the exponent :math:`s_2`
# grows to hundreds and finally to infinity. The solver looks at both branches and reports all the
# stationary points it found, the lowest first.

from numerics import solve

for kappa in ("1", "0.5", "0.25", "0.1"):
    solution = solve(SBP(kappa), level=3)
    print(f"kappa = {kappa}")
    for point in solution.branches:
        exponent = f"s_2 = {point.c[0]:.4g}" if point.c else point.branch
        print(f"    alpha = {point.value:.10g}, {exponent}")

# %%
# In the limit :math:`\kappa \to 0` the threshold of level 3 obeys
# :math:`\kappa \simeq C \sqrt{\alpha / (-\log \alpha)}` with a constant that theory knows to any
# number of digits.

from mpmath import nstr

from theory.thresholds.asymptotics import small_kappa_constant

constant = small_kappa_constant(digits=30)
print(f"C = {nstr(constant.value, constant.digits)}")
