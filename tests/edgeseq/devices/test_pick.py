from __future__ import annotations

import pytest

from edgeseq.devices.local import LocalDevice
from edgeseq.devices.pick import device_names, pick_device
from edgeseq_device.errors import DeviceError, UsageError


def test_local_is_this_machine() -> None:
    device = pick_device("local")
    assert isinstance(device, LocalDevice)
    assert device.description


@pytest.mark.parametrize("name", ["pi4", "pi5"])
def test_a_board_without_a_host_is_the_virtual_one_and_says_so(name: str) -> None:
    device = pick_device(name)
    assert device.emulated
    assert "emulated" in device.description


@pytest.mark.parametrize("name", ["pi3", "zero2"])
def test_a_board_that_cannot_be_emulated_names_those_that_can(name: str) -> None:
    with pytest.raises(
        DeviceError, match=rf"{name}: no host is configured .*device add {name} .*local .*pi4, pi5"
    ):
        pick_device(name)


def test_an_unknown_device_names_the_nearest() -> None:
    with pytest.raises(UsageError, match='unknown device "pi44"; did you mean "pi4"'):
        pick_device("pi44")
    assert device_names()[0] == "local"
