"""An emulated processor is recognised by its marker or by QEMU's traces, never by its imitated model name."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from edgeseq_device.emulation import MARKER, find_emulation
from edgeseq_device.errors import DeviceError


def write(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


PI4 = {
    "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
    "proc/device-tree/compatible": "raspberrypi,4-model-b\0brcm,bcm2711\0",
    "proc/cpuinfo": "processor\t: 0\nFeatures\t: fp asimd\nCPU part\t: 0xd08\n",
    "proc/thread-self/maps": "00400000-00916000 r-xp 00000000 fe:00 54 /usr/bin/python3.11\n",
}


def test_a_real_pi_is_not_emulated(tmp_path: Path) -> None:
    assert find_emulation(write(tmp_path, PI4), "aarch64") is None


def test_the_marker_is_believed_whatever_the_device_tree_says(tmp_path: Path) -> None:
    marker = json.dumps({"board": "pi4", "tier": "user", "emulator": "qemu-user 7.2.22 cortex-a72"})
    found = find_emulation(write(tmp_path, {**PI4, MARKER: marker}), "aarch64")
    assert found is not None
    assert found.tier == "user"
    assert "qemu-user 7.2.22 cortex-a72" in found.because


def test_a_board_that_is_called_virtual_is_not_so_twice(tmp_path: Path) -> None:
    marker = json.dumps({"board": "virtual-pi", "tier": "system", "emulator": "qemu-system 7.2"})
    found = find_emulation(write(tmp_path, {MARKER: marker}), "aarch64")
    assert found is not None
    assert "says: virtual-pi, qemu-system 7.2" in found.because


@pytest.mark.parametrize("content", ["", "[]", '{"board": "pi4"}', "null"])
def test_a_broken_marker_is_an_error_not_a_real_board(tmp_path: Path, content: str) -> None:
    with pytest.raises(DeviceError, match="edgeseq-virtual-board"):
        find_emulation(write(tmp_path, {**PI4, MARKER: content}), "aarch64")


@pytest.mark.parametrize(
    ("traces", "tier"),
    [
        ({"sys/class/dmi/id/sys_vendor": "QEMU\n"}, "system"),
        ({"proc/device-tree/compatible": "linux,dummy-virt\0"}, "system"),
        ({"proc/cpuinfo": "processor\t: 0\nvendor_id\t: GenuineIntel\n"}, "user"),
        ({"proc/thread-self/maps": "7f00-7f99 r-xp 0 fe:00 9 /usr/libexec/qemu-aarch64-static\n"}, "user"),
    ],
)
def test_traces_of_qemu_on_arm_count_without_a_marker(
    tmp_path: Path, traces: dict[str, str], tier: str
) -> None:
    found = find_emulation(write(tmp_path, {**PI4, **traces}), "aarch64")
    assert found is not None
    assert found.tier == tier


AARCH64, X86_64, ARMV7 = 0xB7, 0x3E, 0x28


def runs(root: Path, process: str, program: str, machine: int) -> None:
    """Let the kernel tell that `process` (such as "thread-self") runs `program`."""
    binary = root / program
    binary.parent.mkdir(parents=True, exist_ok=True)
    bits = 1 if machine == ARMV7 else 2
    binary.write_bytes((b"\x7fELF" + bytes([bits, 1, 1])).ljust(18, b"\0") + machine.to_bytes(2, "little"))
    (root / "proc" / process).mkdir(parents=True, exist_ok=True)
    (root / "proc" / process / "exe").symlink_to(binary)


@pytest.mark.parametrize("thread", ["thread-self", f"self/task/{os.getpid()}"], ids=["self", "task"])
@pytest.mark.parametrize(
    ("python", "program", "machine", "because"),
    [
        (AARCH64, "usr/bin/qemu-aarch64", X86_64, "run by qemu-aarch64, a program for x86_64"),
        (AARCH64, "opt/interpreter", X86_64, "run by interpreter, a program for x86_64"),
        (AARCH64, "usr/bin/qemu-aarch64", AARCH64, "run by qemu-aarch64, a program for aarch64"),
        (ARMV7, "opt/interpreter", AARCH64, "run by interpreter, a program for aarch64"),
    ],
)
def test_qemu_10_hides_in_all_files_but_those_of_a_thread(
    tmp_path: Path, thread: str, python: int, program: str, machine: int, because: str
) -> None:
    """It writes an ARM /proc/cpuinfo, and /proc/self leads to the guest's Python."""
    root = write(tmp_path, {**PI4, "proc/self/smaps": PI4["proc/thread-self/maps"]})
    runs(root, "self", "usr/bin/python3.11", python)
    runs(root, thread, program, machine)
    found = find_emulation(root, "aarch64")
    assert found is not None
    assert found.tier == "user"
    assert because in found.because


@pytest.mark.parametrize(("python", "machine"), [(AARCH64, "aarch64"), (ARMV7, "aarch64"), (ARMV7, "armv6l")])
def test_a_python_that_the_kernel_runs_is_not_emulated(tmp_path: Path, python: int, machine: str) -> None:
    """Also a 32-bit one on a 64-bit kernel."""
    root = write(tmp_path, PI4)
    for process in ("self", "thread-self", f"self/task/{os.getpid()}"):
        runs(root, process, "usr/bin/python3.11", python)
    assert find_emulation(root, machine) is None


def test_an_x86_cloud_machine_has_a_real_processor(tmp_path: Path) -> None:
    files = {"sys/class/dmi/id/sys_vendor": "QEMU\n", "proc/cpuinfo": "vendor_id\t: GenuineIntel\n"}
    assert find_emulation(write(tmp_path, files), "x86_64") is None
