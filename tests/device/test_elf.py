from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest

from edgeseq_device.elf import elf_machine, python_machine


def elf(bits: int, machine: int, order: str = "little") -> bytes:
    """The first 20 bytes of an ELF file."""
    kind = bytes([1 if bits == 32 else 2, 1 if order == "little" else 2, 1])
    return (b"\x7fELF" + kind).ljust(18, b"\0") + machine.to_bytes(2, order)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "machine"),
    [
        (elf(64, 0xB7), "aarch64"),
        (elf(32, 0x28), "armv7l"),
        (elf(64, 0x3E), "x86_64"),
        (elf(32, 0x08, "big"), "class 1, e_machine 0x8"),
        (b"", None),
        (b"\x7fELF", None),
        (b"#!/bin/sh\necho a script\n", None),
    ],
)
def test_a_file_is_for_the_machine_in_its_header(tmp_path: Path, content: bytes, machine: str | None) -> None:
    (tmp_path / "file").write_bytes(content)
    assert elf_machine(tmp_path / "file") == machine


def test_this_python_is_for_this_machine() -> None:
    assert python_machine() == elf_machine(Path(sys.executable).resolve())


@pytest.mark.parametrize(
    ("content", "kernel", "machine"),
    [
        (elf(32, 0x28), "aarch64", "armv7l"),
        (elf(32, 0x28), "armv7l", "armv7l"),
        (elf(32, 0x28), "armv6l", "armv6l"),
        (elf(64, 0xB7), "aarch64", "aarch64"),
    ],
)
def test_the_python_counts_and_not_the_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, kernel: str, machine: str
) -> None:
    """A 64-bit kernel may carry a 32-bit system, as Raspberry Pi OS did for years."""
    (tmp_path / "python").write_bytes(content)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(platform, "machine", lambda: kernel)
    assert python_machine() == machine
