"""A Debian file tree of packages that are only unpacked: no maintainer script runs, nothing is emulated."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgeseq.devices.cache import Progress
from edgeseq.devices.commands import fault

_MERGED = ("bin", "sbin", "lib", "lib64")
_NOT_NEEDED = ("doc", "man", "locale", "info", "lintian", "bug")


def make_root(root: Path) -> None:
    """An empty tree with /bin, /sbin, /lib and /lib64 as links into /usr, as Debian has them."""
    for name in _MERGED:
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")


def unpack(
    packages: Sequence[Path],
    root: Path,
    progress: Progress,
    members: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Unpack .deb files into `root`, without documentation and translations.

    members: the only files wanted of a package, by its name. DeviceError naming the package that is damaged.
    """
    for number, package in enumerate(packages):
        name = package.name.partition("_")[0]
        progress(number / len(packages), f"unpacking {name}")
        _unpack_one(package, root, (members or {}).get(name, ()))


def write_files(root: Path, files: Mapping[str, str]) -> None:
    """Write texts under `root`, their folders included; the paths are relative."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")


def link_root(root: Path, common: Path, relative: str) -> None:
    """Make `root`, a tree that links to the folders of the `common` one (`relative` to `root`).

    It has no /tmp and no home folders on purpose: under qemu-user, what is not in the root is the host's, so
    the guest reads and writes the same files as the host there.
    """
    root.mkdir()
    for name in ("usr", *_MERGED):
        if (common / name).exists():
            (root / name).symlink_to(f"{relative}/{name}")


def _unpack_one(package: Path, root: Path, members: Sequence[str]) -> None:
    excluded = [f"--exclude=./usr/share/{name}" for name in _NOT_NEEDED]
    extract = [
        "tar",
        "-x",
        "-C",
        str(root),
        "--keep-directory-symlink",
        "--no-same-owner",
        "--no-same-permissions",
    ]
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE) as reader:
        written = subprocess.run(
            [*extract, *excluded, *members], stdin=reader.stdout, capture_output=True, text=True, check=False
        )
        if reader.stdout is not None:
            reader.stdout.close()  # else a failed tar would leave dpkg-deb waiting
    if written.returncode != 0 or reader.returncode != 0:
        reason = (written.stderr.strip().splitlines() or ["the package is damaged"])[-1]
        raise fault(f"{package.name} cannot be unpacked", reason)
