"""Training a tokenizer: the same file from the same texts, of the size that was asked for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tokenizers import Tokenizer as Library

from edgeseq.data import FrontEndOptions
from edgeseq.tokenizer_training import settled, train_tokenizer, trained_tokens
from edgeseq_device.errors import UsageError
from edgeseq_device.tokenizer import TOKENIZERS, UNKNOWN

TEXTS = [
    *("turn the light on", "turn the light off", "light on, please", "lights off please"),
    *("play some music", "play the next song", "some louder music", "my music: louder!"),
]


def trained(kind: str, texts: list[str] = TEXTS, vocabulary: int | None = None) -> bytes:
    return train_tokenizer(texts, settled(FrontEndOptions(tokenizer=kind, vocabulary=vocabulary)))


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_the_order_of_the_texts_changes_nothing(kind: str) -> None:
    assert trained(kind) == trained(kind, TEXTS[::-1])


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_another_process_trains_the_same_file(kind: str) -> None:
    """`tokenizers` hashes with a seed of the process, and its WordPiece alone would follow it."""
    program = (
        "import sys; from edgeseq.data import FrontEndOptions;"
        " from edgeseq.tokenizer_training import settled, train_tokenizer;"
        f" sys.stdout.buffer.write(train_tokenizer({TEXTS!r}, settled(FrontEndOptions(tokenizer={kind!r}))))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == trained(kind)


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_padding_and_unknown_are_the_first_tokens_and_no_text_means_them(kind: str, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes(trained(kind))
    library = Library.from_file(str(tmp_path / "tokenizer.json"))
    assert (library.token_to_id("[PAD]"), library.token_to_id("[UNK]")) == (0, 1)
    assert json.loads(trained(kind))["added_tokens"] == []
    assert 0 not in library.encode("[PAD] light").ids


def test_words_are_those_seen_twice_the_most_frequent_first() -> None:
    vocabulary = json.loads(trained("word"))["model"]["vocab"]
    assert list(vocabulary)[:6] == ["[PAD]", "[UNK]", "light", "music", "the", "louder"]
    assert "next" not in vocabulary
    assert list(json.loads(trained("word", vocabulary=4))["model"]["vocab"]) == list(vocabulary)[:4]


def test_pieces_cover_words_that_training_did_not_hold() -> None:
    front_end = trained_tokens(TEXTS, FrontEndOptions(tokenizer="wordpiece", vocabulary=60))
    assert front_end.vocabulary <= 60
    assert UNKNOWN not in front_end.features("lightest")
    assert UNKNOWN in front_end.features("Zürich")
    front_end = trained_tokens(TEXTS, FrontEndOptions(tokenizer="bpe", vocabulary=300))
    assert UNKNOWN not in front_end.features("Zürich 👩\u200d💻")


@pytest.mark.parametrize(("kind", "least"), [("wordpiece", 42), ("bpe", 258)])
def test_a_vocabulary_smaller_than_the_letters_is_refused(kind: str, least: int) -> None:
    with pytest.raises(UsageError, match=f"--vocabulary 9: .* {kind} has {least} tokens at least"):
        trained(kind, vocabulary=9)


def test_an_unknown_kind_names_the_nearest() -> None:
    with pytest.raises(UsageError, match='unknown tokenizer "words"; did you mean "word"'):
        settled(FrontEndOptions(tokenizer="words"))


def test_bytes_have_no_vocabulary_to_choose() -> None:
    with pytest.raises(UsageError, match="--vocabulary does not concern the tokenizer byte"):
        settled(FrontEndOptions(tokenizer="byte", vocabulary=99))


def test_words_come_with_n_grams_and_other_kinds_without() -> None:
    words, letters = trained_tokens(TEXTS, FrontEndOptions()), settled(FrontEndOptions(tokenizer="char"))
    assert (words.ngrams, words.subwords, words.buckets, words.max_tokens) == (2, 16, 8192, 64)
    assert (letters.ngrams, letters.subwords, letters.buckets, letters.max_tokens) == (1, 0, 0, 256)
    plain = trained_tokens(TEXTS, FrontEndOptions(ngrams=1, subwords=0))
    assert (plain.buckets, plain.features("light on").shape) == (0, (2, 1))


def test_capitals_count_where_they_are_kept() -> None:
    texts = ["Bill pays", "the bill", "Bill called"]
    kept = trained_tokens(texts, FrontEndOptions(lowercase=False, ngrams=1, subwords=0))
    assert kept.features("Bill bill").ravel().tolist() == [2, UNKNOWN]
    small = trained_tokens(texts, FrontEndOptions(ngrams=1, subwords=0))
    assert small.features("Bill bill").ravel().tolist() == [2, 2]
