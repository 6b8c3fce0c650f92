"""``widegap solve frequency`` and ``widegap experiment frequency``: layers on spectra, what they bring."""

from typing import TYPE_CHECKING, Any

import click

from widegap import running
from widegap.arguments import Integer, OneOf
from widegap.errors import refusals, shown
from widegap.inputs import read_inputs
from widegap.options import resumable_options, seed_option
from widegap.show.results import result_options, show

if TYPE_CHECKING:
    import numpy as np

    from numerics.results import Result

__all__ = ["experiment", "solve"]

_USES = {
    "shares": ("ar", "series", "data", "length", "bands"),
    "layer": ("series", "data", "length", "weight", "bias", "shrinkage"),
    "risk": ("series", "data", "length", "nonzero", "sigma"),
}
"""Options of each question."""
# verify's own, to which a test ties them: it is not imported to read a command line
REAL = ("sunspots", "co2")
SERIES = ("tones", "autoregression", "walk", *REAL)


class Numbers(click.ParamType):
    """Finite numbers separated by commas, exactly as written; of a fixed count, if there is one."""

    name = "numbers"

    def __init__(self, what: str, count: int | None = None, least: float = -1e50) -> None:
        self.what, self.count, self.least = what, count, least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read the numbers as fractions."""
        from fractions import Fraction

        try:
            numbers = tuple(Fraction(part.strip()) for part in value.split(",") if len(part) < 60)
        except (ValueError, ZeroDivisionError):
            numbers = ()
        wanted = self.count or value.count(",") + 1
        if len(numbers) != wanted or not all(self.least <= x <= 1e50 for x in numbers):
            many = {None: "numbers separated by commas", 1: "a number", 2: "two numbers, RE,IM"}
            raise click.UsageError(
                f"{self.what} is {many[self.count]}, from {self.least:g} to 1e+50, got {shown(value)}"
            )
        return numbers


@click.command(
    "frequency",
    epilog="\b\nExamples:\n"
    "  widegap solve frequency shares --ar 1.2,-0.5 --length 96 --plot shares.png\n"
    "  widegap solve frequency layer --weight 0.6,0.8 --bias 0.1,0 --shrinkage 0.01 --plot layer.png\n"
    "  widegap solve frequency risk --length 512 --nonzero 6 --sigma 0.5",
)
@click.argument("question", type=OneOf("question", tuple(_USES)), metavar="|".join(_USES))
@click.option(
    "--ar",
    type=Numbers("--ar"),
    metavar="A,A,..",
    help="shares: coefficients of an autoregression; 0 is white noise.",
)
@click.option("--series", type=OneOf("series", REAL), metavar="|".join(REAL), help="A real series.")
@click.option("--data", metavar="FILE", help="One of yours: a column of numbers, .npy or .csv.")
@click.option(
    "--length",
    type=Integer("--length", 2, 10**9),
    metavar="T",
    help="Samples; of the default signal, two tones, 64.",
)
@click.option(
    "--bands",
    type=Numbers("--bands", least=0.0),
    metavar="B,B,..",
    help="shares: of the lowest frequencies. [default: 0.01,0.02,0.05,0.1,0.2,0.5]",
)
@click.option(
    "--weight",
    type=Numbers("--weight", 2),
    metavar="RE,IM",
    help="layer: the weight in every bin. [default: 0,1]",
)
@click.option(
    "--bias", type=Numbers("--bias", 2), metavar="RE,IM", help="layer: in every bin. [default: 0,0]"
)
@click.option(
    "--shrinkage",
    type=Numbers("--shrinkage", 1, 0.0),
    metavar="L",
    help="layer: threshold behind ReLU. [default: 0]",
)
@click.option(
    "--nonzero",
    type=Integer("--nonzero", 1, 10**9),
    metavar="K",
    help="risk: coefficients of a spectrum of length T that are not 0.",
)
@click.option(
    "--sigma", type=Numbers("--sigma", 1, 0.0), metavar="S", help="risk: of the noise. [default: 1]"
)
@result_options
def solve(question: str, as_json: bool, plot: str | None, **options: Any) -> None:
    """Say where energy is, what a frequency-domain layer does, or what thresholding costs.

    \b
    shares  Energy in the lowest frequencies: of an autoregression, in closed form
            and at finite length; of a series, with the chance of white noise.
    layer   A layer with one complex weight in all bins: its kernel, and what it
            makes of a signal, alone and with bias, ReLU and shrinkage.
    risk    Soft thresholding of a sparse spectrum in noise at worst; or of a given
            signal, in time and in frequency.
    """  # noqa: D301 - click's mark for text that is not to be wrapped
    given = {name: value for name, value in options.items() if value is not None}
    for name in given:
        if name not in _USES[question]:
            raise click.UsageError(f"--{name} is not for {question}, which takes {_list(question)}")
    if "series" in given and "data" in given:
        raise click.UsageError("a signal is --series or --data, not both")
    with refusals():
        result = {"shares": _shares, "layer": _layer, "risk": _risk}[question](given)
    show(result, as_json, plot)


def _list(question: str) -> str:
    return ", ".join(f"--{name}" for name in _USES[question])


def _signal(given: dict[str, Any]) -> "np.ndarray | None":
    """The series that is asked for, if there is one."""
    if "length" in given and ("series" in given or "data" in given):
        raise click.UsageError("--length is not for a series, which has its own")
    if "data" in given:
        return read_inputs("--data", given["data"])
    if "series" in given:
        import numpy as np

        from verify.frequency.series import make_series

        return make_series(given["series"], np.random.default_rng(0))
    return None


def _shares(given: dict[str, Any]) -> "Result":
    from numerics.frequency import BANDS, autoregressive_shares, series_shares

    if ("ar" in given) == ("series" in given or "data" in given):
        raise click.UsageError("shares are of --ar, or else of --series or --data")
    bands = given.get("bands", BANDS)
    if "ar" in given:
        return autoregressive_shares(given["ar"], bands, given.get("length"))
    signal = _signal(given)
    assert signal is not None
    return series_shares(signal, bands, given.get("series", "series"))


def _layer(given: dict[str, Any]) -> "Result":
    import numpy as np

    from numerics.frequency import layer_effect

    signal = _signal(given)
    if signal is None:
        length = given.get("length", 64)
        if length > 10_000:
            raise click.UsageError(f"--length is at most 10000 for a layer, got {length}")
        phase = 2.0 * np.pi * np.arange(length) / length
        signal = np.cos(3.0 * phase) + 0.5 * np.cos(11.0 * phase + 1.0)
    weight, bias = (
        complex(*map(float, given.get(name, (0, one))))
        for name, one in (("weight", 1), ("bias", 0))
    )
    return layer_effect(signal, weight, bias, float(given.get("shrinkage", (0,))[0]))


def _risk(given: dict[str, Any]) -> "Result":
    from numerics.frequency import domain_risks, threshold_risks

    sigma = float(given.get("sigma", (1,))[0])
    signal = _signal(given)
    if signal is not None:
        if "nonzero" in given:
            raise click.UsageError("--nonzero is for a spectrum of --length, not for a series")
        return domain_risks(signal, sigma)
    if "length" not in given or "nonzero" not in given:
        raise click.UsageError("a risk is that of --length and --nonzero, or of --series or --data")
    return threshold_risks(given["length"], given["nonzero"], sigma)


@click.command(
    "frequency",
    epilog="\b\nExamples:\n"
    "  widegap experiment frequency --out run.sqlite --plot forecasts.png\n"
    "  widegap experiment frequency --series tones --series co2 --replicates 30 --out run.sqlite --resume",
)
@click.option(
    "--series",
    type=OneOf("series", SERIES),
    multiple=True,
    metavar="|".join(SERIES),
    help="May be repeated. [default: all]",
)
@click.option(
    "--replicates",
    type=Integer("--replicates", 2, 10_000),
    default=24,
    metavar="N",
    help="Of each series: drawn ones are new in each, of real ones the networks. [default: 24]",
)
@click.option(
    "--length",
    type=Integer("--length", 2, 300),
    default=48,
    metavar="T",
    help="Samples of a window. [default: 48]",
)
@click.option(
    "--horizon",
    type=Integer("--horizon", 1, 60),
    default=4,
    metavar="H",
    help="Samples to forecast. [default: 4]",
)
@click.option(
    "--embedding",
    type=Integer("--embedding", 1, 128),
    default=8,
    metavar="D",
    help="Components of FreTS, 128 in the source. [default: 8]",
)
@click.option(
    "--hidden",
    type=Integer("--hidden", 1, 1024),
    default=32,
    metavar="N",
    help="Its hidden units, 256 in the source. [default: 32]",
)
@click.option(
    "--epochs",
    type=Integer("--epochs", 1, 1000),
    default=40,
    metavar="N",
    help="At most; 10 in the source. [default: 40]",
)
@click.option(
    "--rate",
    type=Numbers("--rate", 1, 0.0),
    default="0.001",
    metavar="R",
    help="Of Adam, 0.0001 in the source. [default: 0.001]",
)
@resumable_options("replicate")
@seed_option("All series and networks")
@result_options
def experiment(
    series: tuple[str, ...], out: str, as_json: bool, plot: str | None, **options: Any
) -> None:
    """Forecast series by ridge and lasso in both domains, by FreTS and its parts, and by an MLP.

    FreTS comes without its frequency learner, with the diagonal one of the released code, with the dense one
    of the text, and with the channel learner before that; the MLP has as many parameters. Errors are mean
    squares over test windows that do not overlap, in units of the training part's variance. Each method is
    compared with another: paired over replicates where these have series of their own, over windows where
    they share one.
    """
    from verify.frequency.forecasts import NEEDS, checked_cases, run_forecasts

    workers, scheduler = options.pop("workers"), options.pop("scheduler")
    resume, seed, replicates = (options.pop(name) for name in ("resume", "seed", "replicates"))
    options["rate"] = float(options["rate"][0])
    series = series or SERIES

    def check() -> None:
        checked_cases(series, replicates, **options)

    with running.experiment(out, plot, workers, scheduler, "replicates", NEEDS, check) as (
        progress,
        executor,
    ):
        result = run_forecasts(
            series, replicates, seed=seed, out=out, resume=resume, executor=executor, workers=workers,
            progress=progress.update, **options,
        )  # fmt: skip
    show(result, as_json, plot)
