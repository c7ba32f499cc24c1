"""A real result of the agent, taken once."""

from __future__ import annotations

import copy
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from edgeseq_device.measuring.agent import bench
from edgeseq_device.measuring.request import Limits, Request

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


@pytest.fixture(scope="session")
def fast_limits() -> Limits:
    """Limits that make a measurement short, not good."""
    return FAST


@pytest.fixture(scope="session")
def served(pristine_artifact: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The result of a full local request, and the progress events it came with; never to be changed."""
    events: list[dict[str, Any]] = []
    request = Request(str(pristine_artifact), ("onnx", "tflite"), limits=FAST)
    return bench(request, lambda event: events.append(dict(event))), events


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
def old_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python 3.9 with numpy, in an environment of its own."""
    environment = tmp_path_factory.mktemp("python39")
    subprocess.run([interpreter("3.9"), "-m", "venv", str(environment)], check=True)
    python = str(environment / "bin" / "python")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "numpy==2.0.2"]
    if subprocess.run(install, capture_output=True, check=False).returncode:
        pytest.skip("pip cannot install numpy for python3.9")
    return python


@pytest.fixture(scope="session")
def armv7_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python 3.11 with what a 32-bit Raspberry Pi OS has: tflite-runtime 2.14.0 and numpy 1."""
    environment = tmp_path_factory.mktemp("armv7")
    subprocess.run([interpreter("3.11"), "-m", "venv", str(environment)], check=True)
    python = str(environment / "bin" / "python")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    needed = ["tflite-runtime==2.14.0", "numpy==1.26.4"]
    if subprocess.run([*install, *needed], capture_output=True, check=False).returncode:
        pytest.skip("pip cannot install tflite-runtime 2.14.0 for python3.11")
    return python
