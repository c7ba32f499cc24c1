"""The sources of the virtual boards."""

from __future__ import annotations

import pytest

from edgeseq.devices.sources import device_file, device_sources, read_system, virtualpi_sources
from edgeseq.devices.wheel_tables import wheel_table
from edgeseq_device.errors import DeviceError


def test_the_guest_runs_both_runtimes() -> None:
    table = wheel_table(read_system(virtualpi_sources()).wheel_tag)
    assert [pin.package for pin in table.pins] == ["numpy", "onnxruntime", "ai-edge-litert"]


def test_the_guest_is_raspberry_pi_os_bookworms_python() -> None:
    system = read_system(virtualpi_sources())
    assert (system.suite, system.python) == ("bookworm", "3.11")
    assert "python3.11-minimal" in system.guest_packages


def test_a_folder_that_is_missing_is_named() -> None:
    with pytest.raises(DeviceError, match="the folder absent is missing from this installation"):
        device_sources("absent")
    with pytest.raises(DeviceError, match=r"absent\.txt is missing from this installation"):
        device_file("absent.txt")
