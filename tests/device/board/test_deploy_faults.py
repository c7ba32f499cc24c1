from __future__ import annotations

import fcntl
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseq_device.artifact import sha256_of
from edgeseq_device.board import libraries
from edgeseq_device.board.deploy_order import Order
from edgeseq_device.board.deployed import Deployed
from edgeseq_device.errors import DataError, DeviceError, EdgeseqError

Send = Callable[..., dict[str, Any]]
MakeWorker = Callable[[str], tuple[str, ...]]
Leftovers = Callable[[], list[Path]]


def reseal(folder: Path) -> None:
    files = sorted(each for each in folder.iterdir() if each.name != "SHA256SUMS")
    (folder / "SHA256SUMS").write_text("".join(f"{sha256_of(each)}  {each.name}\n" for each in files))


def test_an_artifact_whose_answers_are_not_its_references_is_refused(
    send: Send, board: Deployed, artifact_folder: Path, leftovers: Leftovers
) -> None:
    first = send()
    with np.load(artifact_folder / "golden.npz") as arrays:
        altered = {name: -array if name.startswith("reference") else array for name, array in arrays.items()}
    np.savez(artifact_folder / "golden.npz", **altered)
    reseal(artifact_folder)
    result = send(artifact=str(artifact_folder), worker_command=None)
    assert result["exit_code"] == 4
    assert "onnx is out of parity: error" in result["refused_because"]
    assert result["key"] != first["key"]
    assert (result["switched"], board.current, board.kept()) == (False, first["key"], [first["key"]])
    assert not leftovers()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("kill -9 $$", "onnx: the worker was killed by SIGKILL; the board may have run out of RAM"),
        ("exec sleep 600", "onnx: the worker hung: no outcome after 0.3 s"),
        ("echo no such library >&2; exit 1", "onnx: the worker failed with exit code 1: no such library"),
        ("echo", "onnx: the worker ended without an outcome"),
    ],
)
def test_a_worker_that_gives_no_answer_keeps_the_version_out(
    send: Send, board: Deployed, script: str, said: str, make_worker: MakeWorker, leftovers: Leftovers
) -> None:
    result = send(worker_command=make_worker(script), timeout_s=0.3 if "sleep" in script else 60)
    assert (result["exit_code"], result["refused_because"]) == (5, said)
    assert (board.current, board.kept(), leftovers()) == (None, [], [])


def test_a_format_without_a_runtime_is_left_out_and_said(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(libraries.RUNTIMES, "onnx", ("no_such_runtime",))
    result = send()
    onnx, tflite = result["formats"]
    assert onnx["parity"] is None
    assert onnx["not_checked"]["parity"] == "no runtime: no-such-runtime is not installed"
    assert tflite["parity"]["ok"]
    assert result["switched"]


def test_a_board_without_any_runtime_is_refused(
    send: Send, board: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in ("onnx", "tflite"):
        monkeypatch.setitem(libraries.RUNTIMES, each, ("no_such_runtime",))
    result = send()
    assert result["exit_code"] == 5
    assert "no runtime" in result["refused_because"]
    assert board.current is None


def test_a_file_that_was_changed_after_the_export_is_refused(
    send: Send, board: Deployed, artifact_folder: Path, leftovers: Leftovers
) -> None:
    with (artifact_folder / "model.tflite").open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(DataError, match=r"model\.tflite: its content changed"):
        send(artifact=str(artifact_folder))
    assert (board.current, leftovers()) == (None, [])


def test_two_deployments_of_one_name_do_not_mix(send: Send, board: Deployed) -> None:
    send()
    with (board.folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(DeviceError, match="another deployment of it is under way"):
            send("b")
        assert send("b", name="another")["switched"]


def test_a_benchmark_on_the_board_is_not_disturbed(
    send: Send, order: Order, board: Deployed, leftovers: Leftovers
) -> None:
    Path(order.root).mkdir(parents=True)
    with (Path(order.root) / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(DeviceError, match="the board is in use"):
            send(lock_wait_s=0)
    assert (board.kept(), leftovers()) == ([], [])


def test_a_damaged_version_is_not_rolled_back_to(send: Send, roll_back: Send, board: Deployed) -> None:
    first, second = send("a")["key"], send("b")["key"]
    (board.version(first) / "edgeseq_device.pyz").write_text("something else")
    with pytest.raises(DataError, match="damaged"):
        roll_back()
    assert board.current == second


def test_a_damaged_current_version_is_mended_by_deploying_it_again(
    send: Send, board: Deployed, leftovers: Leftovers
) -> None:
    key = send()["key"]
    (board.version(key) / "artifact" / "model.onnx").write_bytes(b"")
    assert send()["current"] == key
    assert board.is_whole(key)
    assert not leftovers()


def test_the_health_check_runs_before_a_rollback_too(
    send: Send, roll_back: Send, board: Deployed, make_worker: MakeWorker
) -> None:
    _, second = send("a")["key"], send("b")["key"]
    result = roll_back(worker_command=make_worker("kill -9 $$"))
    assert result["exit_code"] == 5
    assert board.current == second


_CHANGES = ("open", "os.mkdir", "os.rename", "os.symlink", "os.remove", "os.rmdir", "subprocess.Popen")


def killed_at(change: int, work: Callable[[], object]) -> bool:
    """Do `work` in a child that kills itself at its n-th change of the disk; whether it came to that."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    left = change

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        reads = event == "open" and not (
            isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        )
        if event in _CHANGES and not reads:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    code = 1
    try:
        work()
        code = 0
    finally:
        os._exit(code)


@pytest.mark.parametrize("action", ["deploy", "rollback"])
def test_a_power_cut_between_any_two_steps_leaves_a_whole_version_current_and_no_trouble(
    send: Send,
    roll_back: Send,
    order: Order,
    board: Deployed,
    tmp_path: Path,
    action: str,
    leftovers: Leftovers,
) -> None:
    a, b = send("a")["key"], send("b")["key"]
    root, pristine = Path(order.root), tmp_path / "pristine"
    shutil.copytree(root, pristine, symlinks=True)
    seen = set()
    work = (lambda: send("c", keep=2)) if action == "deploy" else roll_back
    change = 0
    while killed_at(change := change + 1, work):
        current = board.current
        assert current is not None
        assert board.is_whole(current)
        assert [each["key"] for each in board.history()] in ([a, b], [a, b, current], [b, current], [a])
        seen.add(current)
        if change % 5 == 0 or current != b:
            back_or_on = send("c", keep=2)
            assert back_or_on["current"] == back_or_on["key"]
            assert back_or_on["previous"] in (a, b)
            assert not leftovers()
        shutil.rmtree(root)
        shutil.copytree(pristine, root, symlinks=True)
    assert change > 10
    assert len(seen) == 2


def test_no_room_on_the_board_changes_nothing_and_says_so(
    send: Send, board: Deployed, monkeypatch: pytest.MonkeyPatch, leftovers: Leftovers
) -> None:
    first = send()["key"]

    def full(*_arguments: object, **_more: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edgeseq_device.board.deployed.sync_tree", full)
    with pytest.raises(EdgeseqError, match=rf"No space left on device; current is {first}; free some room"):
        send("b")
    assert (board.current, board.kept(), leftovers()) == (first, [first], [])
