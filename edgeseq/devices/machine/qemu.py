"""qemu-system and mke2fs, unpacked into the cache with no more than the libraries they load."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from edgeseq.devices.cache import COMPLETE, Progress, part_of
from edgeseq.devices.commands import output_of
from edgeseq.devices.emulated import apt
from edgeseq.devices.emulated.apt_sources import sources_list
from edgeseq.devices.emulated.emulator import LOADERS
from edgeseq.devices.emulated.rootfs import make_root, unpack
from edgeseq.devices.machine.plan import MachinePlan
from edgeseq_device.errors import DeviceError

QEMU, MKE2FS, DEBUGFS = "usr/bin/qemu-system-aarch64", "usr/sbin/mke2fs", "usr/sbin/debugfs"


def build_qemu(plan: MachinePlan, folder: Path, progress: Progress) -> None:
    """Fill `folder` with root/: the three programs, their loader and libraries."""
    architecture, suite = plan.user.architecture, plan.user.system.suite
    everything, root, fetched = folder / "everything", folder / "root", folder / "fetched"
    fetching = part_of(progress, 0.0, 0.7)
    debs = apt.fetch(
        plan.system.host_packages, architecture, sources_list(suite, architecture), fetched, fetching
    )
    make_root(everything)
    unpack(debs, everything, part_of(progress, 0.7, 1.0), members={"qemu-system-arm": (f"./{QEMU}",)})
    make_root(root)
    for name in _needed(everything, architecture):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(everything / name, root / name)
    description: dict[str, object] = {
        "version": _version(root, architecture),
        "packages": [deb.stem for deb in debs],
        "fetched_bytes": sum(deb.stat().st_size for deb in debs),
    }
    for leftover in (fetched, everything):
        shutil.rmtree(leftover)
    (folder / COMPLETE).write_text(json.dumps(description, indent=1))


def argv(root: Path, architecture: str, program: str) -> list[str]:
    """The command that starts `program` out of `root` with none of the host's libraries."""
    loader, libraries = LOADERS[architecture]
    library_path = f"{root}/{libraries}"
    return [f"{root}/{loader}", "--inhibit-cache", "--library-path", library_path, f"{root}/{program}"]


def _needed(root: Path, architecture: str) -> set[str]:
    """The programs, the loader and the libraries it finds for them, relative to `root`."""
    loader, _ = LOADERS[architecture]
    names = {loader}
    for program in (QEMU, MKE2FS, DEBUGFS):
        *command, path = argv(root, architecture, program)
        listed = output_of([*command, "--list", path], {}, f"{program} lacks a library")
        names |= {program, *_libraries(listed.splitlines(), root)}
    return names


def _libraries(listed: Sequence[str], root: Path) -> set[str]:
    """From lines such as "libz.so.1 => ROOT/usr/lib/TRIPLET/libz.so.1 (0x...)"."""
    found = (re.search(r"=> (.*) \(0x", line) for line in listed)
    paths = (Path(each.group(1)) for each in found if each)
    return {str(path.relative_to(root)) for path in paths if path.is_relative_to(root)}


def _version(root: Path, architecture: str) -> str:
    """Such as "7.2.22"."""
    said = output_of(
        [*argv(root, architecture, QEMU), "--version"], os.environ, "the unpacked qemu-system does not start"
    )
    found = re.search(r"version (\S+)", said)
    if found is None:
        raise DeviceError(f"the unpacked qemu-system tells no version but {said!r:.80}; clear the cache")
    return found.group(1)
