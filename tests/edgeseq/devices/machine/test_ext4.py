"""A disk image has the files of a folder with the owners and permissions that the machine needs."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from edgeseq.devices.machine import run
from edgeseq.devices.machine.ext4 import Attributes, Tools, write_ext4
from edgeseq.devices.machine.qemu import DEBUGFS
from edgeseq_device.errors import DeviceError

_MISSING = run.missing_packages()
pytestmark = [
    pytest.mark.virtual_board,
    pytest.mark.skipif(bool(_MISSING), reason=f"not installed here: {', '.join(_MISSING)}"),
]


@pytest.fixture(scope="module")
def tools() -> Tools:
    plan = run.prepare()
    return Tools(plan.qemu / "root", plan.user.architecture)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Files as a user with a strict umask has them, some of them somebody else's where that can be."""
    folder = tmp_path / "source"
    (folder / "home/pi").mkdir(parents=True)
    (folder / "etc").mkdir()
    (folder / "etc/two words").write_text("content\n")
    (folder / "etc/link").symlink_to("two words")
    (folder / "tool").write_text("#!/bin/sh\n")
    (folder / "home/pi/file").write_text("x")
    for path in folder.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o700)
        if os.getuid() == 0:
            os.lchown(path, 4321, 4321)
    return folder


def attributes(path: Path) -> Attributes:
    return Attributes(
        1000 if path.parts[0] == "home" else 0, 0o644 if path.parts[-1] == "two words" else 0o755
    )


def look(image: Path, tools: Tools, command: str) -> str:
    done = subprocess.run(
        [*tools.argv(DEBUGFS), "-R", command, str(image)], capture_output=True, text=True, check=True
    )
    return done.stdout


def owner_and_mode(image: Path, tools: Tools, path: str) -> tuple[int, int, str]:
    told = look(image, tools, f'stat "{path}"')
    mode, user, group = (re.search(rf"{word}:\s*(\d+)", told) for word in ("Mode", "User", "Group"))
    assert mode
    assert user
    assert group
    return int(user[1]), int(group[1]), mode[1]


def test_owners_and_permissions_are_the_machines_and_not_the_hosts(
    source: Path, tools: Tools, tmp_path: Path
) -> None:
    image = tmp_path / "disk"
    write_ext4(source, image, 8_000_000, attributes, tools)
    assert owner_and_mode(image, tools, "/") == (0, 0, "0755")
    assert owner_and_mode(image, tools, "/etc") == (0, 0, "0755")
    assert owner_and_mode(image, tools, "/etc/two words") == (0, 0, "0644")
    assert owner_and_mode(image, tools, "/etc/link")[:2] == (0, 0)
    assert owner_and_mode(image, tools, "/tool") == (0, 0, "0755")
    assert owner_and_mode(image, tools, "/home/pi/file") == (1000, 1000, "0755")
    assert look(image, tools, 'cat "/etc/two words"') == "content\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk", "source"]
    assert image.stat().st_mode & 0o777 == 0o600  # it may hold private keys


def test_room_for_the_machines_user_takes_no_room_here(source: Path, tools: Tools, tmp_path: Path) -> None:
    image = tmp_path / "disk"
    write_ext4(source, image, 500_000_000, attributes, tools)
    assert image.stat().st_size > 500_000_000
    assert image.stat().st_blocks * 512 < 40_000_000


def test_more_than_fits_is_an_error_that_names_the_image(source: Path, tools: Tools, tmp_path: Path) -> None:
    (source / "large").write_bytes(os.urandom(90_000_000))
    with pytest.raises(DeviceError, match="disk cannot be written"):
        write_ext4(source, tmp_path / "disk", 1_000_000, attributes, tools)


def test_a_name_that_would_end_a_command_is_refused(source: Path, tools: Tools, tmp_path: Path) -> None:
    (source / 'a" 0\nrm "b').write_text("")
    with pytest.raises(DeviceError, match="quotation mark"):
        write_ext4(source, tmp_path / "disk", 8_000_000, attributes, tools)
