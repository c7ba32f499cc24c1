"""Board profiles."""

from __future__ import annotations

import pytest

from edgeseq.devices.profiles import profile, profile_names, virtual_board_names
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
