"""The cache trusts a folder only when its preparation came to its end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgeseq.devices.cache import (
    COMPLETE,
    UNUSED_S,
    build_folder,
    building_alone,
    cache_root,
    content_key,
    mark_used,
    part_of,
    remove_unused,
    size_bytes,
)
from edgeseq_device.errors import DeviceError


def fill(folder: Path) -> None:
    (folder / "data").write_text("new")
    (folder / COMPLETE).write_text("{}")


def test_a_complete_folder_takes_its_name(tmp_path: Path) -> None:
    build_folder(tmp_path / "part", fill)
    assert (tmp_path / "part/data").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["part"]


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        fill(folder)
        raise DeviceError("no network")

    with pytest.raises(DeviceError, match="no network"):
        build_folder(tmp_path / "part", fail)
    assert list(tmp_path.iterdir()) == []


def test_a_build_that_does_not_say_it_is_complete_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="part"):
        build_folder(tmp_path / "part", lambda _folder: None)
    assert list(tmp_path.iterdir()) == []


def test_a_killed_build_is_not_trusted_and_the_next_one_sweeps_it_away(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path; from edgeseq.devices.cache import *\n"
        "home = Path(sys.argv[1])\n"
        "def build(folder):\n"
        "    (folder / 'half').write_text('x'); (folder / COMPLETE).write_text('{}')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "with building_alone(home, lambda: None): build_folder(home / 'part', build)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert done.returncode == -9
    assert not (tmp_path / "part").exists()
    with building_alone(tmp_path, lambda: pytest.fail("the killed process still holds the lock")):
        build_folder(tmp_path / "part", fill)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "part"]
    assert not (tmp_path / "part/half").exists()


def test_a_damaged_folder_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "part").mkdir()
    (tmp_path / "part/data").write_text("old")
    build_folder(tmp_path / "part", fill)
    assert (tmp_path / "part/data").read_text() == "new"


def test_a_second_process_waits_for_the_first(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from edgeseq.devices.cache import building_alone\n"
        "say = lambda word: print(word, flush=True)\n"
        "with building_alone(Path(sys.argv[1]), lambda: say('waiting')): say('mine')\n"
    )
    with building_alone(tmp_path, lambda: None):
        other = subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert other.stdout is not None
        assert other.stdout.readline() == "waiting\n"
    assert other.communicate(timeout=60)[0] == "mine\n"


def test_an_unusable_cache_folder_names_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(DeviceError, match="EDGESEQ_CACHE_DIR"),
        building_alone(tmp_path / "file/x", lambda: None),
    ):
        pass


def test_the_key_depends_on_every_part_and_its_borders() -> None:
    keys = {content_key("ab", "c"), content_key("a", "bc"), content_key("abc"), content_key("ab", b"d")}
    assert len(keys) == 4
    assert content_key("ab", b"c") == content_key("ab", "c")


def test_the_cache_folder_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGESEQ_CACHE_DIR", str(tmp_path))
    assert cache_root() == tmp_path
    monkeypatch.delenv("EDGESEQ_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    assert cache_root() == tmp_path / "home/edgeseq"


def test_a_parts_progress_stays_within_its_share() -> None:
    seen: list[float] = []
    progress = part_of(lambda fraction, _label: seen.append(fraction), 0.25, 0.75)
    for fraction in (-1.0, 0.0, 0.5, 1.0, 2.0):
        progress(fraction, "x")
    assert seen == [0.25, 0.25, 0.5, 0.75, 0.75]


def test_a_file_with_two_names_is_counted_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 100_000)
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    assert 100_000 <= size_bytes(tmp_path) < 200_000


def test_only_what_nobody_has_used_for_long_is_removed(tmp_path: Path) -> None:
    for name in ("kept", "unused", "used-again", "recent"):
        build_folder(tmp_path / name, fill)
        if name != "recent":
            os.utime(tmp_path / name / COMPLETE, times=(time.time() - UNUSED_S - 60,) * 2)
    (tmp_path / "a-users-folder").mkdir()
    mark_used(tmp_path / "used-again")
    remove_unused(tmp_path, [tmp_path / "kept"])
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "a-users-folder",
        "kept",
        "recent",
        "used-again",
    ]
