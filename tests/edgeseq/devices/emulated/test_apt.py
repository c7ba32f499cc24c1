"""Fetching with a private apt: nothing that is not signed, nothing outside its folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edgeseq.devices.emulated import apt
from edgeseq.devices.emulated.apt_sources import KEYRING
from edgeseq_device.errors import DeviceError

pytestmark = pytest.mark.skipif(
    bool(apt.missing_tools()) or not KEYRING.is_file(),
    reason="apt or debian-archive-keyring is not installed here",
)


def quiet(_fraction: float, _label: str) -> None:
    """No progress wanted."""


def unsigned_mirror(folder: Path) -> str:
    dist = folder / "dists/bookworm/main/binary-arm64"
    dist.mkdir(parents=True)
    (dist / "Packages").write_text("Package: python3.11-minimal\nVersion: 6.6.6\nArchitecture: arm64\n")
    (folder / "dists/bookworm/Release").write_text(
        "Suite: bookworm\nComponents: main\nArchitectures: arm64\n"
    )
    return f"deb [arch=arm64 signed-by={KEYRING}] file:{folder} bookworm main\n"


def test_a_mirror_that_debian_did_not_sign_is_refused(tmp_path: Path) -> None:
    sources = unsigned_mirror(tmp_path / "mirror")
    with pytest.raises(DeviceError, match=r"reading Debian's index for arm64 failed: .*not signed"):
        apt.fetch(["python3.11-minimal"], "arm64", sources, tmp_path / "fetched", quiet)


def test_a_mirror_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    sources = f"deb [signed-by={KEYRING}] file:{tmp_path}/nowhere bookworm main\n"
    with pytest.raises(DeviceError, match=r"nowhere"):
        apt.fetch(["python3.11-minimal"], "arm64", sources, tmp_path / "fetched", quiet)


def test_a_folder_apt_cannot_name_is_refused_before_apt_runs(tmp_path: Path) -> None:
    folder = tmp_path / 'a"b'
    with pytest.raises(DeviceError, match="EDGESEQ_CACHE_DIR"):
        apt.fetch(["python3.11-minimal"], "arm64", "", folder, quiet)


def test_the_hosts_architecture_has_debians_name() -> None:
    assert apt.host_architecture() in {"amd64", "arm64", "i386", "armhf", "riscv64", "ppc64el", "s390x"}


def test_a_machine_without_apt_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("apt-get") is None
    assert apt.missing_tools() == ["apt", "dpkg", "tar"]
    with pytest.raises(DeviceError, match="Debian or Ubuntu"):
        apt.host_architecture()
