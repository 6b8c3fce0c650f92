"""One good file of every kind that the program reads, and what can happen to it."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np

__all__ = ["READERS", "damage", "make_certificates", "make_files"]

# fmt: off
READERS: dict[str, tuple[str, ...]] = {
    "sweep.sqlite plot": ("plot", "sweep.sqlite", "--out", "out.png"),
    "sweep.sqlite resume": (
        "sweep", "sbp", "--kappa", "1:2:1", "--levels", "2:4", "--out", "sweep.sqlite", "--resume",
    ),
    "trials.sqlite": (
        "experiment", "sbp", "--kappa", "1", "--sizes", "5,7", "--alpha", "0.4:2:0.8", "--budget", "5",
        "--samples", "2", "--out", "trials.sqlite", "--resume", "--plot", "out.png",
    ),
    "widths.sqlite": (
        "network", "mlp", "--data", "x.npy", "--widths", "3,5", "--draws", "2", "--blocks", "3",
        "--depth", "1", "--out", "widths.sqlite", "--resume", "--plot", "out.png",
    ),
    "journal.sqlite": ("verify", "--only", "mine", "--resume", "journal.sqlite", "--html", "out.html"),
    "expected.toml": ("verify", "--only", "mine", "--expect", "expected.toml"),
    "closed.json": ("certify", "--check", "closed.json"),
    "constant.json": ("certify", "--check", "constant.json"),
    "upper.json": ("certify", "--check", "upper.json"),
    "x.npy": ("kernel", "mlp", "--data", "x.npy", "--out", "out.npz", "--depth", "1"),
    "k.npy.sqlite resume": (
        "kernel", "mlp", "--data", "x.npy", "--depth", "1", "--out", "k.npy", "--resume",
    ),
    "x.csv": ("kernel", "deq", "--data", "x.csv", "--out", "out.npz"),
}
# fmt: on
"""A line that reads each file, and takes a good one."""


def make_certificates(folder: Path) -> None:
    """Make a certificate of every kind that is soon verified."""
    from numerics import certify, certify_small_margin, solve
    from theory import SBP

    (folder / "closed.json").write_text(certify(solve(SBP(1), 2), 12).to_json())
    (folder / "constant.json").write_text(certify_small_margin(12).to_json())
    (folder / "upper.json").write_text(certify(solve(SBP(1), 4), 6).to_json())


def make_files(folder: Path, run: Callable[..., object]) -> None:
    """Make a good file of every other kind, with the program where it makes them."""
    np.save(folder / "x.npy", np.array([[0.5, -1.0, 2.0], [1.0, 0.0, 0.25], [0.3, 0.3, 0.3]]))
    (folder / "x.csv").write_text("0.5,-1,2\n1,0,0.25\n")
    (folder / "expected.toml").write_text('[mine-one]\nverdict = "confirmed"\nvalue = 1.5\n')
    for name, line in READERS.items():
        if "resume" in name or name in ("trials.sqlite", "widths.sqlite", "journal.sqlite"):
            # all but one level, block or trial: there is something to resume
            shorter = {"2:4": "2:3", "3": "2", "5,7": "5"}
            run(*(shorter.get(word, word) for word in line if word not in ("--plot", "out.png")))
    for extra in folder.glob("out.*"):
        extra.unlink()
    (folder / "folder").mkdir()
    (folder / "folder.png").mkdir()
    (folder / "circle").symlink_to("circle")


def damage(random: random.Random, path: Path) -> str:
    """Damage a file in one way or another, and say how."""
    ways: list[Callable[[random.Random, Path], str | None]] = [
        _cut,
        _overwritten,
        _replaced,
        _swapped,
    ]
    if path.suffix == ".sqlite":
        ways += [_cell] * 6 + [_dropped]
    if path.suffix == ".json":
        ways += [_field] * 4
    while True:
        how = random.choice(ways)(random, path)
        if how is not None:
            return how


def _cut(random: random.Random, path: Path) -> str:
    whole = path.read_bytes()
    size = random.randrange(len(whole))
    path.write_bytes(whole[:size])
    return f"cut to {size} bytes"


def _overwritten(random: random.Random, path: Path) -> str:
    whole = bytearray(path.read_bytes())
    for _ in range(random.choice((1, 3, 100))):
        whole[random.randrange(len(whole))] = random.randrange(256)
    path.write_bytes(whole)
    return "bytes overwritten"


# fmt: off
CONTENTS = (
    b"", b"\x00" * 5000, b"\xff\xfe1\x00,\x002\x00", b"[" * 200_000, b'{"a":' * 100_000, b"1" * 20_000,
    b"\xef\xbb\xbf1,2,3\n", b"x1,x2,x3\n1,2,3\n", b"1;2;3\n4;5;6\n", b"nan,1\n2,3\n", b"1,2\n3\n", b"null",
    b"a = " + b"[" * 20_000, b"a = " + b"1" * 20_000, b"SQLite format 3\x00" + b"\x01" * 2000,
    b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,), }" + b" " * 60,
    b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (999999999999, 9), }\n",
    b"PK\x03\x04" + b"\x00" * 100, b'[mine-one]\nverdict = "refuted"\n', b"[mine-one]\nvalue = inf\n",
    b'[mine-one]\nverdict = "differs"\nreason = 7\n', b'[mine-one]\nverdict = "confirmed"\nvalue = "x"\n',
)
# fmt: on


def _replaced(random: random.Random, path: Path) -> str:
    content = random.choice(CONTENTS)
    path.write_bytes(content)
    return f"replaced by {content[:20]!r}"


def _swapped(random: random.Random, path: Path) -> str | None:
    others = [p for p in sorted(path.parent.iterdir()) if p.is_file() and p.suffix != path.suffix]
    if path.suffix == ".sqlite":
        others += [p for p in path.parent.glob("*.sqlite") if p != path]
    other = random.choice(others)
    path.write_bytes(other.read_bytes())
    return f"replaced by {other.name}"


# fmt: off
VALUES = (
    None, "", "x", "1", "-1", "1/0", "9" * 5000, b"\xff\x00", 0, -1, 7, 10**18, 0.5, -1e300, float("inf"),
    "[]", "{}", "[" * 50_000, '{"kappa": 1}', '{"kappa": "1"}', "NaN", '{"a": NaN}', "[[1.0]]", "null",
    '{"verdict": "confirmed"}', "2 3", "2 3 \u0664", "kappa kappa", "level", "2" * 5000, "1e999999999",
)
# fmt: on


def _cell(random: random.Random, path: Path) -> str | None:
    connection = sqlite3.connect(path)
    try:
        names = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        table = random.choice(names)
        column = random.choice(
            [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        )
        value = random.choice(VALUES)
        where = f"rowid = (SELECT min(rowid) FROM {table})" if random.random() < 0.5 else "1"
        text = random.random() < 0.1
        stored = "CAST(x'ff61' AS TEXT)" if text else "?"
        with connection:
            connection.execute(
                f"UPDATE OR IGNORE {table} SET {column} = {stored} WHERE {where}",
                () if text else (value,),
            )
        return f"{table}.{column} = {str(value)[:30]!r} where {where}"
    except sqlite3.Error:
        return None
    finally:
        connection.close()


def _dropped(random: random.Random, path: Path) -> str | None:
    connection = sqlite3.connect(path)
    try:
        names = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        table = random.choice(names)
        endless = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT x FROM r"
        connection.executescript(
            random.choice(
                (
                    f"DROP TABLE {table}",
                    f"DELETE FROM {table}",
                    f"ALTER TABLE {table} ADD COLUMN more",
                    f"DROP TABLE {table}; CREATE VIEW {table} AS {endless}",
                    "PRAGMA application_id = 7",
                )
            )
        )
        return f"{table} dropped, emptied or changed"
    except sqlite3.Error:
        return None
    finally:
        connection.close()


def _field(random: random.Random, path: Path) -> str | None:
    """Another content under the right checksum."""
    from numerics.proofs.certificates import _checksum

    try:
        content = json.loads(path.read_text())
    except (ValueError, RecursionError):
        return None
    del content["checksum"]
    field = random.choice(sorted(content))
    value = random.choice([v for v in VALUES if not isinstance(v, bytes) and v != float("inf")])
    content[field] = value
    path.write_text(json.dumps({**content, "checksum": _checksum(content)}))
    return f"{field} = {str(value)[:30]!r}"
