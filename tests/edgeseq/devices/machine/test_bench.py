"""`edgeseq bench` and `edgeseq deploy` on the virtual Pi: as on a board over SSH, but with no times."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from edgeseq.bench.run import EMULATED_TIMEOUT_S, BenchOptions, bench
from edgeseq.deploy import DeployOptions, deploy, verdict
from edgeseq.devices.board import SshDevice
from edgeseq.devices.machine import run
from edgeseq.devices.machine.image import DISK
from edgeseq.devices.machine.plan import plan_machine
from edgeseq.devices.machine.state import Running
from edgeseq.devices.pick import pick_device
from edgeseq_device.errors import GateError
from edgeseq_device.measuring.keys import TIMED, measured_keys

pytestmark = pytest.mark.virtual_board

PEAK_RSS_BYTES_MAX = 45_000_000
NAME = "gestures-gru-int8"
On = Callable[..., str]


@dataclass(frozen=True)
class Interrupted:
    """A bench whose board was rebooted: its result, the events "lost", and what the machine told before that
    and afterwards."""

    result: dict[str, Any]
    losses: list[str]
    before: list[str]
    after: list[str]


@pytest.fixture(scope="module")
def on(machines: ModuleType, virtual_pi: Running) -> On:
    """Runs a shell script on the machine, as pi or as `user`; what it prints."""
    return lambda script, user="pi": machines.on(virtual_pi, script, user)


@pytest.fixture(scope="module")
def device(virtual_pi: Running, on: On) -> Iterator[SshDevice]:
    """The machine as `--device virtual-pi` gives it; nothing stays on it."""
    found = pick_device("virtual-pi")
    assert isinstance(found, SshDevice)
    yield found
    on("rm -rf .edgeseq")


def measure(
    artifact: Path,
    device: SshDevice,
    max_ram_bytes: int,
    hear: Callable[[Mapping[str, Any]], None] = lambda _event: None,
) -> dict[str, Any]:
    options = BenchOptions(formats=("tflite",), kinds=("fits",), max_ram_bytes=max_ram_bytes)
    return bench(artifact, device, options, quiet, hear)


def quiet(_fraction: float, _label: str) -> None:
    """No progress wanted."""


def groups(on: On) -> str:
    """The control groups that there are for measuring."""
    return on("ls -d /sys/fs/cgroup/edgeseq/*/")


def test_a_bench_there_is_emulated_in_parity_within_45_mb_and_tells_no_times(
    device: SshDevice, on: On, pristine_artifact: Path
) -> None:
    before = groups(on)
    result = measure(pristine_artifact, device, 64_000_000)
    assert result["valid"], result["invalid_because"]
    assert (result["board"], result["emulated"], device.emulated) == ("virtual-pi", True, True)
    assert "256 MB, qemu-system" in result["board_description"]
    assert result["settings"]["timeout_s"] == EMULATED_TIMEOUT_S
    (model,) = result["models"]
    assert model["parity_ok"]
    assert model["step_parity_ok"]
    assert model["host_error"] <= model["parity_tolerance"]
    assert model["ram_peak_bytes"] <= PEAK_RSS_BYTES_MAX
    assert model["fits_ram"] is True
    assert model["ram_limit_peak_bytes"] <= PEAK_RSS_BYTES_MAX
    timed = [name for kind in TIMED for name in measured_keys(kind)]
    assert timed
    assert {name: model[name] for name in timed} == dict.fromkeys(timed)
    assert model["not_measured"]["latency_p50_ms"].startswith("emulated: ")
    assert groups(on) == before
    assert on("ls .edgeseq/scratch; cat .edgeseq/lock") == ""


@pytest.fixture(scope="module")
def interrupted(
    device: SshDevice, virtual_pi: Running, on: On, machines: ModuleType, pristine_artifact: Path
) -> Interrupted:
    """A bench at whose first measurement the board is rebooted, and that asks whether 8 MB are enough.

    A worker before that has what it reads in the page cache: in 8 MB it would be read again and again.
    """
    losses: list[str] = []
    before, boot_id = look(on), machines.boot_id(virtual_pi)

    def hear(event: Mapping[str, Any]) -> None:
        if event["event"] == "lost":
            losses.append(event["message"])
        elif event["event"] == "progress" and event["kind"] == "ram":
            script = "echo kept > /home/pi/kept; echo lost > /tmp/lost; date -s @2000000000"
            machines.reboot(virtual_pi, boot_id, script)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edgeseq.bench.run.DEFAULT_KINDS", ("ram", "parity"))  # each takes 5 s there
        result = measure(pristine_artifact, device, 8_000_000, hear)
    return Interrupted(result, losses, before, look(on))


def look(on: On) -> list[str]:
    """The groups, the disk of the image as this host has it, what is in /tmp and kept at home, the clock."""
    with (plan_machine().image / DISK).open("rb") as image:
        os.fsync(image.fileno())  # one just made may still grow by what its file system notes of it
        disk = os.fstat(image.fileno())
    found = on("ls /tmp; cat kept 2>/dev/null; rm -f kept; date +%s").split()
    return [groups(on), f"{disk.st_mtime_ns} {disk.st_blocks}", *found]


def test_a_reboot_costs_one_measurement_and_the_rest_is_taken(interrupted: Interrupted) -> None:
    """As a cable that is cut, see tests/edgeseq/devices/test_board.py."""
    result = interrupted.result
    (model,) = result["models"]
    assert len(interrupted.losses) == 1
    assert "the connection broke" in model["not_measured"]["ram_peak_bytes"]
    assert model["parity_ok"]
    assert not result["valid"]
    assert len(result["invalid_because"]) == 1
    assert len([each for each in result["warnings"] if "after it was reached again" in each]) == 1


def test_a_worker_that_the_kernel_kills_at_8_mb_does_not_fit(interrupted: Interrupted) -> None:
    (model,) = interrupted.result["models"]
    assert model["fits_ram"] is False
    assert model["ram_limit_peak_bytes"] <= 8_000_000
    assert interrupted.after[0] == interrupted.before[0]


def test_a_reboot_keeps_the_home_and_clears_tmp_and_never_writes_the_image(
    interrupted: Interrupted, virtual_pi: Running
) -> None:
    _, disk, *kept, now = interrupted.after
    assert kept == ["kept"]
    assert float(now) == pytest.approx(time.time(), abs=300)
    assert run.running() == virtual_pi
    assert disk == interrupted.before[1]


DAYS = {"first": 1, "bad": 2}
Rewrite = Callable[[Path, Callable[[dict[str, Any]], object]], None]


@pytest.fixture
def version(artifact_folder: Path, rewrite_manifest: Rewrite) -> Callable[[str], Path]:
    """The artifact as one of DAYS, with one model file; the bad one denies its references."""
    golden = artifact_folder / "golden.npz"
    whole = golden.read_bytes()

    def make(which: str) -> Path:
        def change(manifest: dict[str, Any]) -> None:
            manifest["created_utc"] = f"2025-01-0{DAYS[which]}T00:00:00+00:00"
            (model,) = (each for each in manifest["models"] if each["format"] == "tflite")
            manifest["models"] = [{**model, "step": None, "step_reason": "left out"}]

        for unused in {*artifact_folder.glob("*step*"), *artifact_folder.glob("*.onnx")}:
            unused.unlink()
        golden.write_bytes(whole)
        if which == "bad":
            with np.load(golden) as arrays:
                content = dict(arrays)
            references = [name for name in content if name.startswith("reference")]
            np.savez(golden, **{**content, **{name: -content[name] for name in references}})
        rewrite_manifest(artifact_folder, change)
        return artifact_folder

    return make


def test_a_bad_version_is_never_current_there(
    device: SshDevice, on: On, version: Callable[[str], Path]
) -> None:
    """A good one can be rolled back, see tests/edgeseq/devices/test_deploy_over_ssh.py."""

    def switch_to(which: str) -> dict[str, Any]:
        return deploy(version(which), device, DeployOptions(), quiet, lambda _event: None)

    first, bad = switch_to("first"), switch_to("bad")
    assert verdict(first) is None
    fault = verdict(bad)
    assert isinstance(fault, GateError)
    assert "tflite is out of parity" in str(fault)
    assert (bad["switched"], bad["emulated"], bad["current"]) == (False, True, first["key"])
    current, *kept = on(f"cd .edgeseq/deployed/{NAME}; readlink current; ls versions").split()
    assert (current, kept) == (f"versions/{first['key']}", [first["key"]])
