"""What can be said of virtual boards without making one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edgeseq.devices.emulated import apt, virtual
from edgeseq_device.errors import DeviceError, UsageError

needs_debian = pytest.mark.skipif(bool(apt.missing_tools()), reason="apt is not installed here")


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGESEQ_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@needs_debian
def test_status_tells_how_to_get_a_board_and_makes_none(empty_cache: Path) -> None:
    found = virtual.status("pi4")
    assert not found.ready
    assert found.bytes_on_disk == 0
    assert found.remedy is not None
    if not found.missing:
        assert "edgeseq bench --device pi4" in found.remedy
    assert not empty_cache.exists()


def test_a_board_without_an_emulator_names_those_with_one(empty_cache: Path) -> None:
    for ask in (virtual.prepare, virtual.status):
        with pytest.raises(UsageError, match="no virtual zero2, only pi4 and pi5"):
            ask("zero2")


def test_an_unknown_board_is_a_usage_error(empty_cache: Path) -> None:
    with pytest.raises(UsageError, match='did you mean "pi5"'):
        virtual.prepare("pi55")


@needs_debian
def test_a_missing_compiler_is_named_before_anything_is_fetched(
    empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("apt-get", "apt-config", "dpkg", "dpkg-deb", "tar"):
        (tools / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(tools))
    with pytest.raises(DeviceError, match=r"need .*gcc, libc6-dev.* run `apt-get install .*gcc libc6-dev"):
        virtual.prepare("pi4")
    assert virtual.status("pi4").missing[-2:] == ("gcc", "libc6-dev")
    assert not empty_cache.exists()


def test_a_machine_without_apt_gets_advice_not_a_crash(
    empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = virtual.status("pi5")
    assert not found.ready
    assert "Debian or Ubuntu" in found.missing[0]
    with pytest.raises(DeviceError, match="Debian or Ubuntu"):
        virtual.prepare("pi5")


@needs_debian
def test_a_folder_qemu_cannot_use_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGESEQ_CACHE_DIR", str(tmp_path / "a,b"))
    with pytest.raises(DeviceError, match="EDGESEQ_CACHE_DIR"):
        virtual.prepare("pi4")
