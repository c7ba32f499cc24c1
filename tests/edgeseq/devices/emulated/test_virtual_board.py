"""The virtual boards for real: they are prepared in the user's cache and run."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import edgeseq_device
from edgeseq.bench.asking import run_once
from edgeseq.devices.agent_link import agent_archive, converse
from edgeseq.devices.emulated import virtual
from edgeseq.devices.emulated.plan import plan_board
from edgeseq.devices.wheel_tables import wheel_table
from edgeseq_device.errors import DataError
from edgeseq_device.measuring.counting import INSTRUCTION_LOG, REGION_BEGIN
from edgeseq_device.measuring.request import QUICK, Request

_MISSING = virtual.missing_packages()
pytestmark = [
    pytest.mark.virtual_board,
    pytest.mark.skipif(bool(_MISSING), reason=f"not installed here: {', '.join(_MISSING)}"),
]

X86 = (b"\x7fELF\x02\x01\x01").ljust(18, b"\0") + (0x3E).to_bytes(2, "little")
DEVICE_CODE = f"import sys; sys.path.insert(0, {str(Path(edgeseq_device.__file__).parents[1])!r})\n"
COUNTED = f"""
import os
import numpy as np
def mark(region):
    try:
        os.getpgid({REGION_BEGIN} | region)
    except ProcessLookupError:
        pass
x = np.linspace(-1, 1, 64 * 64, dtype=np.float32).reshape(64, 64)
def work():
    y = x
    for _ in range(10):
        y = np.tanh(y @ x)
for _ in range(3):
    work()
mark(0); mark(0x8000)
for slot in range(1, 6):
    mark(slot); work(); mark(0x8000 | slot)
"""


@pytest.fixture(scope="module")
def pi4() -> virtual.PreparedBoard:
    return virtual.prepare("pi4")


@pytest.fixture(scope="module")
def pi5() -> virtual.PreparedBoard:
    return virtual.prepare("pi5")


def run(command: Sequence[str], code: str, **environment: str) -> str:
    done = subprocess.run(
        [*command, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_json(command: Sequence[str], code: str, **environment: str) -> Any:
    return json.loads(run(command, code, **environment))


def counting(board: virtual.PreparedBoard) -> tuple[str, ...]:
    assert board.link.counting_python is not None
    return board.link.counting_python


def count(board: virtual.PreparedBoard, code: str, log: Path) -> list[int]:
    """Instructions of each region in the order of their ends."""
    run(counting(board), code, **{INSTRUCTION_LOG: str(log)})
    return [json.loads(line)["insns_all"] for line in log.read_text().splitlines()]


def test_the_guest_is_debians_python_on_arm(pi4: virtual.PreparedBoard) -> None:
    code = (
        "import json, platform, sys; print(json.dumps([sys.version_info[:2], platform.machine(), sys.path]))"
    )
    version, machine, path = run_json(pi4.link.python, code)
    assert (version, machine) == ([3, 11], "aarch64")
    assert all(entry == "" or pi4.root.parents[1].as_posix() in entry for entry in path), (
        "the host's modules show"
    )


def test_the_device_code_sees_the_board_and_that_it_is_emulated(pi5: virtual.PreparedBoard) -> None:
    code = (
        "import json; from edgeseq_device.measuring import guards; from edgeseq_device import system\n"
        "print(json.dumps([system.describe_system(), guards.read_guards()]))"
    )
    found, guards = run_json(pi5.link.python, DEVICE_CODE + code)
    assert found["board_model"] == "Raspberry Pi 5 Model B Rev 1.0"
    assert found["os"] == "Debian GNU/Linux (bookworm)"
    assert found["emulated"] is True
    assert pi5.description in found["emulated_because"]
    assert "cortex-a76" in pi5.description
    assert set(guards.values()) == {None}


def test_a_wheel_for_x86_is_refused_there_and_nothing_of_it_stays(
    pi4: virtual.PreparedBoard, tmp_path: Path
) -> None:
    wheel = tmp_path / "ai_edge_litert-9.1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("ai_edge_litert/_native.so", X86)
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (tmp_path / "root" / "blobs").mkdir(parents=True)
    wheel.rename(tmp_path / "root" / "blobs" / sha256)
    request = {
        "root": str(tmp_path / "root"),
        "tag": "cp311",
        "key": "a" * 16,
        "wheels": [{"sha256": sha256, "name": wheel.name}],
        "libraries": ["tflite"],
        "host": "laptop",
        "lock_wait_s": 0,
    }
    command = [*pi4.link.python, str(agent_archive()), "install"]
    with pytest.raises(DataError, match=r"_native\.so is for x86_64, the board's Python is aarch64"):
        converse(command, request, lambda _event: None)
    assert list((tmp_path / "root" / "python").iterdir()) == []


def test_both_runtimes_import_at_their_pinned_versions(pi4: virtual.PreparedBoard) -> None:
    code = (
        "import numpy, onnxruntime, ai_edge_litert; from ai_edge_litert.interpreter import Interpreter\n"
        "for each in (numpy, onnxruntime, ai_edge_litert): print(f'{each.__name__}=={each.__version__}')"
    )
    imported = run(pi4.link.python, code).replace("_", "-").split()
    assert imported == [f"{pin.package}=={pin.version}" for pin in wheel_table("cp311-aarch64").pins]


def test_only_the_pi_5_executes_the_dot_product(
    pi4: virtual.PreparedBoard, pi5: virtual.PreparedBoard
) -> None:
    code = "from numpy._core._multiarray_umath import __cpu_features__ as f; print(f['ASIMD'], f['ASIMDDP'])"
    assert run(pi4.link.python, code).split() == ["True", "False"]
    assert run(pi5.link.python, code).split() == ["True", "True"]


def test_instruction_counts_repeat_within_a_thousandth(pi4: virtual.PreparedBoard, tmp_path: Path) -> None:
    first = count(pi4, COUNTED, tmp_path / "first")
    second = count(pi4, COUNTED, tmp_path / "second")
    assert len(first) == 6
    empty, *regions = first
    assert empty < 20_000
    assert min(regions) > 500_000
    for one, other in zip(first, second, strict=True):
        assert other == pytest.approx(one, rel=1e-3)


def test_twice_the_work_is_twice_the_instructions(pi4: virtual.PreparedBoard, tmp_path: Path) -> None:
    once = count(pi4, COUNTED, tmp_path / "once")
    twice = count(pi4, COUNTED.replace("range(10)", "range(20)"), tmp_path / "twice")
    assert twice[-1] - twice[0] == pytest.approx(2 * (once[-1] - once[0]), rel=0.02)


def test_counting_without_a_file_for_the_counts_is_refused(pi4: virtual.PreparedBoard) -> None:
    environment = {key: value for key, value in os.environ.items() if key != INSTRUCTION_LOG}
    command = [*counting(pi4), "-c", "print('ran')"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert INSTRUCTION_LOG in done.stderr
    assert done.stdout == ""


def test_the_native_runner_answers_there_as_python_in_a_fraction_of_its_ram(
    pi4: virtual.PreparedBoard, arm_runner: Path, pristine_artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(virtual, "runner", lambda _machine, _progress: arm_runner)
    request = Request(
        str(pristine_artifact),
        ("tflite",),
        ("parity", "ram", "instructions", "step_instructions"),
        limits=replace(QUICK, timeout_s=600.0, instruction_runs=3),
        worker_command=pi4.link.worker_command,
        counting_worker_command=pi4.link.counting_worker_command,
        runners=("python", "native"),
        native=pi4.link.native(lambda _fraction, _label: None),
    )
    result = run_once(pi4.link, request)
    assert (result["valid"], result["emulated"]) == (True, True), result["invalid_because"]
    python, native = result["models"]
    pins = {pin.package: pin.version for pin in wheel_table("cp311-aarch64").pins}
    assert native["runtime"] == f"ai-edge-litert {pins['ai-edge-litert']}"
    assert (native["parity_ok"], native["parity_decisions_changed"]) == (True, 0)
    for form in ("", "step_"):
        assert 0 < native[f"{form}instructions"] < python[f"{form}instructions"]
    assert native["logits"] == python["logits"]
    assert native["ram_steady_bytes"] < min(9e6, python["ram_steady_bytes"] / 5)


def test_the_guests_ram_leaves_the_emulators_out(pi4: virtual.PreparedBoard) -> None:
    code = (
        "import json; from edgeseq_device.measuring.memory import *\n"
        "before = rss_bytes(); block = bytearray(b'x') * 20_000_000; after = rss_bytes()\n"
        "host = int(next(l for l in open('/proc/self/status') if l.startswith('VmRSS')).split()[1]) * 1024\n"
        "print(json.dumps([before, after, pss_bytes(), peak_rss_bytes(), host]))"
    )
    before, after, pss, peak, host = run_json(pi4.link.python, DEVICE_CODE + code)
    assert 8e6 < before < 16e6  # 8.5 MB of Python and what the reading itself imports
    assert after - before == pytest.approx(20e6, rel=0.1)
    assert after < host - 20e6
    assert pss == pytest.approx(after, rel=0.2)
    assert peak is None


def test_an_agent_in_the_guest_starts_workers(pi4: virtual.PreparedBoard, tmp_path: Path) -> None:
    agent = (
        "import json, os, subprocess, sys\n"
        f"code = {COUNTED!r} + 'import platform; print(platform.machine())'\n"
        f"command = [*{counting(pi4)!r}, '-c', code]\n"
        f"environment = {{**os.environ, {INSTRUCTION_LOG!r}: {str(tmp_path / 'log')!r}}}\n"
        "done = subprocess.run(command, env=environment, input='job', capture_output=True, text=True)\n"
        "print(json.dumps([done.returncode, done.stdout, done.stderr]))"
    )
    assert run_json(pi4.link.python, agent) == [0, "aarch64\n", ""]
    assert len((tmp_path / "log").read_text().splitlines()) == 6


def test_the_callers_environment_does_not_reach_the_guest(pi4: virtual.PreparedBoard) -> None:
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    disturbing = {
        "PYTHONPATH": "/nowhere",
        "LD_PRELOAD": "",
        "QEMU_CPU": "max",
        "OMP_NUM_THREADS": "7",
        "TOKEN": "x",
    }
    environment = run_json(pi4.link.python, code, **disturbing, TMPDIR="/var/tmp")  # noqa: S108
    assert environment["QEMU_CPU"] == "cortex-a72"
    assert environment["OMP_NUM_THREADS"] == "1"
    assert environment["TMPDIR"] == "/var/tmp"  # noqa: S108
    assert not {"TOKEN", "LD_PRELOAD"} & set(environment)
    assert "/nowhere" not in environment["PYTHONPATH"]


def test_guest_and_host_share_files_outside_the_system(pi4: virtual.PreparedBoard, tmp_path: Path) -> None:
    path = tmp_path / "from-guest"
    run(pi4.link.python, f"open({str(path)!r}, 'w').write('guest')")
    assert path.read_text() == "guest"


def test_a_second_preparation_builds_nothing(pi4: virtual.PreparedBoard) -> None:
    folders = plan_board("pi4").folders  # others of the cache may just be prepared by another test process
    before = [(path.stat().st_ino, path.stat().st_mtime_ns) for path in folders]
    labels: list[str] = []
    assert virtual.prepare("pi4", lambda _fraction, label: labels.append(label)) == pi4
    assert labels == ["the virtual Raspberry Pi 4 Model B is ready"]
    assert [(path.stat().st_ino, path.stat().st_mtime_ns) for path in folders] == before
    found = virtual.status("pi4")
    assert (found.ready, found.missing, found.remedy) == (True, (), None)
    assert 100e6 < found.bytes_on_disk < 500e6


def test_a_killed_preparation_leaves_nothing_that_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while the emulator is built, then again once the guest is begun."""
    monkeypatch.setenv("EDGESEQ_CACHE_DIR", str(tmp_path))
    script = (
        "import os, signal, sys; from edgeseq.devices.emulated import virtual\n"
        "def progress(fraction, label):\n"
        "    if sys.argv[1] in label: os.kill(os.getpid(), signal.SIGKILL)\n"
        "virtual.prepare('pi4', progress)\n"
    )

    def prepare_until(label: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", script, label], capture_output=True, text=True, check=False
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
        return sorted(path.name.partition("-")[0] for path in (tmp_path / "virtual").iterdir())

    assert prepare_until("compiling") == [".building", ".lock"]
    assert not virtual.status("pi4").ready
    assert prepare_until("index for arm64") == [".building", ".lock", "emulator"]
    assert not virtual.status("pi4").ready
    assert len(list((tmp_path / "virtual").glob(".building-*"))) == 1, (
        "the first kill's leftovers are swept away"
    )
