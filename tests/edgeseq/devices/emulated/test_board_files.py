"""The imitated files of a board, read back by the device's own code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgeseq.devices.emulated.board_files import board_files, read_imitation
from edgeseq.devices.emulated.rootfs import write_files
from edgeseq.devices.profiles import profile, virtual_board_names
from edgeseq.devices.sources import virtualpi_sources
from edgeseq_device.errors import DataError
from edgeseq_device.system import describe_system


@pytest.fixture(params=virtual_board_names())
def board(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_device_code_takes_it_for_that_board_and_knows_it_is_virtual(board: str, tmp_path: Path) -> None:
    imitation = read_imitation(virtualpi_sources() / f"boards/{board}.json")
    write_files(tmp_path, board_files(profile(board), imitation, "bookworm", "qemu-user 7.2 some-core"))
    found = describe_system(tmp_path, "aarch64")
    assert found["board_model"] == imitation.model
    assert profile(board).cpu in str(found["cpu_model"])
    assert found["cpu_features"] == sorted(profile(board).features)
    assert found["os"] == "Debian GNU/Linux (bookworm)"
    assert found["emulated"] is True
    assert "qemu-user 7.2 some-core" in str(found["emulated_because"])


def test_every_core_has_its_files() -> None:
    imitation = read_imitation(virtualpi_sources() / "boards/pi5.json")
    files = board_files(profile("pi5"), imitation, "bookworm", "")
    assert files["proc/cpuinfo"].count("processor\t") == 4
    assert files["sys/devices/system/cpu/online"] == "0-3\n"
    assert files["sys/devices/system/cpu/cpu3/cache/index2/size"] == "512K\n"
    assert files["sys/devices/system/cpu/cpu3/cache/index2/shared_cpu_list"] == "3\n"
    assert files["sys/devices/system/cpu/cpu3/cache/index3/shared_cpu_list"] == "0-3\n"


def test_an_unknown_key_is_refused_by_its_name(tmp_path: Path) -> None:
    content = json.loads((virtualpi_sources() / "boards/pi4.json").read_text())
    path = tmp_path / "pi4.json"
    path.write_text(json.dumps({**content, "cache": []}))
    with pytest.raises(DataError, match=r'pi4\.json: unknown key "cache"; did you mean "caches"'):
        read_imitation(path)
