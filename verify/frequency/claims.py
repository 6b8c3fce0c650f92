"""What frequency-domain layers can represent, where energy is, and when the frequency domain wins.

What is believed and wrong is beside it: theories that put one function in the place of another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from numerics.frequency import (
    DomainRisks,
    EnergyShares,
    apply_layer,
    autoregressive_shares,
    domain_risks,
    filter_kernel,
    real_spectrum,
    shared_kernel,
)
from verify.statistics.evidence import Evidence, judged, normal_tail
from verify.statistics.tests import FALSE_ALARM, MeanTest
from verify.suite.claims import Run, claim
from verify.suite.properties import prop
from verify.suite.verdicts import Design, Finding
from verify.suite.wrong import replaced

from .forecasts import cases, expected_change, forecast_errors
from .series import make_series, windows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from verify.suite.subject import Theory

    Array = NDArray[np.float64]

SOURCE = "Yi et al., FreTS, NeurIPS 2023; derived here"
TAGS = ("frequency",)
_MARGIN = 0.1


# ---- what is wrong -------------------------------------------------------------------------------


def _low_pass(weight: complex, length: int) -> Any:
    """The kernel of a filter of the same size that passes the lower half of the bins."""
    import numpy as np

    bins = np.arange(length // 2 + 1)
    kernel = filter_kernel(np.where(bins <= length // 4, weight.real, 0.0), length)
    return kernel * (np.linalg.norm(shared_kernel(weight, length)) / np.linalg.norm(kernel))


def _selective_layer(x: Any, weights: Any, *rest: Any) -> Any:
    import numpy as np

    bins = np.arange(np.shape(x)[-1] // 2 + 1)
    return apply_layer(x, np.asarray(weights) / (1.0 + bins), *rest)


SELECTS = replaced(
    "frequency-selects",
    "Weights shared by all bins learn a global filter and select frequencies.",
    {shared_kernel: _low_pass, apply_layer: _selective_layer},
)


def _alternating(weight: complex, length: int) -> Any:
    import numpy as np

    times = np.arange(1, length)
    kernel = -weight.imag * (1.0 - (-1.0) ** times) / (length * np.tan(math.pi * times / length))
    return np.array([weight.real, *kernel])


COTANGENT = replaced(
    "frequency-one-cotangent",
    "The kernel of even lengths, zero at every second time, is that of odd lengths, too.",
    {shared_kernel: _alternating},
)


def _compacted(
    coefficients: Sequence[float], bands: Sequence[float], length: int | None = None
) -> EnergyShares:
    right = autoregressive_shares(coefficients, bands, length)
    return replace(right, finite=tuple(share**0.8 for share in right.finite))


COMPACTS = replaced(
    "frequency-noise-compacts",
    "The spectrum of every series, white noise included, has most energy in few low frequencies.",
    {autoregressive_shares: _compacted},
)


def _without_leakage(
    coefficients: Sequence[float], bands: Sequence[float], length: int | None = None
) -> EnergyShares:
    right = autoregressive_shares(coefficients, bands, length)
    return replace(right, finite=right.shares)


LEAKS = replaced(
    "frequency-no-leakage",
    "A finite series has the shares of its process.",
    {autoregressive_shares: _without_leakage},
)


def _always_frequency(x: Any, sigma: float = 1.0, threshold: float | None = None) -> DomainRisks:
    right = domain_risks(x, sigma, threshold)
    return replace(
        right, time=max(right.time, right.frequency), frequency=min(right.time, right.frequency)
    )


BETTER = replaced(
    "frequency-better",
    "The frequency domain is inherently better.",
    {domain_risks: _always_frequency, expected_change: lambda learner: math.log(0.7)},
)


def _half_spectrum(x: Any) -> Any:
    import numpy as np

    bins = np.fft.rfft(x, norm="ortho")
    return np.concatenate([bins.real, bins.imag], axis=-1)


HALF = replaced(
    "frequency-half-spectrum",
    "Real and imaginary parts of the half spectrum are an orthonormal basis.",
    {real_spectrum: _half_spectrum},
)


# ---- identities ----------------------------------------------------------------------------------


def _draw_layer(data: st.DataObject) -> tuple[Any, complex, complex, float]:
    """A signal of any length, a weight, a bias, a threshold."""
    import numpy as np

    length = data.draw(st.integers(5, 200), label="length")
    seed = data.draw(st.integers(0, 2**31), label="seed")
    parts = st.floats(0.25, 2.0)
    weight = complex(data.draw(parts, label="Re c"), data.draw(parts, label="Im c"))
    bias = complex(data.draw(parts, label="Re b"), -data.draw(parts, label="Im b"))
    shrinkage = data.draw(st.floats(0.0, 1.0), label="lambda")
    return np.random.default_rng(seed).standard_normal(length), weight, bias, shrinkage


def _near(one: Any, other: Any, what: str) -> None:
    import numpy as np

    worst = float(np.abs(one - other).max())
    assert worst <= 1e-12 * (1.0 + float(np.abs(other).max())), f"{what}: {worst:.2e}"


@prop(
    "frequency-shared-kernel",
    "A layer with one weight in all bins is the circular convolution with an identity and a cotangent.",
    source=SOURCE,
    wrong=(SELECTS, COTANGENT),
    tags=TAGS,
    cost=2.0,
)
def shared_kernel_property(theory: Theory, data: st.DataObject) -> None:
    """Convolve, at even and odd lengths."""
    import numpy as np

    x, weight, _, _ = _draw_layer(data)
    times = np.arange(len(x))
    kernel = theory.of(shared_kernel)(weight, len(x))
    convolved = kernel[np.subtract.outer(times, times) % len(x)] @ x
    bins = weight * np.fft.rfft(x)  # what the layer is, written once more
    _near(convolved, np.fft.irfft(bins, len(x)), "the kernel is another")


@prop(
    "frequency-no-selection",
    "A whole layer, with bias, ReLU and shrinkage, commutes with every permutation of the bins between 0 and "
    "T/2: it cannot know which frequency is which.",
    source=SOURCE,
    wrong=(SELECTS,),
    tags=TAGS,
)
def no_selection(theory: Theory, data: st.DataObject) -> None:
    """Permute the bins before and behind."""
    import numpy as np

    x, weight, bias, shrinkage = _draw_layer(data)
    inner = np.arange(1, (len(x) + 1) // 2)
    order = np.arange(len(x) // 2 + 1)
    order[inner] = inner[::-1]

    def permuted(y: Any) -> Any:
        return np.fft.irfft(np.fft.rfft(y)[order], len(x))

    layer = theory.of(apply_layer)
    before, behind = layer(permuted(x), weight, bias, shrinkage), layer(x, weight, bias, shrinkage)
    _near(before, permuted(behind), "bins are told apart")


@prop(
    "frequency-ridge",
    "Ridge regression forecasts the same from a window and from its Fourier coefficients.",
    source="the penalty is invariant; derived here",
    wrong=(HALF,),
    tags=TAGS,
)
def ridge_is_invariant(theory: Theory, data: st.DataObject) -> None:
    """Solve both normal equations."""
    import numpy as np

    length = data.draw(st.integers(3, 40), label="length")
    rng = np.random.default_rng(data.draw(st.integers(0, 2**31), label="seed"))
    inputs, targets = rng.standard_normal((20, length)), rng.standard_normal(20)
    new = rng.standard_normal((5, length))

    def forecast(x: Any, ahead: Any) -> Any:
        return ahead @ np.linalg.solve(x.T @ x + np.eye(x.shape[1]), x.T @ targets)

    transform = theory.of(real_spectrum)
    _near(forecast(transform(inputs), transform(new)), forecast(inputs, new), "forecasts differ")


# ---- random tests --------------------------------------------------------------------------------

_LINEAR = MeanTest(0.0, 4000, 2.0)


@claim(
    "frequency-linearised",
    "The best linear approximation of a layer with ReLU is half an identity and half a Hilbert transform, "
    "not a filter that was learnt.",
    source=SOURCE,
    tags=TAGS,
    wrong=(SELECTS,),
    designs=(_LINEAR.design("output and kernel agree in the mean", "a low-pass of the same size"),),
)
def linearised(run: Run) -> Finding:
    """Correlate outputs at white noise with half the kernel's convolution."""
    import numpy as np

    length, weight = 31, 0.6 + 0.8j
    x = run.stream(0).standard_normal((_LINEAR.size, length))
    kernel = 0.5 * run.theory.of(shared_kernel)(weight, length)
    times = np.arange(length)
    convolved = x @ kernel[np.subtract.outer(times, times) % length].T
    values = np.mean(apply_layer(x, weight, 0.0) * convolved, axis=1) - float(kernel @ kernel)
    return judged(run, _mean_evidence(run, _LINEAR, values))


def _mean_evidence(run: Run, test: MeanTest, values: Any) -> Evidence:
    from scipy.stats import ttest_1samp

    found = ttest_1samp(values, test.null)
    (design,) = run.claim.designs
    return Evidence(
        design.null, design.test, test.size, test.false_alarm, design.alternative, test.power, run.seed,
        float(found.statistic), float(found.pvalue), {"mean": float(values.mean())},
    )  # fmt: skip


def _excess(run: Run, test: MeanTest, coefficients: tuple[float, ...], length: int) -> Finding:
    """Test that the energy in the lowest bins is its expected share of all of it."""
    import numpy as np
    from scipy.signal import lfilter

    found = run.theory.of(autoregressive_shares)(coefficients, (0.1,), length)
    noise = run.stream(0).standard_normal((test.size, length + 400))
    x = lfilter([1.0], [1.0, *(-a for a in coefficients)], noise, axis=1)[:, 400:]
    energy = np.abs(np.fft.fft(x, norm="ortho")) ** 2
    low = np.abs(np.fft.fftfreq(length)) < 0.5 * found.bands[0]
    total = energy.sum(axis=1)
    values = (energy[:, low].sum(axis=1) - found.finite[0] * total) / total.mean()
    return judged(run, _mean_evidence(run, test, values))


_WHITE = MeanTest(0.0, 4000, 1.3)
_COLOURED = MeanTest(0.0, 6000, 0.25)


@claim(
    "frequency-white-noise",
    "White noise compacts nothing: the lowest tenth of the frequencies carries a tenth of the energy.",
    source="first-order law at phi = 0; derived here",
    tags=TAGS,
    wrong=(COMPACTS,),
    designs=(_WHITE.design("the energy is in proportion", "6% of all energy more in this band"),),
)
def white_noise(run: Run) -> Finding:
    """Draw white noise of 101 samples."""
    return _excess(run, _WHITE, (), 101)


@claim(
    "frequency-compaction",
    "Energy compaction of autoregressions at finite length is that of the process less a leakage of order "
    "1/T, both in closed form.",
    source=SOURCE,
    tags=TAGS,
    wrong=(COMPACTS, LEAKS),
    designs=(_COLOURED.design("energies are as expected", "shares of the process itself"),),
)
def compaction(run: Run) -> Finding:
    """Draw autoregressions of order 2 with 40 samples."""
    return _excess(run, _COLOURED, (1.2, -0.3), 40)


_THRESHOLDS = MeanTest(0.0, 4000, 20.0)


@claim(
    "frequency-domains",
    "Soft thresholding is better in frequency for tones and better in time for spikes, by the risks derived.",
    source="Donoho and Johnstone 1994; derived here",
    tags=TAGS,
    wrong=(BETTER,),
    designs=(_THRESHOLDS.design("losses have the derived means", "the domains exchanged"),),
)
def domains(run: Run) -> Finding:
    """Add the losses of a tone in time and of a spike in frequency, and subtract what they should be."""
    import numpy as np

    length, sigma = 48, 0.5
    times = np.arange(length)
    signals = (np.cos(2.0 * np.pi * 5.0 * times / length), np.where(times == 7, 5.0, 0.0))
    values = np.zeros(_THRESHOLDS.size)
    ahead = []
    for at, signal in enumerate(signals):
        risks = run.theory.of(domain_risks)(signal, sigma)
        noisy = signal + sigma * run.stream(at).standard_normal((len(values), length))
        pairs = (
            (signal, noisy, risks.time),
            (real_spectrum(signal), real_spectrum(noisy), risks.frequency),
        )
        for side, (mean, seen, risk) in zip((1.0, -1.0), pairs, strict=True):
            kept = np.sign(seen) * np.maximum(np.abs(seen) - risks.threshold, 0.0)
            values += side * (((kept - mean) ** 2).sum(axis=1) - risk[0])
        ahead.append(risks.frequency < risks.time)
    found = judged(run, _mean_evidence(run, _THRESHOLDS, values))
    if found.verdict == "confirmed" and ahead != [True, False]:
        return replace(found, verdict="refuted", reason=f"Frequency ahead at tone, spike: {ahead}.")
    return found


# ---- training ------------------------------------------------------------------------------------

_PAIRS = MeanTest(0.0, 100, 1.2)  # tones: 1.4 deviations over 240 series of other seeds


@claim(
    "frequency-lasso",
    "The lasso forecasts better in the domain in which the ideal weights have the smaller sum of sizes: in "
    "frequency for tones on the grid of bins, in time for a first-order autoregression.",
    source="derived here",
    profile="ci",
    tags=TAGS,
    wrong=(BETTER,),
    cost=25.0,
    needs=("sklearn",),
    designs=(
        Design(
            "no difference in the wrong direction", "paired t-tests of log errors, one for each kind",
            2 * _PAIRS.size, 2.0 * _PAIRS.false_alarm,
            "the same domain for both, where the other is ahead by 1.2 deviations of a log ratio",
            _PAIRS.power,
        ),
    ),
)  # fmt: skip
def lasso(run: Run) -> Finding:
    """Compare over independent series of 309 samples, windows of 96, one step ahead."""
    import numpy as np

    length, evidence, wrong, weak = 96, {}, [], []
    critical, pairs = _PAIRS.critical(), _PAIRS.size
    for at, name in enumerate(("tones", "autoregression")):
        risks = run.theory.of(domain_risks)(_ideal_weights(name, length))
        expected = 1.0 if risks.frequency[1] > risks.time[1] else -1.0
        logs = []
        for j in range(pairs):
            run.progress((at * pairs + j) / (2 * pairs), f"{name} {j}")
            data = windows(make_series(name, run.stream(at, j)), length, 1)
            errors = forecast_errors(data, 0, ("lasso-time", "lasso-frequency"))
            means = [float(np.mean(values)) for values in errors.values()]
            logs.append(math.log(means[1] / means[0]))
        statistic = float(np.mean(logs) / np.std(logs, ddof=1) * math.sqrt(pairs))
        evidence[name] = {"log ratio frequency to time": float(np.mean(logs)), "t": statistic}
        if expected * statistic < -critical:
            wrong.append(name)
        elif expected * statistic < critical:
            weak.append(name)
    verdict = "refuted" if wrong else "undecided" if weak else "confirmed"
    shown = ", ".join(f"{name} t = {found['t']:.1f}" for name, found in evidence.items())
    return Finding(verdict, f"Frequency against time, log errors: {shown}.", None, evidence)


def _ideal_weights(name: str, length: int) -> Array:
    """The forecast's weights for the last samples: of least norm for tones without noise."""
    import numpy as np

    if name == "autoregression":
        return np.where(np.arange(length) == length - 1, 0.9, 0.0)
    times = np.arange(length + 1)
    waves = np.array(
        [f(2.0 * np.pi * k * times / 48.0) for k in (3, 5, 11) for f in (np.cos, np.sin)]
    )
    return np.linalg.lstsq(waves[:, :-1], waves[:, -1], rcond=None)[0]


_NETWORKS = (
    80  # where there is no difference, both intervals are within the margin with probability 0.999
)
_SPREAD = 0.12  # of a log ratio, from other seeds


@claim(
    "frequency-learner-removed",
    "On tones FreTS forecasts as well without its frequency learner, and with the released code's diagonal "
    "as with the dense one: mean log ratios of errors are within 0.1 of 0.",
    source="issues 10 and 12 of the source's repository; derived here",
    profile="ci",
    tags=TAGS,
    wrong=(BETTER,),
    cost=25.0,
    needs=("jax", "optax"),
    designs=(
        Design(
            "both mean log ratios are within 0.1 of the prediction", "t-intervals around them", _NETWORKS,
            2.0 * FALSE_ALARM, "a learner that cuts the error by 30%",
            normal_tail((0.1 - math.log(1.0 / 0.7)) / (_SPREAD / math.sqrt(_NETWORKS)) + 7.9),
        ),
    ),
)  # fmt: skip
def learner_removed(run: Run) -> Finding:
    """Train all three on independent series."""
    import numpy as np
    from scipy.stats import t

    arms = ("frets-none", "frets-diagonal", "frets-dense")
    (options,) = cases(["tones"], 1)
    training = {name: options[name] for name in ("embedding", "hidden", "epochs", "rate")}
    errors = []
    for j in range(_NETWORKS):
        run.progress(j / _NETWORKS, f"series {j}")
        data = windows(make_series("tones", run.stream(j)), options["length"], options["horizon"])
        found = forecast_errors(data, run.integer(j), arms, **training)
        errors.append([float(np.mean(values)) for values in found.values()])
    logs = np.diff(np.log(np.array(errors)), axis=1)
    means, spreads = logs.mean(axis=0), logs.std(axis=0, ddof=1) / math.sqrt(_NETWORKS)
    expected = [run.theory.of(expected_change)("diagonal"), 0.0]
    away = np.abs(means - expected)
    far, near = (float(t.isf(tail, _NETWORKS - 1)) for tail in (0.5 * FALSE_ALARM, 0.0005))
    if np.any(away - far * spreads > _MARGIN):
        verdict = "refuted"
    else:
        verdict = "confirmed" if np.all(away + near * spreads < _MARGIN) else "undecided"
    shown = ", ".join(f"{m:+.3f} +- {s:.3f}" for m, s in zip(means, spreads, strict=True))
    evidence = {"log ratios": means.tolist(), "standard errors": spreads.tolist()}
    return Finding(verdict, f"Diagonal to none, dense to diagonal: {shown}.", None, evidence)
