"""Provenance: what a machine's own files say of it."""

from __future__ import annotations

import json
import platform
from pathlib import Path

from edgeseq_device.emulation import MARKER
from edgeseq_device.system import cpu_features, cpu_model, describe_system

PI5_CPUINFO = """processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x4
CPU part\t: 0xd0b
CPU revision\t: 1

Revision\t: d04170
Model\t\t: Raspberry Pi 5 Model B Rev 1.0
"""
X86_CPUINFO = """processor\t: 0
vendor_id\t: AuthenticAMD
model name\t: AMD EPYC 9B14
flags\t\t: fpu sse sse4_2 avx avx2 avx512_vnni hypervisor rdtscp
"""


def board(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


def test_a_pi_5_is_described_from_its_files(tmp_path: Path) -> None:
    root = board(
        tmp_path,
        {
            "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
            "proc/cpuinfo": PI5_CPUINFO,
            "proc/meminfo": "MemTotal:        4130176 kB\nMemFree: 1 kB\n",
            "etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
        },
    )
    found = describe_system(root, "aarch64")
    assert found["board_model"] == "Raspberry Pi 5 Model B Rev 1.0"
    assert found["cpu_model"] == "ARM Cortex-A76 (0x41/0xd0b)"
    assert found["ram_bytes"] == 4130176 * 1024
    assert found["os"] == "Debian GNU/Linux 12 (bookworm)"
    assert (found["emulated"], found["emulated_because"], found["warnings"]) == (False, None, [])
    assert "asimddp" in cpu_features(PI5_CPUINFO)


def test_an_x86_processor_shows_the_features_that_choose_kernels() -> None:
    assert cpu_model(X86_CPUINFO) == "AMD EPYC 9B14"
    assert cpu_features(X86_CPUINFO) == ["avx", "avx2", "avx512_vnni", "sse4_2"]


def test_an_unknown_arm_core_keeps_its_numbers() -> None:
    assert cpu_model("CPU implementer : 0x99\nCPU part : 0x123\n") == "unknown ARM core (0x99/0x123)"


def test_a_virtual_machine_is_real_but_warned_about(tmp_path: Path) -> None:
    root = board(tmp_path, {"proc/cpuinfo": X86_CPUINFO, "sys/class/dmi/id/sys_vendor": "Google\n"})
    found = describe_system(root, "x86_64")
    assert found["emulated"] is False
    assert found["warnings"] == ["this is a virtual machine (Google): others may share its cores"]


def test_a_virtual_board_says_so_and_claims_none_of_the_hosts_ram(tmp_path: Path) -> None:
    marker = json.dumps({"board": "pi5", "tier": "user", "emulator": "qemu-user 7.2.22 cortex-a76"})
    root = board(
        tmp_path, {MARKER: marker, "proc/cpuinfo": PI5_CPUINFO, "proc/meminfo": "MemTotal: 9999 kB\n"}
    )
    found = describe_system(root, "aarch64")
    assert found["emulated"] is True
    assert "cortex-a76" in str(found["emulated_because"])
    assert (found["ram_bytes"], found["cores"]) == (None, None)


def test_this_machine_can_be_described_and_written_as_json() -> None:
    found = describe_system()
    assert found["machine"] == platform.machine()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
