"""`edgeseq-run predict`: what an artifact answers to files, without Python."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseq_device.classify import probabilities
from edgeseq_device.frontend import LogMel, Standardise, front_end_from_dict
from edgeseq_device.runtimes import load

Predict = Callable[..., subprocess.CompletedProcess[str]]
LABELS = ("one", "two", "three")


@pytest.fixture
def predict(runner: Path, library: Path, tmp_path: Path) -> Predict:
    """Runs it in a folder of its own."""

    def run(artifact: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        command = [str(runner), "predict", str(artifact), "--library", str(library), *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, **options)

    return run


def answers_of(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def features_of(kind: str, T: int) -> np.ndarray:
    generator = np.random.default_rng(T)
    if kind == "text":
        return generator.integers(0, 40, (T, 3)).astype(np.int32)
    count = {"sound": 13, "series": 6, "backward": 4}[kind]
    return generator.standard_normal((T, count)).astype(np.float32)


def front_end_of(artifact: Path) -> LogMel | Standardise:
    manifest = json.loads((artifact / "manifest.json").read_text("utf-8"))
    front_end = front_end_from_dict(manifest["features"]["front_end"])
    assert isinstance(front_end, (LogMel, Standardise))
    return front_end


def sound(count: int) -> np.ndarray:
    samples: np.ndarray = (8000 * np.sin(np.arange(count) ** 1.3)).astype("<i2")
    return samples


@pytest.mark.parametrize("kind", ["sound", "series", "text", "backward"])
def test_logits_are_those_of_python_to_the_bit(
    kind: str, tiny_artifact: Callable[..., Path], predict: Predict, tmp_path: Path
) -> None:
    artifact, files = tiny_artifact(kind), []
    inputs = [features_of(kind, T) for T in (1, 2, 9, 9, 60)]
    for index, each in enumerate(inputs):
        files.append(f"{index}.npy" if index % 2 else f"{index}.raw")
        np.save(tmp_path / files[-1], each) if index % 2 else each.tofile(tmp_path / files[-1])
    answers = answers_of(predict(artifact, "--json", *files))
    model = load(artifact / "model.tflite", "tflite")
    assert [each["file"] for each in answers] == files
    for answer, each in zip(answers, inputs, strict=True):
        logits = model.run(each)
        found = probabilities(logits)
        assert np.array(answer["logits"], np.float32).tobytes() == logits.tobytes()
        assert answer["label"] == LABELS[int(found.argmax())]
        assert answer["probability"] == pytest.approx(found.max(), rel=1e-8)


def test_a_recording_goes_through_the_front_end(
    tiny_artifact: Callable[..., Path], predict: Predict, tmp_path: Path
) -> None:
    artifact, samples = tiny_artifact("sound"), sound(3001)
    floats = (samples / 32768).astype(np.float32)
    samples.tofile(tmp_path / "recording.raw")
    floats.tofile(tmp_path / "floats.raw")
    np.save(tmp_path / "floats.npy", floats)
    expected = load(artifact / "model.tflite", "tflite").run(front_end_of(artifact).features(floats))
    answers = answers_of(predict(artifact, "--json", "--input", "s16le", "--rate", "8000", "recording.raw"))
    answers += answers_of(predict(artifact, "--json", "--input", "f32le", "floats.raw", "floats.npy"))
    assert len(answers) == 3
    for answer in answers:
        assert np.array(answer["logits"], np.float32).tobytes() == expected.tobytes()


def test_the_readings_of_a_series_are_standardised(
    tiny_artifact: Callable[..., Path], predict: Predict, tmp_path: Path
) -> None:
    artifact, readings = tiny_artifact("series"), 5 * features_of("series", 30)
    readings.tofile(tmp_path / "readings.raw")
    expected = load(artifact / "model.tflite", "tflite").run(front_end_of(artifact).features(readings))
    (answer,) = answers_of(predict(artifact, "--json", "--input", "f32le", "readings.raw"))
    assert np.array(answer["logits"], np.float32).tobytes() == expected.tobytes()


def test_an_answer_is_a_line_for_people(
    tiny_artifact: Callable[..., Path], predict: Predict, tmp_path: Path
) -> None:
    artifact, features = tiny_artifact("series"), features_of("series", 4)
    found = probabilities(load(artifact / "model.tflite", "tflite").run(features))
    line = f"{LABELS[int(found.argmax())]} {100 * found.max():.2f} %\n"
    features.tofile(tmp_path / "my file")
    done = predict(artifact, "my file", "-", stdin=(tmp_path / "my file").open())
    assert (done.returncode, done.stdout) == (0, f"my file: {line}-: {line}")


def test_an_answer_below_the_threshold_is_none_of_the_classes(
    tiny_artifact: Callable[..., Path], predict: Predict, tmp_path: Path
) -> None:
    artifact = tiny_artifact("series", rejection_threshold=0.999)
    features_of("series", 4).tofile(tmp_path / "x")
    (answer,) = answers_of(predict(artifact, "--json", "x"))
    assert answer["label"] is None
    assert 1 / 3 < answer["probability"] < 0.999
    assert predict(artifact, "x").stdout.startswith("x: (none of the classes) ")


def test_labels_and_names_of_any_letters_stay_what_they_are(
    tiny_artifact: Callable[..., Path], predict: Predict, tmp_path: Path
) -> None:
    labels = ('quoted "one"', "né\n%41", "back\\slash \x1f")
    artifact = tiny_artifact("series", labels)
    names = [f'na"me é {index}' for index in range(12)]
    for index, name in enumerate(names):
        (3 * features_of("series", index + 1)).tofile(tmp_path / name)
    answers = answers_of(predict(artifact, "--json", *names))
    assert [each["file"] for each in answers] == names
    assert {each["label"] for each in answers} == set(labels)


NOT_A_NUMBER = features_of("series", 3)
NOT_A_NUMBER[1, 2] = np.nan
CSV = b"1.25,2.5,21\n" * 50  # whole rows of 24 bytes


@pytest.mark.parametrize(
    ("kind", "content", "options", "cause"),
    [
        ("series", b"", (), "its 0 bytes are no whole rows of 24 bytes"),
        ("series", bytes(50), (), "its 50 bytes are no whole rows of 24 bytes"),
        ("sound", bytes(5), ("--input", "s16le"), "its 5 bytes are no whole samples of 2 bytes"),
        (
            "sound",
            b"RIFF" + bytes(40),
            ("--input", "s16le"),
            "a WAV file, not raw samples; record with arecord",
        ),
        ("sound", b"RIFF" + bytes(48), (), "a WAV file, not raw samples"),
        ("series", CSV, (), "bad: text, not float32 values; write them little-endian with numpy's tofile"),
        ("series", CSV, ("--input", "f32le"), "or for predict as .npy; edgeseq run, in Python, takes CSV"),
        ("series", CSV[:-1], (), "text, not float32 values"),
        ("sound", CSV, ("--input", "s16le"), "text, not s16le values"),
        ("text", CSV, (), "text, not int32 values"),
        ("series", features_of("text", 6), (), r"the array is not float32 [T, 6], as the model takes it"),
        ("series", features_of("series", 6)[:, :5], (), "the array is not float32 [T, 6]"),
        ("text", features_of("series", 3), (), "the array is not int32 [T, 3]"),
        ("sound", features_of("sound", 9), ("--input", "f32le"), "the array is not mono sound, float32 [n]"),
        ("series", features_of("series", 6)[:0], (), "T"),
        ("series", NOT_A_NUMBER, (), "NaN"),
        ("series", NOT_A_NUMBER, ("--input", "f32le"), "(first at sample 1, channel 2)"),
        ("text", -features_of("text", 3), (), "ids of tokens are 0 or above"),
        ("series", None, (), "No such file"),
    ],
    ids=(
        "empty",
        "part of a row",
        "part of a sample",
        "WAV",
        "WAV as features",
        "CSV",
        "CSV as readings",
        "CSV of no whole rows",
        "CSV as sound",
        "CSV as ids",
        "ids for a series",
        "too narrow",
        "series for a text",
        "features for a sound",
        "no row",
        "NaN",
        "NaN reading",
        "negative id",
        "missing",
    ),
)
def test_a_file_that_is_no_input_is_refused_after_the_answers_before_it(
    kind: str,
    content: Any,
    options: tuple[str, ...],
    cause: str,
    tiny_artifact: Callable[..., Path],
    predict: Predict,
    tmp_path: Path,
) -> None:
    features_of(kind, 26).tofile(tmp_path / "good")  # of a length that is right for readings too
    if isinstance(content, bytes):
        (tmp_path / "bad").write_bytes(content)
    elif content is not None:
        with (tmp_path / "bad").open("wb") as file:
            np.save(file, content)
    done = predict(tiny_artifact(kind), *options, "good", "bad", "good")
    assert done.returncode == 6, done.stderr
    assert done.stdout.count("\n") == done.stdout.count("good: ") == 1
    assert "edgeseq-run: bad: " in done.stderr
    assert cause in done.stderr


@pytest.mark.parametrize(
    ("kind", "arguments", "exit_code", "cause"),
    [
        ("series", (), 2, "predict: give an artifact and then a FILE; see: edgeseq-run predict --help"),
        ("series", ("--colour", "x"), 2, "there is no option --colour; see: edgeseq-run predict --help"),
        ("series", ("x", "--every", "2"), 2, "there is no option --every"),
        ("series", ("x", "--input"), 2, "a value is needed by --input"),
        ("series", ("x", "--threads", "0"), 2, "--threads"),
        ("series", ("x", "--input", "wav"), 2, "--input wav is none of features, s16le and f32le"),
        ("series", ("x", "--input", "s16le"), 2, "tiny-series takes the readings of a series: --input f32le"),
        ("text", ("x", "--input", "f32le"), 2, "tiny-text has no front end for readings"),
        ("text", ("x", "--rate", "50"), 2, "has no sample rate"),
        ("sound", ("x", "--rate", "16000"), 6, "arecord -t raw -f S16_LE -c 1 -r 8000"),
        ("series", ("x", "--rate", "51"), 6, "read the sensor at 50 Hz"),
        ("series", ("x", "--library", "nowhere.so"), 5, "nowhere.so"),
    ],
    ids=(
        "no file",
        "unknown option",
        "option of another command",
        "option without value",
        "no threads",
        "unknown input",
        "sound for a series",
        "readings for a text",
        "rate of a text",
        "rate of a sound",
        "rate of a series",
        "no library",
    ),
)
def test_what_cannot_be_done_is_refused_before_any_answer(
    kind: str,
    arguments: tuple[str, ...],
    exit_code: int,
    cause: str,
    tiny_artifact: Callable[..., Path],
    predict: Predict,
) -> None:
    done = predict(tiny_artifact(kind), *arguments)
    assert (done.returncode, done.stdout) == (exit_code, "")
    assert cause in done.stderr


def test_an_answer_that_cannot_be_written_is_a_fault(
    tiny_artifact: Callable[..., Path], runner: Path, library: Path, tmp_path: Path
) -> None:
    features_of("series", 4).tofile(tmp_path / "x")
    command = [str(runner), "predict", str(tiny_artifact("series")), str(tmp_path / "x")]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*command, "--library", str(library)], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert "stdout: cannot be written (No space left on device)" in done.stderr


def test_the_library_is_looked_for_beside_the_program(
    tiny_artifact: Callable[..., Path], runner: Path, library: Path, tmp_path: Path
) -> None:
    program = tmp_path / "edgeseq-run"
    program.write_bytes(runner.read_bytes())
    program.chmod(0o755)
    features_of("series", 4).tofile(tmp_path / "x")
    command = [str(program), "predict", str(tiny_artifact("series")), str(tmp_path / "x")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 5
    assert "there is no libLiteRt.so beside this program; say where it is with --library" in done.stderr
    (tmp_path / library.name).symlink_to(library)
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_help_needs_no_artifact(runner: Path) -> None:
    for command in ("predict", "stream"):
        done = subprocess.run([str(runner), command, "--help"], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"edgeseq-run {command} ARTIFACT")
