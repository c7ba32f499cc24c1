"""A text -> rows of whole numbers: the front end of models that look their input up in a table."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgeseq_device.errors import DataError, UsageError
from edgeseq_device.manifest import TOKENIZER_FILE
from edgeseq_device.tokenizer import (
    PADDING,
    TOKENIZERS,
    PieceTokenizer,
    Tokenizer,
    read_tokenizer,
)

IntArray = NDArray[np.int32]
SUBWORD_LETTERS = (3, 4)
LARGEST_ID = 2**31 - 1
_FNV_OFFSET, _FNV_PRIME, _32_BITS = 2166136261, 16777619, 0xFFFFFFFF


@dataclass(frozen=True)
class Tokens:
    """A text's tokens as numbers, cut after `max_tokens`.

    Features [T, K] int32, K = ngrams + subwords, each a row of the model's table of `ids` rows, which the
    model adds up. Column 0 is the token. Columns 1 to ngrams - 1 are the n-grams of 2, 3 ... tokens that end
    there, hashed into `buckets` rows behind the vocabulary (Joulin et al. 2016, arXiv 1607.01759, section
    2.1). The last `subwords` columns are the n-grams of 3 and 4 letters of the word itself, shortest first,
    `<` and `>` at its ends, hashed into the same buckets (Bojanowski et al. 2017, arXiv 1607.04606, section
    3.2); PADDING where a word has fewer. `tokenizer` is the kind; `content` the tokenizer.json, whose sha256
    is `tokenizer_sha256`.
    Raises UsageError for settings that do not fit together.
    """

    tokenizer: str
    vocabulary: int
    tokenizer_sha256: str
    ngrams: int
    subwords: int
    buckets: int
    max_tokens: int
    content: bytes = field(default=b"", compare=False, repr=False)

    kind: ClassVar[str] = "tokens"
    takes: ClassVar[str] = "text"
    dtype: ClassVar[str] = "int32"
    unit: ClassVar[str] = "token id"

    def __post_init__(self) -> None:
        if self.tokenizer not in TOKENIZERS:
            raise UsageError(f"tokens: tokenizer {self.tokenizer!r} is none of {', '.join(TOKENIZERS)}")
        if self.ngrams < 1 or self.subwords < 0 or self.max_tokens < 1 or self.vocabulary < 2:
            raise UsageError("tokens: ngrams and max_tokens must be 1 or more, subwords 0, vocabulary 2")
        if self.subwords and self.tokenizer != "word":
            raise UsageError(f"tokens: {self.subwords} subwords concern words, not the kind {self.tokenizer}")
        if (self.buckets > 0) != (self.features_count > 1) or self.ids > LARGEST_ID:
            raise UsageError(
                f"tokens: {self.buckets} buckets for {self.ngrams} ngrams and {self.subwords} subwords;"
                " hashed columns need buckets, a token alone needs none"
            )
        if self.content:
            self.reader  # noqa: B018 - a file of another model is refused before anything is read with it

    @property
    def features_count(self) -> int:
        """K, the numbers of a token."""
        return self.ngrams + self.subwords

    @property
    def ids(self) -> int:
        """How many different numbers there are: the rows of the model's table."""
        return self.vocabulary + self.buckets

    def features(self, text: str | NDArray[Any], sample_rate_hz: int | None = None) -> IntArray:
        """A text -> [T, K] int32, 1 <= T <= max_tokens. `sample_rate_hz` is for other front ends.

        Raises DataError for a text without a token and for what is no Unicode text.
        """
        del sample_rate_hz
        return self.with_ngrams(self.rows(text))

    def raw(self, text: str | NDArray[Any], sample_rate_hz: int | None = None) -> IntArray:
        """As `features`: nothing about tokens is standardised."""
        return self.features(text, sample_rate_hz)

    def standardised(self, raw: IntArray) -> IntArray:
        """`raw` itself."""
        return raw

    def rows(self, text: str | NDArray[Any]) -> IntArray:
        """What each token gives by itself: [T, 1 + subwords] int32. Raises DataError as `features` does."""
        text = _checked(text)
        if not self.subwords:
            ids = self.reader.ids(text)[: self.max_tokens]
            rows = np.array(ids, np.int32).reshape(-1, 1)
        else:
            reader = self.reader
            if not isinstance(reader, PieceTokenizer):
                raise DataError(
                    f"{TOKENIZER_FILE}: not one of edgeseq's own; its words have no subwords here"
                )
            pieces = reader.pieces(text)[: self.max_tokens]
            hashed = [_subwords(piece, self.subwords, self.vocabulary, self.buckets) for piece in pieces]
            ids = reader.numbers(pieces)
            rows = np.array([(number, *row) for number, row in zip(ids, hashed)], np.int32)
        if not len(rows):
            raise DataError("the text holds no token; it is empty or only spaces")
        return rows

    def with_ngrams(self, rows: IntArray) -> IntArray:
        """Rows [T, 1 + subwords] int32 -> features [T, K] int32. Tokens before the first count as PADDING."""
        T = len(rows)
        tokens = np.concatenate([np.full(self.ngrams - 1, PADDING, np.uint32), rows[:, 0].astype(np.uint32)])
        features = np.empty((T, self.features_count), np.int32)
        features[:, 0], features[:, self.ngrams :] = rows[:, 0], rows[:, 1:]
        for column in range(1, self.ngrams):
            first = self.ngrams - 1 - column
            around = (tokens[start : start + T] for start in range(first, self.ngrams))
            hashed = fnv_hash(np.full(T, column, np.uint32), around)
            features[:, column] = self.vocabulary + (hashed % self.buckets).astype(np.int32)
        return features

    def without_ngrams(self, features: IntArray) -> IntArray:
        """The rows [T, 1 + subwords] int32 that features [T, K] were made from."""
        return np.delete(features, np.s_[1 : self.ngrams], axis=1)

    def tokens_cut(self, text: str | NDArray[Any]) -> int:
        """How many of the text's tokens are left out because they come after `max_tokens`."""
        return max(0, len(self.reader.ids(_checked(text))) - self.max_tokens)

    def to_dict(self) -> dict[str, Any]:
        """As JSON, without the content; `front_end_from_dict` reads it back beside tokenizer.json."""
        values = dataclasses.asdict(self)
        del values["content"]
        return {"kind": self.kind, **values}

    @cached_property
    def reader(self) -> Tokenizer:
        """What `content` describes. Raises DataError where it is not the file the model was trained with."""
        if hashlib.sha256(self.content).hexdigest() != self.tokenizer_sha256:
            raise DataError(
                f"{TOKENIZER_FILE}: a tokenizer file that does not match the model (sha256 differs);"
                " take the file that came with the model"
            )
        reader = read_tokenizer(self.content, TOKENIZER_FILE)
        if (reader.kind, reader.vocabulary) != (self.tokenizer, self.vocabulary):
            raise DataError(
                f"{TOKENIZER_FILE}: a tokenizer file that does not match the model: {reader.kind} with"
                f" {reader.vocabulary} tokens, the model has {self.tokenizer} with {self.vocabulary}"
            )
        return reader


def fnv_hash(first: Any, others: Iterable[Any]) -> Any:
    """FNV-1a over whole 32-bit numbers instead of bytes (Fowler, Noll & Vo, RFC 9923, section 2), each step
    folded so that the lowest bits, which choose the bucket, depend on all. Python ints or arrays [n] uint32.
    """
    state = ((_FNV_OFFSET ^ first) * _FNV_PRIME) & _32_BITS
    for each in others:
        state = ((state ^ each) * _FNV_PRIME) & _32_BITS
        state = state ^ (state >> 15)
    return state


@lru_cache(maxsize=1 << 16)
def _subwords(word: str, columns: int, vocabulary: int, buckets: int) -> tuple[int, ...]:
    """The first `columns` numbers of a word's n-grams of letters; PADDING after the last."""
    letters = [ord(letter) for letter in f"<{word}>"]
    grams = (
        letters[start : start + size] for size in SUBWORD_LETTERS for start in range(len(letters) - size + 1)
    )
    numbers = [vocabulary + fnv_hash(0, gram) % buckets for _, gram in zip(range(columns), grams)]
    return (*numbers, *[PADDING] * (columns - len(numbers)))


def _checked(text: str | NDArray[Any]) -> str:
    if not isinstance(text, str):
        raise DataError("the model takes text, the input holds readings")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(
            f"character {error.start + 1} of the text is half of a surrogate pair; read the file as UTF-8"
        ) from error
    return text
