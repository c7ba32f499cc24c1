"""The virtual Pi's kernel and the first file system it starts from: a shell and the drivers of its disk."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from edgeseq.devices.cache import COMPLETE, Progress, part_of
from edgeseq.devices.emulated import apt
from edgeseq.devices.emulated.apt_sources import sources_list
from edgeseq.devices.emulated.guest import ARCHITECTURE
from edgeseq.devices.emulated.rootfs import make_root, unpack
from edgeseq.devices.machine import cpio
from edgeseq.devices.machine.plan import MachinePlan
from edgeseq_device.errors import DeviceError

KERNEL, INITRD = "kernel", "initrd.gz"
_PACKAGE = re.compile(r"(linux-image-(\d[^_]*))_")
_DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")


def build_kernel(plan: MachinePlan, folder: Path, progress: Progress) -> None:
    """Fill `folder` with KERNEL and INITRD, the first file system."""
    fetched, tree = folder / "fetched", folder / "tree"
    mirrors = sources_list(plan.user.system.suite, ARCHITECTURE)
    fetching = part_of(progress, 0.0, 0.8)
    debs = apt.fetch(plan.system.kernel_packages, ARCHITECTURE, mirrors, fetched, fetching)
    deb, version = kernel_package(debs)
    busybox = [each for each in debs if each.name.startswith("busybox-static_")]
    make_root(tree)
    unpack([deb, *busybox], tree, part_of(progress, 0.8, 1.0))
    (tree / f"boot/vmlinuz-{version}").rename(folder / KERNEL)
    entries = [cpio.folder(name) for name in ("bin", "dev", "disk", "modules")]
    entries += [cpio.program("init", (plan.sources / "initrd-init").read_bytes())]
    entries += [cpio.program("bin/busybox", (tree / "usr/bin/busybox").read_bytes())]
    entries += [
        cpio.link("bin/sh", "busybox"),
        *_modules(tree / "lib/modules" / version, plan.system.modules),
    ]
    (folder / INITRD).write_bytes(gzip.compress(cpio.archive(entries), mtime=0))
    description = {"kernel": version, "fetched_bytes": sum(each.stat().st_size for each in debs)}
    for leftover in (fetched, tree):
        shutil.rmtree(leftover)
    (folder / COMPLETE).write_text(json.dumps(description, indent=1))


def kernel_package(debs: Sequence[Path]) -> tuple[Path, str]:
    """The one kernel among `debs`, and its version; DeviceError for none or several.

    The package that was asked for is empty: it depends on one that has the version in its name.
    """
    found = [(deb, match.group(2)) for deb in debs if (match := _PACKAGE.match(deb.name))]
    if len(found) != 1:
        names = ", ".join(deb.name for deb, _ in found) or "none"
        raise DeviceError(f"one Linux kernel was to be fetched, there are: {names}; clear the cache")
    return found[0]


def loading_order(wanted: Iterable[str], modules: Mapping[str, Path]) -> list[str]:
    """`wanted` and all that they depend on, each after what it depends on.

    A kernel's update may change who depends on whom, so the modules themselves are asked. DeviceError for one
    that the kernel does not have.
    """
    order: list[str] = []
    for name in wanted:
        if name not in modules:
            raise DeviceError(
                f"the kernel has no module {name}; device/virtualpi/machine/machine.json names it"
            )
        found = _DEPENDS.search(modules[name].read_bytes())
        needed = (
            [each.replace("-", "_") for each in found.group(1).decode().split(",") if each] if found else []
        )
        order += [each for each in [*loading_order(needed, modules), name] if each not in order]
    return order


def _modules(folder: Path, wanted: Sequence[str]) -> list[cpio.Entry]:
    """The modules' files, numbered in the order of loading."""
    known = {path.stem.replace("-", "_"): path for path in folder.rglob("*.ko")}
    names = enumerate(loading_order(wanted, known))
    return [cpio.program(f"modules/{at:02}-{name}.ko", known[name].read_bytes()) for at, name in names]
