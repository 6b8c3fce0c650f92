"""Files are complete or not there."""

import os
import stat
from pathlib import Path

import pytest

from widegap.files import atomic_write, check_writable, read_text


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


@pytest.mark.skipif(os.name != "posix", reason="devices have other names elsewhere")
def test_devices_and_pipes_are_written_to_and_stay_what_they_are(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with atomic_write(check_writable(pipe)) as stream:
            stream.write(b"through")
        assert os.read(reader, 100) == b"through"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    with atomic_write(check_writable(os.devnull)) as stream:
        stream.write(b"nothing")
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)
    assert list(tmp_path.iterdir()) == [pipe]


def test_a_standard_stream_that_is_a_file_is_added_to(tmp_path: Path) -> None:
    with (tmp_path / "out.txt").open("wb") as stream:
        stream.write(b"before ")
        stream.flush()
        name = f"/dev/fd/{stream.fileno()}"
        if not os.path.exists(name):
            pytest.skip("descriptors have no names here")
        with atomic_write(check_writable(name)) as target:
            target.write(b"after")
    assert (tmp_path / "out.txt").read_bytes() == b"before after"


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"x" * 11, "more than 10 bytes"), (b"\xff\xfe", "no text in UTF-8")],
)
def test_no_more_is_read_than_a_file_may_have(content: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError, match=says):
        read_text(tmp_path / "file", 10)
    (tmp_path / "file").write_bytes(b"\xef\xbb\xbf1,2")
    assert read_text(tmp_path / "file", 10) == "1,2"
    if os.path.exists("/dev/zero"):
        with pytest.raises(ValueError, match="more than"):
            read_text("/dev/zero", 1000)


def test_a_circle_of_links_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("a")
    with pytest.raises(OSError, match=r"a"):
        check_writable(tmp_path / "a")
