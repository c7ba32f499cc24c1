"""`edgeseq device setup --native`: the real runner, sent over a real SSH server and tried there."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from edgeseq.bench.run import BenchOptions, bench
from edgeseq.cli import main
from edgeseq.devices.board import SshDevice
from edgeseq.devices.registry import ConfiguredDevice, add_device
from edgeseq.devices.upkeep import setting_up_native
from edgeseq.devices.upkeep.cleaning import clean
from edgeseq.devices.upkeep.fitness import judge, table_for
from edgeseq.devices.upkeep.setting_up_native import NativeLook, machine_of
from edgeseq_device.artifact import sha256_of
from edgeseq_device.errors import DeviceError

BOOKWORM = NativeLook("aarch64", "64", "glibc 2.36")
SETUP = {
    "edgeseq": "0.0.9",
    "runner_sha256": "0" * 64,
    "library_sha256": "1" * 64,
    "library_version": "2.3.0",
    "passed": True,
    "because": None,
    "artifact": "gestures",
    "artifact_sha256": "2" * 64,
}


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "EDGESEQ_CACHE_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))


@pytest.fixture
def told() -> dict[str, Any]:
    """What a Raspberry Pi 4 with Raspberry Pi OS bookworm tells."""
    found: dict[str, Any] = json.loads(Path(__file__).with_name("told_pi4.json").read_text("utf-8"))
    return found


@pytest.fixture
def board(
    start_loopback: Callable[..., Any],
    tmp_path: Path,
    runner: Path,
    library: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Any:
    """A board made of this machine, configured as "pi4"; the runner for it is compiled, the library here."""
    python = tmp_path / "bin" / "python3"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(setting_up_native, "board_runner", lambda _machine, _progress: runner)
    monkeypatch.setattr(setting_up_native, "litert_library", lambda _machine, _progress: (library, "2.3.0"))
    started = start_loopback(path=f"{python.parent}:/usr/bin:/bin")
    add_device(ConfiguredDevice("pi4", "board", "pi4", str(started.ssh_config)))
    return started


def set_up(artifact: Path, *options: str) -> Result:
    command = ["device", "setup", "pi4", "--native", "--artifact", str(artifact), *options]
    return CliRunner().invoke(main, command)


def runner_by_default(board: Any, artifact: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Which runner a benchmark takes there that asks for none."""
    monkeypatch.setattr("edgeseq.bench.run.DEFAULT_KINDS", ("ram",))
    device = SshDevice("pi4", board.destination(), "a board")
    options = BenchOptions(formats=("tflite",))
    result = bench(artifact, device, options, lambda _fraction, _label: None, lambda _event: None)
    assert result["models"][0]["ram_peak_bytes"] is not None
    return str(result["models"][0]["runner"])


def test_a_board_gets_the_runner_once_and_again_when_it_is_damaged_and_loses_it_when_cleaned(
    board: Any,
    pristine_artifact: Path,
    runner: Path,
    library: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = set_up(pristine_artifact, "--json", str(tmp_path / "setup.json"))
    assert done.exit_code == 0, done.output
    assert "pi4 has the native runner with LiteRT 2.3.0 (edgeseq-run " in done.output
    assert "MB; sent); it passed with gestures-gru-int8-generic" in done.output
    found = json.loads((tmp_path / "setup.json").read_text())
    assert found["passed"]
    assert found["sent_bytes"] == runner.stat().st_size + library.stat().st_size
    native = Path(board.home) / ".edgeseq" / "native"
    assert (native / "edgeseq-run").read_bytes() == runner.read_bytes()
    assert "nothing had to be sent" in set_up(pristine_artifact).output
    assert runner_by_default(board, pristine_artifact, monkeypatch) == "native"
    again = Path(shutil.copytree(pristine_artifact, tmp_path / "of the same name"))
    provenance = again / "provenance.json"
    provenance.write_text(provenance.read_text() + "\n")
    sealed = [f"{sha256_of(each)}  {each.name}\n" for each in again.iterdir() if each.name != "SHA256SUMS"]
    (again / "SHA256SUMS").write_text("".join(sealed))
    assert "MB; sent); it passed with gestures" in set_up(again).output
    (native / "libLiteRt.so").write_bytes(b"damaged")
    assert "MB; sent)" in set_up(pristine_artifact).output
    assert (native / "libLiteRt.so").read_bytes() == library.read_bytes()
    clean(SshDevice("pi4", board.destination(), "a board"), deployed=False)
    assert not native.parent.exists()


def test_a_runner_whose_answers_are_wrong_there_exits_4_and_python_is_used(
    board: Any, artifact_folder: Path, tmp_path: Path
) -> None:
    path = artifact_folder / "golden.npz"
    with np.load(path) as golden:
        kept = dict(golden)
    wrong = {name: -each if name.startswith("reference") else each for name, each in kept.items()}
    np.savez(path, **wrong)
    lines = (artifact_folder / "SHA256SUMS").read_text().splitlines()
    own = f"{hashlib.sha256(path.read_bytes()).hexdigest()}  golden.npz"
    told = [own if line.endswith("golden.npz") else line for line in lines]
    (artifact_folder / "SHA256SUMS").write_text("".join(f"{line}\n" for line in told))
    done = set_up(artifact_folder, "--json", str(tmp_path / "setup.json"))
    assert done.exit_code == 4, done.output
    assert "pi4: the native runner did not pass there, Python is used: gestures" in done.output
    assert "out of parity" in done.output
    assert not json.loads((tmp_path / "setup.json").read_text())["passed"]


def test_an_artifact_without_a_sheet_is_refused_as_everywhere(board: Any, artifact_folder: Path) -> None:
    (artifact_folder / "native.txt").unlink()
    sums = artifact_folder / "SHA256SUMS"
    kept = [line for line in sums.read_text().splitlines(keepends=True) if "native.txt" not in line]
    sums.write_text("".join(kept))
    done = set_up(artifact_folder)
    assert (done.exit_code, "has no native.txt: exported by an edgeseq that" in done.output) == (6, True)
    assert not (Path(board.home) / ".edgeseq").exists()


def test_a_32_bit_board_is_refused_with_the_reason() -> None:
    assert machine_of("pi4", BOOKWORM) == "aarch64"
    with pytest.raises(DeviceError, match=r"^pi4: .* for a 32-bit system .*: aarch64\), .* --target armv7"):
        machine_of("pi4", replace(BOOKWORM, bits="32"))
    with pytest.raises(DeviceError, match="no native runner for riscv64, only for x86_64 and aarch64"):
        machine_of("pi4", replace(BOOKWORM, machine="riscv64"))


@pytest.mark.parametrize(("glibc", "said"), [("glibc 2.31", r"need glibc 2\.34, .*2\.31"), ("", "musl")])
def test_a_system_that_is_too_old_for_the_library_is_refused(glibc: str, said: str) -> None:
    with pytest.raises(DeviceError, match=said):
        machine_of("pi4", replace(BOOKWORM, glibc=glibc))


def test_options_that_mean_something_else_are_refused(pristine_artifact: Path) -> None:
    done = CliRunner().invoke(main, ["device", "setup", "pi4", "--artifact", str(pristine_artifact)])
    assert (done.exit_code, "--artifact goes with --native" in done.output) == (2, True)
    done = set_up(pristine_artifact, "--runtime", "tflite")
    assert (done.exit_code, "--runtime is of the board's Python" in done.output) == (2, True)


def test_a_runner_that_is_not_used_is_a_problem_that_a_setup_mends(told: dict[str, Any]) -> None:
    told["content"]["native"] = SETUP
    (stale,) = judge("pi4", None, told, table_for(told))
    assert (stale.unfit, stale.remedy) == (False, "edgeseq device setup pi4 --native")
    assert "its native runner is of edgeseq 0.0.9" in stale.what
    told["content"]["native"] = {
        **SETUP,
        "passed": False,
        "because": "old; run `edgeseq device setup BOARD -n`",
    }
    (failed,) = judge("pi4", None, told, table_for(told))
    assert failed.what == "its native runner is not used, Python is: old; run `edgeseq device setup pi4 -n`"
