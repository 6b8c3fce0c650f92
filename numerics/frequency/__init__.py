"""Frequency-domain layers in numbers: where energy is, what a layer does, what thresholding costs."""

from .common import check_series
from .layers import (
    LayerEffect,
    apply_layer,
    filter_kernel,
    layer_effect,
    real_spectrum,
    shared_kernel,
)
from .risks import DomainRisks, ThresholdRisks, domain_risks, threshold_risks
from .shares import BANDS, EnergyShares, SeriesShares, autoregressive_shares, series_shares

__all__ = [
    "BANDS",
    "DomainRisks",
    "EnergyShares",
    "LayerEffect",
    "SeriesShares",
    "ThresholdRisks",
    "apply_layer",
    "autoregressive_shares",
    "check_series",
    "domain_risks",
    "filter_kernel",
    "layer_effect",
    "real_spectrum",
    "series_shares",
    "shared_kernel",
    "threshold_risks",
]
