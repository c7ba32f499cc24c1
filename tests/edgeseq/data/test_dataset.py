"""What every data set owes, whichever reader made it."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from edgeseq.data import DataOptions, Dataset, FrontEndOptions, Recording, default_front_end
from edgeseq.data.dataset import assembled, given_split, set_aside
from edgeseq.settings import settings_from_dict
from edgeseq_device.errors import DataError, UsageError
from edgeseq_device.frontend import LogMel, Standardise


def recording(name: str, label: str, split: str | None = None, channels: int = 2) -> Recording:
    return Recording(name, np.ones((4, channels), np.float32), label, None, split)  # type: ignore[arg-type]


def together(*recordings: Recording, kind: str = "series", rate: int | None = None) -> Dataset:
    return assembled(
        "set",
        kind,
        recordings,
        channels=("x", "y"),
        sample_rate_hz=rate,
        content_sha256="0",  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("recordings", "reason"),
    [
        ([], "set: there is no recording"),
        ([recording("a", "1"), recording("b", "2", channels=3)], "b: 3 channels where the other"),
    ],
)
def test_recordings_that_do_not_go_together_are_refused(recordings: list[Recording], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        together(*recordings)


def test_labels_are_sorted() -> None:
    dataset = together(recording("a", "b"), recording("b", "a"), recording("c", "10"), recording("d", "9"))
    assert dataset.labels == ("10", "9", "a", "b")


@pytest.mark.parametrize(
    ("word", "side"),
    [("Train", "train"), (" test ", "test"), ("validation", "validation"), ("DEV", "validation")],
)
def test_words_for_a_split(word: str, side: str) -> None:
    assert given_split(word, "here") == side


def test_another_word_for_a_split_is_refused() -> None:
    with pytest.raises(DataError, match='here: the split "exam" is none of train, training, val'):
        given_split("exam", "here")


def test_what_is_out_of_scope_is_no_class() -> None:
    rows = [("a", "1", "train"), ("b", "2", "test"), ("c", "oos", "train"), ("d", "oos", "test")]
    dataset = set_aside(together(*(recording(*row) for row in rows)), "oos")
    assert dataset.labels == ("1", "2")
    assert [each.name for each in dataset.recordings] == ["a", "b"]
    assert [(each.name, each.split) for each in dataset.out_of_scope] == [("c", "validation"), ("d", "test")]


def test_the_datas_own_validation_is_kept_out_of_scope_too() -> None:
    rows = [("a", "1", "train"), ("b", "oos", "train"), ("c", "oos", "validation"), ("d", "oos", "test")]
    dataset = set_aside(together(*(recording(*row) for row in rows)), "oos")
    assert [each.split for each in dataset.out_of_scope] == ["train", "validation", "test"]


def test_out_of_scope_recordings_are_tested_on_where_the_data_has_no_test() -> None:
    rows = [("a", "1", "train"), ("b", "oos", "train"), ("c", "oos", "validation"), ("d", "oos", "train")]
    dataset = set_aside(together(*(recording(*row) for row in rows)), "oos")
    assert [each.split for each in dataset.out_of_scope] == ["test", "validation", "test"]
    dataset = set_aside(together(*(recording(*row) for row in (rows[0], rows[1], rows[3]))), "oos")
    assert [each.split for each in dataset.out_of_scope] == ["validation", "test"]


def test_what_is_out_of_scope_without_a_split_is_halved() -> None:
    dataset = set_aside(together(recording("a", "1"), *(recording(f"o{i}", "oos") for i in range(4))), "oos")
    assert [each.split for each in dataset.out_of_scope] == ["validation", "test"] * 2


def test_a_label_out_of_scope_must_be_there_and_leave_another() -> None:
    dataset = together(recording("a", "oos"))
    with pytest.raises(UsageError, match='unknown --out-of-scope-label "oos!"; did you mean "oos"'):
        set_aside(dataset, "oos!")
    with pytest.raises(DataError, match='every recording has the label "oos", which is out of scope'):
        set_aside(dataset, "oos")


@pytest.mark.parametrize("text", ["", " \t\n"])
def test_an_empty_text_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="set: a: the text is empty"):
        together(Recording("a", text, "1"), kind="text")


def test_options_survive_json() -> None:
    options = DataOptions(label_pattern="(?P<label>.)", sample_rate_hz=8000)
    text = json.dumps(dataclasses.asdict(options))
    assert settings_from_dict(DataOptions, json.loads(text), "here") == options


def test_options_win_over_defaults_where_they_are_given() -> None:
    defaults = DataOptions(test_pattern="t", sample_rate_hz=10)
    assert DataOptions(sample_rate_hz=20).over(defaults) == DataOptions(test_pattern="t", sample_rate_hz=20)


@pytest.mark.parametrize(("data_hz", "front_end_hz"), [(8000, 8000), (16000, 16000), (44100, 16000)])
def test_audio_gets_log_mels_at_its_own_rate_up_to_16_khz(data_hz: int, front_end_hz: int) -> None:
    dataset = dataclasses.replace(
        together(recording("a", "1"), recording("b", "2"), rate=data_hz), kind="audio"
    )
    assert default_front_end(dataset) == LogMel(front_end_hz, 25.0, 10.0, 40)
    chosen = FrontEndOptions(sample_rate_hz=4000, mels=20, pre_emphasis=0.9)
    assert default_front_end(dataset, chosen) == LogMel(4000, mels=20, pre_emphasis=0.9)


def test_a_series_is_standardised_per_channel() -> None:
    dataset = together(recording("a", "1"), recording("b", "2"), rate=50)
    assert default_front_end(dataset) == Standardise(2, 50)


def test_audio_settings_do_not_concern_a_series() -> None:
    dataset = together(recording("a", "1"), recording("b", "2"))
    with pytest.raises(UsageError, match="set holds series; --mels concerns audio"):
        default_front_end(dataset, FrontEndOptions(mels=20))
