"""Folders and zips of WAV files."""

from __future__ import annotations

import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from edgeseq.data import DataOptions, load, split
from edgeseq_device.errors import DataError, UsageError


def zipped(folder: Path, target: Path, prefix: str = "") -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for file in sorted(folder.rglob("*.wav"), reverse=True):
            archive.write(file, prefix + file.relative_to(folder).as_posix())
    return target


def test_a_folder_is_read_with_its_folders_as_labels(word_folder: Path) -> None:
    dataset = load(str(word_folder))
    assert (dataset.kind, dataset.labels, dataset.sample_rate_hz) == ("audio", ("no", "yes"), 8000)
    assert dataset.recordings[0].name == "no/anna_0.wav"
    assert dataset.recordings[0].samples.shape == (400, 1)
    assert Counter(recording.label for recording in dataset.recordings) == {"yes": 6, "no": 6}
    assert {recording.split for recording in dataset.recordings} == {None}


@pytest.mark.parametrize("prefix", ["", "words-main/", "a/b/"])
def test_a_zip_of_the_folder_counts_the_same(word_folder: Path, tmp_path: Path, prefix: str) -> None:
    folder, archive = load(str(word_folder)), load(str(zipped(word_folder, tmp_path / "w.zip", prefix)))
    assert archive.content_sha256 == folder.content_sha256
    for one, other in zip(folder.recordings, archive.recordings, strict=True):
        assert (one.name, one.label) == (other.name, other.label)
        assert np.array_equal(one.samples, other.samples)


def test_another_sample_or_another_name_is_other_content(word_folder: Path) -> None:
    before = load(str(word_folder)).content_sha256
    (word_folder / "yes/anna_0.wav").rename(word_folder / "yes/carl_0.wav")
    renamed = load(str(word_folder)).content_sha256
    content = bytearray((word_folder / "yes/carl_0.wav").read_bytes())
    content[-1] ^= 1
    (word_folder / "yes/carl_0.wav").write_bytes(content)
    assert len({before, renamed, load(str(word_folder)).content_sha256}) == 3


def test_a_pattern_gives_label_and_group_and_another_the_test_split(word_folder: Path) -> None:
    options = DataOptions(label_pattern=r"^(?P<group>\w+)/(?P<label>[a-z]+)_", test_pattern=r"_2\.wav$")
    dataset = load(str(word_folder), options)
    assert dataset.labels == ("anna", "bert")
    assert {recording.group for recording in dataset.recordings} == {"yes", "no"}
    assert {r.name for r in dataset.recordings if r.split == "test"} == {
        f"{word}/{who}_2.wav" for word in ("yes", "no") for who in ("anna", "bert")
    }


def test_a_group_pattern_goes_with_labels_from_folders(word_folder: Path) -> None:
    dataset = load(str(word_folder), DataOptions(group_pattern=r"/(?P<group>[a-z]+)_"))
    assert dataset.labels == ("no", "yes")
    assert {recording.group for recording in dataset.recordings} == {"anna", "bert"}


@pytest.mark.parametrize(
    ("pattern", "error", "reason"),
    [
        (r"(?P<label>anna)", DataError, r"no/bert_0\.wav: --label-pattern"),
        (r"(?P<label>", UsageError, "--label-pattern .* is no regular expression"),
        (r"anna", UsageError, r"no named group \(\?P<label>"),
    ],
)
def test_a_pattern_that_does_not_fit_is_refused(
    word_folder: Path, pattern: str, error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        load(str(word_folder), DataOptions(label_pattern=pattern))


def test_train_and_test_folders_give_the_split(word_folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "given"
    for side in ("train", "test", "validation"):
        target = root / side
        target.mkdir(parents=True)
        for word in ("yes", "no"):
            (target / word).mkdir()
            for file in (word_folder / word).glob("anna*.wav"):
                (target / word / file.name).write_bytes(file.read_bytes())
    dataset = load(str(root))
    assert dataset.labels == ("no", "yes")
    sides = Counter(recording.split for recording in dataset.recordings)
    assert sides == {"train": 6, "validation": 6, "test": 6}


def test_a_folder_called_test_among_other_labels_is_a_label(word_folder: Path) -> None:
    (word_folder / "yes").rename(word_folder / "test")
    assert load(str(word_folder)).labels == ("no", "test")


def test_other_rates_are_resampled_to_the_most_frequent_one_and_said(word_folder: Path, write_wav) -> None:
    write_wav(word_folder / "yes/carl_0.wav", 99, rate_hz=16000, count=800)
    dataset = load(str(word_folder))
    carl = next(recording for recording in dataset.recordings if "carl" in recording.name)
    assert dataset.sample_rate_hz == 8000
    assert carl.samples.shape == (400, 1)
    assert dataset.warnings == ("1 of 13 recordings were resampled to 8000 Hz (1 from 16000 Hz)",)


def test_many_rates_are_one_warning(word_folder: Path, write_wav) -> None:
    for seed, rate_hz in enumerate((16000, 44100, 16000)):
        write_wav(word_folder / f"yes/carl_{seed}.wav", seed, rate_hz=rate_hz, count=1600)
    assert load(str(word_folder)).warnings == (
        "3 of 15 recordings were resampled to 8000 Hz (2 from 16000 Hz, 1 from 44100 Hz)",
    )


def test_a_test_pattern_is_told_from_a_split_of_the_datas_own(word_folder: Path, data_dir: Path) -> None:
    assert load(str(word_folder), DataOptions(test_pattern="_0")).test_pattern == "_0"
    assert load(str(word_folder)).test_pattern is None
    assert load("fsdd").test_pattern is None


def test_the_sample_rate_can_be_chosen(word_folder: Path) -> None:
    dataset = load(str(word_folder), DataOptions(sample_rate_hz=16000))
    assert dataset.sample_rate_hz == 16000
    assert dataset.recordings[0].samples.shape == (800, 1)


def test_every_encoding_may_be_mixed(word_folder: Path, write_wav) -> None:
    for seed, subtype in enumerate(("PCM_U8", "PCM_24", "PCM_32", "FLOAT")):
        write_wav(word_folder / f"yes/{subtype}.WAV", seed, subtype=subtype, channels=2)
    assert len(load(str(word_folder)).recordings) == 16


def test_files_of_the_operating_system_are_left_out(word_folder: Path) -> None:
    before = load(str(word_folder)).content_sha256
    (word_folder / "__MACOSX").mkdir()
    (word_folder / "__MACOSX/a.wav").write_bytes(b"no audio")
    (word_folder / "yes/._anna_0.wav").write_bytes(b"no audio")
    assert load(str(word_folder)).content_sha256 == before


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no \.wav"):
        load(str(tmp_path))


def test_an_empty_zip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"w\.zip: no \.wav file"):
        load(str(zipped(tmp_path, tmp_path / "w.zip")))


def test_one_class_is_not_split(word_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'yes\.zip: every recording has the label "yes"'):
        split(load(str(zipped(word_folder / "yes", tmp_path / "yes.zip", "yes/"))))


def test_files_in_no_folder_need_a_label_pattern(word_folder: Path) -> None:
    with pytest.raises(DataError, match=r"anna_0\.wav: lies in no folder .* --label-pattern"):
        load(str(word_folder / "yes"))


def test_a_truncated_file_is_refused_by_name(word_folder: Path) -> None:
    file = word_folder / "yes/bert_1.wav"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(DataError, match=r"words: yes/bert_1\.wav: truncated WAV"):
        load(str(word_folder))


def test_a_label_that_only_the_test_split_has_is_not_split(word_folder: Path) -> None:
    with pytest.raises(DataError, match=r'yes/anna_0\.wav: the label "yes" is unknown to the training data'):
        split(load(str(word_folder), DataOptions(test_pattern="^yes/")))


def test_a_pattern_that_makes_everything_test_is_not_split(word_folder: Path) -> None:
    with pytest.raises(DataError, match="none is left to train on"):
        split(load(str(word_folder), DataOptions(test_pattern="wav")))


def test_options_of_other_kinds_of_data_are_refused(word_folder: Path) -> None:
    with pytest.raises(UsageError, match="words: --label-column does not concern"):
        load(str(word_folder), DataOptions(label_column="label"))


def test_fsdd_is_read_with_its_official_split(data_dir: Path) -> None:
    dataset = load("fsdd")
    assert len(dataset.recordings) == 3000
    assert dataset.labels == tuple("0123456789")
    assert (dataset.sample_rate_hz, dataset.warnings) == (8000, ())
    assert Counter(recording.split for recording in dataset.recordings) == {"train": 2700, "test": 300}
    assert len({recording.group for recording in dataset.recordings}) == 6
    assert all(
        r.name.split("_")[2] in {f"{i}.wav" for i in range(5)}
        for r in dataset.recordings
        if r.split == "test"
    )


def test_rates_without_a_usable_ratio_name_the_file(word_folder: Path, write_wav) -> None:
    write_wav(word_folder / "yes/carl_0.wav", 1, rate_hz=767_999)
    with pytest.raises(DataError, match=r"yes/carl_0\.wav: 767999 Hz cannot be brought to 768000 Hz"):
        load(str(word_folder), DataOptions(sample_rate_hz=768_000))


@pytest.mark.parametrize("rate_hz", [1, 2**31 - 1])
def test_audio_is_not_asked_for_at_a_wild_rate(word_folder: Path, rate_hz: int) -> None:
    with pytest.raises(UsageError, match=f"--sample-rate {rate_hz}: audio is read at 1000 to 768000 Hz"):
        load(str(word_folder), DataOptions(sample_rate_hz=rate_hz))
