"""Holding one process to so many bytes of RAM by a control group of its own (Linux cgroup v2).

As far as the kernel and this user's rights allow: a group made by hand, else a scope of the user's systemd.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from edgeseq_device.emulation import read_text
from edgeseq_device.errors import DeviceError

MOUNT = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")
DELEGATED = "edgeseq"
"""A group of this name right below the mount is ours to use, where an administrator has made one for us."""

OFF = (
    "the kernel's memory controller is off: on Raspberry Pi OS add cgroup_enable=memory cgroup_memory=1 to"
    " the one line of /boot/firmware/cmdline.txt and restart the board"
)
NOT_V2 = (
    f"no cgroup v2 at {MOUNT}: start the system with systemd.unified_cgroup_hierarchy=1 on its command line;"
    " a container may have none, then ask the board itself"
)
NOT_PERMITTED = (
    "this user may make no control group, and systemd-run --user makes none: install dbus-user-session and"
    " log in again, or measure as root; in a container, use docker run --memory"
)

_PREFIX = "edgeseq-fits-"
_ENTER = 'echo $$ > "$0/cgroup.procs" && exec "$@"'
_KEEP = """
trap "" TERM
group="$1$(sed -n s/^0:://p /proc/self/cgroup)"
shift
"$@"
code=$?
for each in memory.max memory.events memory.peak; do
    cat "$group/$each" > "$0/$each" 2>/dev/null || rm -f "$0/$each"
done
exit $code
"""
"""systemd removes a scope as soon as its last process ends, so a shell stays in it to copy what it says. TERM
is what systemd sends to the rest of a scope in which a process ran out of memory."""
_PROBE_S = 20.0
_REMOVE_S = 5.0


class UnconfinedError(DeviceError):
    """No process can be held to a limit here; the message says why, and what to do."""


@dataclass(frozen=True)
class Confined:
    """prefix: of an argv that so runs inside the group; environment: that it needs; folder: holds the group's
    memory.events and memory.peak once that has ended."""

    prefix: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def events(self) -> dict[str, int]:
        """Name -> how often: oom_kill (processes killed), max (the limit was reached) and others."""
        lines = (read_text(self.folder / "memory.events") or "").splitlines()
        return {name: int(count) for name, _, count in (line.partition(" ") for line in lines)}

    @property
    def peak_bytes(self) -> int | None:
        """The most that was charged to the group, page cache included; None before Linux 5.19."""
        told = read_text(self.folder / "memory.peak") or ""
        return int(told) if told.isdigit() else None

    def holds(self, limit_bytes: int) -> bool:
        """Whether a process that is started with the prefix does run under the limit; tried with `true`."""
        done = _run([*self.prefix, "true"], self.environment)
        told = read_text(self.folder / "memory.max") or ""
        limited = told.isdigit() and limit_bytes - os.sysconf("SC_PAGE_SIZE") < int(told) <= limit_bytes
        return limited and (done or self.events.get("oom_kill", 0) > 0)


@contextmanager
def confined(limit_bytes: int, scratch: Path, mount: Path = MOUNT, own: Path = OWN) -> Iterator[Confined]:
    """A group with memory.max = limit_bytes and no swap, removed at the end. UnconfinedError without one.

    scratch: a folder for what a group of systemd's leaves behind; own: which group this process is in.
    """
    controllers = read_text(mount / "cgroup.controllers")
    if controllers is None:
        raise UnconfinedError(NOT_V2)
    if "memory" not in controllers.split():
        raise UnconfinedError(OFF)
    for parent in _parents(mount, own):
        with _group(parent, limit_bytes, enable=parent in (mount, mount / DELEGATED)) as group:
            if group is not None and group.holds(limit_bytes):
                yield group
                return
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        scope = _scope(limit_bytes, Path(folder), mount)
        if scope is None or not scope.holds(limit_bytes):
            raise UnconfinedError(NOT_PERMITTED)
        yield scope


def _parents(mount: Path, own: Path) -> Iterator[Path]:
    """Where a group may be made: below this process's own, those that hold it, ours, the root."""
    for line in (read_text(own) or "").splitlines():
        if line.startswith("0::/"):
            path = line[len("0::/") :]
            while path:
                yield mount / path
                path = path.rpartition("/")[0]
    yield mount / DELEGATED
    yield mount


@contextmanager
def _group(parent: Path, limit_bytes: int, *, enable: bool) -> Iterator[Confined | None]:
    """A new group below `parent`, None where the kernel refuses. enable: switch its memory controller on."""
    folder, switched = parent / f"{_PREFIX}{os.getpid()}", False
    try:
        try:
            switched = enable and _switch_on(parent)
            _remove_left(parent)
            folder.mkdir()
            (folder / "memory.max").write_text(str(limit_bytes))
            swap = folder / "memory.swap.max"
            if swap.exists():  # not in a kernel without swap
                swap.write_text("0")
        except OSError:
            group = None
        else:
            group = Confined(("/bin/sh", "-c", _ENTER, str(folder)), folder)
        yield group
    finally:
        _remove(folder)
        if switched:
            with suppress(OSError):  # somebody else has groups there by now
                (parent / "cgroup.subtree_control").write_text("-memory")


def _switch_on(parent: Path) -> bool:
    """Switch on the memory controller of groups below `parent`; False when it was on before."""
    control = parent / "cgroup.subtree_control"
    if "memory" in control.read_text().split():
        return False
    control.write_text("+memory")
    return True


def _remove(folder: Path) -> None:
    """Remove a group and end what still runs in it. What cannot be removed the next agent removes."""
    if not folder.is_dir():
        return
    with suppress(OSError):  # Linux before 5.14 has no such file
        (folder / "cgroup.kill").write_text("1")
    deadline = time.monotonic() + _REMOVE_S
    while time.monotonic() < deadline:
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:  # a process in it has not quite ended
            time.sleep(0.05)


def _remove_left(parent: Path) -> None:
    """Groups of agents that were killed."""
    for left in parent.glob(f"{_PREFIX}*"):
        pid = left.name[len(_PREFIX) :]
        if pid == str(os.getpid()) or not Path("/proc", pid).is_dir():
            _remove(left)


def _scope(limit_bytes: int, folder: Path, mount: Path) -> Confined | None:
    """A scope of the user's systemd; None without one."""
    program = shutil.which("systemd-run")
    if program is None:
        return None
    # Without --collect, systemd lists a scope that ran out of memory until somebody resets it.
    how = ("--user", "--scope", "--quiet", "--collect", "--description=edgeseq: does a model fit into RAM")
    limits = (f"--property=MemoryMax={limit_bytes}", "--property=MemorySwapMax=0")
    keep = ("/bin/sh", "-c", _KEEP, str(folder), str(mount))
    return Confined(
        prefix=(program, *how, *limits, *keep),
        folder=folder,
        environment={"XDG_RUNTIME_DIR": os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")},
    )


def _run(command: list[str], environment: Mapping[str, str]) -> bool:
    """Whether a command ends well, and soon."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**os.environ, **environment},
            timeout=_PROBE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
