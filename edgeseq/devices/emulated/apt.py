"""Fetching Debian packages with apt into a folder, apart from the packages of the machine it runs on.

apt gets its own state, lists and an empty list of installed packages, so it fetches everything a package
depends on, for any architecture, as any user, and changes nothing outside the folder.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from edgeseq.devices.cache import Progress, part_of
from edgeseq.devices.commands import fault, follow, output_of
from edgeseq_device.errors import DeviceError

# Of the host's own settings only how to reach its mirrors is taken over, not its hooks.
_TAKEN_OVER = re.compile(r"Acquire::(https?|ftp|tor|Retries|Check-|ForceIPv|Max-|Queue-|Proxy|Send-)")
_FETCHED = re.compile(r"Get:\d+ ")
_PLANNED = re.compile(r"(\d+) newly installed")


def missing_tools() -> list[str]:
    """The Debian packages to install for what this module and `rootfs` call; empty on any Debian."""
    packages = {"apt-get": "apt", "apt-config": "apt", "dpkg-deb": "dpkg", "tar": "tar"}
    return sorted({package for tool, package in packages.items() if shutil.which(tool) is None})


def host_architecture() -> str:
    """Debian's name of this machine's architecture, such as "amd64"."""
    return output_of(
        ["dpkg", "--print-architecture"], os.environ, "virtual boards need Debian or Ubuntu"
    ).strip()


def fetch(
    packages: Sequence[str], architecture: str, sources: str, folder: Path, progress: Progress
) -> list[Path]:
    """Download `packages` and all they depend on; returns the .deb files, sorted.

    architecture: Debian's name. sources: the text of a sources.list. `folder` is made; it holds apt's own
    state too and can be removed afterwards. DeviceError, with apt's own word, when something cannot be
    reached, verified or found.
    """
    folder.mkdir()
    for name in ("state", "lists/partial", "archives/partial"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()
    (folder / "sources.list").write_text(sources)
    configuration = folder / "apt.conf"
    configuration.write_text(_configuration(folder, architecture))
    environment = {**os.environ, "APT_CONFIG": str(configuration), "LC_ALL": "C"}
    update, install = part_of(progress, 0.0, 0.3), part_of(progress, 0.3, 1.0)
    _run_apt(["update"], environment, update, f"reading Debian's index for {architecture}", expected=8)
    label = f"fetching {', '.join(packages)} for {architecture}"
    _run_apt(["install", "--download-only", *packages], environment, install, label)
    return sorted((folder / "archives").glob("*.deb"))


def _configuration(folder: Path, architecture: str) -> str:
    """An apt.conf in which every path is inside `folder`. APT_CONFIG is read before the paths it names."""
    if '"' in str(folder) or ";" in str(folder):
        raise DeviceError(
            f"{folder}: apt cannot work in a folder with this name; name another in EDGESEQ_CACHE_DIR"
        )
    settings = {
        "Dir::State": folder / "state",
        "Dir::State::status": folder / "status",
        "Dir::State::lists": folder / "lists",
        "Dir::Cache": folder,
        "Dir::Cache::archives": folder / "archives",
        "Dir::Log": folder,
        "Dir::Etc::SourceList": folder / "sources.list",
        **dict.fromkeys((f"Dir::Etc::{name}" for name in _ETC), "/dev/null"),
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Install-Recommends": "false",
        "APT::Get::Assume-Yes": "true",
        "APT::Update::Error-Mode": "any",
        "APT::Sandbox::User": "root",  # _apt cannot write to a user's cache folder
        "Acquire::Languages": "none",
        "Acquire::Retries": "2",
    }
    ours = "".join(f'{key} "{value}";\n' for key, value in settings.items())
    dump = output_of(["apt-config", "dump"], {**os.environ, "LC_ALL": "C"}, "apt's settings cannot be read")
    return ours + "".join(line + "\n" for line in dump.splitlines() if _TAKEN_OVER.match(line))


_ETC = ("SourceParts", "Parts", "Main", "Preferences", "PreferencesParts", "Trusted", "TrustedParts")


def _run_apt(
    arguments: Sequence[str], environment: dict[str, str], progress: Progress, label: str, expected: int = 50
) -> None:
    """Run apt-get; each file it gets moves the progress on. `expected` files until apt says how many."""
    progress(0.0, label)
    got = 0

    def on_line(line: str) -> None:
        nonlocal expected, got
        planned = _PLANNED.search(line)
        expected = int(planned.group(1)) if planned else expected
        if _FETCHED.match(line):
            got += 1
            progress(got / max(expected, got), label)

    exit_status, said = follow(["apt-get", "-q", *arguments], environment, on_line)
    if exit_status != 0:
        raise fault(f"{label} failed", _last_error(said), "check the network and try again")
    progress(1.0, label)


def _last_error(said: Sequence[str]) -> str:
    """apt's own words for what went wrong: its last error, else its last line."""
    errors = [line[2:].strip() for line in said if line.startswith("E:")]
    return errors[0] if errors else next((line for line in reversed(said) if line), "apt-get said nothing")
