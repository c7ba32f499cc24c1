"""The front end of text: columns of numbers, the same on every machine, and a tokenizer that is its own."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from edgeseq_device.errors import DataError, UsageError
from edgeseq_device.frontend import LogMel, Standardise, Tokens, front_end_from_dict
from edgeseq_device.tokenizer import PADDING, UNKNOWN, tokenizer_json
from edgeseq_device.tokens import fnv_hash

WORDS = ("turn", "up", "the", "volume")


def tokenizer(words: Sequence[str] = WORDS, kind: str = "word") -> bytes:
    numbers = {word: number for number, word in enumerate(("[PAD]", "[UNK]", *words))}
    return json.dumps(tokenizer_json(kind, numbers, lowercase=True)).encode()


def tokens(ngrams: int = 1, subwords: int = 0, buckets: int = 0, max_tokens: int = 8) -> Tokens:
    content = tokenizer()
    sha256 = hashlib.sha256(content).hexdigest()
    return Tokens("word", 6, sha256, ngrams, subwords, buckets, max_tokens, content)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tokenizer.json").write_bytes(tokenizer())
    return tmp_path


def test_a_text_is_a_column_of_its_tokens() -> None:
    features = tokens().features("Turn the RADIO up")
    assert features.dtype == np.int32
    assert features.tolist() == [[2], [4], [UNKNOWN], [3]]


def test_the_hash_is_pinned() -> None:
    """Another hash on a board would look up other rows than training did."""
    found = [fnv_hash(0, []), fnv_hash(1, [2, 4]), fnv_hash(0, map(ord, "<up"))]
    assert found == [84696351, 918111200, 3146965546]
    columns = [np.array([2, 7], np.uint32), np.array([4, 2**31], np.uint32)]
    assert fnv_hash(np.array([1, 1], np.uint32), columns).tolist() == [918111200, 3497301585]


def test_columns_are_the_token_its_n_grams_and_its_subwords() -> None:
    features = tokens(ngrams=3, subwords=4, buckets=50).features("turn up radio")
    assert features.tolist() == [
        [2, 32, 53, 22, 33, 23, 14],
        [3, 7, 44, 52, 53, 53, 0],
        [1, 36, 39, 32, 35, 12, 14],
    ]


def test_n_grams_end_at_their_token_and_begin_with_padding() -> None:
    front_end = tokens(ngrams=2, buckets=1000)
    features = front_end.features("turn up turn up")
    assert features[0, 1] == 6 + fnv_hash(1, [PADDING, 2]) % 1000
    assert features[1, 1] == features[3, 1] == 6 + fnv_hash(1, [2, 3]) % 1000
    assert features[2, 1] == 6 + fnv_hash(1, [3, 2]) % 1000


def test_subwords_are_letters_of_the_word_with_its_ends_the_shortest_first() -> None:
    row = tokens(subwords=6, buckets=1000).rows("up")[0]
    grams = [6 + fnv_hash(0, map(ord, gram)) % 1000 for gram in ("<up", "up>", "<up>")]
    assert row.tolist() == [3, *grams, PADDING, PADDING, PADDING]


def test_words_that_are_not_in_the_vocabulary_differ_by_their_subwords() -> None:
    rows = tokens(subwords=12, buckets=1000).rows("radio radios Radio")
    assert rows[:, 0].tolist() == [UNKNOWN] * 3
    assert rows[0].tolist() == rows[2].tolist() != rows[1].tolist()
    assert rows[0, 1:3].tolist() == rows[1, 1:3].tolist()


def test_rows_that_were_moved_get_the_n_grams_of_their_new_neighbours() -> None:
    front_end = tokens(ngrams=3, subwords=4, buckets=1000)
    rows = front_end.without_ngrams(front_end.features("turn the radio volume up"))
    assert rows.tolist() == front_end.rows("turn the radio volume up").tolist()
    assert front_end.with_ngrams(rows[[0, 2, 4]]).tolist() == front_end.features("turn radio up").tolist()


def test_every_number_has_a_row_of_the_table() -> None:
    front_end = tokens(ngrams=3, subwords=12, buckets=7)
    features = front_end.features("turn up the volume of radios everywhere now")
    assert front_end.ids == 13
    assert features.shape == (8, front_end.features_count) == (8, 15)
    assert 0 <= features.min() <= features.max() < front_end.ids
    assert features[:, 1:3].min() >= front_end.vocabulary


def test_a_text_is_cut_and_says_by_how_many_tokens() -> None:
    front_end = tokens(ngrams=2, subwords=3, buckets=9, max_tokens=3)
    assert front_end.features("turn up the volume now").tolist() == front_end.features("turn up the").tolist()
    assert (front_end.tokens_cut("turn up the volume now"), front_end.tokens_cut("turn up the")) == (2, 0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("", "holds no token"),
        (" \u200b\n", "holds no token"),
        ("ok \ud83d", "character 4 of the text is half of a surrogate pair"),
        (np.zeros((3, 1), np.float32), "the model takes text, the input holds readings"),
    ],
)
def test_what_holds_no_token_is_refused(given: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        tokens().features(given)
    with pytest.raises(DataError, match=message):
        tokens(subwords=2, buckets=3).features(given)


@pytest.mark.parametrize("front_end", [LogMel(8000), Standardise(1)], ids=lambda each: each.kind)
def test_a_front_end_of_readings_refuses_a_text(front_end: LogMel | Standardise) -> None:
    with pytest.raises(DataError, match="the input is a text, the model takes readings"):
        front_end.features("turn it up")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tokenizer": "letters"}, "'letters' is none of byte, char, word, wordpiece, bpe"),
        ({"ngrams": 0}, "ngrams and max_tokens must be 1 or more"),
        ({"max_tokens": 0}, "ngrams and max_tokens must be 1 or more"),
        ({"subwords": -1}, "subwords 0"),
        ({"tokenizer": "bpe", "subwords": 2, "buckets": 9}, "subwords concern words, not the kind bpe"),
        ({"buckets": 9}, "9 buckets for 1 ngrams and 0 subwords"),
        ({"ngrams": 2}, "0 buckets for 2 ngrams"),
        ({"ngrams": 2, "buckets": 2**31}, "hashed columns need buckets"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        dataclasses.replace(tokens(), content=b"", **change)


def test_the_front_end_comes_back_from_json_and_its_tokenizer(folder: Path) -> None:
    front_end = tokens(ngrams=2, subwords=3, buckets=9)
    values = json.loads(json.dumps(front_end.to_dict()))
    again = front_end_from_dict(values, folder)
    assert again == front_end
    assert isinstance(again, Tokens)
    assert again.features("turn it up").tolist() == front_end.features("turn it up").tolist()
    assert "content" not in values


def test_a_tokenizer_that_does_not_match_the_model_is_refused(folder: Path) -> None:
    values = tokens().to_dict()
    path = folder / "tokenizer.json"
    path.write_bytes(tokenizer(("turn", "up", "the", "sound")))
    with pytest.raises(DataError, match=f"{folder}: tokenizer.json: .* does not match the model .sha256"):
        front_end_from_dict(values, folder)
    path.write_bytes(tokenizer(("turn", "up")))
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(DataError, match="word with 4 tokens, the model has word with 6"):
        front_end_from_dict({**values, "tokenizer_sha256": sha256}, folder)
    path.unlink()
    with pytest.raises(DataError, match=r"tokenizer.json: cannot be read .*; a model of text needs"):
        front_end_from_dict(values, folder)


def test_a_front_end_that_names_its_own_content_is_refused(folder: Path) -> None:
    with pytest.raises(DataError, match='unknown key "content"'):
        front_end_from_dict({**tokens().to_dict(), "content": ""}, folder)
    with pytest.raises(DataError, match="tokenizer = 3 is not str"):
        front_end_from_dict({**tokens().to_dict(), "tokenizer": 3}, folder)


def test_subwords_need_a_tokenizer_of_edgeseq() -> None:
    values = json.loads(tokenizer())
    values["pre_tokenizer"] = {"type": "WhitespaceSplit"}
    content = json.dumps(values).encode()
    front_end = Tokens("word", 6, hashlib.sha256(content).hexdigest(), 1, 2, 9, 8, content)
    with pytest.raises(DataError, match="not one of edgeseq's own"):
        front_end.features("turn up")
