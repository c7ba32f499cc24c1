"""What a board can tell of itself before anything is measured on it. Needs Python alone, not even numpy."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeseq_device.board.libraries import LIBRARIES, tag, try_library
from edgeseq_device.conversation import Emit, answer
from edgeseq_device.elf import python_machine
from edgeseq_device.emulation import read_text
from edgeseq_device.errors import DataError
from edgeseq_device.layout import DEPLOYED, PYTHON
from edgeseq_device.measuring.guards import read_guards
from edgeseq_device.measuring.runners import SETUP_KEYS, read_setup
from edgeseq_device.system import describe_system

_ASK_S = 10.0
_CONTAINERS = ("docker", "podman")


def main() -> int:
    """Answer a host's {"root": the board's folder of edgeseq}."""
    return answer(probe)


def probe(request: Mapping[str, Any], emit: Emit) -> dict[str, Any]:
    """Everything at once, JSON-able; what is not known is None. Sizes in bytes, `clock_s` since 1970.

    A "progress" event comes before each library that is tried. Nothing is written.
    """
    root = request.get("root")
    if set(request) != {"root"} or not isinstance(root, str):
        raise DataError('probe: the request is not {"root": ...}; use one edgeseq for both ends')
    folder = Path(root)
    found = {
        "system": describe_system(),
        "guards": read_guards(),
        "python": {
            "version": platform.python_version(),
            "implementation": platform.python_implementation(),
            "executable": sys.executable,
            "tag": tag(),
            "bits": 64 if sys.maxsize > 2**32 else 32,
            "machine": python_machine(),
        },
        "kernel_machine": platform.machine(),
        "clock_s": time.time(),
        "disk_free_bytes": _disk_free(folder),
        "ram_available_bytes": _ram_available(Path("/")),
        "cgroup": cgroup(Path("/")),
        "containers": {each: _version_of(each) for each in _CONTAINERS},
        "content": content(folder),
    }
    return {**found, **_libraries(folder, emit)}


def _libraries(root: Path, emit: Emit) -> dict[str, Any]:
    """libraries: each of LIBRARIES as it loads; own_numpy: such as "numpy 1.24.2", the one that is there
    without edgeseq, None without one."""
    libraries = {}
    for step, each in enumerate(LIBRARIES):
        emit({"event": "progress", "step": step, "steps": len(LIBRARIES), "library": each})
        libraries[each] = try_library(each)
    numpy, ours = libraries["numpy"], root.resolve() / PYTHON
    if ours in Path(numpy["file"] or "/").parents:
        numpy = try_library("numpy", left_out=ours)
    return {"libraries": libraries, "own_numpy": numpy["version"]}


def content(root: Path) -> dict[str, Any]:
    """What is in the board's folder: its size and that of each part, the runtimes set up for each Python
    ({"cp311": "cp311-KEY"}), the setup.json of its native runner, None without one, and the names of deployed
    artifacts."""
    parts = {each.name: _size(each) for each in sorted(root.iterdir())} if root.is_dir() else {}
    links = sorted((root / PYTHON).glob("cp*")) if PYTHON in parts else []
    deployed = sorted((root / DEPLOYED).iterdir()) if DEPLOYED in parts else []
    return {
        "bytes": sum(parts.values()),
        "parts": parts,
        "python": {each.name: str(each.readlink()) for each in links if each.is_symlink()},
        "native": _native(root),
        "deployed": [each.name for each in deployed if each.is_dir()],
    }


def _native(root: Path) -> dict[str, Any] | None:
    try:
        return read_setup(root)
    except DataError as error:
        return {**dict.fromkeys(SETUP_KEYS), "passed": False, "because": str(error)}


def cgroup(root: Path) -> dict[str, Any]:
    """The version of control groups (2, 1, None without any) and whether their memory controller is on."""
    controllers = read_text(root / "sys/fs/cgroup/cgroup.controllers")
    if controllers is not None:
        return {"version": 2, "memory": "memory" in controllers.split()}
    if not (root / "sys/fs/cgroup").is_dir():
        return {"version": None, "memory": False}
    return {"version": 1, "memory": (root / "sys/fs/cgroup/memory").is_dir()}


def _size(path: Path) -> int:
    """What a file, or all in a folder, takes on the disk; links are not followed, what vanishes is 0."""
    paths = [path]
    if path.is_dir() and not path.is_symlink():
        paths += [Path(parent) / name for parent, folders, files in os.walk(path) for name in folders + files]
    return sum(map(_blocks_bytes, paths))


def _blocks_bytes(path: Path) -> int:
    try:
        return path.lstat().st_blocks * 512
    except OSError:
        return 0


def _disk_free(folder: Path) -> int | None:
    """For this user, on the disk of `folder` or of where it will be."""
    there = next((each for each in (folder, *folder.parents) if each.exists()), None)
    return None if there is None else shutil.disk_usage(there).free


def _ram_available(root: Path) -> int | None:
    found = re.search(r"^MemAvailable:\s+(\d+)", read_text(root / "proc/meminfo") or "", re.MULTILINE)
    return int(found.group(1)) * 1024 if found else None


def _version_of(program: str) -> str | None:
    """What `PROGRAM --version` says, None where it is not there; of docker whether its daemon answers."""
    if shutil.which(program) is None:
        return None
    said = _ask([program, "--version"])
    if program == "docker" and said and _ask([program, "version", "--format", "{{.Server.Version}}"]) is None:
        return f"{said}, but its daemon does not answer this user"
    return said or "does not answer"


def _ask(command: list[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_ASK_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.splitlines()
    return lines[0].strip() if done.returncode == 0 and lines else None
