"""Board profiles."""

from __future__ import annotations

import pytest

from edgeseq.devices.profiles import profile, profile_names, virtual_board_names
from edgeseq.devices.wheel_tables import wheel_tags
from edgeseq_device.errors import UsageError


def test_the_boards_of_the_command_line_are_known() -> None:
    assert set(profile_names()) >= {"pi3", "pi4", "pi5", "zero2"}


def test_an_unknown_board_names_the_nearest() -> None:
    with pytest.raises(UsageError, match=r'unknown device "pi44".*did you mean "pi4"'):
        profile("pi44")


def test_only_the_pi_5_has_the_int8_dot_product() -> None:
    assert [name for name in profile_names() if profile(name).has_dot_product] == ["pi5"]


def test_virtual_boards_imitate_their_own_core_and_never_all_features() -> None:
    assert virtual_board_names() == ("pi4", "pi5")
    for name in virtual_board_names():
        found = profile(name)
        assert found.qemu_cpu == found.cpu.lower()  # `max` computes wrong int8 answers


def test_kinds_of_boards_have_a_processor_and_no_figures() -> None:
    for name, machine, platform in (
        ("aarch64", "aarch64", "linux/arm64"),
        ("armv7", "armv7l", "linux/arm/v7"),
    ):
        found = profile(name)
        assert (found.machine, found.docker_platform) == (machine, platform)
        assert found.cpu is found.cores is found.ram_bytes is found.qemu_cpu is None


def test_a_board_has_wheels_and_images_for_its_own_processor() -> None:
    platforms = {"aarch64": "linux/arm64", "armv7l": "linux/arm/v7"}
    for name in profile_names():
        found = profile(name)
        assert found.docker_platform == platforms[found.machine]
        assert {tag.partition("-")[2] for tag in found.wheel_tags} == {found.machine}
        assert set(found.wheel_tags) <= set(wheel_tags())


def test_a_board_is_exported_for_under_its_own_name() -> None:
    assert {name: profile(name).target for name in profile_names()} == {
        "aarch64": "generic",
        "armv7": "armv7",
        **{name: name for name in ("pi3", "pi4", "pi5", "zero2")},
    }
