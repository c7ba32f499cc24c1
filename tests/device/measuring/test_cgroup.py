"""Control groups that hold a process to so much RAM: where they are made, and that nothing of them is left.

The kernel's files are imitated in a folder.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from edgeseq_device.measuring.cgroup import UnconfinedError, confined

LIMIT_BYTES = 64_000_000


class Kernel:
    """A folder like /sys/fs/cgroup: a new group gets its files if its parent has the controller switched on,
    and goes with its files. Groups in `refusing` let nobody make groups in them."""

    def __init__(self, mount: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.mount, self.own = mount, mount.parent / "own"
        self.refusing: set[Path] = set()
        self._mkdir, self._rmdir = Path.mkdir, Path.rmdir
        mount.mkdir()
        (mount / "cgroup.controllers").write_text("cpu io memory pids\n")
        (mount / "cgroup.subtree_control").write_text("memory\n")
        self.own.write_text("0::/\n")

        def make(path: Path, *mode: Any, **how: Any) -> None:
            self.make(path, *mode, **how)

        def remove(path: Path) -> None:
            self.remove(path)

        monkeypatch.setattr(Path, "mkdir", make)
        monkeypatch.setattr(Path, "rmdir", remove)
        monkeypatch.setattr(shutil, "which", lambda _name: None)  # no systemd-run

    def make(self, path: Path, *mode: Any, **how: Any) -> None:
        if self.mount not in path.parents:
            self._mkdir(path, *mode, **how)
            return
        if path.parent in self.refusing:
            raise PermissionError(13, "Permission denied", str(path))
        self._mkdir(path)
        (path / "cgroup.procs").write_text("")
        (path / "cgroup.subtree_control").write_text("")
        if "memory" in (path.parent / "cgroup.subtree_control").read_text():
            (path / "memory.max").write_text("max\n")
            (path / "memory.swap.max").write_text("max\n")
            (path / "memory.events").write_text("oom 0\noom_kill 0\n")
            (path / "memory.peak").write_text("33554432\n")
        else:
            path.chmod(0o555)  # nobody makes files there, unless root imitates the kernel
            self.refusing.add(path)

    def make_bare(self, folder: Path) -> None:
        """The group `folder` and those it is in, without the kernel's files."""
        if not folder.is_dir():
            self.make_bare(folder.parent)
            self._mkdir(folder)

    def remove(self, path: Path) -> None:
        if self.mount in path.parents:
            shutil.rmtree(path)
        else:
            self._rmdir(path)

    @property
    def groups(self) -> list[Path]:
        return sorted(each for each in self.mount.rglob("edgeseq-fits-*") if each.is_dir())


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    return Kernel(tmp_path / "cgroup", monkeypatch)


def group_of(kernel: Kernel, tmp_path: Path) -> Any:
    return confined(LIMIT_BYTES, tmp_path, kernel.mount, kernel.own)


def test_a_group_has_the_limit_and_no_swap_and_is_gone_afterwards(kernel: Kernel, tmp_path: Path) -> None:
    with group_of(kernel, tmp_path) as group:
        assert kernel.groups == [group.folder]
        assert (group.folder / "memory.max").read_text() == str(LIMIT_BYTES)
        assert (group.folder / "memory.swap.max").read_text() == "0"
        assert group.peak_bytes == 33554432
    assert kernel.groups == []


def test_a_group_is_gone_when_the_work_in_it_fails(kernel: Kernel, tmp_path: Path) -> None:
    def fail() -> None:
        with group_of(kernel, tmp_path):
            raise SystemExit(143)

    with pytest.raises(SystemExit):
        fail()
    assert kernel.groups == []


def test_a_process_joins_the_group_before_its_program_starts(kernel: Kernel, tmp_path: Path) -> None:
    with group_of(kernel, tmp_path) as group:
        command = [*group.prefix, "sh", "-c", 'echo $$ "$1"', "$(x)", "a b;"]
        pid, said = subprocess.check_output(command, text=True).split(" ", 1)
        joined = (group.folder / "cgroup.procs").read_text()
    assert joined.strip() == pid
    assert said == "a b;\n"


def test_a_group_that_is_delegated_to_us_is_used_and_left_as_it_was(kernel: Kernel, tmp_path: Path) -> None:
    ours = kernel.mount / "edgeseq"
    ours.mkdir()
    kernel.own.write_text("0::/user.slice/session-1.scope\n")
    kernel.refusing.add(kernel.mount)
    with group_of(kernel, tmp_path) as group:
        assert group.folder.parent == ours
        assert (ours / "cgroup.subtree_control").read_text() == "+memory"
    assert (ours / "cgroup.subtree_control").read_text() == "-memory"
    assert ours.is_dir()


def test_the_nearest_group_that_this_process_is_in_comes_first(kernel: Kernel, tmp_path: Path) -> None:
    slice_ = kernel.mount / "app.slice"
    slice_.mkdir()
    (slice_ / "cgroup.subtree_control").write_text("cpu memory\n")
    (slice_ / "unit").mkdir()
    (slice_ / "unit" / "memory.max").unlink()  # holds processes: no controller for groups below
    kernel.refusing.add(slice_ / "unit")
    kernel.own.write_text("4:memory:/old\n0::/app.slice/unit\n")
    with group_of(kernel, tmp_path) as group:
        assert group.folder.parent == slice_
    assert (slice_ / "cgroup.subtree_control").read_text() == "cpu memory\n"


def test_groups_that_killed_agents_have_left_are_removed_and_those_of_living_ones_are_not(
    kernel: Kernel, tmp_path: Path
) -> None:
    left, living = kernel.mount / "edgeseq-fits-999999999", kernel.mount / f"edgeseq-fits-{os.getppid()}"
    left.mkdir()
    living.mkdir()
    with group_of(kernel, tmp_path):
        pass
    assert kernel.groups == [living]


@pytest.mark.parametrize(
    ("controllers", "reason"),
    [(None, "no cgroup v2"), ("cpu io pids\n", "cgroup_enable=memory cgroup_memory=1 to the one line of")],
)
def test_a_kernel_that_cannot_says_what_to_do(
    kernel: Kernel, tmp_path: Path, controllers: str | None, reason: str
) -> None:
    (kernel.mount / "cgroup.controllers").unlink()
    if controllers is not None:
        (kernel.mount / "cgroup.controllers").write_text(controllers)
    with pytest.raises(UnconfinedError, match=reason), group_of(kernel, tmp_path):
        pass


def test_a_user_who_may_make_no_group_is_told_so(kernel: Kernel, tmp_path: Path) -> None:
    kernel.refusing.add(kernel.mount)
    with pytest.raises(UnconfinedError, match="may make no control group"), group_of(kernel, tmp_path):
        pass


def test_a_group_that_this_process_may_not_enter_is_not_taken(kernel: Kernel, tmp_path: Path) -> None:
    make = kernel.make

    def make_closed(path: Path, *mode: Any, **how: Any) -> None:
        make(path, *mode, **how)
        if path.name.startswith("edgeseq-fits-"):
            (path / "cgroup.procs").unlink()
            (path / "cgroup.procs").symlink_to("/nowhere/at/all")

    kernel.make = make_closed  # type: ignore[method-assign]
    with pytest.raises(UnconfinedError), group_of(kernel, tmp_path):
        pass
    assert kernel.groups == []


SYSTEMD_RUN = """#!/bin/sh
# Starts what follows the options, as in a scope of this folder's.
printf '%s\\n' "$@" > "{folder}/asked"
test -z "{refusal}" || {{ echo "{refusal}" >&2; exit 1; }}
while [ "${{1#--}}" != "$1" ]; do shift; done
exec "$@"
"""


def systemd(kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: str = "") -> Path:
    """A systemd-run whose scope is the group of this very process, as the kernel's files have it."""
    program = tmp_path / "systemd-run"
    program.write_text(SYSTEMD_RUN.format(folder=tmp_path, refusal=refusal))
    program.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(program) if name == "systemd-run" else None)
    kernel.refusing.add(kernel.mount)
    own = next(line[3:] for line in Path("/proc/self/cgroup").read_text().splitlines() if line[:3] == "0::")
    scope = Path(f"{kernel.mount}{own}")
    kernel.make_bare(scope)
    for name, text in (("max", LIMIT_BYTES), ("events", "max 3\noom 1\noom_kill 1"), ("peak", 63_000_000)):
        (scope / f"memory.{name}").write_text(f"{text}\n")
    return scope


has_v2 = pytest.mark.skipif(
    not any(line.startswith("0::") for line in Path("/proc/self/cgroup").read_text().splitlines()),
    reason="this kernel has no cgroup v2 at all",
)


@has_v2
def test_a_scope_of_systemd_tells_what_happened_in_it_before_it_is_gone(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systemd(kernel, tmp_path, monkeypatch)
    with group_of(kernel, tmp_path) as scope:
        asked = (tmp_path / "asked").read_text().splitlines()
        options = {each for each in asked if each.startswith("--")}
        assert options >= {"--user", "--scope", "--collect"}
        assert options >= {"--property=MemoryMax=64000000", "--property=MemorySwapMax=0"}
        assert scope.environment["XDG_RUNTIME_DIR"]
        code = subprocess.run([*scope.prefix, "sh", "-c", "exit 7"], check=False).returncode
        assert (code, scope.events["oom_kill"], scope.peak_bytes) == (7, 1, 63_000_000)
    assert not scope.folder.exists()


@has_v2
@pytest.mark.parametrize("refusal", ["", "Failed to connect to bus: No medium found"])
def test_a_scope_without_the_limit_is_not_taken(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: str
) -> None:
    scope = systemd(kernel, tmp_path, monkeypatch, refusal)
    if not refusal:
        (scope / "memory.max").write_text("max\n")
    with pytest.raises(UnconfinedError, match="systemd-run --user makes none"), group_of(kernel, tmp_path):
        pass
