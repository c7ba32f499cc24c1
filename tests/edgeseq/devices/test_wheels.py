"""Fetching and unpacking a board's wheels: only pinned content, only inside the folder."""

from __future__ import annotations

import hashlib
import stat
import zipfile
from pathlib import Path

import pytest

from edgeseq.devices.wheels import fetch_wheels, has_pip
from edgeseq_device.errors import DataError, DeviceError
from edgeseq_device.unzip import unzip

WHEEL = "tiny-1.0-cp311-cp311-manylinux_2_28_aarch64.whl"
needs_pip = pytest.mark.skipif(not has_pip(), reason="this Python has no pip")


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one real aarch64 wheel, the only place pip may look in."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    with zipfile.ZipFile(folder / WHEEL, "w") as archive:
        archive.writestr("tiny/__init__.py", "answer = 42\n")
        archive.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        archive.writestr(
            "tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: cp311-cp311-manylinux_2_28_aarch64\n"
        )
        archive.writestr("tiny-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def fetch(shelf: Path, pin: str) -> list[Path]:
    requirements = shelf / "wheels.txt"
    requirements.write_text(f"# ours\n{pin}\n")
    platforms = ("manylinux_2_28_aarch64",)
    return fetch_wheels(requirements, "3.11", platforms, shelf.parent / "got", lambda _fraction, _label: None)


@needs_pip
def test_another_machines_wheel_is_fetched_and_unpacked(shelf: Path, tmp_path: Path) -> None:
    digest = hashlib.sha256((shelf / WHEEL).read_bytes()).hexdigest()
    wheels = fetch(shelf, f"tiny==1.0 --hash=sha256:{digest}")
    assert [wheel.name for wheel in wheels] == [WHEEL]
    unzip(wheels[0], tmp_path / "site", WHEEL)
    assert (tmp_path / "site/tiny/__init__.py").read_text() == "answer = 42\n"


@needs_pip
def test_a_wheel_of_other_content_is_refused(shelf: Path) -> None:
    with pytest.raises(DeviceError, match="fetching the board's Python packages failed"):
        fetch(shelf, f"tiny==1.0 --hash=sha256:{'0' * 64}")
    assert list(shelf.parent.glob("got/*.whl")) == []


@needs_pip
def test_a_wheel_that_is_nowhere_is_named(shelf: Path) -> None:
    with pytest.raises(DeviceError, match="absent"):
        fetch(shelf, f"absent==1.0 --hash=sha256:{'0' * 64}")


@pytest.mark.parametrize("name", ["../out.py", "/abs.py", "a/../../out.py", "a\\..\\out.py"])
def test_a_member_that_would_land_outside_is_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / WHEEL, "w") as archive:
        archive.writestr("fine.py", "")
        archive.writestr(name, "")
    with pytest.raises(DataError, match="points outside"):
        unzip(tmp_path / WHEEL, tmp_path / "site", WHEEL)
    assert not (tmp_path / "site").exists()


def test_a_link_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / WHEEL, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(DataError, match="'link' is a link or"):
        unzip(tmp_path / WHEEL, tmp_path / "site", WHEEL)
