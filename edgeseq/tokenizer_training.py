"""Training a tokenizer on the texts of the training split, and the front end of text around it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from edgeseq.data import FrontEndOptions
from edgeseq.names import unknown
from edgeseq_device.errors import UsageError
from edgeseq_device.manifest import TOKENIZER_FILE
from edgeseq_device.tokenizer import (
    LOSSLESS_KINDS,
    PADDING_TOKEN,
    TOKENIZERS,
    UNKNOWN_TOKEN,
    byte_characters,
    read_tokenizer,
    tokenizer_json,
)
from edgeseq_device.tokens import Tokens

SPECIAL = [PADDING_TOKEN, UNKNOWN_TOKEN]
MIN_COUNT = 2  # what was seen once in training is unknown, so that the model learns what to do with unknowns
PIECES = 4096  # vocabulary of WordPiece and BPE
NO_LIMIT = 2**31 - 1
WORD_NGRAMS, WORD_SUBWORDS, BUCKETS = 2, 16, 8192
MAX_TOKENS = {"word": 64, "wordpiece": 128, "bpe": 128, "char": 256, "byte": 256}
PART_CHARACTERS = 1 << 20  # of a text that is learned from at once: RAM
LONGEST_WORD = 100  # letters; a longer one is unknown to WordPiece
CONTINUING = "##"  # before a WordPiece token that does not begin a word


@dataclass(frozen=True)
class TextSettings:
    """FrontEndOptions of text, each with a value; `vocabulary` None: no limit."""

    tokenizer: str
    vocabulary: int | None
    ngrams: int
    subwords: int
    buckets: int
    max_tokens: int
    lowercase: bool


def settled(options: FrontEndOptions) -> TextSettings:
    """The options with the defaults of their kind: words come with n-grams of words and of letters.

    Raises UsageError for a kind that is not known and for a vocabulary that byte cannot have.
    """
    kind = options.tokenizer or "word"
    if kind not in TOKENIZERS:
        raise UsageError(unknown("tokenizer", kind, TOKENIZERS))
    if kind == "byte" and options.vocabulary is not None:
        raise UsageError("--vocabulary does not concern the tokenizer byte: its tokens are the 256 bytes")
    ngrams = _or(options.ngrams, WORD_NGRAMS if kind == "word" else 1)
    subwords = _or(options.subwords, WORD_SUBWORDS if kind == "word" else 0)
    return TextSettings(
        kind,
        _or(options.vocabulary, PIECES) if kind in ("wordpiece", "bpe") else options.vocabulary,
        ngrams,
        subwords,
        _or(options.buckets, BUCKETS if ngrams + subwords > 1 else 0),
        _or(options.max_tokens, MAX_TOKENS[kind]),
        options.lowercase is not False,
    )


def _or(given: int | None, default: int) -> int:
    return default if given is None else given


def settled_for_lm(options: FrontEndOptions) -> TextSettings:
    """The options with the defaults of a language model: characters as they are, and nothing is cut.

    Raises UsageError for a kind that loses a part of the text, and for what a language model does not have.
    """
    kind = options.tokenizer or "char"
    if kind in TOKENIZERS and kind not in LOSSLESS_KINDS:
        raise UsageError(
            f"--tokenizer {kind} loses spaces and line ends, which a language model writes; take"
            f" {' or '.join(LOSSLESS_KINDS)}"
        )
    for name, only in (("ngrams", 1), ("subwords", 0), ("buckets", 0), ("max_tokens", NO_LIMIT)):
        if getattr(options, name) not in (None, only):
            raise UsageError(f"--{name.replace('_', '-')} is no setting of a language model; leave it out")
    whole = dataclasses.replace(options, tokenizer=kind, ngrams=1, subwords=0, buckets=0, max_tokens=NO_LIMIT)
    return settled(dataclasses.replace(whole, lowercase=options.lowercase is True))


def trained_tokens(texts: Iterable[str], options: FrontEndOptions) -> Tokens:
    """The front end of text, trained on `texts`. Raises UsageError as `train_tokenizer` does."""
    return _front_end(texts, settled(options), MIN_COUNT)


def trained_tokens_for_lm(text: str, options: FrontEndOptions) -> Tokens:
    """The front end of a language model, trained on `text`, each of whose characters is known to it.

    Raises UsageError as `settled_for_lm` and `train_tokenizer` do.
    """
    settings = settled_for_lm(options)
    parts = [text[start : start + PART_CHARACTERS] for start in range(0, len(text), PART_CHARACTERS)]
    return _front_end(parts, settings, 1 if settings.tokenizer == "char" else MIN_COUNT)


def _front_end(texts: Iterable[str], settings: TextSettings, min_count: int) -> Tokens:
    content = train_tokenizer(texts, settings, min_count)
    return Tokens(
        settings.tokenizer,
        read_tokenizer(content, TOKENIZER_FILE).vocabulary,
        hashlib.sha256(content).hexdigest(),
        settings.ngrams,
        settings.subwords,
        settings.buckets,
        settings.max_tokens,
        content,
    )


def train_tokenizer(texts: Iterable[str], settings: TextSettings, min_count: int = MIN_COUNT) -> bytes:
    """A tokenizer.json, the same to the byte for the same texts in any order.

    byte: the 256 bytes. char, word: the most frequent ones. wordpiece: letters, and the most frequent pairs
    of pieces within a word, pair after pair (Schuster and Nakajima 2012, section 3; pairs by frequency). bpe:
    the same from bytes (Sennrich et al. 2016, arXiv 1508.07909, section 3.2). What was seen less than
    `min_count` times is left out. Raises UsageError where the vocabulary cannot be that small.
    """
    kind, lowercase = settings.tokenizer, settings.lowercase
    if kind == "byte":
        return _compact(tokenizer_json(kind, _numbered([*SPECIAL, *byte_characters()]), lowercase))
    values = tokenizer_json(kind, _numbered(SPECIAL), lowercase)
    if kind == "wordpiece":
        values["model"] = {
            "type": "WordPiece",
            "vocab": _numbered(SPECIAL),
            "unk_token": UNKNOWN_TOKEN,
            "continuing_subword_prefix": CONTINUING,
            "max_input_chars_per_word": LONGEST_WORD,
        }
    values["model"] = _trained_model(values, sorted(texts), settings, min_count)
    count = len(values["model"]["vocab"])
    if settings.vocabulary is not None and count > settings.vocabulary:
        raise UsageError(
            f"--vocabulary {settings.vocabulary}: the tokenizer {kind} has {count} tokens at least, which are"
            f" the single letters or bytes; give --vocabulary {count} or more"
        )
    return _compact(values)


def _trained_model(
    values: dict[str, Any], texts: Sequence[str], settings: TextSettings, min_count: int
) -> dict[str, Any]:
    """The model part of tokenizer.json after training; its vocabulary in the order of the numbers."""
    os.environ.setdefault(
        "TOKENIZERS_PARALLELISM", "false"
    )  # or each later fork of ours would print a warning
    from tokenizers import Tokenizer  # noqa: PLC0415 - a training on readings goes without
    from tokenizers.trainers import BpeTrainer, WordLevelTrainer, WordPieceTrainer  # noqa: PLC0415

    tokenizer = Tokenizer.from_str(json.dumps(values))
    common: dict[str, Any] = {
        "vocab_size": settings.vocabulary or NO_LIMIT,
        "min_frequency": min_count,
        "show_progress": False,
    }
    if settings.tokenizer == "wordpiece":
        # Else `tokenizers` numbers these in an order that differs from process to process, and pairs with it.
        continuing = [CONTINUING + letter for letter in _letters(tokenizer, texts)]
        trainer: Any = WordPieceTrainer(**common, special_tokens=[*SPECIAL, *continuing])
    elif settings.tokenizer == "bpe":
        trainer = BpeTrainer(**common, special_tokens=SPECIAL, initial_alphabet=byte_characters())
    else:
        trainer = WordLevelTrainer(**common, special_tokens=SPECIAL)
    tokenizer.train_from_iterator(texts, trainer)
    model: dict[str, Any] = json.loads(tokenizer.to_str())["model"]
    model["vocab"] = dict(sorted(model["vocab"].items(), key=lambda item: item[1]))
    return {name: value for name, value in model.items() if value is not None}


def _letters(tokenizer: Any, texts: Sequence[str]) -> list[str]:
    """The letters that come within a word, not first in it."""
    found: set[str] = set()
    for text in texts:
        normalised = tokenizer.normalizer.normalize_str(text)
        for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(normalised):
            found.update(word[1:])
    return sorted(found)


def _numbered(tokens: Sequence[str]) -> dict[str, int]:
    return {token: number for number, token in enumerate(tokens)}


def _compact(values: dict[str, Any]) -> bytes:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
