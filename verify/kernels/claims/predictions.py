"""What is claimed of training: wide perceptrons follow their prediction, in mean and in spread."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from verify.statistics.tests import MeanTest
from verify.suite.claims import Run, claim
from verify.suite.verdicts import Curve, Design, Finding, Plot
from verify.suite.wrong import replaced

X = ((1.0, 0.4, -0.3), (0.8, 0.9, 0.2), (-0.5, 1.1, 0.6), (-0.9, -0.2, 0.8))
Y = (1.0, -0.5, 0.8, -1.0)
NEW = ((0.3, -0.7, 0.5), (0.9, 0.1, -0.9), (-0.2, 0.6, 0.7))
TIMES, RATE = (10, 30, 120), 0.2
WIDTH, NETWORKS = 128, 400
_ALLOWED, _SPREAD = 0.03, 0.13
"""Bias of order 1/n that is allowed for, some 4/n, and the standard deviation of what one network is off."""
_ENTRIES = len(TIMES) * len(NEW)
_OFF = MeanTest(0.0, NETWORKS, (0.11 - _ALLOWED) / _SPREAD, 1e-9 / _ENTRIES)
_LOOSE = 0.15
"""Relative bias of the variance that is allowed for."""
_VARIANCE = MeanTest(1.0, NETWORKS, (1.0 - _LOOSE) / math.sqrt(2.0), 1e-9 / _ENTRIES)
SOURCE = "Jacot, Gabriel, Hongler, NeurIPS 2018; Lee et al., NeurIPS 2019"


def _nngp_flow(model: Any, x: Any, y: Any, x_new: Any, **how: Any) -> Any:
    import numpy as np

    from numerics import kernel
    from numerics.kernels.prediction.predict import predict_from

    made = kernel(model, np.vstack([x, x_new]))
    return predict_from(replace(made, ntk=made.nngp), y, **how)


def _summed_loss(model: Any, x: Any, y: Any, x_new: Any, *, times: Any, **how: Any) -> Any:
    import numpy as np

    from numerics import predict

    longer = np.multiply(times, len(x))
    return predict(model, x, y, x_new, times=longer, **how)


def _posterior_spread(model: Any, x: Any, y: Any, x_new: Any, **how: Any) -> Any:
    import numpy as np

    from numerics import predict

    made = predict(model, x, y, x_new, **how)
    spread = predict(model, x, y, x_new, kind="nngp").covariance
    return replace(made, covariance=np.broadcast_to(spread, made.covariance.shape))


def _wrong() -> tuple[str, ...]:
    from numerics.kernels.prediction.predict import predict

    return (
        replaced(
            "kernels-nngp-flow",
            "Gradient descent follows the NNGP kernel instead of the tangent kernel.",
            {predict: _nngp_flow},
        ),
        replaced(
            "kernels-summed-loss",
            "Training times are those of the summed loss instead of the mean.",
            {predict: _summed_loss},
        ),
        replaced(
            "kernels-posterior-spread",
            "Trained networks spread like the posterior at every time.",
            {predict: _posterior_spread},
        ),
    )


@claim(
    "wide-training",
    "Wide perceptrons trained by gradient descent on the squared loss follow gradient flow with the tangent "
    "kernel from their own initial outputs, so that at every time mean and covariance are as predicted.",
    source=SOURCE,
    tags=("mlp", "kernel", "kernels", "ntk", "training", "monte-carlo", "wide"),
    profile="ci",
    group="wide-training",
    cost=12.0,
    wrong=_wrong(),
    needs=("jax", "optax"),
    designs=(
        _OFF.design(
            f"outputs of width {WIDTH} at new inputs are on average where the flow takes them from their own "
            f"start, within {_ALLOWED} for the width, {_ENTRIES} inputs and times",
            "a flow that takes one of them 0.11 elsewhere",
        ),
        Design(
            f"their squared distance from the predicted mean, over the predicted variance, is 1 within "
            f"{_LOOSE} for the width",
            f"t-tests of the means of {NETWORKS} networks",
            NETWORKS,
            1e-9,
            "a variance that is half of what it should be",
            _VARIANCE.power,
        ),
    ),
)
def wide_training(run: Run) -> Finding:
    """Train networks from their own starts; B of the prediction comes from unit labels."""
    import numpy as np

    from numerics.kernels.prediction.predict import predict
    from theory import MLP
    from verify.networks import Network
    from verify.networks.descent import trained

    model = MLP("erf", 2, 1.5, 0.2, 1.0)
    x, y, new = np.array(X), np.array(Y), np.array(NEW)
    predicted = run.theory.of(predict)
    right = predicted(model, x, y, new, times=TIMES, learning_rate=RATE)
    # as many outputs as labels: n times as many numbers, of which the loss is the mean
    longer = [len(x) * t for t in TIMES]
    b = predicted(model, x, np.eye(len(x)), new, times=longer, learning_rate=RATE).mean
    outputs = trained(
        Network.of(model, WIDTH),
        np.vstack([x, new]),
        y,
        TIMES,
        rate=RATE,
        networks=NETWORKS,
        seed=run.integer(),
    ).outputs
    start, seen = outputs[:, 0], outputs[:, 1:, len(x) :]
    flow = start[:, None, len(x) :] + np.einsum("tmn,Nn->Ntm", b, y - start[:, : len(x)])
    off, errors = (seen - flow).mean(axis=0), (seen - flow).std(axis=0, ddof=1) / NETWORKS**0.5
    worst = float(((np.abs(off) - _ALLOWED) / errors).max())
    variances = np.diagonal(right.covariance, axis1=1, axis2=2)
    ratios = (seen - right.mean) ** 2 / variances
    loose = (np.abs(ratios.mean(axis=0) - 1.0) - _LOOSE) / (math.sqrt(2.0 / NETWORKS))
    good = worst <= _OFF.critical() and float(loose.max()) <= _VARIANCE.critical()
    evidence = {
        "steps": TIMES,
        "predicted mean": right.mean,
        "mean of networks": seen.mean(axis=0),
        "off their own flow": off,
        "standard errors": errors,
        "excess in standard errors": worst,
        "rejected beyond": _OFF.critical(),
        "squared distance over predicted variance": ratios.mean(axis=0),
        "excess of these in standard errors": float(loose.max()),
    }
    at = tuple(map(float, TIMES))
    curves = []
    for i in range(len(NEW)):
        curves.append(Curve(f"input {i + 1}, predicted", at, tuple(right.mean[:, i]), style="line"))
        means, spread = seen[..., i].mean(axis=0), seen[..., i].std(axis=0) / NETWORKS**0.5
        curves.append(Curve(f"input {i + 1}, networks", at, tuple(means), tuple(spread), "points"))
    plot = Plot("Mean output at new inputs", "steps", "output", tuple(curves))
    reason = (
        f"Networks are {np.abs(off).max():.3f} off the flow from their own start at most ({_ALLOWED} are "
        f"allowed for the width, excess {worst:.1f} standard errors, rejected beyond {_OFF.critical():.1f}); "
        f"squared distances are {ratios.mean(axis=0).min():.2f} to {ratios.mean(axis=0).max():.2f} predicted "
        "variances."
    )
    return Finding("confirmed" if good else "refuted", reason, None, evidence, (plot,))
