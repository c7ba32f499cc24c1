"""Sending files to a board: by content, resumed after a break, never wrong under the final name."""

from __future__ import annotations

import os
import random
import shutil
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from processes import wait_until

from edgeseq.devices.ssh import transfer
from edgeseq.devices.ssh.connection import Connection
from edgeseq.devices.ssh.faults import ConnectionLostError
from edgeseq.devices.ssh.transfer import Blob, blob_of, send
from edgeseq_device.errors import DataError, DeviceError, EdgeseqError

SIZE_BYTES = 3_000_000
OVERHEAD_BYTES = 60_000
"""What SSH itself may send for a login, its commands and a blob of SIZE_BYTES."""


def quiet(_fraction: float, _label: str) -> None:
    """No progress wanted."""


@pytest.fixture
def model(tmp_path: Path) -> Blob:
    """A file that nothing compresses."""
    path = tmp_path / "model.onnx"
    path.write_bytes(random.Random(5).randbytes(SIZE_BYTES))  # noqa: S311 - no secret
    return blob_of(path)


def blobs_of(board: Any) -> Path:
    folder: Path = board.home / ".edgeseq/blobs"
    return folder


def stored(board: Any) -> dict[str, bytes]:
    """What the board has, by name."""
    return {path.name: path.read_bytes() for path in blobs_of(board).iterdir()}


def put(board: Any, name: str, content: bytes) -> None:
    """Leave a file among the board's blobs, as an earlier transfer could have."""
    blobs_of(board).mkdir(parents=True, exist_ok=True)
    (blobs_of(board) / name).write_bytes(content)


def test_a_file_arrives_under_its_hash_and_only_for_the_user(loopback_board: Any, model: Blob) -> None:
    with Connection(loopback_board.destination()) as connection:
        send(connection, [model], quiet)
    assert stored(loopback_board) == {model.sha256: model.path.read_bytes()}
    assert stat.S_IMODE((blobs_of(loopback_board) / model.sha256).stat().st_mode) == 0o600
    assert stat.S_IMODE((loopback_board.home / ".edgeseq").stat().st_mode) == 0o700


def test_what_the_board_has_is_not_sent_again(loopback_board: Any, cutting_proxy: Any, model: Blob) -> None:
    with Connection(loopback_board.destination(cutting_proxy.port)) as connection:
        send(connection, [model, model], quiet)
        send(connection, [model], quiet)
    assert cutting_proxy.forwarded["up"] < SIZE_BYTES + OVERHEAD_BYTES


@pytest.mark.parametrize(
    "name",
    ["two words", "it's", 'say "hi"', "a;reboot", "$(reboot)", "`reboot`", "new\nline", "-rf", "ünï", "%s"],
)
def test_a_files_name_never_reaches_the_board(loopback_board: Any, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"content")
    labels = []
    with Connection(loopback_board.destination()) as connection:
        send(connection, [blob_of(path)], lambda _fraction, label: labels.append(label))
    assert stored(loopback_board) == {blob_of(path).sha256: b"content"}
    assert all(label.isprintable() for label in labels)


def test_an_empty_file_arrives(loopback_board: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with Connection(loopback_board.destination()) as connection:
        send(connection, [blob_of(tmp_path / "empty")], quiet)
    assert list(stored(loopback_board).values()) == [b""]


def test_progress_tells_the_file_and_how_much_of_it(loopback_board: Any, model: Blob) -> None:
    told: list[tuple[float, str]] = []
    with Connection(loopback_board.destination()) as connection:
        send(connection, [model], lambda fraction, label: told.append((fraction, label)))
    fractions = [fraction for fraction, _ in told]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert "sending model.onnx, 3.0 of 3.0 MB" in [label for _, label in told]


def test_a_transfer_that_is_cut_goes_on_where_it_stopped(
    loopback_board: Any, cutting_proxy: Any, model: Blob
) -> None:
    part = blobs_of(loopback_board) / f"{model.sha256}.part"

    def cut_half_way(fraction: float, _label: str) -> None:
        if fraction > 0.6:
            wait_until(lambda: part.exists() and part.stat().st_size > SIZE_BYTES // 3)
            cutting_proxy.cut()

    with Connection(loopback_board.destination(cutting_proxy.port), "pi4") as connection:
        with pytest.raises(ConnectionLostError, match=r"^pi4: the connection broke"):
            send(connection, [model], cut_half_way)
        wait_until(lambda: loopback_board.processes() == [])
        begun = part.stat().st_size
        connection.open()
        before = cutting_proxy.forwarded["up"]
        send(connection, [model], quiet)
    assert stored(loopback_board) == {model.sha256: model.path.read_bytes()}
    assert begun > SIZE_BYTES // 3
    assert cutting_proxy.forwarded["up"] - before < SIZE_BYTES - begun + OVERHEAD_BYTES


def test_a_transfer_over_a_cable_that_was_pulled_goes_on_over_another(
    loopback_board: Any, cutting_proxy: Any, model: Blob
) -> None:
    """The board still waits for the first connection's bytes: it cannot know that they never come."""
    part = blobs_of(loopback_board) / f"{model.sha256}.part"

    def pull(fraction: float, _label: str) -> None:
        if fraction > 0.6:
            wait_until(lambda: part.exists() and part.stat().st_size > SIZE_BYTES // 3)
            cutting_proxy.freeze()

    with (
        Connection(loopback_board.destination(cutting_proxy.port), alive_interval_s=1) as connection,
        pytest.raises(ConnectionLostError),
    ):
        send(connection, [model], pull)
    begun = part.stat().st_size
    assert begun < SIZE_BYTES
    labels = []
    with Connection(loopback_board.destination()) as connection:
        send(connection, [model], lambda _fraction, label: labels.append(label))
    assert labels[0] == f"sending model.onnx, {begun / 1e6:.1f} of 3.0 MB"
    assert stored(loopback_board) == {model.sha256: model.path.read_bytes()}


@pytest.mark.parametrize("size_bytes", [1, SIZE_BYTES // 2, SIZE_BYTES, SIZE_BYTES + 1])
def test_what_arrived_damaged_is_found_on_the_board_and_sent_anew(
    loopback_board: Any, model: Blob, size_bytes: int
) -> None:
    put(loopback_board, f"{model.sha256}.part", b"x" * size_bytes)
    with Connection(loopback_board.destination()) as connection:
        send(connection, [model], quiet)
    assert stored(loopback_board) == {model.sha256: model.path.read_bytes()}


def test_what_had_arrived_in_whole_is_only_checked(
    loopback_board: Any, cutting_proxy: Any, model: Blob
) -> None:
    put(loopback_board, f"{model.sha256}.part", model.path.read_bytes())
    with Connection(loopback_board.destination(cutting_proxy.port)) as connection:
        send(connection, [model], quiet)
    assert list(stored(loopback_board)) == [model.sha256]
    assert cutting_proxy.forwarded["up"] < OVERHEAD_BYTES


def test_a_blob_that_a_power_cut_left_empty_is_sent_anew(loopback_board: Any, model: Blob) -> None:
    put(loopback_board, model.sha256, b"")
    with Connection(loopback_board.destination()) as connection:
        send(connection, [model], quiet)
    assert stored(loopback_board) == {model.sha256: model.path.read_bytes()}


def test_a_blob_that_rotted_is_found_and_sent_anew_where_nobody_else_would_find_it(
    loopback_board: Any, model: Blob
) -> None:
    put(loopback_board, model.sha256, b"y" * SIZE_BYTES)
    with Connection(loopback_board.destination()) as connection:
        send(connection, [model], quiet)
        assert stored(loopback_board) == {model.sha256: b"y" * SIZE_BYTES}
        send(connection, [model], quiet, hash_there=True)
    assert stored(loopback_board) == {model.sha256: model.path.read_bytes()}


def test_a_blob_has_the_time_of_its_last_use(loopback_board: Any, model: Blob) -> None:
    put(loopback_board, model.sha256, model.path.read_bytes())
    os.utime(blobs_of(loopback_board) / model.sha256, (1000, 1000))
    with Connection(loopback_board.destination()) as connection:
        send(connection, [model], quiet)
    assert (blobs_of(loopback_board) / model.sha256).stat().st_mtime > 1000


@pytest.mark.parametrize("content", [b"y" * SIZE_BYTES, b"shorter"])
def test_a_file_that_changed_since_it_was_hashed_is_refused(
    loopback_board: Any, model: Blob, content: bytes
) -> None:
    model.path.write_bytes(content)
    with (
        Connection(loopback_board.destination()) as connection,
        pytest.raises(DataError, match=r"model\.onnx: was changed while it was sent"),
    ):
        send(connection, [model], quiet)
    assert model.sha256 not in stored(loopback_board)


def test_a_file_that_was_removed_is_named(loopback_board: Any, model: Blob) -> None:
    model.path.unlink()
    with (
        Connection(loopback_board.destination()) as connection,
        pytest.raises(DataError, match=r"model\.onnx: cannot be read any more \(No such file"),
    ):
        send(connection, [model], quiet)
    with pytest.raises(DataError, match=r"model\.onnx: cannot be read \(No such file"):
        blob_of(model.path)


def test_two_hosts_that_send_the_same_file_at_once_both_succeed(
    loopback_board: Any, cutting_proxy: Any, model: Blob
) -> None:
    failures: list[BaseException] = []

    def send_too() -> None:
        try:
            with Connection(loopback_board.destination()) as connection:
                send(connection, [model], quiet)
        except BaseException as error:  # noqa: BLE001 - a thread's error is the test's
            failures.append(error)

    other = threading.Thread(target=send_too)

    def begin_other(fraction: float, _label: str) -> None:
        if fraction > 0.3 and other.ident is None:
            other.start()

    with Connection(loopback_board.destination(cutting_proxy.port)) as connection:
        send(connection, [model], begin_other)
    other.join()
    assert failures == []
    assert stored(loopback_board) == {model.sha256: model.path.read_bytes()}


def test_a_board_without_room_is_told_how_much_is_missing_and_gets_nothing(
    start_loopback: Callable[..., Any], tmp_path: Path, model: Blob
) -> None:
    board = start_loopback(disk_bytes=2_500_000)
    with (
        Connection(board.destination(), "pi4") as connection,
        pytest.raises(
            EdgeseqError,
            match=r"pi4: its disk has 2\.\d MB free and 3\.0 .* \d+ kB too many.*device clean pi4",
        ),
    ):
        send(connection, [model], quiet)
    assert stored(board) == {}


def test_a_disk_that_fills_up_on_the_way_is_told_and_nothing_of_the_file_stays(
    start_loopback: Callable[..., Any], tmp_path: Path
) -> None:
    board = start_loopback(disk_bytes=2_500_000)
    (tmp_path / "model.onnx").write_bytes(os.urandom(1_500_000))

    def fill(_fraction: float, _label: str) -> None:
        with (board.home / "photos").open("ab") as photos:
            os.posix_fallocate(photos.fileno(), 0, 1_200_000)

    with Connection(board.destination(), "pi4") as connection:
        with pytest.raises(
            EdgeseqError, match=r"^pi4: its disk is full .*No space left.*device clean"
        ) as full:
            send(connection, [blob_of(tmp_path / "model.onnx")], fill)
        assert full.value.exit_code == 1
        assert stored(board) == {}
        (board.home / "photos").unlink()
        send(connection, [blob_of(tmp_path / "model.onnx")], quiet)


def test_a_home_that_cannot_be_written_is_told(loopback_board: Any, model: Blob) -> None:
    (loopback_board.home / ".edgeseq").write_text("a file")
    with (
        Connection(loopback_board.destination(), "pi4") as connection,
        pytest.raises(DeviceError, match=r"^pi4: cannot store files in ~/\.edgeseq/blobs \(mkdir: "),
    ):
        send(connection, [model], quiet)


def test_a_board_that_stops_reading_is_no_endless_wait(
    loopback_board: Any, model: Blob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "_RECEIVE", "sleep 60")
    monkeypatch.setattr(transfer, "_STALL_S", 0.5)
    model.path.write_bytes(bytes(16_000_000))  # more than SSH takes before somebody reads it
    with (
        Connection(loopback_board.destination(), "pi4") as connection,
        pytest.raises(DeviceError, match=r"pi4: stopped taking model\.onnx"),
    ):
        send(connection, [blob_of(model.path)], quiet)


@pytest.mark.skipif(shutil.which("busybox") is None, reason="busybox is not installed here")
def test_a_board_that_has_only_busybox_takes_files_too(
    start_loopback: Callable[..., Any], tmp_path: Path, model: Blob
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("mkdir", "df", "tail", "stat", "cat", "rm", "mv", "sha256sum", "sh"):
        (tools / tool).symlink_to(str(shutil.which("busybox")))
    shell = tmp_path / "login"
    shell.write_text(f'#!/bin/sh\nPATH={tools}\nexport PATH\nexec {tools}/sh "$@"\n')
    shell.chmod(0o755)
    board = start_loopback(login_shell=str(shell))
    put(board, f"{model.sha256}.part", model.path.read_bytes()[:1000])
    with Connection(board.destination()) as connection:
        send(connection, [model], quiet)
    assert stored(board) == {model.sha256: model.path.read_bytes()}
