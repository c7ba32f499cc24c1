"""What the check of the images needs of Debian, fetched and unpacked into edgeseq's cache, never installed:
Docker itself, base images in place of Docker Hub's, and an emulator that programs in an image can be run by.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgeseq.devices.cache import (
    COMPLETE,
    build_folder,
    building_alone,
    cache_root,
    content_key,
    mark_used,
    remove_unused,
)
from edgeseq.devices.emulated import apt
from edgeseq.devices.emulated.apt_sources import sources_list
from edgeseq.devices.emulated.rootfs import make_root, unpack

FORMAT = "2"
"""Counts up when what a prepared folder holds changes although its packages did not."""

# Those of Docker Hub's debian:bookworm-slim.
SLIM = [
    "adduser",
    "apt",
    "base-files",
    "base-passwd",
    "bash",
    "bsdutils",
    "coreutils",
    "dash",
    "debconf",
    "debian-archive-keyring",
    "debianutils",
    "diffutils",
    "dpkg",
    "e2fsprogs",
    "findutils",
    "gpgv",
    "grep",
    "gzip",
    "hostname",
    "init-system-helpers",
    "libc-bin",
    "login",
    "logsave",
    "mawk",
    "mount",
    "ncurses-base",
    "ncurses-bin",
    "passwd",
    "perl-base",
    "sed",
    "sysvinit-utils",
    "tar",
    "tzdata",
    "usr-is-merged",
    "util-linux",
    "util-linux-extra",
    "zlib1g",
]
_BUILD = [*SLIM, "python3", "python3-pip", "ca-certificates"]
_DOCKER = ["docker.io", "docker-cli", "docker-buildx", "iproute2", "slirp4netns"]
_HOSTS_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_QEMU = "qemu-user-static"


@dataclass(frozen=True)
class Prepared:
    """A folder in the cache. root: a Debian file tree of `packages` (name_version_architecture each)."""

    root: Path
    packages: tuple[str, ...]


def docker_tools() -> Prepared:
    """Debian 13's Docker with buildx, a way to the network, and the empty folders that mounts need."""

    def finish(root: Path, _debs: list[Path]) -> None:
        for name in ("proc", "sys", "dev", "run", "tmp", "mnt", "root"):
            (root / name).mkdir(exist_ok=True)
        (root / "etc/resolv.conf").touch()
        for name in ("passwd", "group"):
            (root / "etc" / name).write_text(
                f"root:x:0:{'0:root:/root:/bin/sh' if name == 'passwd' else ''}\n"
            )

    return _prepare("docker", "trixie", apt.host_architecture(), _DOCKER, finish)


def base_image(architecture: str, *, updates: bool = True) -> Prepared:
    """The packages of debian:bookworm-slim for a target, with the list of them that dpkg would have.

    updates: with security updates; a mirror may lack them for a rare architecture.
    """
    return _prepare(
        f"base-{architecture}", "bookworm", architecture, list(SLIM), _finish_base, updates=updates
    )


def build_image(*, updates: bool = True) -> Prepared:
    """This machine's counterpart of python:3.11-slim-bookworm, reaching packages as this machine does."""
    architecture = apt.host_architecture()

    def finish(root: Path, debs: list[Path]) -> None:
        _finish_base(root, debs)
        sources = _sources("bookworm", architecture, updates).replace(f"arch={architecture} ", "")
        (root / "etc/apt/sources.list").write_text(sources)
        (root / "etc/apt/apt.conf.d/host").write_text(_hosts_proxies())
        if _HOSTS_CERTIFICATES.is_file():
            (root / "etc/ssl/certs").mkdir(parents=True, exist_ok=True)
            shutil.copy(_HOSTS_CERTIFICATES, root / _HOSTS_CERTIFICATES.relative_to("/"))

    return _prepare("build", "bookworm", architecture, _BUILD, finish, _hosts_proxies(), updates=updates)


def emulator(machine: str) -> Path:
    """A static qemu of Debian 12 that runs one program for `machine` (aarch64 or arm)."""
    wanted = f"./usr/bin/qemu-{machine}-static"
    prepared = _prepare(
        f"qemu-{machine}", "bookworm", apt.host_architecture(), [_QEMU], members={_QEMU: (wanted,)}
    )
    return prepared.root / wanted


def _prepare(
    name: str,
    suite: str,
    architecture: str,
    packages: list[str],
    finish: Callable[[Path, list[Path]], None] = lambda _root, _debs: None,
    *key: str,
    members: dict[str, tuple[str, ...]] | None = None,
    updates: bool = True,
) -> Prepared:
    home = cache_root() / "containers"
    sources = _sources(suite, architecture, updates)
    final = home / f"{name}-{content_key(FORMAT, sources, json.dumps(packages), *key)}"

    def build(folder: Path) -> None:
        fetched = folder / "fetched"
        debs = apt.fetch(packages, architecture, sources, fetched, _silent)
        make_root(folder / "root")
        unpack(debs, folder / "root", _silent, members=members)
        finish(folder / "root", debs)
        shutil.rmtree(fetched)
        (folder / COMPLETE).write_text(json.dumps([deb.stem for deb in debs]))

    with building_alone(home, lambda: None):
        if not (final / COMPLETE).is_file():
            build_folder(final, build)
        mark_used(final)
        remove_unused(home, {final})
    return Prepared(final / "root", tuple(json.loads((final / COMPLETE).read_text("utf-8"))))


def _sources(suite: str, architecture: str, updates: bool) -> str:
    """A sources.list; without updates the release alone."""
    lines = sources_list(suite, architecture).splitlines(keepends=True)
    return "".join(line for line in lines if updates or f"{suite}-security" not in line)


def _finish_base(root: Path, debs: list[Path]) -> None:
    """dpkg's own list, and the rights of /tmp, which unpacking as a user takes away."""
    entries = []
    for deb in debs:
        fields = subprocess.run(
            ["dpkg-deb", "--field", deb], capture_output=True, text=True, check=True
        ).stdout
        first, _, rest = fields.partition("\n")
        entries.append(f"{first}\nStatus: install ok installed\n{rest}")
    status = root / "var/lib/dpkg/status"
    status.parent.mkdir(parents=True, exist_ok=True)
    status.write_text("\n".join(entries))
    for name in ("tmp", "var/tmp"):
        (root / name).mkdir(exist_ok=True)
        (root / name).chmod(0o1777)


def _hosts_proxies() -> str:
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout
    wanted = ("Acquire::http::Proxy", "Acquire::https::Proxy")
    return "".join(f"{line}\n" for line in dump.splitlines() if line.startswith(wanted))


def _silent(_fraction: float, _label: str) -> None:
    pass
