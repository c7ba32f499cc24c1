"""A file is replaced as a whole or not at all."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgeseq.files import atomic_write_bytes, atomic_write_json, atomic_write_text


def test_new_content_takes_the_place_of_the_old(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    atomic_write_text(path, "first")
    atomic_write_text(path, "zweite ü")
    assert path.read_text("utf-8") == "zweite ü"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_others_may_read_what_was_written(tmp_path: Path) -> None:
    atomic_write_bytes(tmp_path / "a", b"x")
    (tmp_path / "plain").write_bytes(b"x")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_failed_write_names_the_file_and_leaves_the_old_one(tmp_path: Path) -> None:
    """A file-size limit stops the write midway, as a full disk would."""
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    script = (
        "import resource, signal, sys, pathlib\n"
        "from edgeseq.files import atomic_write_bytes\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try:\n"
        "    atomic_write_bytes(pathlib.Path(sys.argv[1]), bytes(100_000))\n"
        "except OSError as error:\n"
        "    print(error.errno, error.filename)\n"
    )
    ran = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == [str(errno.EFBIG), str(path)]
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.bin"]


def test_what_is_no_file_is_written_to_and_stays(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "link").symlink_to(pipe)
    descriptor = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    for each in (pipe, tmp_path / "link"):
        atomic_write_bytes(each, b"x")
        assert os.read(descriptor, 9) == b"x"
    os.close(descriptor)
    assert pipe.is_fifo()
    assert (tmp_path / "link").is_symlink()
    with pytest.raises(IsADirectoryError, match=str(tmp_path)):
        atomic_write_bytes(tmp_path, b"x")


def test_a_link_stays_one_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    kept, link = tmp_path / "elsewhere/a", tmp_path / "a"
    link.symlink_to("elsewhere/a")
    for content in (b"new", b"newer"):
        atomic_write_bytes(link, content)
        assert (link.is_symlink(), kept.read_bytes()) == (True, content)
    assert sorted(each.name for each in tmp_path.rglob("*")) == ["a", "a", "elsewhere"]


def test_json_that_no_other_reader_takes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        atomic_write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert not list(tmp_path.iterdir())
