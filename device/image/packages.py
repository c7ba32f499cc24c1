"""Unpack Debian's Python for the target over what its base image has: fetched by apt, never run.

apt resolves against the base image's own list of packages, so that only what is missing there is fetched.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from target import PYTHON, ROOT, Target, target

BASE = Path("base")
"""Where the Dockerfile mounts the target's base image."""

_APT = Path("apt")
_MERGED = ("bin", "sbin", "lib", "lib64")
_PACKAGES = (f"python{PYTHON}-minimal", f"libpython{PYTHON}-stdlib", "libstdc++6")
_UNLOADED = ("libncursesw6", "libnsl2", "libreadline8", "libsqlite3-0", "libssl3", "libtirpc3")
"""Libraries of modules that are left out as well, see finish.py: told apt to be there."""
_NOT_NEEDED = ("man", "locale", "info", "lintian", "bug", "pixmaps", "applications")

_ENTRY = "\n".join(
    ["Package: {}", "Status: install ok installed", "Architecture: {}", "Multi-Arch: same", "Version: 99"]
)


def main() -> None:
    """Ends the build when a package cannot be had, verified or unpacked."""
    wanted = target()
    install(wanted, [*_PACKAGES, *wanted.packages])
    for name in _MERGED:  # the base has these links; a second time they would be in its way
        (ROOT / name).unlink()
    python = ROOT / "usr/bin/python3"
    if not python.is_symlink():
        python.symlink_to(f"python{PYTHON}")


def install(wanted: Target, names: list[str]) -> None:
    """Unpack these packages, with all they depend on that the base image lacks, into a new ROOT."""
    packages = _fetch(wanted, names)
    _make_root()
    for package in packages:
        _unpack(package)
        _list(package)


def _fetch(wanted: Target, names: list[str]) -> list[Path]:
    """The .deb files of `names` and of all they depend on that the base image lacks."""
    for name in ("lists/partial", "archives/partial"):
        (_APT / name).mkdir(parents=True)
    status = BASE / "var/lib/dpkg/status"
    known = [status.read_text("utf-8").rstrip()] if status.is_file() else []
    known += [_ENTRY.format(name, wanted.debian) for name in _UNLOADED]
    (_APT / "status").write_text("\n\n".join(known) + "\n", "utf-8")
    options = {
        "APT::Architecture": wanted.debian,
        "APT::Architectures": wanted.debian,
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",
        "APT::Update::Error-Mode": "any",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
        "Dir::State::lists": _APT.resolve() / "lists",
        "Dir::State::status": _APT.resolve() / "status",
        "Dir::Cache": _APT.resolve(),
        "Dir::Cache::archives": _APT.resolve() / "archives",
    }
    given = [f"-o{name}={value}" for name, value in options.items()]
    subprocess.run(["apt-get", "-q", *given, "update"], check=True)
    subprocess.run(["apt-get", "-qy", *given, "install", "--download-only", *names], check=True)
    return sorted((_APT / "archives").glob("*.deb"))


def _make_root() -> None:
    """ROOT with the links of a merged /usr: packages still name /lib."""
    for name in _MERGED:
        (ROOT / "usr" / name).mkdir(parents=True, exist_ok=True)
        (ROOT / name).symlink_to(f"usr/{name}")


def _unpack(package: Path) -> None:
    excluded = [f"--exclude=./usr/share/{name}" for name in _NOT_NEEDED]
    # Of the documentation the copyright stays.
    excluded += ["--exclude=changelog*", "--exclude=NEWS*", "--exclude=README*", "--exclude=examples"]
    extract = ["tar", "-x", "-C", str(ROOT), "--keep-directory-symlink", *excluded]
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE) as reader:
        subprocess.run(extract, stdin=reader.stdout, check=True)
    if reader.returncode != 0:
        sys.exit(f"{package.name}: cannot be unpacked")


def _list(package: Path) -> None:
    """Say in status.d, where scanners look, what was unpacked without dpkg."""
    fields = subprocess.run(["dpkg-deb", "--field", str(package)], capture_output=True, check=True).stdout
    entry = ROOT / "var/lib/dpkg/status.d" / package.name.partition("_")[0]
    entry.parent.mkdir(parents=True, exist_ok=True)
    entry.write_bytes(fields)


if __name__ == "__main__":
    main()
