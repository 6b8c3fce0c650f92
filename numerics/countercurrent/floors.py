"""Floors of the convolutional variant's loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from sympy import Rational

from numerics.countercurrent.networks import check_sizes
from numerics.results import Table
from theory import countercurrent as theory

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Floors", "floors"]


@dataclass(frozen=True)
class Floors(Table):
    """Least losses of a layer whose rows have norm 1.

    Attributes
    ----------
    members, features : tuple of int
        Samples of each class, and units.
    decorrelation : tuple of float
        Least mean square of A A' - I.
    cosines : tuple of float
        Of rows with their class, where both terms together are least.
    joint : tuple of float
        Both terms, at least: attained from as many features on as there are samples.
    """

    columns: ClassVar = {
        "members": "members",
        "features": "features",
        "decorrelation": "decorrelation",
        "cosine": "cosines",
        "loss": "joint",
    }
    members: tuple[int, ...]
    features: tuple[int, ...]
    decorrelation: tuple[float, ...]
    cosines: tuple[float, ...]
    joint: tuple[float, ...]

    def draw(self, axes: Axes) -> None:
        """Losses against the samples of a class."""
        for count in dict.fromkeys(self.features):
            mine = [row for row in self.rows() if row["features"] == count]
            axes.plot(
                [r["members"] for r in mine], [r["loss"] for r in mine], "o-", label=f"{count}"
            )
        axes.set(xlabel="samples of a class", ylabel="least loss")
        axes.legend(title="features")


def floors(
    members: Sequence[int],
    features: Sequence[int],
    *,
    classes: int = 10,
    target: float = 1.0,
    decorrelation: float = 0.5,
) -> Floors:
    """Least losses of the convolutional variant's layers, by samples of each class and features.

    Parameters
    ----------
    members, features : sequence of int
        Every combination is a row.
    classes : int
    target, decorrelation : float
        Scales of both terms; the source's by default.

    Returns
    -------
    Floors
        Exact but for rounding.

    Raises
    ------
    ValueError
        For what makes no sense.
    """
    check_sizes(classes=classes)
    if not all(1 <= count <= 10**9 for count in features):
        raise ValueError(
            f"features are integers from 1 to 10^9, got {', '.join(map(str, features))}"
        )
    rows = []
    for count in members:
        share, least = theory.joint_floor(count, classes, Rational(target), Rational(decorrelation))
        for units in features:
            alone = max(0.0, float(theory.decorrelation_floor(count * classes, units)))
            loss = max(float(least), decorrelation * alone)
            rows.append((count, units, alone, float(share), loss))
    if not rows:
        raise ValueError("floors need samples of a class and features, one of each at least")
    return Floors(*zip(*rows, strict=True))
