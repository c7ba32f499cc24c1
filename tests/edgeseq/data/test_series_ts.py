"""The UEA `.ts` format: what the header claims must be what the data holds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from edgeseq.data import DataOptions, load
from edgeseq_device.errors import DataError, UsageError

HEADER = {
    "@problemName": "Small",
    "@timeStamps": "false",
    "@missing": "false",
    "@univariate": "false",
    "@dimensions": "2",
    "@equalLength": "true",
    "@seriesLength": "3",
    "@classLabel": "true walk run",
}
ROWS = ["1,2,3:4,5,6:walk", "7,8,9:1e1,-11,.5:run", "0,0,0:0,0,1:run", "0,1,0:0,0,1:walk"]


def written(path: Path, rows: list[str] = ROWS, **changes: str | None) -> Path:
    header = {**HEADER, **{f"@{key}": value for key, value in changes.items()}}
    lines = ["# a comment", *(f"{k} {v}" for k, v in header.items() if v is not None), "@data", *rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_dimensions_become_channels(tmp_path: Path) -> None:
    dataset = load(str(written(tmp_path / "a.ts")), DataOptions(sample_rate_hz=10))
    assert (dataset.kind, dataset.labels, dataset.sample_rate_hz) == ("series", ("run", "walk"), 10)
    assert dataset.channels == ("channel_0", "channel_1")
    assert dataset.recordings[1].samples.tolist() == [[7, 10], [8, -11], [9, 0.5]]
    assert dataset.recordings[1].samples.dtype == np.float32
    assert [recording.split for recording in dataset.recordings] == [None] * 4


def test_lengths_may_differ(tmp_path: Path) -> None:
    rows = ["1,2,3,4:4,5,6,7:walk", *ROWS]
    file = written(tmp_path / "a.ts", rows, equalLength="false", seriesLength=None)
    assert [len(recording.samples) for recording in load(str(file)).recordings] == [4, 3, 3, 3, 3]


def test_a_silent_header_claims_nothing(tmp_path: Path) -> None:
    file = written(tmp_path / "a.ts", dimensions=None, equalLength=None, seriesLength=None, missing=None)
    assert len(load(str(file)).recordings) == 4


@pytest.mark.parametrize("given", ["S_TRAIN.ts", "S_TEST.ts", "."])
def test_a_pair_gives_the_split_whichever_is_named(tmp_path: Path, given: str) -> None:
    written(tmp_path / "S_TRAIN.ts")
    written(tmp_path / "S_TEST.ts", ROWS[:2])
    dataset = load(str(tmp_path / given))
    assert Counter(recording.split for recording in dataset.recordings) == {"train": 4, "test": 2}
    assert dataset.recordings[0].name == "S_TRAIN_0000"


def test_a_half_of_a_pair_alone_has_no_split(tmp_path: Path) -> None:
    dataset = load(str(written(tmp_path / "S_TRAIN.ts")))
    assert {recording.split for recording in dataset.recordings} == {None}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"dimensions": "3"}, "line 11: 2 dimensions, the header says @dimensions 3"),
        (
            {"univariate": "true", "dimensions": None},
            "line 10: 2 dimensions, the header says @univariate true",
        ),
        ({"seriesLength": "4"}, "line 11: 3 samples, the header says @seriesLength 4"),
        ({"classLabel": "true walk"}, 'line 12: the label "run" is not in the header\'s @classLabel walk'),
        ({"classLabel": "false"}, "lists no classes"),
        ({"classLabel": None}, "lists no classes"),
        ({"timeStamps": "true"}, "time stamps are not read"),
        ({"missing": "true"}, "missing values are not read"),
        ({"equalLength": "maybe"}, '@equallength is "maybe", neither true nor false'),
        ({"dimensions": "two"}, "not a whole number from 1"),
        ({"dimensions": "0"}, "not a whole number from 1"),
        ({"dimensions": "2" * 5000}, "not a whole number from 1"),
        ({"dimensions": "\u0662"}, "not a whole number from 1"),
    ],
)
def test_a_header_that_contradicts_its_data_is_refused(
    tmp_path: Path, changes: dict[str, str | None], reason: str
) -> None:
    with pytest.raises(DataError, match=rf"a\.ts: .*{reason}"):
        load(str(written(tmp_path / "a.ts", **changes)))


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (["1,2,3:4,5,6:walk", "1,2:4,5:run"], "line 12: 2 samples, the header says @seriesLength 3"),
        (["1,2,3:4,5:walk"], "dimensions of 2 and 3 samples in one series"),
        (["1,2,3:walk"], "1 dimensions, the header says @dimensions 2"),
        (["1,2,3:4,?,6:walk"], r"line 11, dimension 2: missing value \(\?\) at sample 1"),
        (["1,2,3:4,nan,6:walk"], "line 11, dimension 2: NaN or infinity at sample 1"),
        (["1,2,3:4,1e39,6:walk"], "NaN or infinity at sample 1"),
        (["1,2,3:4,five,6:walk"], "dimension 2: .*five"),
        (["1,2,3::walk"], "dimension 2: the series has zero samples"),
        (["1,2,3"], "no colon"),
        ([], "no series after @data"),
    ],
)
def test_faulty_series_are_refused_by_line(tmp_path: Path, rows: list[str], reason: str) -> None:
    with pytest.raises(DataError, match=rf"a\.ts: .*{reason}"):
        load(str(written(tmp_path / "a.ts", rows)))


def test_equal_lengths_are_checked_without_a_series_length(tmp_path: Path) -> None:
    file = written(tmp_path / "a.ts", ["1,2:3,4:walk", *ROWS], seriesLength=None)
    with pytest.raises(DataError, match="different lengths, the header says @equalLength true"):
        load(str(file))


def test_a_multivariate_header_over_one_dimension_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path / "a.ts", ["1,2,3:walk", "3,2,1:run"], dimensions=None)
    with pytest.raises(DataError, match="@univariate false, the series have one dimension"):
        load(str(file))


def test_a_pair_with_different_dimensions_is_refused(tmp_path: Path) -> None:
    written(tmp_path / "S_TRAIN.ts")
    written(tmp_path / "S_TEST.ts", ["1,2,3:walk"], dimensions="1", univariate="true")
    with pytest.raises(DataError, match="S_TEST_0000: 1 channels where the other recordings have 2"):
        load(str(tmp_path / "S_TRAIN.ts"))


def test_a_pair_with_different_classes_is_refused(tmp_path: Path) -> None:
    written(tmp_path / "S_TRAIN.ts")
    written(tmp_path / "S_TEST.ts", classLabel="true walk run jump")
    with pytest.raises(DataError, match=r"S_TEST\.ts: @classLabel lists other classes"):
        load(str(tmp_path / "S_TRAIN.ts"))


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "no @data line"), (b"1,2:walk\n", "line 1: data before the @data line"), (b"@x \xff\n", "UTF-8")],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "a.ts").write_bytes(content)
    with pytest.raises(DataError, match=rf"a\.ts: .*{reason}"):
        load(str(tmp_path / "a.ts"))


def test_a_declared_class_without_a_recording_is_said(tmp_path: Path) -> None:
    file = written(tmp_path / "S_TRAIN.ts", classLabel="true walk run sit")
    written(tmp_path / "S_TEST.ts", ROWS[:2], classLabel="true walk run sit")
    dataset = load(str(file))
    assert dataset.labels == ("run", "walk")
    assert dataset.warnings == (f"{file}: @classLabel declares sit, which no recording has; left out",)


def test_a_pattern_does_not_concern_a_series(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--label-pattern does not concern"):
        load(str(written(tmp_path / "a.ts")), DataOptions(label_pattern="(?P<label>.)"))


def test_basicmotions_is_read_with_its_own_split(data_dir: Path) -> None:
    dataset = load("basicmotions")
    assert dataset.labels == ("Badminton", "Running", "Standing", "Walking")
    assert Counter(recording.split for recording in dataset.recordings) == {"train": 40, "test": 40}
    assert {recording.samples.shape for recording in dataset.recordings} == {(100, 6)}
    assert dataset.recordings[0].samples[0, :2].tolist() == pytest.approx([0.079106, 0.394032])
