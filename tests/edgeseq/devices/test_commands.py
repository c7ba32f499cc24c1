"""Running other programs and telling why they failed."""

from __future__ import annotations

import os
import sys

import pytest

from edgeseq.devices.commands import fault, follow, output_of
from edgeseq_device.errors import DeviceError, EdgeseqError


def test_output_and_errors_come_line_by_line_with_the_exit_status() -> None:
    seen: list[str] = []
    code = "import sys; print('one', flush=True); print('two', file=sys.stderr); sys.exit(3)"
    exit_status, said = follow([sys.executable, "-c", code], os.environ, seen.append)
    assert (exit_status, said, seen) == (3, ["one", "two"], ["one", "two"])


def test_a_failure_ends_with_the_programs_last_line() -> None:
    code = "import sys; sys.exit('first\\nlast')"
    with pytest.raises(DeviceError, match=r"^it broke: last;"):
        output_of([sys.executable, "-c", code], os.environ, "it broke")


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(DeviceError, match="it broke: /nowhere/prog"):
        output_of(["/nowhere/prog"], os.environ, "it broke")


def test_a_full_disk_is_not_blamed_on_the_device() -> None:
    full = fault("unpacking", "tar: x: Cannot write: No space left on device")
    assert (type(full), full.exit_code) == (EdgeseqError, 1)
    assert fault("unpacking", "corrupt").exit_code == 5
