"""Command lines that nobody should type, drawn from the commands' own options.

The grammar is read off the parsers: an option that is added is tried without a word here. What is typed for
it comes from its type, and now and then from what nobody expects.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import click

from widegap.arguments import Integer, Integers, Levels, OneOf, Size, Values
from widegap.cli import cli
from widegap.commands.kernel import Scale

__all__ = ["Command", "commands", "draw_line"]

LONG = "9" * 5000
# fmt: off
NONSENSE = (
    "", " ", "-1", "0", "-0", "1e400", "1e-5000", LONG, "0." + LONG, "1/" + LONG, "nan", "inf", "-inf", "1/0",
    "0x10", "1_000", "\u0663", "\u00bd", "1:2", "::", "1:2:0", "2:1:1", "0:1:1e-9", "1,,2", ",", "a,b",
    "NULL", "--", "-", "-h", "..", "../x", ".", "/", "~", "no/such/folder/x.png", "x" * 300 + ".png",
    "true", "x.gif", "/proc/self/x.png", "/dev/full", "/dev/zero", "folder", "folder.png", "circle",
    "\udcff.png", "\u2603.svg", "a\nb", "\x1b[31m", "%s%n", "{0}", "$(touch pwned)", "x.__class__",
    "__import__('os').system('touch pwned')", "seven", "lambda: 0", "[" * 3000, "1e90", "1e-90",
    "100000000000000000000", "1.5", "random",
)
# fmt: on
"""What can be typed anywhere."""

SENSE = {
    "activation": ("relu", "erf", "x*erf(x)", "hermite:3", "tanh"),
    "alpha": ("0.4", "1", "1/2:1:1/2"),
    "alphas": ("0.4", "1", "1/2:1:1/2"),
    "budgets": ("5", "5,10"),
    "certificate": ("out.json",),
    "data": ("x.npy", "x.csv"),
    "data2": ("x.npy", "x.csv"),
    "digits": ("5", "12", "20"),
    "expect": ("expected.toml",),
    "html": ("out.html",),
    "json": ("out2.json",),
    "junit": ("out.xml",),
    "kappa": ("1", "0.5", "1/3"),
    "labels": ("x.npy",),
    "level": ("1", "2", "3"),
    "model": ("sbp", "abp", "sk", "spherical"),
    "modules": ("json",),
    "only": ("mine-one", "mine-two", "mine"),
    "path": ("closed.json", "constant.json"),
    "plot": ("out.png", "out.svg", "out.pdf"),
    "record": ("out.toml",),
    "reproduce": ("mine:6.0:AAAA", "nest-merge:6.0:AAAA"),
    "run": ("sweep.sqlite", "sweep.sqlite", "trials.sqlite"),
    "scheduler": ("127.0.0.1:1", "tcp://127.0.0.1:1"),
    "seed": ("0", "7"),
    "sigma_b": ("0", "0:0.2:0.2"),
    "sigma_w": ("0.4", "0.5:1:0.5"),
    "sizes": ("5", "4,6"),
    "times": ("0", "1,2.5,inf"),
    "workers": ("1", "2"),
}
"""What makes sense for options of these names; for others their types say it."""

GOOD = {
    "certify": ("--check closed.json", "--small-margin --digits 8 --certificate out.json"),
    "derive": (
        "sbp --level 3",
        "sk --level 2 --steps",
        "dual relu",
        "mlp relu --depth 2",
        "deq erf --steps",
        "hopfield --alpha 1/3 --level 1",
    ),
    "experiment": (
        "sbp --kappa 1 --sizes 4,6 --alpha 0.4:2:0.8 --budget 5 --samples 2 --out new.sqlite",
        "sbp --kappa 1 --sizes 5 --alpha 1 --budget 5 --samples 2 --out trials.sqlite --resume",
        "abp --kappa -1/2 --sizes 4 --alpha 1/2 --budget 4 --samples 1 --out new.sqlite --plot out.png",
    ),
    "kernel deq": (
        "--sigma-w 0.4 --data x.npy --out out.npz",
        "--sigma-w 0.4 --data x.npy --out out.npy",
        "--data x.npy --labels x.npy --data2 x.npy --posterior --ridge 0.5 --out out.npz",
    ),
    "kernel mlp": (
        "--depth 1 --data x.csv --out out.npz",
        "--depth 1 --data x.npy --out k.npy --resume",
        "--depth 1 --data x.npy --labels x.npy --data2 x.npy --times 1,inf --ridge 0.5 --out out.npz",
    ),
    "kernel phase": ("--sigma-w 0.5:1:0.5 --sigma-b 0:0.2:0.2 --out out.png",),
    "network": (
        "mlp --depth 1 --data x.npy --widths 3,5 --draws 2 --blocks 2 --out new.sqlite",
        "deq --sigma-w 0.4 --data x.csv --widths 4 --draws 2 --blocks 1 --out new.sqlite --plot out.svg",
    ),
    "plot": ("sweep.sqlite --out out.png",),
    "solve": (
        "sbp --kappa 1 --level 3 --plot out.png",
        "sbp --kappa 40 --level 2 --json",
        "sk --level 3 --plot out.svg --json",
        "hopfield --alpha 1/2 --level 2",
        "abp --kappa -0.5 --alpha 2 --level 2 --certify",
        "spherical --kappa -1 --level 3 --plot out.pdf",
        "sbp --kappa 2 --level 2 --certify --certificate out.json --json",
    ),
    "sweep": (
        "sbp --kappa 1/2:2:1/2 --levels 2:3 --out new.sqlite",
        "sbp --kappa 1:3:1 --levels 2:4 --out sweep.sqlite --resume",
        "sk --levels 1:2 --out new.sqlite",
        "negative-hopfield --alpha 0.1:0.3:0.1 --levels 1:3 --out new.sqlite --retry --resume",
    ),
    "verify": (
        "--only mine --html out.html --json out2.json",
        "--only mine-one --expect expected.toml --junit out.xml",
        "--only mine --resume journal.sqlite --record out.toml",
        "--list",
    ),
}
"""Lines that make sense, to be spoilt."""


@dataclass(frozen=True)
class Command:
    """A command that does something.

    Attributes
    ----------
    words : tuple of str
        As typed.
    parameters : tuple of click.Parameter
    """

    words: tuple[str, ...]
    parameters: tuple[click.Parameter, ...]


def commands(group: click.Group = cli, words: tuple[str, ...] = ()) -> Iterator[Command]:
    """Every command of the program, of groups of commands too."""
    for name, command in sorted(group.commands.items()):
        yield Command((*words, name), tuple(command.params))
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))


def draw_line(random: random.Random, choices: list[Command]) -> tuple[str, ...]:
    """Draw what is typed after ``widegap``."""
    command = random.choice(choices)
    # most lines have one mistake or two: with more, one of them would hide the others
    rate = random.choice((0.0, 0.1, 0.1, 0.25, 0.6))
    good = GOOD.get(" ".join(command.words))
    given: list[list[str]] = []
    if good and random.random() < 0.7:
        words = random.choice(good).split()
        given += [[_spoilt(random, word, rate)] for word in words if random.random() > 0.2 * rate]
        wanted = {False: 0.1, True: 0.0}
    else:
        wanted = {False: 0.25, True: 0.97}
    extra = []
    for parameter in command.parameters:
        if random.random() < wanted[parameter.required]:
            for _ in range(1 + (parameter.multiple and random.random() < 0.3)):
                extra.append(_typed(random, command, parameter, rate))
    if random.random() < 0.04:
        extra.append([random.choice(("--frobnicate", "--level=", "-x", "--json=1", "extra"))])
    random.shuffle(extra)
    return (*command.words, *(word for words in (*given, *extra) for word in words))


def _spoilt(random: random.Random, word: str, rate: float) -> str:
    """A word as it is, or nonsense in the place of a value."""
    return random.choice(NONSENSE) if word[:2] != "--" and random.random() < rate else word


def _typed(
    random: random.Random, command: Command, parameter: click.Parameter, rate: float
) -> list[str]:
    bad = random.random() < rate
    if isinstance(parameter, click.Option) and parameter.is_flag:
        return [parameter.opts[0]]
    text = random.choice(NONSENSE) if bad else random.choice(_sense(command, parameter))
    if not isinstance(parameter, click.Option):
        return [text]
    option = random.choice(parameter.opts)
    return [f"{option}={text}"] if random.random() < 0.2 else [option, text]


def _sense(command: Command, parameter: click.Parameter) -> tuple[str, ...]:
    """What makes sense for a parameter, and is soon done."""
    name, kind = str(parameter.name), parameter.type
    if name in ("out", "resume"):
        if command.words[0] in ("kernel", "plot"):
            return ("out.png", "out.svg", "out.npz", "out.npy")
        return ("new.sqlite", "journal.sqlite", "sweep.sqlite", "widths.sqlite", "trials.sqlite")
    if isinstance(kind, OneOf) and name != "model":
        return kind.names
    if name in SENSE and not (isinstance(kind, Scale) and name.startswith("sigma")):
        return SENSE[name]
    if isinstance(kind, Integer):
        return (str(kind.least), str(kind.least + 1), str(min(kind.least + 2, kind.most)))
    if isinstance(kind, Integers):
        return ("1", "2,3")
    if isinstance(kind, Levels):
        return ("2", "2:3", "1:2")
    if isinstance(kind, Values):
        return ("1", "1/2:1:1/4")
    if isinstance(kind, Size | Scale):
        return ("0.25", "0.5")
    return ("x.npy", "relu", "1")
