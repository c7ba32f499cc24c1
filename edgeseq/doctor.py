"""What is installed and ready on this machine, and what to run to mend the rest."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import edgeseq_device
from edgeseq import __version__
from edgeseq.devices import virtual
from edgeseq.devices.cache import cache_root
from edgeseq.devices.profiles import virtual_board_names
from edgeseq_device.errors import EdgeseqError

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
# A runtime's library may crash the process that loads it: never this one.
_IMPORT = "import sys; from edgeseq_device.runtimes import import_runtime; print(import_runtime(sys.argv[1]))"


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
    remedy = f"{sys.executable} -m pip install {package}"
    search_path = [str(Path(edgeseq_device.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, search_path))}
    try:
        done = subprocess.run(
            [sys.executable, "-c", _IMPORT, model_format],
            env=environment,
            capture_output=True,
            text=True,
            timeout=_IMPORT_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        state = f"no answer in {_IMPORT_TIMEOUT_S:g} s while loading"
        return Check("runtime", package, False, state, remedy)
    if done.returncode == 0:
        return Check("runtime", package, True, f"{done.stdout.strip()} loads")
    said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    return Check("runtime", package, False, f"does not load: {said}", remedy)


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
