"""The tables of wheels: what each board gets, and what it must have itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeseq.devices.profiles import profile
from edgeseq.devices.wheel_tables import read_wheel_table, wheel_table, wheel_tags
from edgeseq_device.errors import DeviceError

RASPBERRY_PI_OS = ("cp311-aarch64", "cp311-armv7l", "cp313-aarch64")


@pytest.mark.parametrize("tag", wheel_tags())
def test_every_table_is_pinned_by_content_and_runs_tflite(tag: str) -> None:
    table = wheel_table(tag)
    assert f"cp{table.python.replace('.', '')}-{table.machine}" == tag
    assert "tflite" in table.formats
    assert len({pin.sha256 for pin in table.pins}) == len(table.pins)
    assert (2, 17) <= table.glibc <= (2, 36)


@pytest.mark.parametrize("tag", wheel_tags())
def test_numpy_is_in_a_table_or_comes_from_debian(tag: str) -> None:
    table = wheel_table(tag)
    pinned = any(pin.package == "numpy" for pin in table.pins)
    assert pinned != ("python3-numpy" in table.system_packages)


def test_every_board_has_the_tables_of_its_profile() -> None:
    assert set(RASPBERRY_PI_OS) <= set(wheel_tags())
    assert {tag for board in ("zero2", "pi3", "pi4", "pi5") for tag in profile(board).wheel_tags} <= set(
        wheel_tags()
    )


def test_one_runtime_alone_brings_numpy_and_not_the_other() -> None:
    table = wheel_table("cp311-aarch64")
    assert [pin.package for pin in table.pins_for(["tflite"])] == ["numpy", "ai-edge-litert"]
    assert [pin.package for pin in table.pins_for(["onnx"])] == ["numpy", "onnxruntime"]
    assert table.pins_for(table.formats) == table.pins


def test_a_format_without_a_runtime_is_refused() -> None:
    with pytest.raises(DeviceError, match=r"3\.11 on armv7l: there is no runtime for onnx, only for tflite"):
        wheel_table("cp311-armv7l").pins_for(["tflite", "onnx"])


def test_an_unknown_python_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(DeviceError, match=r"cp38-aarch64; there is for: .*cp311-aarch64"):
        wheel_table("cp38-aarch64")


@pytest.mark.parametrize(
    "content",
    ["numpy==2.4.6\n", "# glibc: 2.34\nnumpy>=2\n", "# glibc: new\n", "-r other.txt\n"],
)
def test_a_table_that_is_not_pinned_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "cp311-aarch64.txt").write_text(content)
    with pytest.raises(DeviceError, match="reinstall edgeseq"):
        read_wheel_table(tmp_path / "cp311-aarch64.txt")


def test_a_requirement_line_is_what_the_table_has() -> None:
    table = wheel_table("cp311-aarch64")
    lines = table.path.read_text("utf-8").splitlines()
    assert [pin.line for pin in table.pins] == [line for line in lines if not line.startswith("#")]
