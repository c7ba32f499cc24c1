"""What an image is built for, by the words that BuildKit has for it. Runs on the machine that builds."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

PYTHON = "3.11"
"""Debian 12's and Raspberry Pi OS bookworm's, the only one here."""

ROOT = Path("root")
"""What the build puts together and the final image takes over as a whole."""

SITE = ROOT / "opt/edgeseq/site"


@dataclass(frozen=True)
class Target:
    """One kind of processor.

    debian: Debian's name of it. machine: that of `uname -m`, which the table of wheels has in its name.
    wheel_platforms: what pip may take. runtimes: the package of each that can be had. packages: taken from
    Debian beside Python.
    """

    debian: str
    machine: str
    wheel_platforms: tuple[str, ...]
    runtimes: dict[str, str]
    packages: tuple[str, ...] = ()


def _manylinux(machine: str, *versions: int) -> tuple[str, ...]:
    return tuple(f"manylinux_2_{version}_{machine}" for version in versions)


_CURRENT = {"litert": "ai-edge-litert", "onnxruntime": "onnxruntime"}
_TARGETS = {
    "arm64": Target("arm64", "aarch64", _manylinux("aarch64", 36, 28, 27, 17), _CURRENT),
    "amd64": Target("amd64", "x86_64", _manylinux("x86_64", 36, 28, 27, 17), _CURRENT),
    # No wheel of numpy exists for 32-bit ARM; Debian's is of the 1.x that this runtime needs.
    "arm/v7": Target(
        "armhf",
        "armv7l",
        _manylinux("armv7l", 36, 34),
        {"litert": "tflite-runtime"},
        ("python3-numpy",),
    ),
}


def target() -> Target:
    """The target in the environment's TARGETARCH and TARGETVARIANT; ends the build for an unknown one."""
    architecture, variant = os.environ.get("TARGETARCH", ""), os.environ.get("TARGETVARIANT", "")
    name = f"{architecture}/{variant}" if architecture == "arm" else architecture
    if name not in _TARGETS:
        sys.exit(f"linux/{name}: nothing is made for it, only for linux/{', linux/'.join(_TARGETS)}")
    return _TARGETS[name]
