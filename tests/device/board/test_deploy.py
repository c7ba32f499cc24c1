from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseq_device.artifact import open_artifact, sha256_of
from edgeseq_device.board import libraries
from edgeseq_device.board.deploy import carry_out
from edgeseq_device.board.deploy_order import Order, order_to_dict, parse_order
from edgeseq_device.board.deployed import Deployed
from edgeseq_device.board.durable import TEMPORARY
from edgeseq_device.errors import DataError, DeviceError, EdgeseqError, UsageError

NAME = "gestures-gru-int8"
WELL = {
    "parity_error": 1e-5,
    "parity_tolerance": 1e-3,
    "parity_n": 16,
    "parity_decisions_changed": 0,
    "parity_ok": True,
}
UTC = "2031-02-03T04:05:06+00:00"


def worker(folder: Path, script: str) -> tuple[str, ...]:
    """The argv prefix of a worker that is this sh script: a real one takes half a second."""
    path = folder / f"worker-{abs(hash(script))}.sh"
    path.write_text(script)
    return ("/bin/sh", str(path))


@pytest.fixture
def well(tmp_path: Path) -> tuple[str, ...]:
    """A worker whose model is in parity."""
    return worker(
        tmp_path, f"cat >/dev/null; echo '{json.dumps({'values': WELL, 'runtime': 'runtime 1.0'})}'"
    )


@pytest.fixture
def order(tmp_path: Path, pristine_artifact: Path, well: tuple[str, ...]) -> Order:
    """Deploy the small artifact with a quick worker."""
    root = tmp_path / "board" / ".edgeseq"
    return Order(
        "deploy", str(root), NAME, str(pristine_artifact), deployed_utc=UTC, host="desk", worker_command=well
    )


@pytest.fixture
def board(order: Order) -> Deployed:
    return Deployed(Path(order.root), NAME)


Send = Callable[..., dict[str, Any]]


@pytest.fixture
def send(tmp_path: Path, order: Order) -> Send:
    """Deploys with an agent archive of the given content: each content makes another version."""

    def deploy(content: str = "first", **changes: Any) -> dict[str, Any]:
        archive = tmp_path / "agent.pyz"
        archive.write_text(content)
        return carry_out(replace(order, **changes), archive, lambda _event: None)

    return deploy


@pytest.fixture
def roll_back(tmp_path: Path, order: Order) -> Send:
    def back(**changes: Any) -> dict[str, Any]:
        return carry_out(
            replace(order, action="rollback", artifact=None, **changes), tmp_path, lambda _event: None
        )

    return back


def leftovers(board: Deployed) -> list[Path]:
    return [each for each in board.folder.rglob("*") if each.name.startswith(TEMPORARY)]


def test_a_deployed_version_has_answered_its_golden_vectors_in_real_workers(
    order: Order, board: Deployed, tmp_path: Path
) -> None:
    events: list[Mapping[str, Any]] = []
    (tmp_path / "agent.pyz").write_text("agent")
    result = carry_out(replace(order, worker_command=None), tmp_path / "agent.pyz", events.append)
    assert (result["switched"], result["refused_because"], result["exit_code"]) == (True, None, 0)
    assert [each["format"] for each in result["formats"]] == ["onnx", "tflite"]
    for each in result["formats"]:
        assert each["parity"]["ok"]
        assert each["step_parity"]["ok"]
        assert each["parity"]["n"] == 16
    said = [event["doing"] for event in events]
    assert said.index("switching") > said.index("health check: golden vectors, tflite step")
    link = board.folder / "current"
    assert str(link.readlink()) == f"versions/{result['key']}"
    assert open_artifact(link / "artifact").name == "gestures-gru-int8-generic"
    assert (link / "edgeseq_device.pyz").read_text() == "agent"
    assert json.loads((link / "deployed.json").read_text())["deployed_utc"] == UTC
    assert Path(order.root).stat().st_mode & 0o077 == 0


def test_the_same_again_switches_nothing_and_is_checked_all_the_same(
    send: Send, board: Deployed, tmp_path: Path
) -> None:
    first = send()
    again = send()
    assert (again["switched"], again["key"], again["previous"]) == (False, first["key"], None)
    assert again["formats"] == first["formats"]
    assert len(board.history()) == 1
    crash = worker(tmp_path, "kill -9 $$")
    assert send(worker_command=crash)["refused_because"]
    assert board.current == first["key"]


def test_rolling_back_goes_to_the_version_before_each_time(
    send: Send, roll_back: Send, board: Deployed
) -> None:
    keys = [send(content)["key"] for content in ("a", "b", "c")]
    assert board.current == keys[2]
    assert (roll_back()["current"], roll_back()["current"]) == (keys[1], keys[0])
    with pytest.raises(UsageError, match="no version before"):
        roll_back()
    assert board.current == keys[0]


def test_going_back_follows_the_order_of_deployments_not_of_versions(
    send: Send, roll_back: Send, board: Deployed
) -> None:
    a, b = send("a")["key"], send("b")["key"]
    assert send("a")["switched"]
    assert board.current == a
    assert [roll_back()["current"] for _ in range(2)] == [b, a]
    with pytest.raises(UsageError):
        roll_back()


def test_the_versions_that_were_deployed_last_are_kept(send: Send, roll_back: Send, board: Deployed) -> None:
    keys = [send(content)["key"] for content in "abcd"]
    assert sorted(board.kept()) == sorted(keys[1:])
    result = send("e", keep=2)
    assert sorted(result["removed"]) == sorted(keys[1:3])
    assert result["previous"] == keys[3]
    assert roll_back()["current"] == keys[3]
    with pytest.raises(UsageError):
        roll_back()


def test_a_version_that_was_rolled_back_can_be_deployed_again(send: Send, roll_back: Send) -> None:
    first, second = send("a")["key"], send("b")["key"]
    roll_back()
    result = send("b")
    assert (result["switched"], result["current"], result["previous"]) == (True, second, first)


def reseal(folder: Path) -> None:
    files = sorted(each for each in folder.iterdir() if each.name != "SHA256SUMS")
    (folder / "SHA256SUMS").write_text("".join(f"{sha256_of(each)}  {each.name}\n" for each in files))


def test_an_artifact_whose_answers_are_not_its_references_is_refused(
    send: Send, board: Deployed, artifact_folder: Path
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
    assert not leftovers(board)


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
    send: Send, board: Deployed, tmp_path: Path, script: str, said: str
) -> None:
    result = send(worker_command=worker(tmp_path, script), timeout_s=0.3)
    assert (result["exit_code"], result["refused_because"]) == (5, said)
    assert (board.current, board.kept(), leftovers(board)) == (None, [], [])


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


def bundle_of(folder: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for each in folder.iterdir():
            archive.write(each, each.name)
    return path


def test_a_bundle_is_deployed_and_one_that_was_changed_on_its_way_is_not(
    send: Send, board: Deployed, pristine_artifact: Path, tmp_path: Path
) -> None:
    bundle = bundle_of(pristine_artifact, tmp_path / "bundle.zip")
    sha256 = sha256_of(bundle)
    first = send(artifact=str(bundle), artifact_sha256=sha256)
    content = bytearray(bundle.read_bytes())
    content[100] ^= 1
    bundle.write_bytes(content)
    with pytest.raises(DataError, match="changed on its way"):
        send("b", artifact=str(bundle), artifact_sha256=sha256)
    assert (board.current, board.kept(), leftovers(board)) == (first["key"], [first["key"]], [])


def test_a_file_that_was_changed_after_the_export_is_refused(
    send: Send, board: Deployed, artifact_folder: Path
) -> None:
    with (artifact_folder / "model.tflite").open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(DataError, match=r"model\.tflite: its content changed"):
        send(artifact=str(artifact_folder))
    assert (board.current, leftovers(board)) == (None, [])


def test_two_deployments_of_one_name_do_not_mix(send: Send, board: Deployed) -> None:
    send()
    with (board.folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(DeviceError, match="another deployment of it is under way"):
            send("b")
        assert send("b", name="another")["switched"]


def test_a_benchmark_on_the_board_is_not_disturbed(
    send: Send, order: Order, board: Deployed, tmp_path: Path
) -> None:
    Path(order.root).mkdir(parents=True)
    with (Path(order.root) / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(DeviceError, match="the board is in use"):
            send(lock_wait_s=0)
    assert (board.kept(), leftovers(board)) == ([], [])


def test_a_damaged_version_is_not_rolled_back_to(send: Send, roll_back: Send, board: Deployed) -> None:
    first, second = send("a")["key"], send("b")["key"]
    (board.version(first) / "edgeseq_device.pyz").write_text("something else")
    with pytest.raises(DataError, match="damaged"):
        roll_back()
    assert board.current == second


def test_a_damaged_current_version_is_mended_by_deploying_it_again(send: Send, board: Deployed) -> None:
    key = send()["key"]
    (board.version(key) / "artifact" / "model.onnx").write_bytes(b"")
    assert send()["current"] == key
    assert board.is_whole(key)
    assert not leftovers(board)


def test_the_health_check_runs_before_a_rollback_too(
    send: Send, roll_back: Send, board: Deployed, tmp_path: Path
) -> None:
    _, second = send("a")["key"], send("b")["key"]
    result = roll_back(worker_command=worker(tmp_path, "kill -9 $$"))
    assert result["exit_code"] == 5
    assert board.current == second


def test_a_list_says_what_is_current_when_it_came_and_how_large_it_is(
    send: Send, order: Order, tmp_path: Path
) -> None:
    keys = [send("a")["key"], send("b", deployed_utc="2032-01-01T00:00:00+00:00")["key"]]
    send(name="another")
    asked = replace(order, action="list", artifact=None, name=None)
    other, listed = carry_out(asked, tmp_path, lambda _event: None)["deployed"]
    assert (other["name"], listed["name"]) == ("another", NAME)
    assert (listed["current"], listed["previous"]) == (keys[1], keys[0])
    assert [each["key"] for each in listed["versions"]] == [keys[1], keys[0]]
    assert listed["versions"][0]["deployed_utc"] == "2032-01-01T00:00:00+00:00"
    assert listed["versions"][1]["deployed_utc"] == UTC
    assert all(each["size_bytes"] > 10_000 and each["host"] == "desk" for each in listed["versions"])
    with pytest.raises(
        UsageError, match="nothing-such: not deployed on this board; deployed there: another, gest"
    ):
        carry_out(replace(asked, name="nothing-such"), tmp_path, lambda _event: None)


def test_without_a_name_the_only_one_there_is_rolled_back(send: Send, roll_back: Send) -> None:
    with pytest.raises(UsageError, match="nothing is deployed on this board"):
        roll_back(name=None)
    first = send("a")["key"]
    send("b")
    assert roll_back(name=None)["current"] == first
    send(name="another")
    with pytest.raises(UsageError, match=f"another, {NAME}"):
        roll_back(name=None)


def test_a_lost_history_costs_the_way_back_only(send: Send, roll_back: Send, board: Deployed) -> None:
    send("a")
    second = send("b")["key"]
    (board.folder / "history.json").unlink()
    assert board.current == second
    with pytest.raises(UsageError):
        roll_back()
    third = send("c")
    assert (third["current"], third["previous"]) == (board.current, second)


def test_a_history_that_is_none_is_named(send: Send, board: Deployed) -> None:
    send()
    (board.folder / "history.json").write_text("[3]")
    with pytest.raises(DataError, match=r"history\.json: not a history of deployments"):
        send("b")


def test_a_current_that_somebody_else_put_there_is_left_alone(
    send: Send, board: Deployed, tmp_path: Path
) -> None:
    send()
    (board.folder / "current").unlink()
    (board.folder / "current").symlink_to(tmp_path)
    with pytest.raises(DataError, match="not the link that edgeseq made"):
        send("b")
    assert str((board.folder / "current").readlink()) == str(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../else"},
        {"name": "a b"},
        {"name": 'a"b'},
        {"name": "a;b"},
        {"name": "$(reboot)"},
        {"name": "a\n"},
        {"name": "-a"},
        {"name": ".a"},
        {"name": ""},
        {"name": "a" * 65},
        {"unit": "-H.service"},
        {"unit": "a b"},
        {"unit": "a;b"},
        {"unit": "a\n"},
        {"unit": "a/b"},
        {"keep": 1},
        {"root": "relative"},
        {"action": "remove"},
        {"action": "rollback"},
        {"artifact": None},
        {"surprise": 1},
    ],
)
def test_an_order_that_is_none_is_refused(order: Order, change: dict[str, Any]) -> None:
    raw = order_to_dict(order)
    assert parse_order(raw) == order
    with pytest.raises(DataError):
        parse_order({**raw, **change})


# A service of systemd's, as far as `systemctl` is asked: it stays up unless its version's archive says "bad".
_SYSTEMCTL = """
echo "$*" >>"$FAKE/calls"
[ "$1" = --user ] && shift
shift
case $1 in
  show) case "$*" in
    *LoadState*) echo "LoadState=$(cat "$FAKE/load")" ;;
    *) echo "InvocationID=$(cat "$FAKE/invocation")"; echo "ActiveState=$(cat "$FAKE/active")" ;;
    esac ;;
  stop) echo inactive >"$FAKE/active" ;;
  restart)
    date +%N >"$FAKE/invocation"
    case $(cat "$FAKE/current/edgeseq_device.pyz") in
      bad*) echo failed >"$FAKE/active" ;;
      slow*) echo activating >"$FAKE/active" ;;
      refused*) echo "Job failed. See the journal." >&2; exit 1 ;;
      *) echo active >"$FAKE/active" ;;
    esac ;;
esac
"""


@pytest.fixture
def systemctl(tmp_path: Path, board: Deployed, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a fake systemd; its systemctl is the one on PATH."""
    folder = tmp_path / "systemd"
    folder.mkdir()
    (folder / "systemctl").write_text(f"#!/bin/sh{_SYSTEMCTL}")
    (folder / "systemctl").chmod(0o755)
    for name, content in {"load": "loaded", "active": "inactive", "invocation": "1", "calls": ""}.items():
        (folder / name).write_text(content)
    (folder / "current").symlink_to(board.folder / "current")
    monkeypatch.setenv("FAKE", str(folder))
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def restarts(systemctl: Path) -> list[str]:
    calls = (systemctl / "calls").read_text().splitlines()
    return [each for each in calls if " restart " in each or " stop " in each]


def test_a_service_is_restarted_behind_the_switch(send: Send, systemctl: Path) -> None:
    result = send("good", unit="app@x", watch_s=0.3)
    assert result["switched"]
    (call,) = restarts(systemctl)
    assert call.endswith("restart -- app@x.service")
    assert call.startswith("--user") == (os.geteuid() != 0)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("bad", "app.service is failed after its restart"),
        ("slow", "app.service is still activating after 0.1 s"),
        ("refused", "systemctl restart app.service failed: Job failed. See the journal."),
    ],
)
def test_a_service_that_does_not_stay_up_brings_the_version_before_back(
    send: Send, roll_back: Send, board: Deployed, systemctl: Path, content: str, said: str
) -> None:
    first = send("good", unit="app", watch_s=0.1)["key"]
    result = send(content, unit="app", watch_s=0.1)
    assert result["rolled_back_because"] == f"{said}; app.service has {first} again and is up"
    assert (result["switched"], result["current"], result["exit_code"]) == (False, first, 5)
    assert board.current == first
    assert len(board.history()) == 1
    assert len(restarts(systemctl)) == 3
    assert (systemctl / "active").read_text().strip() == "active"


def test_nobody_needs_to_listen_for_the_way_back(
    send: Send, order: Order, board: Deployed, systemctl: Path, tmp_path: Path
) -> None:
    first = send("good")["key"]
    (tmp_path / "agent.pyz").write_text("bad")

    def gone(event: Mapping[str, Any]) -> None:
        if "health check" not in event["doing"] and "verifying" not in event["doing"]:
            raise BrokenPipeError

    result = carry_out(replace(order, unit="app", watch_s=0), tmp_path / "agent.pyz", gone)
    assert result["rolled_back_because"]
    assert board.current == first


def test_the_first_version_whose_service_fails_leaves_none_current_and_the_service_stopped(
    send: Send, board: Deployed, systemctl: Path
) -> None:
    result = send("bad", unit="app", watch_s=0)
    assert "none is current and app.service is stopped" in result["rolled_back_because"]
    assert board.current is None
    assert board.history() == []
    assert send("good", unit="app", watch_s=0)["switched"]


def test_a_rollback_whose_service_fails_goes_forward_again(
    send: Send, roll_back: Send, board: Deployed, systemctl: Path
) -> None:
    first = send("bad")["key"]
    second = send("good", unit="app", watch_s=0)["key"]
    result = roll_back(unit="app", watch_s=0)
    assert f"app.service has {second} again and is up" in result["rolled_back_because"]
    assert [each["key"] for each in board.history()] == [first, second]


def test_a_service_that_systemd_keeps_restarting_did_not_stay_up(send: Send, systemctl: Path) -> None:
    always_new = _SYSTEMCTL.replace('InvocationID=$(cat "$FAKE/invocation")', "InvocationID=$(date +%N)")
    (systemctl / "systemctl").write_text(f"#!/bin/sh{always_new}")
    result = send("good", unit="app", watch_s=0.3)
    assert "ended and was started again by systemd" in result["rolled_back_because"]


def test_a_service_that_is_not_installed_is_said_before_anything_is_done(
    send: Send, board: Deployed, systemctl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (systemctl / "load").write_text("not-found")
    with pytest.raises(DeviceError, match=r"app\.service: systemd says it is not-found"):
        send(unit="app")
    (systemctl / "systemctl").write_text("#!/bin/sh\necho Failed to connect to bus >&2; exit 1")
    with pytest.raises(DeviceError, match=r"connect to bus; is systemd running there.* without --unit"):
        send(unit="app")
    monkeypatch.setenv("PATH", str(board.folder))
    with pytest.raises(DeviceError, match=r"no systemd to restart it; deploy without --unit"):
        send(unit="app")
    assert not board.folder.exists()


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
    send: Send, roll_back: Send, order: Order, board: Deployed, tmp_path: Path, action: str
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
            assert not leftovers(board)
        shutil.rmtree(root)
        shutil.copytree(pristine, root, symlinks=True)
    assert change > 10
    assert len(seen) == 2


def test_no_room_on_the_board_changes_nothing_and_says_so(
    send: Send, board: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = send()["key"]

    def full(*_arguments: object, **_more: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edgeseq_device.board.deployed.sync_tree", full)
    with pytest.raises(EdgeseqError, match=rf"No space left on device; current is {first}; free some room"):
        send("b")
    assert (board.current, board.kept(), leftovers(board)) == (first, [first], [])
