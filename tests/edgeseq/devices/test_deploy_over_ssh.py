"""`edgeseq deploy` to a board behind a real SSH server."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from processes import wait_until

from edgeseq.deploy import DeployOptions, deploy, list_deployed, roll_back, verdict
from edgeseq.devices.board import SshDevice, SshLink
from edgeseq_device.artifact import open_artifact, sha256_of
from edgeseq_device.errors import DataError, DeviceError

WELL = {
    "parity_error": 1e-5,
    "parity_tolerance": 1e-3,
    "parity_n": 16,
    "parity_decisions_changed": 0,
    "parity_ok": True,
}
NAME = "gestures-gru-int8"
OPTIONS = DeployOptions()


def quiet(_fraction: float, _label: str) -> None:
    return None


def ignore(_event: Mapping[str, Any]) -> None:
    return None


@pytest.fixture
def loopback_board(start_loopback: Callable[..., Any], tmp_path: Path) -> Any:
    """A board whose python3 is the one that runs these tests."""
    programs = tmp_path / "programs"
    programs.mkdir()
    script = programs / "python3"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    script.chmod(0o755)
    return start_loopback(path=f"{programs}:/usr/bin:/bin")


@pytest.fixture
def device(loopback_board: Any) -> SshDevice:
    return SshDevice("bench-pi", loopback_board.destination(), "a board of the tests")


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers on the board that are in parity at once."""
    outcome = {"values": WELL, "runtime": "runtime 1.0"}
    (tmp_path / "worker.sh").write_text(f"cat >/dev/null; echo '{json.dumps(outcome)}'")
    monkeypatch.setattr(SshLink, "worker_command", ("/bin/sh", str(tmp_path / "worker.sh")))


def another_version(folder: Path) -> Path:
    (folder / "provenance.json").write_text('{"accuracy": {}}')
    files = sorted(each for each in folder.iterdir() if each.name != "SHA256SUMS")
    (folder / "SHA256SUMS").write_text("".join(f"{sha256_of(each)}  {each.name}\n" for each in files))
    return folder


def test_a_board_answers_its_golden_vectors_before_it_switches(
    device: SshDevice, loopback_board: Any, pristine_artifact: Path
) -> None:
    result = deploy(pristine_artifact, device, OPTIONS, quiet, ignore)
    assert verdict(result) is None
    assert all(each["parity"]["ok"] and each["step_parity"]["ok"] for each in result["formats"])


def test_a_board_is_deployed_to_and_rolled_back_over_ssh(
    quick: None, device: SshDevice, loopback_board: Any, pristine_artifact: Path, artifact_folder: Path
) -> None:
    first = deploy(pristine_artifact, device, OPTIONS, quiet, ignore)
    current = loopback_board.home / ".edgeseq" / "deployed" / NAME / "current"
    assert open_artifact(current / "artifact").name == "gestures-gru-int8-generic"
    second = deploy(another_version(artifact_folder), device, OPTIONS, quiet, ignore)
    assert second["previous"] == first["key"]
    assert roll_back(device, OPTIONS, quiet, ignore)["current"] == first["key"]
    (listed,) = list_deployed(device, OPTIONS, quiet)["deployed"]
    assert {each["key"] for each in listed["versions"]} == {first["key"], second["key"]}
    assert sorted(each.name for each in loopback_board.home.iterdir()) == [".edgeseq"]
    wait_until(lambda: loopback_board.processes() == [])


def test_a_bundle_that_is_tampered_with_on_the_board_is_refused_there(
    device: SshDevice, loopback_board: Any, pristine_artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgeseq.devices import board

    send = board.SshLink.send

    def tamper(link: Any, path: Path, progress: Any) -> Any:
        sent = send(link, path, progress)
        blob = loopback_board.home / ".edgeseq" / "blobs" / str(sent.sha256)
        content = bytearray(blob.read_bytes())
        content[len(content) // 2] ^= 1
        blob.chmod(0o600)
        blob.write_bytes(content)
        return sent

    monkeypatch.setattr(board.SshLink, "send", tamper)
    with pytest.raises(DataError, match="changed on its way to the board"):
        deploy(pristine_artifact, device, OPTIONS, quiet, ignore)
    assert list_deployed(device, OPTIONS, quiet)["deployed"] == []


def test_a_board_that_loses_its_power_keeps_a_whole_version(
    quick: None, device: SshDevice, loopback_board: Any, pristine_artifact: Path, artifact_folder: Path
) -> None:
    first = deploy(pristine_artifact, device, OPTIONS, quiet, ignore)
    another_version(artifact_folder)

    def cut(event: Mapping[str, Any]) -> None:
        if event["event"] == "progress" and event["doing"].startswith("health check"):
            loopback_board.stop()

    with pytest.raises(
        DeviceError, match=r"bench-pi: .*the version that is current there is a whole"
    ) as lost:
        deploy(artifact_folder, device, OPTIONS, quiet, cut)
    assert str(lost.value).count("bench-pi: ") == 1
    loopback_board.start()
    (listed,) = list_deployed(device, OPTIONS, quiet)["deployed"]
    assert listed["current"] == first["key"]
    result = deploy(artifact_folder, device, OPTIONS, quiet, ignore)
    assert (result["switched"], result["previous"]) == (True, first["key"])
