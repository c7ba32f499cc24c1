"""The files of an artifact mean the same to edgeseq-run as to Python."""

from __future__ import annotations

import hashlib
import io
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgeseq_device.artifact import open_artifact
from edgeseq_device.golden_input import median_input

Shown = list[list[str]]
"""The lines that print_artifact.c prints, in words."""


@pytest.fixture(scope="module")
def show(
    build_native: Callable[..., Path], run_sanitized: Callable[..., subprocess.CompletedProcess[str]]
) -> Callable[[Path], Shown]:
    """What the modules of edgeseq-run, under sanitizers, read of the artifact in a folder."""
    program = build_native("print-artifact", "--unit", str(Path(__file__).with_name("print_artifact.c")))

    def run(folder: Path) -> Shown:
        done = run_sanitized(program, folder, cwd=folder)
        assert done.returncode == 0, done.stderr
        return [line.split(" ") for line in done.stdout.splitlines()]

    return run


def arrays(shown: Shown, name: str) -> list[np.ndarray]:
    found = [line[1:] for line in shown if line[0] == name]
    return [np.array(words[2:], np.float32).reshape(int(words[0]), int(words[1])) for words in found]


class Unseekable(io.RawIOBase):
    """A file that zipfile cannot go back in: it writes sizes behind the content then."""

    def __init__(self) -> None:
        self.content = b""

    def writable(self) -> bool:
        return True

    def write(self, content: bytes) -> int:  # type: ignore[override]
        self.content += bytes(content)
        return len(content)


def test_an_artifact_is_read_as_python_reads_it(
    pristine_artifact: Path, show: Callable[[Path], Shown]
) -> None:
    artifact, shown = open_artifact(pristine_artifact, only="tflite"), show(pristine_artifact)
    model, golden = artifact.model("tflite"), artifact.golden()
    assert model.step is not None
    assert shown[:5] == [
        ["name", artifact.name],
        ["manifest", artifact.manifest_sha256],
        ["labels", *artifact.labels],
        ["model", str(model.path), model.sha256, str(model.bytes)],
        ["tolerances", f"{model.parity_tolerance:.17g}", f"{model.step.parity_tolerance:.17g}"],
    ]
    read = arrays(shown, "features")
    assert len(read) == artifact.golden_count
    assert all(np.array_equal(mine, theirs) for mine, theirs in zip(read, golden.features, strict=True))
    assert np.array_equal(arrays(shown, "reference")[0], golden.references["tflite"])
    assert np.array_equal(arrays(shown, "step_reference")[0], golden.step_reference("tflite"))
    median = median_input(artifact.golden_path, artifact.golden_count)
    assert read[int(shown[5][1])].tobytes() == median.content


def test_golden_vectors_that_were_written_through_a_pipe_are_read_too(
    artifact_folder: Path, show: Callable[[Path], Shown]
) -> None:
    path, sums = artifact_folder / "golden.npz", artifact_folder / "SHA256SUMS"
    before, old, pipe = show(artifact_folder), path.read_bytes(), Unseekable()
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(pipe, "w") as copy:
        for name in archive.namelist():
            with copy.open(name, "w", force_zip64=True) as member:
                member.write(archive.read(name))
    path.write_bytes(pipe.content)
    old_sum, new_sum = (hashlib.sha256(each).hexdigest() for each in (old, pipe.content))
    sums.write_text(sums.read_text().replace(old_sum, new_sum))
    assert old_sum != new_sum
    assert show(artifact_folder) == before
