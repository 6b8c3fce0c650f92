"""Errors of finite networks against their width: on any executor, into one file that resumes.

A task is one block of draws of one network at one width. It is run as a sweep is (`numerics.runs.tasks`,
`numerics.durable`): what has ended is in the file, and a killed experiment loses what was in flight.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics.durable import (
    DurableFile,
    Format,
    check_file,
    from_json,
    marks,
    reading,
    settings_of,
    typed,
)
from numerics.errors import WorkersError
from numerics.machine import cores
from numerics.runs.tasks import run_tasks
from numerics.runs.workers import LocalPool, installed_version
from verify.errors import WidthFileError

from .network import MEMORY, Network, check_draws

__all__ = [
    "Block",
    "WidthFileError",
    "errors_by_width",
    "read_widths",
    "run_block",
    "width_experiment",
]


MAX_BLOCKS = 1_000_000
"""Most blocks of an experiment: more than that is a slip of the pen."""


_FORMAT = Format("a width experiment", 0x57475744, 1, WidthFileError)  # WGWD in ASCII
_TABLES = """
    CREATE TABLE blocks (
        width INTEGER NOT NULL, block INTEGER NOT NULL, draws INTEGER NOT NULL,
        failures INTEGER NOT NULL, sums TEXT NOT NULL, squares TEXT NOT NULL,
        PRIMARY KEY (width, block)
    );
"""


@dataclass(frozen=True)
class Block:
    """Sums over the draws of one block; those without an equilibrium are counted and not summed.

    Attributes
    ----------
    width, block, draws : int
    failures : int
        Draws whose equilibrium was not found.
    sums, squares : tuple of tuple of float
        Of the covariance's entries and of their squares, shape (m, m).
    version : str
        Version of widegap that computed this.
    """

    width: int
    block: int
    draws: int
    failures: int
    sums: tuple[tuple[float, ...], ...]
    squares: tuple[tuple[float, ...], ...]
    version: str = ""


def run_block(
    parameters: dict[str, Any], x: list[list[float]], width: int, block: int, draws: int, seed: int
) -> Block:
    """Draw one block of networks: one task of an experiment. Same seed, same block, anywhere."""
    from .draws import sample

    network = Network(width=width, **parameters)
    stream = int(np.random.SeedSequence((seed, width, block)).generate_state(1, np.uint64)[0])
    samples = sample(network, x, draws, seed=stream, heads=0, memory=1e18)
    good = samples.covariance[samples.converged]
    with np.errstate(over="ignore"):
        totals = good.sum(axis=0), (good * good).sum(axis=0)
    if not all(np.isfinite(total).all() for total in totals):
        raise ValueError(f"covariances at width {width} are beyond 1e150; scale the inputs down")
    table = [tuple(tuple(map(float, row)) for row in total) for total in totals]
    return Block(width, block, draws, draws - len(good), *table, version=installed_version())


def width_experiment(
    network: Network,
    x: ArrayLike,
    widths: Sequence[int],
    draws: int,
    *,
    out: str | os.PathLike[str],
    blocks: int = 8,
    seed: int = 0,
    memory: float = MEMORY,
    executor: Executor | None = None,
    workers: int | None = None,
    resume: bool = False,
    progress: Callable[[int, int, int], None] | None = None,
) -> tuple[Block, ...]:
    """Draw networks at several widths.

    Parameters
    ----------
    network : Network
        Its own width does not count.
    x : array_like, shape (m, d)
    widths : sequence of int
    draws : int
        Of each block.
    out : str or os.PathLike
        The SQLite file that takes the blocks.
    blocks : int
        For each width.
    seed : int
    memory : float
        Bytes that a block may take: one draw, and the covariances of all.
    executor : concurrent.futures.Executor, optional
        Left open. By default a pool of processes of this machine.
    workers : int, optional
        Of that pool; by default one for each core.
    resume : bool, default False
        Whether ``out`` may exist, with the same network, inputs, draws and seed; what it holds is kept.
    progress : callable, optional
        Called as ``progress(done, total, failed)``, in blocks; blocks with failures count as failed.

    Returns
    -------
    tuple of Block

    Raises
    ------
    ValueError
        For bad input or draws beyond the budget, before anything is written; `WidthFileError` if ``out``
        cannot take this.
    WorkersError
        If the executor loses its workers, or they run another version.

    Notes
    -----
    Memory is that of one block in each process, and the file's. Scripts without an executor need the usual
    ``if __name__ == "__main__":``, as processes are spawned.
    """
    made = check_draws(x, draws)
    _check_widths(network, made, widths, blocks, draws, memory)
    parameters, settings = _settings(network, made, draws, seed)
    wanted = [(width, block) for block in range(blocks) for width in sorted(set(widths))[::-1]]
    check_file(out, _FORMAT, settings, resume=resume)
    if os.path.exists(out):
        read_widths(out)  # what is damaged is refused now, not after the work
    with DurableFile(out, _FORMAT, settings, _TABLES, resume=resume) as store:
        rows = store.connection.execute("SELECT width, block, failures FROM blocks").fetchall()
        there = {(row[0], row[1]): row[2] for row in rows}
        bad = sum(1 for key in wanted if there.get(key))
        done = sum(key in there for key in wanted)

        def tell() -> None:
            if progress is not None:
                progress(done, len(wanted), bad)

        def keep(block: Block) -> None:
            nonlocal done, bad
            _insert(store, block, settings["widegap"])
            done, bad = done + 1, bad + (block.failures > 0)
            tell()

        tell()
        tasks = [
            (parameters, made.tolist(), width, block, draws, seed)
            for width, block in wanted
            if (width, block) not in there
        ]
        if tasks and executor is not None:
            run_tasks(executor, run_block, tasks, keep)
        elif tasks:
            with LocalPool(min(workers or cores(), len(tasks))) as pool:
                run_tasks(pool, run_block, tasks, keep)
    return read_widths(out)


def _check_widths(
    network: Network,
    x: NDArray[np.float64],
    widths: Sequence[int],
    blocks: int,
    draws: int,
    memory: float,
) -> None:
    """Refuse an experiment that is empty, too large, or leaves the range of doubles."""
    from dataclasses import replace

    from .draws import bytes_of_a_draw
    from .network import check_budget

    if blocks < 1 or not widths:
        raise ValueError("there is nothing to draw: widths and blocks are needed")
    if blocks * len(widths) > MAX_BLOCKS:
        raise ValueError(
            f"at most {MAX_BLOCKS} blocks are drawn, got {blocks} for each of {len(widths)} widths"
        )
    for width in widths:
        needed = bytes_of_a_draw(replace(network, width=width), len(x), x.shape[1], "auto")
        needed += 8 * draws * len(x) ** 2
        check_budget(needed, memory, f"a block of width {width} with {len(x)} inputs")
    first = network.sigma_u if network.kind == "deq" else network.sigma_w
    if first * float(np.abs(x).max()) > 1e70:
        raise ValueError(
            "squares of covariances would leave the range of doubles; scale the inputs down"
        )


def _settings(
    network: Network, x: NDArray[np.float64], draws: int, seed: int
) -> tuple[dict[str, Any], dict[str, str]]:
    """The network's parameters without its width, and what the file says about the experiment."""
    skipped = ("width", "activation")
    parameters: dict[str, Any] = {
        f.name: getattr(network, f.name) for f in fields(network) if f.name not in skipped
    }
    named = json.dumps(parameters | {"activation": str(network.phi)}, sort_keys=True)
    parameters["activation"] = network.activation  # its name may be one that cannot be read back
    settings = {
        "network": named,
        "inputs": json.dumps(x.tolist()),
        "draws": str(draws),
        "seed": str(seed),
        "widegap": installed_version(),
        "schema": "1",
    }
    return parameters, settings


def _insert(store: DurableFile, block: Block, version: str) -> None:
    """Store a block, if this version has computed it."""
    if block.version != version:
        raise WorkersError(f"a worker runs widegap {block.version}; nothing of it is stored")
    values = (
        block.width,
        block.block,
        block.draws,
        block.failures,
        json.dumps(block.sums, allow_nan=False),
        json.dumps(block.squares, allow_nan=False),
    )
    with store.transaction() as connection:
        connection.execute(f"INSERT OR IGNORE INTO blocks VALUES ({marks(values)})", values)


def read_widths(path: str | os.PathLike[str]) -> tuple[Block, ...]:
    """Read an experiment's file; it may be in the making.

    Raises
    ------
    WidthFileError
        If it is not there, is damaged, or is another kind of file.
    """
    settings = settings_of(path, _FORMAT)
    with reading(path, _FORMAT, _TABLES) as connection:
        rows = connection.execute(
            f"SELECT {', '.join(_COLUMNS)} FROM blocks ORDER BY width, block"
        ).fetchall()
        size, version = len(from_json(settings["inputs"], list)), settings["widegap"]
        return tuple(_block(row, size, version) for row in rows)


_COLUMNS = {"width": int, "block": int, "draws": int, "failures": int, "sums": str, "squares": str}


def _block(row: Sequence[Any], size: int, version: str) -> Block:
    """One row of the table, if it is one."""
    *counts, sums, squares = typed(tuple(_COLUMNS), tuple(_COLUMNS.values()), row)
    width, block, draws, failures = counts
    if not (width >= 1 and block >= 0 and draws >= 1 and 0 <= failures <= draws):
        raise ValueError(f"width, block, draws and failures hold {counts}")
    tables = []
    for name, text in (("sums", sums), ("squares", squares)):
        table = from_json(text, list)
        rows = [r for r in table if isinstance(r, list) and len(r) == size]
        numbers = [x for r in rows for x in r if isinstance(x, float) and math.isfinite(x)]
        if len(table) != size or len(numbers) != size * size:
            raise ValueError(f"{name} is no matrix of {size} x {size} numbers")
        tables.append(tuple(map(tuple, table)))
    return Block(width, block, draws, failures, *tables, version=version)


def errors_by_width(
    blocks: Sequence[Block], kernel: ArrayLike
) -> dict[int, tuple[float, float, float, int]]:
    """Errors relative to the kernel's diagonal, by width.

    Parameters
    ----------
    blocks : sequence of Block
    kernel : array_like, shape (m, m)
        NNGP*.

    Returns
    -------
    dict of int to tuple
        Root mean square error of one network over all entries, largest bias of an entry, its standard error,
        and the number of draws without an equilibrium. NaN where no draw has one.

    Raises
    ------
    ValueError
        If squares of covariances have left the range of doubles.
    """
    from .laws import per_diagonal

    k = np.asarray(kernel, dtype=float)
    scale = per_diagonal(k)
    errors = {}
    for width in sorted({b.width for b in blocks}):
        own = [b for b in blocks if b.width == width]
        failures = sum(b.failures for b in own)
        count = sum(b.draws for b in own) - failures
        if not count:
            errors[width] = (float("nan"), float("nan"), float("nan"), failures)
            continue
        mean = np.sum([b.sums for b in own], axis=0) / count
        square = np.sum([b.squares for b in own], axis=0) / count
        if not np.isfinite(square).all():
            raise ValueError(
                f"covariances at width {width} are beyond 1e150; scale the inputs down"
            )
        error = np.sqrt(np.mean(np.maximum(square - 2.0 * mean * k + k * k, 0.0) * scale * scale))
        bias = np.abs(mean - k) * scale
        spread = np.sqrt(np.maximum(square - mean**2, 0.0) / count) * scale
        at = np.unravel_index(int(np.argmax(bias)), bias.shape)
        errors[width] = (float(error), float(bias[at]), float(spread[at]), failures)
    return errors
