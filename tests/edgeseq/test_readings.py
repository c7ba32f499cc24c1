"""Recordings for a board's accuracy: those of `edgeseq eval`, as they were read."""

from __future__ import annotations

import wave
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from edgeseq.cli import main
from edgeseq.eval_subject import choose, open_subject
from edgeseq.readings import draw_by_class, write_readings
from edgeseq_device.artifact import open_artifact, sha256_of
from edgeseq_device.errors import DataError, UsageError
from edgeseq_device.measuring import accuracy
from edgeseq_device.measuring.readings import Readings

WriteSeries = Callable[..., Path]
KINDS = ("audio", "series", "text")
RATE_HZ = 4000


def edgeseq(*arguments: object) -> None:
    ran = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert ran.exit_code == 0, ran.stderr


def write_sounds(folder: Path, per_class: int = 10) -> Path:
    """A folder of WAV files, tones of two pitches."""
    generator = np.random.default_rng(2)
    for label, pitch_hz in (("high", 900), ("low", 300)):
        (folder / label).mkdir(parents=True)
        for number in range(per_class):
            moments = np.arange(int(RATE_HZ * generator.uniform(0.2, 0.4))) / RATE_HZ
            sound = 0.3 * np.sin(2 * np.pi * pitch_hz * moments) + 0.2 * generator.standard_normal(
                len(moments)
            )
            with wave.open(str(folder / label / f"{number}.wav"), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(RATE_HZ)
                file.writeframes((sound.clip(-1, 1) * 32767).astype("<i2").tobytes())
    return folder


def write_texts(path: Path) -> Path:
    """A CSV of 36 requests of three intents; of each a quarter is test and a quarter validation."""
    rows = ["text,label,split"]
    for label, verb in (("off", "turn off"), ("on", "turn on"), ("louder", "turn up")):
        for number, thing in enumerate(("lamp", "radio", "song", "heating") * 3):
            split = ("train", "test", "validation", "train")[number % 4]
            rows.append(f"{verb} the {thing} {'now ' * (number // 4)},{label},{split}")
    path.write_text("\n".join(rows))
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, write_series: WriteSeries) -> Path:
    """A folder with artifacts of each kind of data: audio, series, text; never to be changed."""
    folder = tmp_path_factory.mktemp("readings")
    write_sounds(folder / "audio")
    write_series(folder / "series.npz")
    write_texts(folder / "text.csv")
    shape = ("--hidden", 4, "--epochs", 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        edgeseq("train", "--data", "./audio", "--model", "gru", *shape, "--name", "audio")
        edgeseq("train", "--data", "series.npz", "--model", "gru", *shape, "--name", "series")
        text = ("--model", "bag", "--embedding", 4, "--buckets", 32)
        edgeseq("train", "--data", "text.csv", *text, *shape, "--name", "text")
        for kind in KINDS:
            edgeseq("export", kind, "--int8", "--max-drop", 100, "--name", kind)
    return folder


@pytest.fixture
def workplace(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(trained)
    return trained


def accuracy_of(artifact: Path, model_format: str, readings: Path) -> dict[str, Any]:
    """What the board's code says, here."""
    job = {
        "format": model_format,
        "model": str(open_artifact(artifact).model(model_format).path),
        "threads": 1,
        "artifact": str(artifact),
        "readings": str(readings),
        "readings_sha256": sha256_of(readings),
    }
    values: dict[str, Any] = accuracy.measure(job)["values"]
    return values


@pytest.mark.parametrize("kind", KINDS)
def test_the_accuracy_on_a_device_is_that_of_eval(kind: str, workplace: Path, tmp_path: Path) -> None:
    artifact = workplace / "artifacts" / kind
    readings = write_readings(artifact, None, tmp_path)
    subject = open_subject(str(artifact))
    chosen = choose(subject, None, None)
    for model_format in ("onnx", "tflite"):
        expected = subject.forms[model_format](chosen.recordings, lambda *_: None)
        assert accuracy_of(artifact, model_format, readings) == {
            "device_accuracy": expected.accuracy,
            "device_accuracy_n": expected.n,
            "device_accuracy_split": "test",
        }


def test_sounds_are_sent_as_they_were_read(workplace: Path, tmp_path: Path) -> None:
    readings = Readings(write_readings(workplace / "artifacts/audio", None, tmp_path))
    assert (readings.kind, readings.split, readings.sample_rate_hz) == ("audio", "test", RATE_HZ)
    name, label, samples = next(iter(readings))
    assert label in name
    assert isinstance(samples, np.ndarray)
    assert (samples.dtype, samples.shape[1]) == (np.float32, 1)
    assert len(samples) > 0.1 * RATE_HZ


def test_equal_recordings_give_equal_bytes(workplace: Path, tmp_path: Path) -> None:
    first = write_readings(workplace / "artifacts/text", None, tmp_path).read_bytes()
    assert write_readings(workplace / "artifacts/text", None, tmp_path).read_bytes() == first


def test_of_too_many_a_part_is_drawn_by_class(workplace: Path, tmp_path: Path) -> None:
    readings = Readings(write_readings(workplace / "artifacts/text", None, tmp_path, most=6))
    assert Counter(readings.labels) == {"on": 2, "off": 2, "louder": 2}
    every = Readings(write_readings(workplace / "artifacts/text", None, tmp_path))
    assert set(readings.names) < set(every.names)


@pytest.mark.parametrize(("most", "expected"), [(10, (7, 2, 1)), (3, (2, 1, 0)), (100, (70, 20, 10))])
def test_a_class_keeps_its_share(most: int, expected: tuple[int, ...]) -> None:
    labels = ["a"] * 70 + ["b"] * 20 + ["c"] * 10
    drawn = draw_by_class(labels, most)
    assert len(set(drawn)) == most
    assert drawn == sorted(drawn) == draw_by_class(labels, most)
    counts = Counter(labels[place] for place in drawn)
    assert tuple(counts[each] for each in "abc") == expected


def test_all_of_other_data_is_taken_but_what_is_of_no_class(workplace: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("text,label,split\nlight on,on,test\nlight off,off,train\n")
    readings = Readings(write_readings(workplace / "artifacts/text", str(other), tmp_path))
    assert (readings.split, [text for _name, _label, text in readings]) == ("all", ["light on", "light off"])


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ("wait,later,test", r'other\.csv.*the label "later" is unknown to the model .*remove its recordings'),
        ("", r"other\.csv"),
    ],
)
def test_other_data_that_does_not_fit_is_refused(
    workplace: Path, tmp_path: Path, rows: str, complaint: str
) -> None:
    other = tmp_path / "other.csv"
    other.write_text(f"text,label,split\n{rows}\n")
    with pytest.raises(DataError, match=complaint):
        write_readings(workplace / "artifacts/text", str(other), tmp_path)


def test_data_of_another_kind_is_refused(workplace: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"it holds series, .* was trained on text"):
        write_readings(workplace / "artifacts/text", "series.npz", tmp_path)


def test_data_that_is_no_longer_there_or_changed_is_refused(
    workplace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_series: WriteSeries
) -> None:
    monkeypatch.chdir(tmp_path)
    artifact = workplace / "artifacts/series"
    with pytest.raises(DataError, match=r"series\.npz.*say with --data where it is now"):
        write_readings(artifact, None, tmp_path)
    write_series(tmp_path / "series.npz", recordings=40)
    with pytest.raises(DataError, match=r"series\.npz: its content is not what .* was trained on"):
        write_readings(artifact, None, tmp_path)
    assert Readings(write_readings(artifact, "series.npz", tmp_path)).split == "all"
    with pytest.raises(UsageError, match="nowhere"):
        write_readings(artifact, "nowhere", tmp_path)


def test_validation_stands_in_where_there_is_no_test_split(
    workplace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import edgeseq.readings as module

    select = module.select

    def without_test(subject: Any, reference: Any, split: str | None, *_: Any) -> Any:
        dataset, name, places = select(subject, reference, split)
        return dataset, name, [] if name == "test" else places

    monkeypatch.setattr(module, "select", without_test)
    assert Readings(write_readings(workplace / "artifacts/text", None, tmp_path)).split == "validation"
