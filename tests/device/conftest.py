"""A real result of the agent, taken once, and a native runner that says what a test lets it say."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseq_device.artifact import open_artifact
from edgeseq_device.golden import GoldenVectors
from edgeseq_device.measuring import agent
from edgeseq_device.measuring.agent import bench
from edgeseq_device.measuring.guards import read_guards
from edgeseq_device.measuring.native_runner import NativeRunner
from edgeseq_device.measuring.request import Limits, Request
from edgeseq_device.runtimes import load
from edgeseq_export import bundle

MakeOnce = Callable[[str, Callable[[Path], None]], Path]
GOLDEN = 3
_HEAD = "edgeseq-outcome 1\nruntime ai-edge-litert 2.3.0\nsetting threads 1\n"
_PARITY = (
    "value parity_error 1e-05\nvalue parity_tolerance 0.001\nvalue parity_n 16\n"
    "value parity_decisions_changed 0\nvalue parity_ok true\n"
)
_STAGES = ("start", "runtime", "loaded", "first", "steady", "peak")
_PHASES = ("start", "import", "load", "first_inference", "first_answer")
_BODIES = {
    "ram": "frames 11\n"
    + "".join(f"value ram_{stage}_bytes {1_000_000 + at}\n" for at, stage in enumerate(_STAGES))
    + "missing ram_numpy_bytes the native runner has no numpy\n"
    + "missing ram_pss_bytes this kernel keeps no proportional figure\n",
    "latency": "frames 11\n"
    + "".join(f"phase {each}_ms {at + 0.5}\n" for at, each in enumerate(_PHASES))
    + "missing numpy_ms the native runner has no numpy\n"
    + "warmup 20 0.51 true\nsamples 3 1200 1300 1250\n",
    "step_latency": "phase load_ms 0.75\nwarmup 20 0.51 false\nsamples 2 1000 1100\n",
    "parity": f"{_PARITY}value logits [[0.5, 1, -2]]\n",
    "step_parity": _PARITY,
    "instructions": "frames 11\n",
    "fits": "value peak_rss_bytes 8000000\n",
}
OUTCOMES = {kind: f"{_HEAD}{body}end\n" for kind, body in _BODIES.items()}
FAST = Limits(
    warmup_runs=2,
    warmup_s=0.01,
    warmup_max_s=0.2,
    steady_runs=20,
    steady_s=0.01,
    launches=2,
    timeout_s=60,
    cooldown_max_s=0,
    power_s=0.1,
    realtime_s=0.2,
    sustained_s=0.5,
    profile_runs=5,
)


@dataclass(frozen=True)
class FakeRunner:
    """A script in the place of edgeseq-run, whose word on each kind of measurement is a file beside it."""

    folder: Path
    runner: NativeRunner

    def does(self, code: str) -> None:
        """Let it run other code."""
        Path(self.runner.program).write_text(f"#!/bin/sh\n{code}\n")
        Path(self.runner.program).chmod(0o755)

    def says(self, kind: str, outcome: str) -> None:
        """Let it give another outcome."""
        (self.folder / kind).write_text(outcome)


@pytest.fixture(scope="session")
def outcomes() -> dict[str, str]:
    """By kind of measurement what a native runner says where all is well."""
    return dict(OUTCOMES)


@pytest.fixture(scope="session")
def make_runner() -> Callable[[Path], FakeRunner]:
    """Makes a native runner in a folder, with a library that nothing loads."""

    def make(folder: Path) -> FakeRunner:
        folder.mkdir(parents=True, exist_ok=True)
        named = NativeRunner((str(folder / "edgeseq-run"),), str(folder / "libLiteRt.so"), "2.3.0")
        fake = FakeRunner(folder, named)
        Path(named.library).write_bytes(b"a library")
        fake.does(f'[ "$1" = check ] || cat "{folder}/$2"')
        for kind, outcome in OUTCOMES.items():
            fake.says(kind, outcome)
        return fake

    return make


@pytest.fixture
def fake(make_runner: Callable[[Path], FakeRunner], tmp_path: Path) -> FakeRunner:
    """A native runner of this test's own."""
    return make_runner(tmp_path / "runner")


@pytest.fixture(scope="session")
def fast_limits() -> Limits:
    """Limits that make a measurement short, not good."""
    return FAST


def no_readings() -> dict[str, object]:
    """The guards of a machine that tells nothing of itself."""
    return dict.fromkeys(read_guards())


@pytest.fixture(autouse=True)
def calm(monkeypatch: pytest.MonkeyPatch) -> None:
    """No result is invalid because of what else this machine does: it may swap, or have a slow governor."""
    monkeypatch.setattr(agent, "read_guards", no_readings)


@pytest.fixture(scope="session")
def served(pristine_artifact: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The result of a full local request, and the progress events it came with; never to be changed."""
    events: list[dict[str, Any]] = []
    request = Request(str(pristine_artifact), ("onnx", "tflite"), limits=FAST)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(agent, "read_guards", no_readings)
        return bench(request, lambda event: events.append(dict(event))), events


@pytest.fixture(scope="session")
def golden_artifact(
    make_language_model: Callable[..., Path],
    forecaster_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], Path]:
    """By task "lm", a transformer with a window of 5, or "forecast": a TFLite model with golden vectors that
    are its own answers; never to be changed."""

    @cache
    def make(task: str) -> Path:
        source = make_language_model(window=5) if task == "lm" else forecaster_folder
        return _with_golden(source, tmp_path_factory.mktemp("golden") / source.name)

    return make


def _with_golden(source: Path, folder: Path) -> Path:
    shutil.copytree(source, folder)
    artifact, generator = open_artifact(folder), np.random.default_rng(2)
    model, frames = artifact.model("tflite"), artifact.context or 64
    shape = (GOLDEN, frames, artifact.features_count)
    features: Any = generator.standard_normal(shape).astype(np.float32)
    if artifact.task == "lm":
        features = generator.integers(2, len(artifact.labels), shape).astype(np.int32)
    loaded = load(model.path, "tflite")
    answers = np.stack([loaded.run(each) for each in features])
    labels, names = np.zeros(GOLDEN, np.int64), tuple(map(str, range(GOLDEN)))
    bundle.write_golden(folder, GoldenVectors(tuple(features), answers, {"tflite": answers}, labels, names))
    (folder / "SHA256SUMS").unlink()
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    models = [each for each in manifest.pop("models") if each["format"] == "tflite"]
    manifest["golden"]["count"] = GOLDEN
    bundle.seal(folder, manifest, models)
    return folder


@pytest.fixture
def result(served: tuple[dict[str, Any], list[dict[str, Any]]]) -> dict[str, Any]:
    """A copy of the result that a test may damage."""
    return copy.deepcopy(served[0])


def interpreter(version: str) -> str:
    """A Python of that version, such as 3.9, that runs: on PATH, else one that pyenv has installed.

    A shim of pyenv's is on PATH for every version it has, and fails for those that are not active.
    """
    name = f"python{version}"
    roots = [os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")]
    if shutil.which("pyenv"):
        asked = subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=False)
        roots.append(asked.stdout.strip())
    installed = [each for root in roots for each in Path(root).glob(f"versions/{version}*/bin/{name}")]
    for found in filter(None, [shutil.which(name), *installed]):
        if not subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode:
            return str(found)
    pytest.skip(f"{name} is neither on PATH nor in pyenv")


@pytest.fixture(scope="session")
def old_python(make_once: MakeOnce) -> str:
    """A Python 3.9 with numpy, in an environment of its own."""
    return environment(make_once, "3.9", "numpy==2.0.2")


@pytest.fixture(scope="session")
def armv7_python(make_once: MakeOnce) -> str:
    """A Python 3.11 with what a 32-bit Raspberry Pi OS has: tflite-runtime 2.14.0 and numpy 1."""
    return environment(make_once, "3.11", "tflite-runtime==2.14.0", "numpy==1.26.4")


def environment(make_once: MakeOnce, version: str, *packages: str) -> str:
    """The Python of an environment without pip that has these packages; one for all test processes."""

    def make(folder: Path) -> None:
        subprocess.run([interpreter(version), "-m", "venv", "--without-pip", str(folder)], check=True)
        site = ("--target", str(folder / f"lib/python{version}/site-packages"))
        wheels = ("--python-version", version, "--only-binary", ":all:", "--no-deps", "--no-compile")
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        if subprocess.run([*install, *site, *wheels, *packages], capture_output=True, check=False).returncode:
            pytest.skip(f"pip cannot install {' and '.join(packages)} for python{version}")

    return str(make_once(f"python{version}", make) / "bin" / "python")
