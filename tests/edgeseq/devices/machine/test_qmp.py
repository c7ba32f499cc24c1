"""The emulator's control socket, played by a thread."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeseq.devices.machine import qmp

READY: dict[str, object] = {"return": {}}


@pytest.fixture
def serve(tmp_path: Path) -> Callable[..., tuple[Path, list[str]]]:
    """Starts a server that gives one list of messages to each request; its folder, and the requests."""

    def start(*answers: list[dict[str, object]]) -> tuple[Path, list[str]]:
        folder = tmp_path / ("long" * 30)
        folder.mkdir()
        got: list[str] = []
        listener = socket.socket(socket.AF_UNIX)
        descriptor = os.open(folder, os.O_PATH)
        listener.bind(f"/proc/self/fd/{descriptor}/{qmp.SOCKET}")
        os.close(descriptor)
        listener.listen()

        def talk() -> None:
            with listener, listener.accept()[0] as connection, connection.makefile("rwb") as stream:
                stream.write(b'{"QMP": {"version": {}}}\n')
                for messages in answers:
                    stream.flush()
                    got.append(json.loads(stream.readline())["execute"])
                    stream.writelines(json.dumps(each).encode() + b"\n" for each in messages)

        threading.Thread(target=talk, daemon=True).start()
        return folder, got

    return start


def test_a_command_is_answered_however_long_the_folders_name_is(
    serve: Callable[..., tuple[Path, list[str]]],
) -> None:
    folder, got = serve([READY], [{"return": "running"}])
    assert qmp.execute(folder, "query-status") == "running"
    assert got == ["qmp_capabilities", "query-status"]


def test_events_between_are_left_out(serve: Callable[..., tuple[Path, list[str]]]) -> None:
    folder, _ = serve([READY], [{"event": "RESET"}, {"return": 1}])
    assert qmp.execute(folder, "query-status") == 1


def test_a_refused_command_is_an_error_with_the_emulators_words(
    serve: Callable[..., tuple[Path, list[str]]],
) -> None:
    folder, _ = serve([READY], [{"error": {"class": "CommandNotFound", "desc": "no such command"}}])
    with pytest.raises(OSError, match="no such command"):
        qmp.execute(folder, "quit")


def test_an_emulator_that_ends_in_the_middle_is_an_error(
    serve: Callable[..., tuple[Path, list[str]]],
) -> None:
    folder, _ = serve([READY], [])
    with pytest.raises(OSError, match="closed"):
        qmp.execute(folder, "quit")


def test_a_folder_where_nothing_listens_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError):  # noqa: PT011 - which one depends on the kernel
        qmp.execute(tmp_path, "quit")
