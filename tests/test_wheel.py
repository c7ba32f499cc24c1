"""What a `pip install` brings: the wheel is built, unpacked somewhere else, and used from there."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the wheel holds."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(installed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python with the wheel's content before everything else, away from the source tree."""
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=installed.parent, env=environment, capture_output=True, text=True, check=False
    )


def test_the_command_line_runs_from_the_wheel(installed: Path) -> None:
    where = run(installed, "-c", "import edgeseq, edgeseq_export, edgeseq_device as d; print(d.__file__)")
    assert where.stdout.startswith(str(installed))
    assert run(installed, "-m", "edgeseq", "--version").stdout == "edgeseq 0.1.0\n"


@pytest.mark.parametrize(
    ("name", "files"),
    [("native", ("build.py", "src/**/*.[ch]")), ("virtualpi", ("**/*",)), ("wheels", ("**/*",))],
)
def test_the_boards_sources_travel_in_the_wheel(installed: Path, name: str, files: tuple[str, ...]) -> None:
    script = f"from edgeseq.devices.sources import device_sources; print(device_sources({name!r}))"
    found = run(installed, "-c", script)
    assert found.returncode == 0, found.stderr
    folder = Path(found.stdout.strip())
    assert installed in folder.parents
    sources = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    original = ROOT / "device" / name
    found_here = (path for pattern in files for path in original.glob(pattern))
    assert sources == {path.relative_to(original) for path in found_here if path.is_file()}


def test_neither_tests_nor_shared_folders_travel(installed: Path) -> None:
    tops = {path.name for path in installed.iterdir()}
    assert {name for name in tops if not name.endswith(".dist-info")} == {
        "edgeseq",
        "edgeseq_export",
        "edgeseq_device",
    }
