"""Cooling between measurements: until it is about as cool as before, or does not get any cooler."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeseq_device.measuring.cooldown import STEADY_S, WARMER_C, cool_down
from edgeseq_device.measuring.request import Limits

BEFORE = {"temperature_c": 45.0}


class Board:
    """A processor that cools as the test says, by the seconds that are slept."""

    def __init__(self, root: Path, *temperatures_c: float) -> None:
        self.root, self.now_s, self.left = root, 1000.0, list(temperatures_c)
        zone = root / "sys/class/thermal/thermal_zone0"
        zone.mkdir(parents=True)
        (zone / "type").write_text("cpu-thermal\n")
        self.file = zone / "temp"
        self.tell()

    def tell(self) -> None:
        celsius = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        self.file.write_text(f"{celsius * 1000:.0f}\n")

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        self.tell()

    def waited_s(self, limits: Limits | None = None, before: dict[str, float | None] | None = None) -> float:
        wanted = BEFORE if before is None else before
        return cool_down(wanted, limits or Limits(), self.root, lambda: self.now_s, self.sleep)


def test_a_board_as_cool_as_before_is_not_waited_for(tmp_path: Path) -> None:
    assert Board(tmp_path, 45.0 + WARMER_C).waited_s() == 0


def test_a_warm_board_is_waited_for_until_it_is_about_as_cool_as_before(tmp_path: Path) -> None:
    assert Board(tmp_path, 60.0, 56.0, 52.0, 49.0, 47.5, 45.0).waited_s() == 4


def test_a_board_that_gets_no_cooler_is_not_waited_for_any_longer(tmp_path: Path) -> None:
    assert Board(tmp_path, 60.0, 55.0, 52.0).waited_s() == 2 + STEADY_S


def test_a_board_that_cools_slowly_is_given_its_time_but_no_more_than_the_limit(tmp_path: Path) -> None:
    board = Board(tmp_path, *[80.0 - 0.05 * second for second in range(400)])
    assert board.waited_s(Limits(cooldown_max_s=120.0)) == 120


@pytest.mark.parametrize("before", [{"temperature_c": None}, {}])
def test_a_board_without_a_temperature_is_not_waited_for(
    tmp_path: Path, before: dict[str, float | None]
) -> None:
    assert Board(tmp_path, 90.0).waited_s(before=before) == 0


def test_nobody_waits_when_the_limit_is_zero(tmp_path: Path) -> None:
    assert Board(tmp_path, 90.0).waited_s(Limits(cooldown_max_s=0.0)) == 0
