"""Memory readings: parsing of the kernel's tables, and this process's own figures."""

from __future__ import annotations

import subprocess
import sys

import pytest

from edgeseq_device.measuring import memory

STATUS = """Name:\tpython3.11
VmPeak:\t  354748 kB
VmHWM:\t   79784 kB
VmRSS:\t   70000 kB
Threads:\t2
"""

# Python under qemu-user: the guest's own view ...
MAPS = """00400000-00916000 r-xp 00000000 fe:00 5409156                  /root/usr/bin/python3.11
0092f000-00930000 r--p 0051f000 fe:00 5409156                  /root/usr/bin/python3.11
5500001000-5500801000 rw-p 00000000 00:00 0                    [stack]
"""
# ... and the host's, whose addresses are 0x10000000 higher here and whose last two mappings are QEMU's own.
SMAPS = """10400000-10916000 r--p 00000000 fe:00 5409156                            /root/usr/bin/python3.11
Size:               5208 kB
Rss:                3776 kB
Pss:                1888 kB
VmFlags: rd mr mw me
1092f000-10930000 r--p 0051f000 fe:00 5409156                            /root/usr/bin/python3.11
Rss:                   4 kB
Pss:                   4 kB
5510001000-5510801000 rw-p 00000000 00:00 0
Rss:                 100 kB
Pss:                 100 kB
7f0000000000-7f0008000000 rwxp 00000000 00:00 0
Rss:               30000 kB
Pss:               30000 kB
7f0010000000-7f0010500000 r-xp 00000000 fe:00 99                         /usr/bin/qemu-aarch64
Rss:                5000 kB
Pss:                5000 kB
"""


def test_status_figures_are_bytes() -> None:
    assert memory.status_bytes(STATUS.splitlines(), "VmHWM") == 79784 * 1024


def test_a_figure_the_kernel_does_not_keep_is_none() -> None:
    assert memory.status_bytes(STATUS.splitlines(), "VmSwap") is None


def test_guest_figures_leave_the_emulator_out() -> None:
    resident = memory.guest_resident(MAPS.splitlines(), SMAPS.splitlines())
    assert resident.rss_bytes == (3776 + 4 + 100) * 1024
    assert resident.pss_bytes == (1888 + 4 + 100) * 1024


def test_guest_figures_need_no_offset_when_addresses_agree() -> None:
    smaps = SMAPS.replace("10400000-10916000", "00400000-00916000").replace(
        "1092f000-10930000", "0092f000-00930000"
    )
    smaps = smaps.replace("5510001000-5510801000", "5500001000-5500801000")
    assert memory.guest_resident(MAPS.splitlines(), smaps.splitlines()).rss_bytes == 3880 * 1024


def test_a_line_of_figures_is_no_mapping() -> None:
    assert memory.parse_mapping("Rss:                3776 kB") is None


def test_touched_memory_shows_up_in_rss_and_pss() -> None:
    """In a process that shares little: the share of a library changes with every other one that loads it."""
    script = (
        "from edgeseq_device.measuring import memory; figures = memory.rss_bytes, memory.pss_bytes; "
        "before = [each() for each in figures]; block = bytearray(b'x') * 50_000_000; "
        "print(*(each() - then for each, then in zip(figures, before)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert [int(each) for each in done.stdout.split()] == pytest.approx([50_000_000] * 2, rel=0.1)


def test_the_peak_outlives_the_memory_that_made_it() -> None:
    script = (
        "from edgeseq_device.measuring import memory; "
        "block = bytearray(b'x') * 80_000_000; high = memory.rss_bytes(); "
        "del block; print(high, memory.rss_bytes(), memory.peak_rss_bytes())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    high, low, peak = map(int, done.stdout.split())
    assert peak == pytest.approx(high, rel=0.02)
    assert low < high - 70_000_000
