"""Texts on their way to a model: what is fitted on training alone, what is cut, what is out of scope."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edgeseq.data import Dataset, FrontEndOptions, Recording, SplitOptions
from edgeseq.data.dataset import assembled
from edgeseq.features import OUT_OF_SCOPE, Prepared, prepare
from edgeseq.models.config import ModelConfig
from edgeseq_device.errors import UsageError
from edgeseq_device.tokenizer import UNKNOWN

SPLITS = ("train", "train", "train", "validation", "test")


def texts(**changes: str) -> Dataset:
    """Ten texts of two classes; `changes` replaces some by their place, such as t3."""
    recordings = []
    for place in range(10):
        label = ("on", "off")[place // 5]
        text = changes.get(f"t{place}", f"turn it {label} now")
        recordings.append(Recording(f"line {place}", text, label, split=SPLITS[place % 5]))
    return assembled(
        "set", "text", recordings, channels=["text"], sample_rate_hz=None, content_sha256="0" * 64
    )


def prepared(dataset: Dataset, **options: object) -> Prepared:
    return prepare(dataset, SplitOptions(), FrontEndOptions(**options), ModelConfig())


def test_a_word_of_validation_or_test_alone_is_unknown() -> None:
    found = prepared(texts(t3="zebra zebra turn", t9="zebra on zebra"))
    assert found.splits.validation.features[0][:, 0].tolist()[:2] == [UNKNOWN, UNKNOWN]
    assert prepared(texts()).front_end == found.front_end


def test_the_recordings_of_a_split_are_in_the_order_of_its_features() -> None:
    found = prepared(texts())
    for name in ("train", "validation", "test"):
        assert tuple(each.name for each in found.recordings(name)) == found.splits.named(name).names
    assert found.splits_sha256 == found.places.sha256


def test_features_are_whole_numbers_a_row_for_each_token() -> None:
    found = prepared(texts(), ngrams=2, subwords=3, buckets=50)
    assert {each.dtype for each in found.splits.train.features} == {np.dtype(np.int32)}
    assert found.splits.train.features[0].shape == (4, 5)
    assert found.splits.train.labels.tolist() == [1, 1, 1, 0, 0, 0]


def test_cut_texts_are_counted_by_split() -> None:
    long = "turn it on " * 4
    found = prepared(texts(t0=long, t1=long + "now", t4=long), max_tokens=10)
    (warning,) = [each for each in found.warnings if "cut" in each]
    assert warning == (
        "texts cut to their first 10 tokens: 2 of 6 in train, 1 of 2 in test; the longest has 13"
        " (--max-tokens 13 reads all)"
    )
    assert max(len(each) for each in found.splits.train.features) == 10
    assert not any("cut" in each for each in prepared(texts(t0=long)).warnings)


def test_what_is_out_of_scope_is_by_split_and_of_no_class() -> None:
    outside = [Recording(f"oos {i}", "what is it", "oos", split=split) for i, split in enumerate(SPLITS)]
    dataset = dataclasses.replace(texts(), out_of_scope=tuple(outside))
    found = prepared(dataset).splits.out_of_scope
    assert {name: each.names for name, each in found.items()} == {
        "validation": ("oos 3",),
        "test": ("oos 4",),
    }
    assert found["test"].labels.tolist() == [OUT_OF_SCOPE]
    assert prepared(texts()).splits.out_of_scope == {}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mels": 20}, "set holds text; --mels concerns audio"),
        ({"sample_rate_hz": 8000}, "set holds text; --sample-rate concerns audio and series"),
        ({"ngrams": 0}, "ngrams and max_tokens must be 1 or more"),
        ({"tokenizer": "char", "subwords": 3}, "subwords concern words"),
    ],
)
def test_settings_that_do_not_concern_text_or_fit_are_refused(
    options: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        prepared(texts(), **options)


@pytest.mark.parametrize("options", [{"tokenizer": "word"}, {"max_tokens": 9}, {"lowercase": False}])
def test_settings_of_text_do_not_concern_readings(options: dict[str, object]) -> None:
    recordings = [
        Recording(f"r{i}", np.ones((9, 1), np.float32), ("a", "b")[i % 2], split=SPLITS[i // 2])
        for i in range(10)
    ]
    series = assembled(
        "set", "series", recordings, channels=["x"], sample_rate_hz=None, content_sha256="0" * 64
    )
    (name,) = options
    flag = name.replace("_", "-")
    with pytest.raises(UsageError, match=f"set holds series; --{flag} concerns text"):
        prepared(series, **options)
