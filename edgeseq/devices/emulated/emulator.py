"""qemu-user with its own libraries and the instruction counter, unpacked into the cache.

It is Debian's qemu of the guest's suite on every host and runs under its own loader and libraries, so the
host's distribution has no say in what is counted. The dynamic qemu-user is needed: the static one loads no
plugins.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

from edgeseq.devices.cache import COMPLETE, Progress, part_of
from edgeseq.devices.commands import output_of
from edgeseq.devices.emulated import apt
from edgeseq.devices.emulated.apt_sources import sources_list
from edgeseq.devices.emulated.rootfs import make_root, unpack
from edgeseq.devices.sources import System
from edgeseq_device.errors import DeviceError

LOADERS = {
    "amd64": ("lib64/ld-linux-x86-64.so.2", "usr/lib/x86_64-linux-gnu"),
    "arm64": ("lib/ld-linux-aarch64.so.1", "usr/lib/aarch64-linux-gnu"),
}
"""The program loader and the folder of libraries, by the host's architecture."""

QEMU = "usr/bin/qemu-aarch64"
PLUGIN = "libqinsn.so"


def check_host(architecture: str) -> None:
    """DeviceError unless qemu-user can be run on this architecture (Debian's name)."""
    if architecture not in LOADERS:
        raise DeviceError(
            f"virtual boards run on {' and '.join(LOADERS)} machines, this one is {architecture}; "
            "bench on a real board instead"
        )


def build_emulator(
    folder: Path, architecture: str, sources: Path, system: System, progress: Progress
) -> None:
    """Fill `folder` with root/ (qemu and its libraries) and libqinsn.so, for hosts of `architecture`.

    sources: the folder device/virtualpi.
    """
    root, fetched = folder / "root", folder / "fetched"
    mirrors = sources_list(system.suite, architecture)
    fetching = part_of(progress, 0.0, 0.7)
    debs = apt.fetch(system.emulator_packages, architecture, mirrors, fetched, fetching)
    make_root(root)
    # The package brings 40 emulators; one is wanted.
    unpack(debs, root, part_of(progress, 0.7, 0.9), members={"qemu-user": (f"./{QEMU}",)})
    progress(0.9, "compiling the instruction counter")
    compile_plugin(sources / "qinsn.c", folder / PLUGIN)
    description: dict[str, object] = {
        "version": _version(root, architecture),
        "packages": [deb.stem for deb in debs],
        "fetched_bytes": sum(deb.stat().st_size for deb in debs),
    }
    shutil.rmtree(fetched)
    (folder / COMPLETE).write_text(json.dumps(description, indent=1))


def compile_plugin(source: Path, library: Path) -> None:
    """Compile the TCG plugin with the host's C compiler; DeviceError when there is none or it fails."""
    if shutil.which("cc") is None:
        raise DeviceError("no C compiler (cc) to build the instruction counter with; install the package gcc")
    command = [
        "cc",
        "-std=c99",
        "-O2",
        "-Wall",
        "-Wextra",
        "-shared",
        "-fPIC",
        "-o",
        str(library),
        str(source),
    ]
    output_of(command, os.environ, f"{source.name} does not compile (are gcc and libc6-dev installed?)")


def qemu_argv(root: Path | str, architecture: str) -> list[str]:
    """The command that starts qemu-aarch64 out of `root` with none of the host's libraries."""
    loader, libraries = LOADERS[architecture]
    return [f"{root}/{loader}", "--inhibit-cache", "--library-path", f"{root}/{libraries}", f"{root}/{QEMU}"]


def _version(root: Path, architecture: str) -> str:
    """Such as "7.2.22"."""
    command = [*qemu_argv(root, architecture), "--version"]
    said = output_of(command, {}, "the unpacked emulator does not start")
    found = re.search(r"version (\S+)", said)
    if found is None:
        raise DeviceError(
            f"the unpacked emulator tells no version but {said!r:.80}; clear the cache and try again"
        )
    return found.group(1)
