"""The agent's archive in a board's folder: unpacked once, and again whenever that came to harm."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from edgeseq.devices.agent_link import agent_archive
from edgeseq_device import layout
from edgeseq_device.board import archive_main
from edgeseq_device.board.archive_main import AGENTS, BLOBS, LIST, UNUSED_S, is_whole, unpacked

SAID = "usage: agent.pyz"  # by the code of the package, which was found


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    blob = tmp_path / "it's a root" / BLOBS / ("a" * 64)
    blob.parent.mkdir(parents=True)
    shutil.copy(agent_archive(), blob)
    return blob


@pytest.fixture
def folder(archive: Path) -> Path:
    """The unpacked agent, used just now."""
    return Path(str(unpacked(str(archive))))


def start(archive: Path, before: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [*before, sys.executable, str(archive)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def leftovers(folder: Path) -> list[str]:
    return [each.name for each in folder.parent.iterdir() if each != folder]


def test_the_names_are_those_of_the_layout() -> None:
    assert (BLOBS, AGENTS) == (layout.BLOBS, layout.AGENTS)


def test_an_agent_runs_from_its_folder_and_one_elsewhere_from_the_archive(
    archive: Path, tmp_path: Path
) -> None:
    assert SAID in start(archive).stderr
    folder = archive.parents[1] / AGENTS / archive.name
    assert is_whole(str(folder))
    assert unpacked(str(archive.rename(tmp_path / "agent.pyz"))) is None


@pytest.mark.parametrize("name", ["edgeseq_device/__main__.py", "edgeseq_device/board/probe.py", LIST])
@pytest.mark.parametrize("harm", ["emptied", "removed"])
def test_a_folder_that_came_to_harm_is_unpacked_anew(
    archive: Path, folder: Path, name: str, harm: str
) -> None:
    content = (folder / name).read_bytes()
    (folder / name).unlink()
    if harm == "emptied":
        (folder / name).touch()
    assert not is_whole(str(folder))
    assert unpacked(str(archive)) == str(folder)
    assert (folder / name).read_bytes() == content
    assert leftovers(folder) == []


def test_a_disk_that_is_full_at_the_first_start_leaves_nothing_and_the_agent_runs(archive: Path) -> None:
    limited = ("/bin/sh", "-c", 'ulimit -f 10; exec "$@"', "sh")  # blocks of 512 bytes
    assert SAID in start(archive, limited).stderr
    assert list((archive.parents[1] / AGENTS).iterdir()) == []
    assert SAID in start(archive).stderr
    assert is_whole(str(archive.parents[1] / AGENTS / archive.name))


def test_what_a_killed_agent_left_is_removed(archive: Path) -> None:
    for name in (f"{archive.name}.new", f"{'b' * 64}.new"):
        (archive.parents[1] / AGENTS / name / "edgeseq_device").mkdir(parents=True)
    folder = Path(str(unpacked(str(archive))))
    assert leftovers(folder) == []


def test_a_folder_gets_its_name_when_it_is_on_the_disk(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    rename = os.rename

    def renamed(old: str, new: str) -> None:
        done.append("rename")
        assert is_whole(old)
        rename(old, new)

    monkeypatch.setattr(archive_main.os, "sync", lambda: done.append("sync"))
    monkeypatch.setattr(archive_main.os, "rename", renamed)
    unpacked(str(archive))
    assert done == ["sync", "rename"]


def test_versions_and_blobs_that_nobody_uses_go_with_the_next_version(archive: Path, folder: Path) -> None:
    old = time.time() - UNUSED_S - 1
    for name, used in (("b" * 64, old), ("c" * 64, time.time())):
        shutil.copytree(folder, folder.parent / name)
        os.utime(folder.parent / name / LIST, (used, used))
        (archive.parent / name).touch()
        os.utime(archive.parent / name, (used, used))
    shutil.rmtree(folder)
    unpacked(str(archive))
    assert leftovers(folder) == ["c" * 64]
    assert sorted(each.name for each in archive.parent.iterdir()) == ["a" * 64, "c" * 64]


def test_what_came_with_the_agent_stays_whatever_the_clock_says_now(archive: Path) -> None:
    bundle = archive.parent / ("b" * 64)
    bundle.touch()
    for each in (archive, bundle):
        os.utime(each, (1000, 1000))
    unpacked(str(archive))
    assert bundle.exists()


def test_a_start_notes_that_the_version_is_used(archive: Path, folder: Path) -> None:
    old = time.time() - UNUSED_S - 1
    os.utime(folder / LIST, (old, old))
    unpacked(str(archive))
    assert (folder / LIST).stat().st_mtime > old + 1
