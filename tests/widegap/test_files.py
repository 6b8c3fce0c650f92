"""Files are complete or not there."""

import os
import stat
from pathlib import Path

import pytest

from widegap.files import atomic_write, check_writable


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "result.bin"
    target.write_bytes(b"old")

    def fail() -> None:
        with atomic_write(target) as stream:
            stream.write(b"half of the new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_write_replaces_and_obeys_the_umask(tmp_path: Path) -> None:
    target = tmp_path / "result.bin"
    target.write_bytes(b"old")
    before = os.umask(0o027)
    try:
        with atomic_write(target) as stream:
            stream.write(b"new")
            assert target.read_bytes() == b"old"
    finally:
        os.umask(before)
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [target]


def test_a_link_keeps_pointing_at_the_file(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    link = tmp_path / "link"
    link.symlink_to("real")
    with atomic_write(link) as stream:
        stream.write(b"new")
    assert link.is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_checking_leaves_no_trace(tmp_path: Path) -> None:
    assert check_writable(tmp_path / "new.png") == (tmp_path / "new.png").resolve()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["missing/new.png", ".", "file/new.png"])
def test_checking_refuses(path: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"does not exist|is a folder"):
        check_writable(tmp_path / path)
