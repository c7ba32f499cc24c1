"""The virtual Pi's kernel and the first file system it starts from: a shell and the drivers of its disk."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from edgeseq.devices.machine import cpio
from edgeseq.devices.rootfs import make_root, unpack
from edgeseq_device.errors import DeviceError

_PACKAGE = re.compile(r"(linux-image-(\d[^_]*))_")
_DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")


def kernel_package(debs: Sequence[Path]) -> tuple[Path, str]:
    """The one kernel among `debs`, and its version; DeviceError for none or several.

    The package that was asked for is empty: it depends on one that has the version in its name.
    """
    found = [(deb, match.group(2)) for deb in debs if (match := _PACKAGE.match(deb.name))]
    if len(found) != 1:
        names = ", ".join(deb.name for deb, _ in found) or "none"
        raise DeviceError(f"one Linux kernel was to be fetched, there are: {names}; clear the cache")
    return found[0]


def write_kernel(
    deb: Path, version: str, wanted: Sequence[str], init: bytes, busybox: bytes, tree: Path
) -> tuple[Path, bytes]:
    """The kernel's file and the compressed initrd; the package is unpacked into `tree`, which is made.

    wanted: names of modules. init: the script that the kernel runs, as /init.
    """
    make_root(tree)
    unpack([deb], tree, lambda _fraction, _label: None)
    modules = {_name(path): path for path in (tree / "lib/modules" / version).rglob("*.ko")}
    entries = [cpio.folder(name) for name in ("bin", "dev", "disk", "modules")]
    entries += [
        cpio.program("init", init),
        cpio.program("bin/busybox", busybox),
        cpio.link("bin/sh", "busybox"),
    ]
    for number, name in enumerate(loading_order(wanted, modules)):  # their numbers are the order of loading
        entries.append(cpio.program(f"modules/{number:02}-{name}.ko", modules[name].read_bytes()))
    return tree / f"boot/vmlinuz-{version}", gzip.compress(cpio.archive(entries), 6, mtime=0)


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


def _name(path: Path) -> str:
    return path.stem.replace("-", "_")
