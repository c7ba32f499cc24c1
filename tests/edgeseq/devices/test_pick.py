from __future__ import annotations

from pathlib import Path

import pytest

from edgeseq.devices import pick
from edgeseq.devices.local import LocalDevice
from edgeseq.devices.machine.state import Running
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


@pytest.mark.parametrize("name", ["local", "virtual-pi", "pi3"])
def test_what_has_no_virtual_form_says_so_and_names_those_that_do(name: str) -> None:
    with pytest.raises(UsageError, match=f"there is no virtual form of {name}; virtual ones: pi4, pi5"):
        pick_device(name, emulate=True)


def test_a_container_on_this_machine_asks_for_a_board() -> None:
    with pytest.raises(UsageError, match=r"name a board .* with --device"):
        pick_device("local", image="an-image")


def test_the_virtual_machine_is_known_to_be_emulated_before_its_agent_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    running = Running(1, 2222, 256_000_000, 2, 64, "qemu-system 7.2.22 cortex-a72", tmp_path)
    monkeypatch.setattr(pick.machine, "running", lambda: running)
    assert pick_device("virtual-pi").emulated is True


@pytest.mark.parametrize("image", ["-v", "--privileged", ""])
def test_an_image_that_docker_could_take_for_an_option_is_refused(image: str) -> None:
    with pytest.raises(UsageError, match=r"--image .*: not a name of an image"):
        pick_device("pi4", image=image)
