"""What is installed and ready on this machine, and what to run to mend the rest."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import Any

from edgeseq import __version__
from edgeseq.devices import native_build
from edgeseq.devices.cache import cache_root
from edgeseq.devices.emulated import virtual
from edgeseq.devices.machine import run as machine
from edgeseq.devices.machine.plan import NAME as VIRTUAL_PI
from edgeseq.devices.profiles import virtual_board_names
from edgeseq.devices.registry import configured_devices
from edgeseq_device.board.libraries import try_library
from edgeseq_device.errors import DeviceError, EdgeseqError
from edgeseq_device.measuring.runners import MACHINES

HOST_EXTRA = f"{sys.executable} -m pip install 'edgeseq[host]'"

_PACKAGES = {
    "numpy": "everything",
    "click": "everything",
    "rich": "everything",
    "platformdirs": "everything",
    "torch": "train, export, eval of a run",
    "safetensors": "train, export, eval of a run",
    "onnx": "export to ONNX",
    "flatbuffers": "export to TFLite",
    "soundfile": "reading WAV files",
    "tokenizers": "training on texts",
}
_OPTIONAL = {"transformers": ("huggingface", "edgeseq distill from a Hugging Face model")}
_RUNTIMES = {"onnx": "onnxruntime", "tflite": "ai-edge-litert"}
_IMPORT_TIMEOUT_S = 60.0
_ASK_S = 10.0


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    state: "ok", or what is the matter; remedy: the command that mends it, None when nothing needs mending.
    """

    group: str
    name: str
    ok: bool
    state: str
    remedy: str | None = None


def examine() -> list[Check]:
    """Every check, in the order they are shown. Installs, fetches and prepares nothing."""
    checks = [
        Check("edgeseq", "edgeseq", True, f"{__version__}, Python {platform.python_version()}"),
        Check("edgeseq", "machine", True, f"{platform.machine()}, {platform.system()} {platform.release()}"),
        _cache(),
    ]
    checks += [_package(name, purpose) for name, purpose in _PACKAGES.items()]
    checks += [_optional(name, extra, purpose) for name, (extra, purpose) in _OPTIONAL.items()]
    checks += [_runtime(model_format, package) for model_format, package in _RUNTIMES.items()]
    checks += [_virtual_board(name) for name in virtual_board_names()]
    checks += [_virtual_pi(), _ssh(), *_devices(), native_runner(), _buildx()]
    return checks


def checks_to_dict(checks: list[Check]) -> dict[str, Any]:
    """The checks as JSON-able data."""
    return {"schema": "edgeseq.doctor", "schema_version": 1, "checks": [asdict(check) for check in checks]}


def _cache() -> Check:
    root = cache_root()
    nearest = next(folder for folder in (root, *root.parents) if folder.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK):
        return Check("edgeseq", "cache", True, str(root))
    remedy = "export EDGESEQ_CACHE_DIR=a folder you can write to"
    return Check("edgeseq", "cache", False, f"{nearest} cannot be written", remedy)


def _package(name: str, purpose: str) -> Check:
    try:
        return Check("package", name, True, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Check("package", name, False, f"not installed; needed for: {purpose}", HOST_EXTRA)


def _optional(name: str, extra: str, purpose: str) -> Check:
    """A package that few need: who does is told how to get it."""
    try:
        return Check("package", name, True, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        remedy = f"{sys.executable} -m pip install 'edgeseq[{extra}]'"
        return Check("package", name, False, f"not installed; optional, for: {purpose}", remedy)


def _runtime(model_format: str, package: str) -> Check:
    """Whether the runtime of a format loads, tried in a process of its own."""
    tried = try_library(model_format, timeout_s=_IMPORT_TIMEOUT_S)
    if tried["version"] is not None:
        return Check("runtime", package, True, f"{tried['version']} loads")
    remedy = f"{sys.executable} -m pip install {package}"
    return Check("runtime", package, False, f"does not load: {tried['error']}", remedy)


def _virtual_board(name: str) -> Check:
    label = f"virtual {name}"
    try:
        status = virtual.status(name)
    except EdgeseqError as error:
        return Check("virtual board", label, False, str(error))
    if status.ready:
        return Check("virtual board", label, True, f"ready, {status.bytes_on_disk / 1e6:.0f} MB on disk")
    missing = f"missing: {', '.join(status.missing)}" if status.missing else "not prepared yet"
    return Check("virtual board", label, False, missing, status.remedy)


def _virtual_pi() -> Check:
    found = machine.status()
    return Check(
        "virtual board", VIRTUAL_PI, found.ready or found.running is not None, found.text, found.remedy
    )


def _ssh() -> Check:
    if shutil.which("ssh") is None:
        return Check(
            "device", "ssh", False, "not installed; needed for: boards", "apt-get install openssh-client"
        )
    return Check("device", "ssh", True, _said(["ssh", "-V"]) or "does not tell its version")


def _devices() -> list[Check]:
    """The configured boards; none is contacted."""
    try:
        devices = configured_devices()
    except EdgeseqError as error:
        return [Check("device", "devices", False, str(error))]
    if not devices:
        return [Check("device", "devices", True, "none yet; `edgeseq device add pi4 USER@HOST` adds one")]
    return [
        Check("device", each.name, True, f"{each.destination}, {each.board or 'any board'}; not contacted")
        for each in devices
    ]


def native_runner() -> Check:
    """What compiles the runner for each kind of machine."""
    states, lacking = [], None
    for each in MACHINES:
        try:
            found = native_build.compiler(each)
            states.append(f"{each} by {found.name} {found.version}")
        except DeviceError as error:
            states.append(f"no compiler for {each}")
            lacking = str(error)
    if lacking is None:
        return Check("device", "native runner", True, f"compiled for {', '.join(states)}")
    state = f"{', '.join(states)}; optional, for: bench --runner native"
    return Check("device", "native runner", False, state, lacking.rpartition("; run: ")[2])


def _buildx() -> Check:
    """Docker's builder, which makes images for boards and is needed for nothing else."""
    remedy = "apt-get install docker-buildx, or see docs.docker.com/engine/install"
    if shutil.which("docker") is None:
        return Check("device", "docker buildx", False, "no docker; optional, for: make images", remedy)
    said = _said(["docker", "buildx", "version"])
    if said is None:
        return Check(
            "device", "docker buildx", False, "docker without buildx; optional, for: make images", remedy
        )
    return Check("device", "docker buildx", True, said)


def _said(command: list[str]) -> str | None:
    """The first line that a program prints, None where it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_ASK_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = (done.stdout or done.stderr).splitlines()
    return lines[0].strip() if done.returncode == 0 and lines else None
