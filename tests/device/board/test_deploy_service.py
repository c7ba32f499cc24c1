from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgeseq_device.board.deploy import carry_out
from edgeseq_device.board.deploy_order import Order
from edgeseq_device.board.deployed import Deployed
from edgeseq_device.errors import DeviceError

Send = Callable[..., dict[str, Any]]

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
