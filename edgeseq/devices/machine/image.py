"""The virtual Pi's disk and its keys, made in the cache without starting it."""

from __future__ import annotations

import fnmatch
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from edgeseq.devices.cache import COMPLETE, Progress, part_of, size_bytes
from edgeseq.devices.commands import output_of
from edgeseq.devices.emulated import apt
from edgeseq.devices.emulated.apt_sources import sources_list
from edgeseq.devices.emulated.plan import PYTHON
from edgeseq.devices.emulated.rootfs import make_root, unpack, write_files
from edgeseq.devices.machine.ext4 import Attributes, Tools, write_ext4
from edgeseq.devices.machine.plan import NAME, MachinePlan
from edgeseq.devices.wheels import fetch_wheels
from edgeseq_device.emulation import MARKER
from edgeseq_device.unzip import unzip

DISK = "disk.ext4"
USER_KEY, HOST_KEY = "user_key", "host_key"
"""Private keys; the public ones are beside them with .pub."""
SITE = "opt/edgeseq-site"
"""Where the runtimes are on the disk. Python finds them through RUNTIMES_PTH alone."""
RUNTIMES_PTH = "usr/local/lib/python{python}/dist-packages/edgeseq-runtimes.pth"
USER_ID = 1000
_PRIVATE = ("etc/shadow", "etc/ssh/ssh_host_ed25519_key")


def build_image(plan: MachinePlan, folder: Path, progress: Progress) -> None:
    """Fill `folder` with the disk image and fresh keys.

    The folder `plan.qemu` and the virtual board's folders must be complete.
    """
    tree = folder / "tree"
    description = _fill_tree(plan, folder / "fetched", tree, part_of(progress, 0.0, 0.6))
    _make_keys(folder)
    _add_own_files(plan, folder, tree)
    progress(0.65, "compiling the virtual Pi's Python library")
    _compile_library(plan, tree)
    progress(0.8, "writing the virtual Pi's disk")
    write_ext4(
        tree,
        folder / DISK,
        size_bytes(tree) + plan.system.free_bytes,
        lambda path: _attributes(tree, path),
        Tools(plan.qemu / "root", plan.user.architecture),
    )
    for leftover in (folder / "fetched", tree):
        shutil.rmtree(leftover)
    (folder / COMPLETE).write_text(json.dumps(description, indent=1))


def _fill_tree(plan: MachinePlan, fetched: Path, tree: Path, progress: Progress) -> dict[str, object]:
    """Make `tree` of Debian's packages and the runtimes; what they were."""
    packages, table = list(plan.system.guest_packages), plan.wheels
    wheels: list[Path] = []
    if plan.bits != 64:
        packages += [*plan.user.system.guest_packages, *table.system_packages]
    mirrors = sources_list(plan.user.system.suite, plan.architecture)
    debs = apt.fetch(packages, plan.architecture, mirrors, fetched, part_of(progress, 0.0, 0.6))
    wanted = [deb for deb in debs if not _is_unwanted(deb, plan.system.unwanted_packages)]
    if plan.bits == 64:
        # Python and runtimes are the virtual board's: the same files, which take no room a second time.
        shutil.copytree(plan.user.guest / "root", tree, symlinks=True, copy_function=os.link)
        shutil.copytree(plan.user.guest / "site", tree / SITE, symlinks=True, copy_function=os.link)
    else:
        make_root(tree)
        fetching = part_of(progress, 0.6, 0.8)
        wheels = fetch_wheels(table.path, table.python, table.platforms, fetched / "wheels", fetching)
        for wheel in wheels:
            unzip(wheel, tree / SITE, wheel.name)
    unpack(wanted, tree, part_of(progress, 0.8, 1.0))
    if plan.bits != 64:
        for name, target in plan.system.links_32_bit:
            (tree / name).symlink_to(target)
    return {
        "packages": [deb.stem for deb in wanted],
        "wheels": [wheel.stem for wheel in wheels],
        "fetched_bytes": sum(each.stat().st_size for each in [*debs, *wheels]),
    }


def _is_unwanted(deb: Path, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(deb.name.partition("_")[0], pattern) for pattern in patterns)


def _make_keys(folder: Path) -> None:
    for name in (USER_KEY, HOST_KEY):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", NAME, "-f", str(folder / name)]
        output_of(command, os.environ, "no SSH key can be made")


def _add_own_files(plan: MachinePlan, folder: Path, tree: Path) -> None:
    """What makes Debian's packages a machine: users, init, SSH's keys, the way to the runtimes."""
    system = plan.user.system
    own = plan.sources / "root"
    public = (folder / f"{USER_KEY}.pub").read_text()
    marker = {"board": NAME, "tier": "system", "emulator": plan.describe_emulator()}
    files = {str(path.relative_to(own)): path.read_text("utf-8") for path in own.rglob("*") if path.is_file()}
    files |= {
        MARKER: json.dumps(marker) + "\n",
        "etc/os-release": plan.user.files("")["etc/os-release"],
        "etc/ssh/ssh_host_ed25519_key": (folder / HOST_KEY).read_text(),
        "etc/ssh/ssh_host_ed25519_key.pub": (folder / f"{HOST_KEY}.pub").read_text(),
        "root/.ssh/authorized_keys": public,
        "home/pi/.ssh/authorized_keys": public,
        RUNTIMES_PTH.format(python=system.python): f"/{SITE}\n",
    }
    for name in files:
        (tree / name).unlink(missing_ok=True)  # it may be a hard link to the guest's own file
    write_files(tree, files)
    for name in ("proc", "sys", "dev", "run", "tmp"):
        (tree / name).mkdir(exist_ok=True)
    (tree / "usr/bin/python3").unlink(missing_ok=True)
    (tree / "usr/bin/python3").symlink_to(f"python{system.python}")
    for name in plan.system.busybox_commands:
        if not any((tree / "usr" / each / name).exists() for each in ("bin", "sbin")):
            (tree / "usr/bin" / name).symlink_to("busybox")
    for name in ("init", "reboot", "poweroff", "halt"):
        (tree / "usr/sbin" / name).symlink_to("../bin/busybox")


def _compile_library(plan: MachinePlan, tree: Path) -> None:
    """Compile the modules, as Debian's packages do when they are installed: pi cannot write them there.

    The virtual board's Python does it, which makes the same of them as one for 32 bits.
    """
    names = [f"usr/lib/python{plan.user.system.python}"]
    if plan.bits != 64:  # else the runtimes that the virtual board imports are compiled already
        names += ["usr/lib/python3", SITE]
    for name in names:
        options = ["-m", "compileall", "-q", "-x", "/(idlelib|lib2to3|tests?|turtledemo)/", "-d", f"/{name}"]
        command = [str(plan.user.board / PYTHON), *options, str(tree / name)]
        output_of(command, os.environ, "the virtual Pi's Python library does not compile")


def _attributes(tree: Path, path: Path) -> Attributes:
    """All is root's and may be read by everybody, but for the keys and the home of pi."""
    uid = USER_ID if path.parts[:2] == ("home", "pi") else 0
    mode = (tree / path).lstat().st_mode
    if ".ssh" in path.parts or str(path) in _PRIVATE or str(path) == "root":
        return Attributes(uid, 0o700 if (tree / path).is_dir() else 0o600)
    return Attributes(uid, 0o755 if mode & 0o100 or path.parts[:3] == ("usr", "local", "sbin") else 0o644)
