"""Removing what edgeseq put on a board, over a real SSH server."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import Any

import pytest

from edgeseq.devices.board import SshDevice
from edgeseq.devices.upkeep.cleaning import Cleaned, clean
from edgeseq_device.errors import DeviceError


@pytest.fixture
def board(loopback_board: Any) -> SshDevice:
    return SshDevice("pi4", loopback_board.destination(), "a board")


@pytest.fixture
def root(loopback_board: Any) -> Path:
    """A board's folder with something of each kind in it, and names that a shell could trip over."""
    root = Path(loopback_board.home) / ".edgeseq"
    for name in ("blobs", "python/cp311-0", "scratch/1-x", "deployed/digits/versions", "-rf", "a b; touch c"):
        (root / name).mkdir(parents=True)
    (root / "blobs" / "large").write_bytes(b"x" * 2_000_000)
    (root / "python" / "cp311-0" / "runtime.py").touch()
    (root / "python" / "cp311").symlink_to("cp311-0")
    (root / "lock").touch()
    (root / ".hidden").touch()
    (root.parent / "of the user").write_text("keep")
    return root


def test_what_is_deployed_and_the_runtimes_it_is_used_with_stay(board: SshDevice, root: Path) -> None:
    cleaned = clean(board, deployed=False)
    assert cleaned.removed_bytes >= 2_000_000
    assert cleaned.kept == ("digits",)
    assert sorted(each.name for each in root.iterdir()) == ["deployed", "lock", "python"]
    assert (root / "deployed/digits/versions").is_dir()
    assert (root / "python/cp311/runtime.py").exists()


def test_runtimes_go_where_nothing_is_deployed(board: SshDevice, root: Path) -> None:
    (root / "deployed/digits/versions").rmdir()
    (root / "deployed/digits").rmdir()
    assert clean(board, deployed=False).kept == ()
    assert [each.name for each in root.parent.iterdir()] == ["of the user"]


def test_everything_is_removed_when_asked(board: SshDevice, root: Path) -> None:
    (root / "deployed" / "a b; touch d" / "versions").mkdir(parents=True)
    assert clean(board, deployed=True).kept == ()
    assert [each.name for each in root.parent.iterdir()] == ["of the user"]
    assert clean(board, deployed=True) == Cleaned(0, ())


@pytest.mark.parametrize("name", ["lock", "deployed/digits/lock"])
def test_a_board_that_is_measured_on_or_deployed_to_is_left_alone(
    board: SshDevice, root: Path, name: str
) -> None:
    (root / "deployed/attic").mkdir()
    with (root / name).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(DeviceError, match="pi4: somebody measures on it or deploys to it; nothing was"):
            clean(board, deployed=True)
    assert (root / "blobs" / "large").exists()


def test_a_deployment_does_not_keep_the_rest_from_being_removed(board: SshDevice, root: Path) -> None:
    with (root / "deployed/digits/lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert clean(board, deployed=False).kept == ("digits",)


def test_a_folder_on_another_disk_is_emptied_and_the_link_to_it_stays(board: SshDevice, root: Path) -> None:
    elsewhere = root.rename(root.parent / "usb disk")
    root.symlink_to(elsewhere.name)
    clean(board, deployed=True)
    assert root.is_symlink()
    assert list(elsewhere.iterdir()) == []


def test_a_board_that_is_off_is_told(board: SshDevice, root: Path, loopback_board: Any) -> None:
    loopback_board.stop()
    with pytest.raises(DeviceError, match="pi4: "):
        clean(board, deployed=False)
    assert (root / "blobs" / "large").exists()
