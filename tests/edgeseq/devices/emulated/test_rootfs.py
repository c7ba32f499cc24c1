"""Unpacking Debian packages into a merged-/usr tree."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from edgeseq.devices.emulated.rootfs import link_root, make_root, unpack, write_files
from edgeseq_device.errors import DeviceError

needs_dpkg = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg-deb is not installed here")


def quiet(_fraction: float, _label: str) -> None:
    """No progress wanted."""


def package(folder: Path, name: str, files: dict[str, str]) -> Path:
    """A real .deb with these files."""
    tree = folder / f"{name}-tree"
    write_files(tree, files)
    control = f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: a\nDescription: a test\n"
    write_files(tree, {"DEBIAN/control": control})
    path = folder / f"{name}_1_all.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-b", str(tree), str(path)], check=True, capture_output=True
    )
    return path


@needs_dpkg
def test_an_old_path_lands_in_usr_and_documentation_stays_out(tmp_path: Path) -> None:
    files = {"lib/libold.so": "old", "usr/lib/libnew.so": "new", "usr/share/doc/x/copyright": "text"}
    make_root(tmp_path / "root")
    unpack([package(tmp_path, "both", files)], tmp_path / "root", quiet)
    assert (tmp_path / "root/usr/lib/libold.so").read_text() == "old"
    assert (tmp_path / "root/lib/libnew.so").read_text() == "new"
    assert (tmp_path / "root/lib").is_symlink()
    assert not (tmp_path / "root/usr/share/doc").exists()


@needs_dpkg
def test_only_the_wanted_members_of_a_package_are_unpacked(tmp_path: Path) -> None:
    files = {"usr/bin/wanted": "w", "usr/bin/other": "o"}
    make_root(tmp_path / "root")
    unpack(
        [package(tmp_path, "many", files)], tmp_path / "root", quiet, members={"many": ("./usr/bin/wanted",)}
    )
    assert [path.name for path in (tmp_path / "root/usr/bin").iterdir()] == ["wanted"]


@needs_dpkg
def test_a_damaged_package_is_named(tmp_path: Path) -> None:
    path = package(tmp_path, "cut", {"usr/bin/x": "x" * 100_000})
    path.write_bytes(path.read_bytes()[:-60])
    make_root(tmp_path / "root")
    with pytest.raises(DeviceError, match=r"cut_1_all\.deb cannot be unpacked"):
        unpack([path], tmp_path / "root", quiet)


def test_a_boards_root_shares_the_common_files_and_keeps_its_own(tmp_path: Path) -> None:
    make_root(tmp_path / "common")
    write_files(tmp_path / "common", {"usr/lib/shared": "s", "etc/passwd": "not linked"})
    (tmp_path / "board").mkdir()
    link_root(tmp_path / "board/root", tmp_path / "common", "../../common")
    write_files(tmp_path / "board/root", {"etc/own": "mine"})
    assert (tmp_path / "board/root/lib/shared").read_text() == "s"
    assert not (tmp_path / "common/etc/own").exists()
    assert not (tmp_path / "board/root/etc/passwd").exists()
