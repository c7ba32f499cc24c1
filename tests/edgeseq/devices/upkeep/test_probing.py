"""The first look at a board, which needs its shell alone."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from edgeseq.devices.ssh.connection import Connection
from edgeseq.devices.upkeep.probing import look_at, parse_look
from edgeseq_device.errors import DeviceError

PI_WITH_32_BITS = """\
machine aarch64
kernel 6.6.51+rpt-rpi-v8
bits 32
clock 1750000000
writable yes
disk /dev/mmcblk0p2 29836944 4837568 23632380 17% /
MemTotal:        3884224 kB
MemAvailable:    3515392 kB
python python3 Python 3.11.2
python python3.11 Python 3.11.2
"""


def test_a_32_bit_system_on_a_64_bit_kernel_is_seen() -> None:
    look = parse_look(PI_WITH_32_BITS)
    assert (look.machine, look.bits) == ("aarch64", 32)
    assert (look.python, look.python_version, look.pythons) == (
        "3.11.2",
        (3, 11, 2),
        ("python3", "python3.11"),
    )
    assert (look.disk_free_bytes, look.ram_bytes) == (23632380 * 1024, 3884224 * 1024)
    assert look.ram_available_bytes == 3515392 * 1024
    assert (look.clock_s, look.writable) == (1750000000, True)


def test_what_a_board_does_not_tell_is_none() -> None:
    look = parse_look("machine armv7l\nkernel 5.10\nbits \nclock x\ndisk df: not found\n")
    assert (look.bits, look.clock_s, look.disk_free_bytes, look.ram_bytes) == (None, None, None, None)
    assert (look.python, look.python_version, look.pythons, look.writable) == (None, (), (), False)


def test_a_python_that_does_not_start_is_none() -> None:
    said = "python python3 python3: error while loading shared libraries: libpython3.11.so.1.0\n"
    assert parse_look(said).python is None


def test_a_disk_with_blanks_in_its_name_is_read() -> None:
    assert parse_look("disk //nas/my share 1000 600 400 60% /home/my pi\n").disk_free_bytes == 400 * 1024


def test_nothing_that_a_board_says_reaches_the_terminal_as_it_is() -> None:
    assert parse_look("machine \x1b[31maarch64\x07\n").machine == "[31maarch64"


def test_a_real_board_is_looked_at_and_left_as_it_was(loopback_board: Any) -> None:
    with Connection(loopback_board.destination(), "pi4") as connection:
        look = look_at(connection)
    assert look.machine
    assert look.bits in (32, 64)
    assert look.writable
    assert look.clock_s is not None
    assert abs(look.clock_s - time.time()) < 600
    assert look.disk_free_bytes
    assert look.ram_bytes
    assert list(Path(loopback_board.home).iterdir()) == []


def test_a_machine_that_is_no_linux_is_told(start_loopback: Any, tmp_path: Path) -> None:
    uname = tmp_path / "uname"
    uname.write_text("#!/bin/sh\nexit 1\n")
    uname.chmod(0o755)
    board = start_loopback(path=f"{tmp_path}:{os.environ['PATH']}")
    with (
        Connection(board.destination(), "pi4") as connection,
        pytest.raises(DeviceError, match="pi4: is no Linux board: its shell answers 'machine"),
    ):
        look_at(connection)
