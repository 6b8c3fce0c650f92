"""What trained weights say about their training data: equations that the two fulfil together.

A network without biases beyond its first layer is homogeneous in its weights: of degree 1 in each layer, of
degree L in all of them. Trained with weight decay rho on n samples to rest, whatever the differentiable loss,
its weights are a combination of the gradients of its own outputs on its own samples,

    theta = sum_i sum_c lambda_ic grad f_c(x_i),

and the multipliers lambda are known from the loss. Inputs carry a last coordinate 1 where the first layer has
biases. Layers act on rows: `outputs` and `sensitivities` take whatever has ``@``, ``.T`` and a product of
entries, matrices of symbols here and arrays of numbers in numerics, so that both are the same mathematics.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from theory.calculus.law import Law
from theory.reconstruction.first_layer import identified, kink, kink_sign, linear_units, span
from theory.reconstruction.multipliers import (
    LOSSES,
    cross_entropy_multiplier,
    decay,
    homogeneity,
    margin_multiplier,
    multiplier,
    squared_norm,
    unit_balance,
)
from theory.reconstruction.network import relaxed_gate

__all__ = ["LAWS"]

LAWS: dict[str, Callable[[], Law]] = {
    **{f"{name}-multiplier": partial(multiplier, name) for name in LOSSES},
    "cross-entropy-multiplier": cross_entropy_multiplier,
    "margin-multiplier": margin_multiplier,
    "homogeneity": homogeneity,
    "norm": squared_norm,
    "decay": decay,
    "balance": unit_balance,
    "gate": relaxed_gate,
    "kink": kink,
    "kink-sign": kink_sign,
    "span": span,
    "linear-units": linear_units,
    "two-units": identified,
}
"""Laws by their names on the command line."""
