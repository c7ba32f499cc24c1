"""Python packages for a board, fetched by pip on this machine without being installed."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from edgeseq.devices.cache import Progress
from edgeseq.devices.commands import fault, follow
from edgeseq_device.errors import DeviceError

# pip names each wheel when it begins with it, by address or by file.
_BEGUN = re.compile(r"(?:Downloading|Using cached|Processing) (?:.*/)?([A-Za-z0-9_.]+)-\S*\.whl")


def has_pip() -> bool:
    """Whether the Python that runs this has pip (environments made by uv have none)."""
    return importlib.util.find_spec("pip") is not None


def fetch_wheels(
    requirements: Path, python: str, platforms: Sequence[str], folder: Path, progress: Progress
) -> list[Path]:
    """Download the wheels that `requirements` pins with hashes, for another machine; returns them, sorted.

    python: such as "3.11"; platforms: wheel platform tags. DeviceError when a wheel cannot be had or differs
    from its hash.
    """
    if not has_pip():
        raise DeviceError(
            f"{sys.executable} has no pip to fetch wheels with; run `python -m ensurepip` there"
        )
    tag = python.replace(".", "")
    command = [
        *(sys.executable, "-m", "pip", "download", "--dest", str(folder), "--requirement", str(requirements)),
        *("--require-hashes", "--no-deps", "--only-binary=:all:", "--progress-bar=off", "--no-input"),
        *("--disable-pip-version-check", "--implementation=cp", f"--python-version={tag}", f"--abi=cp{tag}"),
        *(f"--platform={platform}" for platform in platforms),
    ]
    pinned = [
        line for line in requirements.read_text().splitlines() if "==" in line and not line.startswith("#")
    ]
    _run_pip(command, len(pinned), progress)
    return sorted(folder.glob("*.whl"))


def _run_pip(command: Sequence[str], expected: int, progress: Progress) -> None:
    environment = {**os.environ, "PIP_REQUIRE_VIRTUALENV": "0", "PYTHONUNBUFFERED": "1"}
    label = "fetching the board's Python packages"
    progress(0.0, label)
    begun = 0

    def on_line(line: str) -> None:
        nonlocal begun
        found = _BEGUN.match(line)
        if found:
            progress(begun / expected, f"fetching {found.group(1)} for the board")
            begun = min(begun + 1, expected)

    exit_status, said = follow(command, environment, on_line)
    if exit_status != 0:
        errors = [line for line in said if line.startswith("ERROR:")] or said[-1:] or ["pip said nothing"]
        reason = errors[-1].removeprefix("ERROR:").strip()
        raise fault(f"{label} failed", reason, "check the network and try again")
    progress(1.0, label)
