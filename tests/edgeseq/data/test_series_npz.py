"""Series in `.npz` files."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseq.data import DataOptions, load
from edgeseq_device.errors import DataError

SAMPLES = np.arange(4 * 5 * 2, dtype=np.float64).reshape(4, 5, 2)
LABELS = np.array(["walk", "run", "walk", "run"])


def written(path: Path, **arrays: Any) -> Path:
    np.savez(path, **{"samples": SAMPLES, "labels": LABELS, **arrays})
    return path


def test_padded_samples_are_cut_to_their_true_lengths(tmp_path: Path) -> None:
    samples = SAMPLES.copy()
    samples[0, 3:] = np.nan  # padding is never looked at
    dataset = load(str(written(tmp_path / "a.npz", samples=samples, lengths=np.array([3, 5, 1, 5]))))
    assert [len(recording.samples) for recording in dataset.recordings] == [3, 5, 1, 5]
    assert np.array_equal(dataset.recordings[0].samples, SAMPLES[0, :3])
    assert dataset.recordings[0].samples.dtype == np.float32
    assert dataset.channels == ("channel_0", "channel_1")


def test_samples_one_after_the_other_are_told_apart_by_lengths(tmp_path: Path) -> None:
    rows = SAMPLES.reshape(20, 2)
    dataset = load(str(written(tmp_path / "a.npz", samples=rows, lengths=np.array([3, 7, 9, 1]))))
    assert [len(recording.samples) for recording in dataset.recordings] == [3, 7, 9, 1]
    assert np.array_equal(dataset.recordings[1].samples, rows[3:10])


def test_one_channel_needs_no_third_axis(tmp_path: Path) -> None:
    dataset = load(str(written(tmp_path / "a.npz", samples=SAMPLES[:, :, 0])))
    assert {recording.samples.shape for recording in dataset.recordings} == {(5, 1)}


def test_everything_else_that_a_file_may_say(tmp_path: Path) -> None:
    file = written(
        tmp_path / "a.npz",
        labels=np.array([1, 2, 1, 2]),
        names=np.array(["a", "b", "c", "d"]),
        groups=np.array(["p", "p", "q", "q"]),
        splits=np.array(["train", "train", "val", "test"]),
        channels=np.array(["x", "y"]),
        sample_rate_hz=50,
    )
    dataset = load(str(file))
    assert (dataset.labels, dataset.channels, dataset.sample_rate_hz) == (("1", "2"), ("x", "y"), 50)
    assert [(r.name, r.group, r.split) for r in dataset.recordings] == [
        ("a", "p", "train"),
        ("b", "p", "train"),
        ("c", "q", "validation"),
        ("d", "q", "test"),
    ]
    assert not dataset.warnings
    assert load(str(file), DataOptions(sample_rate_hz=25)).sample_rate_hz == 25


def test_a_compressed_copy_counts_the_same(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "b.npz", samples=SAMPLES, labels=LABELS)
    one, other = load(str(written(tmp_path / "a.npz"))), load(str(tmp_path / "b.npz"))
    assert one.content_sha256 == other.content_sha256


class Bomb:
    """Unpickling it would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("key", ["samples", "labels", "names"])
def test_pickled_objects_are_refused_and_never_run(tmp_path: Path, key: str) -> None:
    file = written(tmp_path / "a.npz", **{key: np.array([Bomb(tmp_path / "ran")] * 4, dtype=object)})
    with pytest.raises(DataError, match=rf"a\.npz: {key}: pickled objects are not read"):
        load(str(file))
    assert not (tmp_path / "ran").exists()


NAN = SAMPLES.copy()
NAN[2, 4, 1] = np.nan


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"samples": NAN}, "a_00002: NaN or infinity at sample 4, channel 1"),
        ({"samples": SAMPLES * 1e300}, "NaN or infinity"),
        ({"samples": SAMPLES[:3]}, "do not fit 4 labels"),
        ({"samples": SAMPLES.reshape(20, 2)}, "need `lengths`"),
        ({"samples": np.zeros((4, 0, 2))}, "a_00000: the recording has zero samples"),
        ({"samples": np.array(["a", "b", "c", "d"])}, "not numbers"),
        ({"lengths": np.array([3, 0, 5, 5])}, "a_00001: the recording has zero samples"),
        ({"lengths": np.array([3, 6, 5, 5])}, "a length of 6 in samples padded to 5"),
        ({"lengths": np.array([3, -1, 5, 5])}, "from 0 up"),
        ({"lengths": np.array([3, 5])}, r"lengths has shape \(2,\), labels has \(4,\)"),
        ({"samples": np.zeros((4, 5, 0))}, "its recordings have no channel"),
        ({"samples": np.zeros((20, 0)), "lengths": np.array([5] * 4)}, "its recordings have no channel"),
        ({"labels": np.array([0.5, 1, 2, 3])}, "not .N. text or whole numbers"),
        ({"labels": np.array(["a", "", "b", "b"])}, "a_00001: the label is empty"),
        ({"channels": np.array(["x"])}, "1 channel names for samples of 2 channels"),
        ({"splits": np.array(["train", "exam", "test", "test"])}, r'splits\[1\]: the split "exam"'),
        ({"splits": np.array(["train", "train", "train", ""])}, r"splits\[3\]: the split"),
        ({"sample_rate_hz": 0}, "one whole number above 0"),
        ({"sample": SAMPLES}, 'unknown array "sample"; did you mean "samples"'),
    ],
)
def test_contradicting_arrays_are_refused(tmp_path: Path, arrays: dict[str, Any], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        load(str(written(tmp_path / "a.npz", **arrays)))


def test_a_missing_array_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", samples=SAMPLES)
    with pytest.raises(DataError, match='no array "labels"'):
        load(str(tmp_path / "a.npz"))


@pytest.mark.parametrize("kept", [0, 10, 200, 500])
def test_a_damaged_file_is_refused(tmp_path: Path, kept: int) -> None:
    file = written(tmp_path / "a.npz")
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(DataError, match=r"a\.npz: not a readable \.npz file"):
        load(str(file))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_flipped_byte_is_refused(tmp_path: Path, save: Any) -> None:
    file = tmp_path / "a.npz"
    save(file, samples=SAMPLES, labels=LABELS)
    content = bytearray(file.read_bytes())
    content[120] ^= 0xFF
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.npz: not a readable \.npz file"):
        load(str(file))


def test_arrays_of_other_names_are_told_what_is_required(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X=SAMPLES, y=LABELS)
    with pytest.raises(
        DataError, match=r'no array "samples" .*samples and labels are required \(found: X, y'
    ):
        load(str(tmp_path / "a.npz"))


def test_arrays_that_memory_cannot_hold_are_refused(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (1 << 40, 1 << 12)}
    )
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("samples.npy", header.getvalue())
        archive.writestr("labels.npy", header.getvalue())
    with pytest.raises(DataError, match=r"a\.npz: its arrays do not fit in this machine's memory"):
        load(str(tmp_path / "a.npz"))
