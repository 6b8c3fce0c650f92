"""The jet of a mixture: a double sum over its nodes."""

from __future__ import annotations

import numba

# pasted code above defines these
from .kernel_stub import SCALES, WEIGHTS, member_jet


@numba.njit(error_model="numpy")
def jet(
    k11: float, k22: float, k12: float, det: float, delta: float, sigma: float
) -> tuple[float, float, float, float, float, float, float]:
    """Return D, D' and their derivatives."""
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = 0.0
    for m in range(len(SCALES)):
        for n in range(len(SCALES)):
            w = WEIGHTS[m] * WEIGHTS[n]
            values = member_jet(SCALES[m], SCALES[n], k11, k22, k12, det, delta, sigma)
            s0 += w * values[0]
            s1 += w * values[1]
            s2 += w * values[2]
            s3 += w * values[3]
            s4 += w * values[4]
            s5 += w * values[5]
            s6 += w * values[6]
    return s0, s1, s2, s3, s4, s5, s6
