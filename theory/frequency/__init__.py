"""Frequency-domain layers: what they can represent, and what their domain is good for."""

from __future__ import annotations

from collections.abc import Callable

from theory.calculus.law import Law

from .layers import (
    constant_in_every_bin,
    gain,
    hilbert,
    per_bin_filter,
    quadrant,
    rank_one_embedding,
    ridge,
    shared_layer,
    shrinkage,
)
from .spectra import autoregression, first_order, periodogram, soft_threshold, sparse_spectrum
from .transform import convolution, orthogonality, parseval

__all__ = ["LAWS"]

LAWS: dict[str, Callable[[], Law]] = {
    "orthogonality": orthogonality,
    "parseval": parseval,
    "convolution": convolution,
    "per-bin-filter": per_bin_filter,
    "hilbert-even": lambda: hilbert(even=True),
    "hilbert-odd": lambda: hilbert(even=False),
    "shared-layer-even": lambda: shared_layer(even=True),
    "shared-layer-odd": lambda: shared_layer(even=False),
    "bias": constant_in_every_bin,
    "shrinkage": shrinkage,
    "quadrant": quadrant,
    "gain": gain,
    "embedding": rank_one_embedding,
    "ridge": ridge,
    "first-order": first_order,
    "autoregression": autoregression,
    "periodogram": periodogram,
    "soft-threshold": soft_threshold,
    "sparse-spectrum": sparse_spectrum,
}
"""Laws by the names that ``widegap derive frequency`` knows."""
