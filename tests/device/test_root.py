"""A board's own folder: one benchmark at a time, and no working folder that outlives its agent."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from edgeseq_device import root
from edgeseq_device.errors import DeviceError
from edgeseq_device.root import Turn, locked, scratch

HOLDER = {"host": "ada@desk", "since_utc": "2025-01-01T00:00:00+00:00", "pid": 1}


def turn(folder: Path | None, host: str = "me", wait_s: float = 0.0) -> Turn:
    return Turn(None if folder is None else str(folder), host, wait_s)


def no_event(event: Mapping[str, Any]) -> None:
    raise AssertionError(f"nobody waits, and yet: {event}")


def is_free(folder: Path) -> bool:
    with (folder / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Any]:
    """The lock in the hands of another, who has written who it is."""
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(json.dumps(HOLDER))
        lock.flush()
        yield lock


def test_who_measures_is_written_into_the_lock_and_gone_afterwards(tmp_path: Path) -> None:
    with locked(turn(tmp_path, host="grace@lab"), no_event):
        holder = json.loads((tmp_path / "lock").read_text())
        assert (holder["host"], holder["pid"]) == ("grace@lab", os.getpid())
        assert not is_free(tmp_path)
    assert (tmp_path / "lock").read_text() == ""
    assert is_free(tmp_path)


def test_a_board_in_use_is_refused_with_the_name_of_who_uses_it(tmp_path: Path, held: Any) -> None:
    with (
        pytest.raises(DeviceError, match=r"in use: ada@desk measures on it since 2025-01-01T00.*--wait"),
        locked(turn(tmp_path), no_event),
    ):
        pass
    assert json.loads((tmp_path / "lock").read_text()) == HOLDER


def test_a_second_host_waits_its_turn_and_is_told_once_for_whom(
    tmp_path: Path, held: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(root, "_POLL_S", 0.001)
    events: list[Mapping[str, Any]] = []

    def free(event: Mapping[str, Any]) -> None:
        events.append(event)
        fcntl.flock(held, fcntl.LOCK_UN)

    with locked(turn(tmp_path, host="grace@lab", wait_s=60.0), free):
        assert json.loads((tmp_path / "lock").read_text())["host"] == "grace@lab"
    assert events == [{"event": "waiting", "for": "ada@desk measures on it since 2025-01-01T00:00:00+00:00"}]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"host": "x"}'])
def test_a_lock_that_does_not_say_whose_it_is_is_held_all_the_same(
    tmp_path: Path, held: Any, text: str
) -> None:
    held.truncate(0)
    held.seek(0)
    held.write(text)
    held.flush()
    with (
        pytest.raises(DeviceError, match="another edgeseq measures on it"),
        locked(turn(tmp_path), no_event),
    ):
        pass


def test_the_lock_is_free_when_its_holder_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from edgeseq_device.root import Turn, locked\n"
        "with locked(Turn(sys.argv[1], 'me'), print):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert not is_free(tmp_path)
        holder.send_signal(signal.SIGKILL)
    assert is_free(tmp_path)
    with locked(turn(tmp_path), no_event):  # what the killed one wrote is written over
        assert json.loads((tmp_path / "lock").read_text())["pid"] == os.getpid()


def test_the_lock_is_free_when_the_work_under_it_fails(tmp_path: Path) -> None:
    def fail() -> None:
        with locked(turn(tmp_path), no_event):
            raise SystemExit(143)

    with pytest.raises(SystemExit):
        fail()
    assert is_free(tmp_path)


def test_without_a_folder_of_the_board_s_nothing_is_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with locked(turn(None), no_event):
        assert list(tmp_path.iterdir()) == []


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A board's folder; where this process has its temporary files is as before afterwards."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    (tmp_path / "board").mkdir()
    return tmp_path / "board"


def test_whatever_is_temporary_lies_in_the_scratch_folder_and_goes_with_it(board: Path) -> None:
    with scratch(str(board)) as folder:
        assert folder.parent == board / "scratch"
        assert folder.parent.stat().st_mode & 0o777 == 0o700
        with tempfile.NamedTemporaryFile(delete=False) as temporary:
            assert Path(temporary.name).parent == folder
        assert os.environ["TMPDIR"] == str(folder)
    assert list((board / "scratch").iterdir()) == []


def test_the_scratch_folder_goes_when_the_work_in_it_fails(board: Path) -> None:
    def fail() -> None:
        with scratch(str(board)) as folder:
            (folder / "input").write_bytes(b"x")
            raise SystemExit(143)

    with pytest.raises(SystemExit):
        fail()
    assert list((board / "scratch").iterdir()) == []


def test_what_killed_agents_have_left_goes_even_if_a_process_has_their_number_again(board: Path) -> None:
    """In a container every agent is process 1."""
    for name in (f"{os.getpid()}-x", "1-x", "agent-x", "odd"):
        (board / "scratch" / name).mkdir(parents=True)
        (board / "scratch" / name / "input").write_bytes(b"x")
    with scratch(str(board)) as folder:
        assert list(folder.parent.iterdir()) == [folder]


def test_without_a_folder_of_the_board_s_the_scratch_folder_is_a_temporary_one(board: Path) -> None:
    with scratch(None) as folder:
        assert folder.is_dir()
        assert folder.parent == board.parent
    assert not folder.exists()
