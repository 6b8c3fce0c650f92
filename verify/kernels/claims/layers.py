"""What is claimed of networks of any order of layers, on networks that are really drawn."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from theory.kernels.layers import Dense, Layer, LayerNorm, Residual
from theory.kernels.sequential import Sequential
from verify.statistics.tests import MeanTest
from verify.suite.claims import Run, claim
from verify.suite.verdicts import Finding
from verify.suite.wrong import replaced

_BLOCK = Residual((LayerNorm(), "relu", Dense(1.2, None)))
_NETWORKS: dict[str, tuple[Sequence[Any], Any]] = {
    "residual blocks": ((Dense(1.3, 0.1), _BLOCK, _BLOCK, "erf", Dense(0.7, 0.3)), "ntk"),
    "frozen layers": (
        (Dense(1.3, 0.3, trained=False), "relu", Dense(1.2, 0.1), "erf", Dense(1, None)),
        "ntk",
    ),
    "standard parameterisation": (
        (Dense(1.5, 0), "erf", Residual((Dense(0.8, 0.2),), skip=Dense(0.9, None)), Dense(1, 0)),
        "standard",
    ),
}
_WIDTH, _DRAWS, _SPREAD = 64, 5000, 0.6
_ALLOWED = 0.02
"""Of order 1/n^2, beside the bias that cancels between two widths: some 30/n^2."""
_TEST = MeanTest(1.0, _DRAWS, (0.1 - _ALLOWED) / _SPREAD, 1e-9)


def _changed(layers: Sequence[Any], change: Any) -> list[Any]:
    """Layers, those of blocks among them, each replaced by what ``change`` returns."""
    made: list[Any] = []
    for one in layers:
        inner = one
        if isinstance(one, Residual):
            inner = Residual(tuple(_changed(one.body, change)), one.skip)
        made += change(inner)
    return made


def _of(change: Any) -> Any:
    def network(layers: Sequence[Layer], *rest: Any) -> Sequential:
        return Sequential(tuple(_changed(layers, change)), *rest)

    return network


BRANCHES = replaced(
    "layers-branches-alone",
    "A residual block is its branch: the skip is forgotten.",
    {Sequential: _of(lambda one: one.body if isinstance(one, Residual) else [one])},
)
TRAINED = replaced(
    "layers-all-trained",
    "Frozen layers are in the tangent kernel as all others.",
    {
        Sequential: _of(
            lambda one: [dataclasses.replace(one, trained=True) if isinstance(one, Dense) else one]
        )
    },
)
ONE_UNIT = replaced(
    "layers-one-parameterisation",
    "The standard parameterisation has the tangent kernel of the other.",
    {Sequential: lambda layers, *_: Sequential(layers)},
)


@claim(
    "layers-wide-limits",
    "Covariance and tangent kernel of networks with residual blocks, layer normalisation, frozen layers and "
    "the standard parameterisation tend to the derived ones.",
    source="Jacot et al. 2018; Sohl-Dickstein et al., arXiv:2001.07301; the algebra of layers",
    tags=("mlp", "kernel", "layers", "monte-carlo", "wide"),
    profile="ci",
    group="wide-layers",
    cost=10.0,
    wrong=(BRANCHES, TRAINED, ONE_UNIT),
    designs=(
        _TEST.design(
            "sums over equal and over different inputs of both kernels are the derived ones within 2%, the "
            f"bias of order 1/n removed between n = {_WIDTH} and {2 * _WIDTH}, for three networks (12 tests)",
            f"a kernel that is off by 10%, at a spread of {_SPREAD:.0%} between draws",
        ),
    ),
)
def layers_wide_limits(run: Run) -> Finding:
    """Compare means over draws at two widths."""
    import numpy as np

    from numerics import kernel
    from verify.networks import Network, tangent_kernels

    x = np.array([[1.0, 0.4, -0.3], [0.8, 0.9, 0.2], [-0.5, 1.1, 0.6]])
    equal = np.eye(len(x), dtype=bool)
    evidence: dict[str, Any] = {}
    worst = 0.0
    for number, (name, (layers, parameterisation)) in enumerate(_NETWORKS.items()):
        limit = kernel(run.theory.of(Sequential)(layers, parameterisation), x)
        network = Sequential(layers, parameterisation)
        drawn = [
            tangent_kernels(Network.of(network, width), x, _DRAWS, seed=run.integer(number, width))
            for width in (_WIDTH, 2 * _WIDTH)
        ]
        for kind, true in (("covariance", limit.nngp), ("ntk", limit.ntk)):
            narrow, wide = (getattr(one, kind) for one in drawn)
            for which, some in (("equal", equal), ("different", ~equal)):
                sums = (2.0 * wide - narrow)[:, some].sum(axis=1) / true[some].sum()
                error = float(sums.std(ddof=1)) / _DRAWS**0.5
                off = float(sums.mean()) - 1.0
                t = (abs(off) - _ALLOWED) / error
                worst = max(worst, t)
                evidence[f"{name}, {kind}, {which} inputs"] = {"off by": off, "error": error}
        run.progress((number + 1) / len(_NETWORKS), name)
    good = worst <= _TEST.critical()
    largest = max(abs(v["off by"]) for v in evidence.values())
    reason = f"Means over {_DRAWS} draws are off by at most {largest:.1%}"
    reason += "." if good else f", {worst:.0f} standard errors more than is allowed."
    return Finding("confirmed" if good else "refuted", reason, largest, evidence)
