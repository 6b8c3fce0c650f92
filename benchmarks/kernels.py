"""Gram matrices of wide networks against plain NumPy and, where it installs, a jitted JAX peer."""

import subprocess
import sys
from functools import cache
from pathlib import Path

import click
import numpy as np

from benchmarks.rows import Quantity, Row
from benchmarks.timing import best, measure, timed
from numerics import deq_kernel, mlp_kernel
from widegap.errors import Failure

__all__ = ["run"]

_PEER = Path(__file__).parent / "peers" / "jax_kernels.py"
_ENVIRONMENT = Path("build") / "peers" / "jax"
_TIMES = 5.0
"""How many times faster than the peer it is to be."""
_RATIO = 3.0
"""How much longer than the depth-3 kernel an equilibrium kernel may take."""
_INPUTS = 32


def run(quick: bool) -> list[Row]:
    """Compare N = 2000 inputs of 32 coordinates, depths 3 and 20, ReLU and erf, and the equilibrium.

    Parameters
    ----------
    quick : bool
        N = 500 and depth 3 alone, without the peer.

    Returns
    -------
    list of Row

    Raises
    ------
    Failure
        If two sides do not agree.
    """
    n = 500 if quick else 2000
    x = np.random.default_rng(0).standard_normal((n, _INPUTS))
    rows = []
    for activation in ("relu", "erf"):
        for depth in (3,) if quick else (3, 20):
            rows += _compare(x, activation, depth, peer=not quick)
        rows.append(_equilibrium(x, activation))
    return rows


def _compare(x: np.ndarray, activation: str, depth: int, peer: bool) -> list[Row]:
    ours = mlp_kernel(x, None, activation, depth)  # compiles
    spent = best(lambda: mlp_kernel(x, None, activation, depth))
    reference, theirs = timed(lambda: _plain(x, activation, depth))
    if not np.allclose(ours.ntk, theirs, rtol=1e-6):
        raise Failure(f"{activation}, depth {depth}: the NTK is not that of plain NumPy")
    name = f"{activation}, depth {depth}, N = {len(x)}"
    pairs = len(x) * (len(x) + 1) / 2 * depth
    remark = f"{spent.value / pairs * 1e9:.2g} ns a pair and layer, symmetric work once"
    rows = [Row(name, "NNGP and NTK", spent, "plain NumPy", reference, remark=remark)]
    python = _peer_python() if peer else None
    if python is not None:
        words = [python, str(_PEER), activation, str(depth), str(len(x)), str(_INPUTS)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=600, check=False)
        if done.returncode:
            click.echo(f"{name}: the peer failed, skipped: {done.stderr.strip()[-200:]}", err=True)
            return rows
        seconds, entry = map(float, done.stdout.split())
        if not np.isclose(entry, ours.ntk[0, 1], rtol=1e-9):
            raise Failure(f"{name}: the NTK is not the peer's")
        rows.append(
            Row(
                name,
                "NNGP and NTK, best of seven each",
                spent,
                "jitted JAX",
                Quantity(seconds),
                target=f"{_TIMES:.0f} times faster",
                met=seconds >= _TIMES * spent.value,
                remark=f"{seconds / spent.value:.3g} times faster",
            )
        )
    return rows


def _equilibrium(x: np.ndarray, activation: str) -> Row:
    deq_kernel(x[:4], None, activation)
    spent, reference = measure(
        lambda: deq_kernel(x, None, activation), lambda: mlp_kernel(x, None, activation), number=1
    )
    return Row(
        f"{activation}, equilibrium, N = {len(x)}",
        "NNGP, NTK and fixed point",
        spent,
        "the kernel of depth 3",
        reference,
        target=f"at most {_RATIO:.0f} times as long",
        met=spent.value <= _RATIO * reference.value,
    )


def _plain(x: np.ndarray, activation: str, depth: int) -> np.ndarray:
    """What a script of a dozen lines does."""
    w2, b2, v2 = 1.1**2, 0.2**2, 0.9**2
    k12 = w2 * x @ x.T / x.shape[1] + b2
    theta = k12
    for level in range(depth):
        own = np.diag(k12)
        if activation == "relu":
            root = np.sqrt(np.outer(own, own))
            rho = np.clip(k12 / root, -1.0, 1.0)
            angle = np.arccos(rho)
            slope = (np.pi - angle) / (2 * np.pi)
            value = root * (np.sin(angle) + (np.pi - angle) * rho) / (2 * np.pi)
        else:
            root = np.outer(1 + 2 * own, 1 + 2 * own)
            value = 2 / np.pi * np.arcsin(2 * k12 / np.sqrt(root))
            slope = 4 / np.pi / np.sqrt(root - 4 * k12**2)
        scale, bias = (v2, 0.0) if level == depth - 1 else (w2, b2)
        k12 = scale * value + bias
        theta = k12 + scale * slope * theta
    return theta


@cache
def _peer_python() -> str | None:
    """The peer's interpreter, made on first use; None, with a message, where it does not install."""
    python = _ENVIRONMENT / "bin" / "python"
    try:
        if not python.exists():
            subprocess.run(
                [sys.executable, "-m", "venv", str(_ENVIRONMENT)], check=True, timeout=300
            )
        if subprocess.run(
            [python, "-c", "import jax"], capture_output=True, check=False
        ).returncode:
            subprocess.run(
                [python, "-m", "pip", "install", "-q", "jax"],
                check=True,
                capture_output=True,
                timeout=900,
            )
    except (OSError, subprocess.SubprocessError) as error:
        click.echo(f"the JAX peer does not install, skipped: {error}", err=True)
        return None
    return str(python)
