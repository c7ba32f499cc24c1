"""edgeseq-run and libLiteRt.so: which library is refused, and that a model answers there as in Python."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseq_device.artifact import sha256_of
from edgeseq_device.manifest import StateInfo
from edgeseq_device.runtimes import load, load_step

HERE = Path(__file__).parent
ADVICE = "take libLiteRt.so from ai-edge-litert 2.1.6 to 2.3.0 for "
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def check(runner: Path, tmp_path: Path) -> Run:
    """`edgeseq-run check` with a library, in a folder of its own."""

    def run(library: Path | str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [str(runner), "check", "--library", str(library), *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


@pytest.fixture(scope="module")
def strange_library(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A library that does one thing otherwise than LiteRT's: strange_library.c with a macro."""
    compiler = [shutil.which("gcc")] if shutil.which("gcc") else [sys.executable, "-m", "ziglang", "cc"]

    def make(macro: str, name: str = "strange_library.c", source: str | None = None) -> Path:
        folder = tmp_path_factory.mktemp("strange")
        path = folder / "libLiteRt.so"
        (folder / name).write_text(source or (HERE / name).read_text())
        options = ["-shared", "-fPIC", f"-D{macro}", "-o", str(path)]
        subprocess.run([*map(str, compiler), *options, str(folder / name)], check=True)
        return path

    return make


def refused(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert done.returncode == 5, done.stderr
    assert done.stdout == ""
    assert all(each in done.stderr for each in parts), done.stderr


def test_what_is_no_library_for_this_machine_is_refused(check: Run, library: Path, tmp_path: Path) -> None:
    (tmp_path / "text.so").write_text("no library at all, but longer than the head of one")
    head = bytearray(library.read_bytes()[:100_000])
    (tmp_path / "cut.so").write_bytes(head)
    head[18] = 0x28  # e_machine: another processor's, whatever this one is
    head[4] = 1
    (tmp_path / "arm.so").write_bytes(head)
    refused(check("nowhere.so"), "nowhere.so: No such file", ADVICE)
    refused(check(tmp_path), f"{tmp_path}: not a file", ADVICE)
    refused(check("text.so"), "text.so: not a shared library", ADVICE)
    refused(check("cut.so"), "cut.so: cut off")
    refused(check("arm.so"), "arm.so: a library for armv7l", ADVICE)


@pytest.mark.parametrize(
    ("macro", "said"),
    [
        ("OLD", "has no LiteRtCreateModelFromFd; " + ADVICE),
        ("REFUSING", "makes no environment (status 5); " + ADVICE),
        ("WIDER", "its LiteRtGetRankedTensorType does otherwise; " + ADVICE),
        ("SHORTER", "its LiteRtGetRankedTensorType does otherwise; " + ADVICE),
    ],
)
def test_a_library_that_does_otherwise_is_refused_and_not_trusted(
    macro: str, said: str, check: Run, strange_library: Callable[..., Path], pristine_artifact: Path
) -> None:
    path = strange_library(macro)
    done = check(path, pristine_artifact)
    assert done.returncode == 5, done.stderr
    assert f"{path}: {said}" in done.stderr


def test_a_library_of_something_else_is_refused(check: Run, strange_library: Callable[..., Path]) -> None:
    path = strange_library("OLD", "other.c", "int something;\n")
    refused(check(path), f"{path}: has no LiteRtCreateEnvironment")


def test_what_a_library_prints_is_not_in_the_outcome(
    runner: Path, pristine_artifact: Path, strange_library: Callable[..., Path]
) -> None:
    command = [
        runner,
        "measure",
        "ram",
        "--artifact",
        pristine_artifact,
        "--library",
        strange_library("NOISY"),
    ]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
    first, error, last = done.stdout.splitlines()
    assert (first, last) == ("edgeseq-outcome 1", "end")
    assert error.startswith("error 5 ")
    assert done.stderr == "edgeseq-outcome 1\nend\n"


def test_a_library_that_works_agrees_with_the_golden_vectors(
    check: Run, library: Path, pristine_artifact: Path
) -> None:
    done = check(library, "--library-version", "2.3.0", "--threads", "2", pristine_artifact)
    assert done.returncode == 0, done.stderr
    opens, sequence, step = done.stdout.splitlines()
    assert opens == f"{library}: opens (ai-edge-litert 2.3.0)"
    assert sequence.startswith(f"{pristine_artifact}: sequence form, 16 golden vectors, off by ")
    assert step.startswith(f"{pristine_artifact}: step form, 16 golden vectors, off by ")


def test_an_artifact_out_of_parity_is_told(check: Run, library: Path, artifact_folder: Path) -> None:
    rewrite(artifact_folder, lambda sheet: sheet.replace("serving_default 0.001", "serving_default 1e-12"))
    done = check(library, artifact_folder)
    assert done.returncode == 4
    assert f"{artifact_folder}: the sequence form is out of parity" in done.stderr


def rewrite(artifact: Path, change: Callable[[str], str]) -> None:
    """Change native.txt and seal the artifact again, as only its writer could."""
    path = artifact / "native.txt"
    path.write_text(change(path.read_text("utf-8")), "utf-8")
    files = sorted(each for each in artifact.iterdir() if each.name != "SHA256SUMS")
    (artifact / "SHA256SUMS").write_text("".join(f"{sha256_of(each)}  {each.name}\n" for each in files))


@pytest.fixture(scope="module")
def answers(
    build_native: Callable[..., Path],
    run_sanitized: Callable[..., subprocess.CompletedProcess[str]],
    library: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., list[str]]:
    """What a model answers to the beginnings of rows, in one process with sanitizers: print_answers.c."""
    program = build_native("print-answers", "--unit", str(HERE / "print_answers.c"))

    def ask(artifact: Path, rows: np.ndarray, lengths: Sequence[int], threads: int = 1) -> list[str]:
        folder = tmp_path_factory.mktemp("answers")
        rows.tofile(folder / "rows")
        done = run_sanitized(program, artifact, library, str(threads), "rows", *map(str, lengths), cwd=folder)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return ask


def rows_of(kind: str, T: int) -> np.ndarray:
    generator = np.random.default_rng(5)
    if kind == "text":
        return generator.integers(0, 40, (T, 3)).astype(np.int32)
    return generator.standard_normal((T, {"series": 6, "backward": 4}[kind])).astype(np.float32)


def bits(logits: Any) -> str:
    return " ".join(f"{each:08x}" for each in np.asarray(logits, np.float32).view(np.uint32))


@pytest.mark.parametrize(("kind", "threads"), [("series", 1), ("series", 2), ("text", 1), ("backward", 1)])
def test_both_forms_answer_as_in_python_to_the_bit(
    kind: str, threads: int, tiny_artifact: Callable[..., Path], answers: Callable[..., list[str]]
) -> None:
    artifact, rows, lengths = tiny_artifact(kind), rows_of(kind, 200), (3, 3, 200, 1, 7, 200, 2)
    path, entry = artifact / "model.tflite", json.loads((artifact / "manifest.json").read_text())["models"][0]
    states = [StateInfo(**each) for each in (entry["step"] or {}).get("states", ())]
    sequence = load(path, "tflite", threads)
    step = load_step(path, "tflite", states, threads) if states else None
    expected = []
    for T in lengths:
        expected.append(f"sequence {T} {bits(sequence.run(rows[:T]))}")
        if step is not None:
            expected.append(f"step {T} {bits(step.run(rows[:T]))}")
    assert answers(artifact, rows, lengths, threads) == expected
    assert (step is None) == (kind == "backward")


def test_features_that_no_model_can_take_are_refused_and_forgotten(
    tiny_artifact: Callable[..., Path], answers: Callable[..., list[str]]
) -> None:
    artifact, rows = tiny_artifact("series"), rows_of("series", 9)
    before, _step = answers(artifact, rows, [4])
    rows[5, 2] = np.nan
    refusal = f"6 {artifact}/model.tflite: features hold NaN or infinity in frame 5; mend the recording"
    said = answers(artifact, rows, [4, 9, 4, 0])
    assert [each for each in said if "sequence" in each] == [
        before,
        f"sequence 9 {refusal}",
        before,
        f"sequence 0 6 {artifact}/model.tflite: takes features [T >= 1, 6], not 0 frames",
    ]


def test_ids_that_no_table_has_are_refused_and_forgotten(
    tiny_artifact: Callable[..., Path], answers: Callable[..., list[str]]
) -> None:
    artifact, rows = tiny_artifact("text"), rows_of("text", 9)
    before = answers(artifact, rows, [4])
    rows[5, 2], rows[7, 1] = 40, -3
    said = answers(artifact, rows, [4, 6, 4, 8, 4])
    assert said[:2] == said[4:6] == said[8:] == before
    assert all(
        f" 6 {artifact}/model.tflite: refused by ai-edge-litert of a test" in each for each in said[2:4]
    )
    below = f"8 6 {artifact}/model.tflite: features hold the id -3; ids of tokens are 0 or above"
    assert said[6] == f"sequence {below}"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("gru0.h", "gru7.h", "has no input gru7.h, which native.txt names"),
        ("step step 0.001", "step steps 0.001", "has no signature steps"),
        ("1 8\n", "1 9\n", "its tensor gru0.h is float32 [1, 8], by native.txt float32 [1, 9]"),
    ],
)
def test_a_sheet_that_is_not_its_models_is_refused(
    old: str, new: str, said: str, artifact_folder: Path, answers: Callable[..., list[str]]
) -> None:
    rewrite(artifact_folder, lambda sheet: sheet.replace(old, new))
    (refusal,) = answers(artifact_folder, np.zeros((4, 5), np.float32), [4])
    assert refusal == f"refused 6 {artifact_folder}/model.tflite: {said}; export the artifact again"


def test_a_model_that_is_not_the_sealed_one_is_refused(
    artifact_folder: Path, answers: Callable[..., list[str]]
) -> None:
    path, rows = artifact_folder / "model.tflite", np.zeros((4, 5), np.float32)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert "refused 6 " in answers(artifact_folder, rows, [4])[0]
    path.write_bytes(content[: len(content) // 2])
    rewrite(artifact_folder, lambda sheet: sheet)
    (refusal,) = answers(artifact_folder, rows, [4])
    assert refusal.startswith(f"refused 6 {path}: refused by ai-edge-litert of a test: not a TFLite model")
