"""A benchmark over a real SSH connection to this machine, and what becomes of it when that breaks."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from processes import wait_until

from edgeseq.bench.run import BenchOptions, bench
from edgeseq.devices import board as board_module
from edgeseq.devices.agent_link import converse
from edgeseq.devices.board import ContainerLink, SshDevice, SshLink
from edgeseq.devices.ssh.connection import Connection
from edgeseq.devices.ssh.destination import Destination
from edgeseq_device.errors import DataError, DeviceError
from edgeseq_device.measuring.request import QUICK

OPTIONS = BenchOptions(formats=("tflite",), limits=replace(QUICK, power_s=0.1))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGESEQ_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture(autouse=True)
def few_measurements(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three are taken, enough to lose one."""
    monkeypatch.setattr("edgeseq.bench.run.DEFAULT_KINDS", ("ram", "parity", "step_parity"))


@pytest.fixture
def board(start_loopback: Callable[..., Any], tmp_path: Path) -> Any:
    """A board whose python3 is the one that runs these tests."""
    programs = tmp_path / "programs"
    programs.mkdir()
    script = programs / "python3"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    script.chmod(0o755)
    return start_loopback(path=f"{programs}:/usr/bin:/bin")


def device(board: Any, port: int | None = None) -> SshDevice:
    return SshDevice("pi9", board.destination(port), "a board made of this machine")


def measure(
    artifact: Path,
    subject: SshDevice,
    hear: Callable[[Mapping[str, Any]], None] = lambda _event: None,
    options: BenchOptions = OPTIONS,
) -> dict[str, Any]:
    return bench(artifact, subject, options, lambda _fraction, _label: None, hear)


def test_a_board_is_measured_and_left_as_it_was_but_for_one_folder(
    board: Any, pristine_artifact: Path
) -> None:
    result = measure(pristine_artifact, device(board), options=replace(OPTIONS, kinds=("latency",)))
    assert result["models"][0]["parity_ok"], result["invalid_because"]
    assert result["models"][0]["host_error"] == 0.0
    assert result["models"][0]["latency_p50_ms"] > 0
    assert (result["board"], result["emulated"]) == ("pi9", False)
    assert str(board.home) not in json.dumps(result)
    assert [each.name for each in board.home.iterdir()] == [".edgeseq"]
    root = board.home / ".edgeseq"
    assert root.stat().st_mode & 0o777 == 0o700
    assert list((root / "scratch").iterdir()) == []
    stored = {each.name for each in (root / "blobs").iterdir()}
    assert len(stored) == 2
    measure(pristine_artifact, device(board))
    assert {each.name for each in (root / "blobs").iterdir()} == stored
    wait_until(lambda: board.processes() == [])


def test_a_board_without_python_is_told_what_to_install(
    start_loopback: Callable[..., Any], pristine_artifact: Path, tmp_path: Path
) -> None:
    (tmp_path / "few").mkdir()
    for name in ("sh", "mkdir", "cat", "stat", "df", "tail", "pwd", "rm", "mv", "sha256sum"):
        (tmp_path / "few" / name).symlink_to(Path("/usr/bin") / name)
    bare = start_loopback(path=str(tmp_path / "few"))
    with pytest.raises(DeviceError, match="pi9: no python3 there; run on it: sudo apt-get install python3"):
        measure(pristine_artifact, device(bare))


def test_a_cable_that_is_pulled_while_it_measures_and_put_back_costs_one_measurement(
    board: Any, make_proxy: Callable[[int], Any], pristine_artifact: Path
) -> None:
    proxy = make_proxy(board.port)

    def cut(event: Mapping[str, Any]) -> None:
        if event["event"] == "progress" and event["kind"] == "parity":
            proxy.cut()

    result = measure(pristine_artifact, device(board, proxy.port), cut)
    (model,) = result["models"]
    assert model["ram_peak_bytes"] > 0
    assert "the connection broke" in model["not_measured"]["parity_error"]
    assert model["step_parity_ok"]
    assert not result["valid"]
    wait_until(lambda: board.processes() == [])
    assert list((board.home / ".edgeseq/scratch").iterdir()) == []


def test_a_board_that_comes_back_without_its_files_is_sent_them_again(
    board: Any, make_proxy: Callable[[int], Any], pristine_artifact: Path
) -> None:
    proxy = make_proxy(board.port)

    def wipe(event: Mapping[str, Any]) -> None:
        if event["event"] == "progress" and event["kind"] == "parity":
            proxy.cut()
            wait_until(lambda: board.processes() == [])
            shutil.rmtree(board.home / ".edgeseq")

    result = measure(pristine_artifact, device(board, proxy.port), wipe)
    assert result["models"][0]["step_parity_ok"], result["invalid_because"]


def test_a_cable_that_stays_pulled_leaves_a_result_with_what_was_measured(
    board: Any,
    make_proxy: Callable[[int], Any],
    pristine_artifact: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(board_module, "REOPEN_S", 0.0)
    proxy = make_proxy(board.port)

    def cut(event: Mapping[str, Any]) -> None:
        if event["event"] == "progress" and event["kind"] == "parity":
            proxy.close()

    result = measure(pristine_artifact, device(board, proxy.port), cut)
    assert result["models"][0]["ram_peak_bytes"] > 0
    assert "it could not be reached again" in result["invalid_because"][0]
    wait_until(lambda: board.processes() == [])


def test_a_board_that_shows_another_host_key_when_it_comes_back_is_not_asked_again(
    board: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting is for what may pass: a port that is not open yet, not a key that is another."""
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        assert pauses == []
        pauses.append(seconds)
        board.renew_host_key()
        board.start()

    monkeypatch.setattr(board_module, "time", SimpleNamespace(sleep=pause, monotonic=time.monotonic))
    with device(board).open(lambda _fraction, _label: None) as link:
        board.stop()
        wait_until(lambda: not link.connection.alive)  # type: ignore[attr-defined]
        with pytest.raises(DeviceError, match="pi9: HOST KEY CHANGED"):
            link.reopen()
    assert len(pauses) == 1


def test_an_artifact_tampered_with_on_the_board_is_refused_there(board: Any, pristine_artifact: Path) -> None:
    measure(pristine_artifact, device(board))
    blobs = list((board.home / ".edgeseq/blobs").iterdir())
    bundle = min(blobs, key=lambda each: each.stat().st_size)
    content = bytearray(bundle.read_bytes())
    content[len(content) // 2] ^= 1
    bundle.chmod(0o600)
    bundle.write_bytes(content)
    with pytest.raises(DataError, match="sha256 differs"):
        measure(pristine_artifact, device(board))
    assert measure(pristine_artifact, device(board))["models"][0]["parity_ok"]  # it was sent again


def test_an_agent_that_rotted_on_the_board_is_sent_again(board: Any) -> None:
    for _ in range(2):
        with device(board).open(lambda _fraction, _label: None):
            pass
        (agent,) = (board.home / ".edgeseq/blobs").iterdir()
        assert hashlib.sha256(agent.read_bytes()).hexdigest() == agent.name
        agent.chmod(0o600)
        agent.write_bytes(b"x" * agent.stat().st_size)


BUSY = replace(OPTIONS, kinds=("realtime",), period_ms=100.0, limits=replace(QUICK, realtime_s=60.0))
"""Keeps the board while another host comes, and sleeps meanwhile; then it is interrupted."""


def test_two_hosts_do_not_measure_at_once(board: Any, pristine_artifact: Path) -> None:
    waited = threading.Event()
    results: list[dict[str, Any]] = []

    def second(event: Mapping[str, Any]) -> None:
        if event["event"] == "waiting":
            assert "measures on it since" in event["for"]
            waited.set()

    other = threading.Thread(target=lambda: results.append(measure(pristine_artifact, device(board), second)))

    def first(event: Mapping[str, Any]) -> None:
        if event["event"] == "began":
            other.start()
            assert waited.wait(60)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure(pristine_artifact, device(board), first, BUSY)
    other.join()
    assert results[0]["models"][0]["parity_ok"]


def test_a_host_that_does_not_wait_is_refused_with_the_holders_name(
    board: Any, pristine_artifact: Path
) -> None:
    refusals: list[str] = []

    def first(event: Mapping[str, Any]) -> None:
        if event["event"] == "began":
            with pytest.raises(DeviceError, match=r"the board is in use: .* measures on it since") as caught:
                measure(pristine_artifact, device(board), options=replace(OPTIONS, lock_wait_s=0.0))
            refusals.append(str(caught.value))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure(pristine_artifact, device(board), first, BUSY)
    assert refusals


def test_an_agent_that_is_killed_tells_so_and_not_of_the_connection(board: Any) -> None:
    with device(board).open(lambda _fraction, _label: None) as link:
        killed = [*link.agent("serve")[:-1], "exec /bin/sh -c 'kill -9 $$'"]
        with pytest.raises(DeviceError) as caught:
            converse(killed, {}, lambda _event: None)
        assert "ended without a result" in str(caught.value)
        assert link.explain(caught.value).startswith("pi9: ")  # type: ignore[arg-type]


def test_a_board_over_ssh_knows_its_own_runner_and_a_container_has_none(tmp_path: Path) -> None:
    connection = Connection(Destination("board"), "pi4")
    assert SshLink(connection).native(lambda _fraction, _label: None) is None
    container = ContainerLink(connection, tmp_path, "an image")
    assert container.default_runners == ("python",)
    with pytest.raises(DeviceError, match="pi4: the container has no native runner; leave out --via docker"):
        container.native(lambda _fraction, _label: None)
