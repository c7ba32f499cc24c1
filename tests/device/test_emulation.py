"""An emulated processor is recognised by its marker or by QEMU's traces, never by its imitated model name."""

from __future__ import annotations

import json
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
    "proc/self/smaps": "00400000-00916000 r-xp 00000000 fe:00 54 /usr/bin/python3.11\nRss: 3776 kB\n",
}


def test_a_real_pi_is_not_emulated(tmp_path: Path) -> None:
    assert find_emulation(write(tmp_path, PI4), "aarch64") is None


def test_the_marker_is_believed_whatever_the_device_tree_says(tmp_path: Path) -> None:
    marker = json.dumps({"board": "pi4", "tier": "user", "emulator": "qemu-user 7.2.22 cortex-a72"})
    found = find_emulation(write(tmp_path, {**PI4, MARKER: marker}), "aarch64")
    assert found is not None
    assert found.tier == "user"
    assert "qemu-user 7.2.22 cortex-a72" in found.because


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
        ({"proc/self/smaps": "7f00-7f99 r-xp 0 fe:00 9 /usr/libexec/qemu-aarch64-static\n"}, "user"),
    ],
)
def test_traces_of_qemu_on_arm_count_without_a_marker(
    tmp_path: Path, traces: dict[str, str], tier: str
) -> None:
    found = find_emulation(write(tmp_path, {**PI4, **traces}), "aarch64")
    assert found is not None
    assert found.tier == tier


def test_an_x86_cloud_machine_has_a_real_processor(tmp_path: Path) -> None:
    files = {"sys/class/dmi/id/sys_vendor": "QEMU\n", "proc/cpuinfo": "vendor_id\t: GenuineIntel\n"}
    assert find_emulation(write(tmp_path, files), "x86_64") is None
