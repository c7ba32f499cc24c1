"""A text's tokens, from the `tokenizer.json` that Hugging Face's `tokenizers` reads too, and back to text.

Bytes, characters and words need nothing but Python; WordPiece and BPE go through `tokenizers`.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Callable, Protocol

from edgeseq_device.errors import DataError, DeviceError
from edgeseq_device.normalisation import character_class, normalised

PADDING, UNKNOWN = 0, 1
PADDING_TOKEN, UNKNOWN_TOKEN = "[PAD]", "[UNK]"
PLAIN_KINDS = ("byte", "char", "word")
TOKENIZERS = (*PLAIN_KINDS, "wordpiece", "bpe")
LOSSLESS_KINDS = ("char", "byte", "bpe")
"""Those whose tokens hold all of a text, spaces and line ends too."""
LOST = "\ufffd"  # what stands for a token that is unknown, and for bytes that are no character
Decoder = Callable[[int, bool], str]
"""A token's number, and whether it is the last one -> the text that it adds."""

_SEPARATORS = (
    *((0x0, 0x20), (0x7F, 0xA0), (0xAD, 0xAD), (0x61C, 0x61C), (0x1680, 0x1680), (0x180E, 0x180E)),
    *((0x2000, 0x200F), (0x2028, 0x202F), (0x205F, 0x206F), (0x3000, 0x3000), (0xFE00, 0xFE0F)),
    *((0xFEFF, 0xFEFF), (0xFFF0, 0xFFFB), (0xE0000, 0xE0FFF)),
)
"""Spaces, controls, joiners, marks of direction, variation selectors, tags: they end a word, and vanish."""
_ALONE = (
    *((0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E), (0xA1, 0xA9), (0xAB, 0xAC), (0xAE, 0xB1)),
    *((0xB4, 0xB4), (0xB6, 0xB8), (0xBB, 0xBB), (0xBF, 0xBF), (0xD7, 0xD7), (0xF7, 0xF7)),
    *((0x37E, 0x37E), (0x387, 0x387), (0x55A, 0x55F), (0x589, 0x58A), (0x5BE, 0x5BE), (0x5C0, 0x5C0)),
    *((0x5C3, 0x5C3), (0x5C6, 0x5C6), (0x5F3, 0x5F4), (0x606, 0x60F), (0x61B, 0x61B), (0x61D, 0x61F)),
    *((0x66A, 0x66D), (0x6D4, 0x6D4), (0x964, 0x965), (0x970, 0x970), (0xE3F, 0xE3F), (0xE4F, 0xE4F)),
    *((0xE5A, 0xE5B), (0xF04, 0xF14), (0x1360, 0x1368), (0x1800, 0x180A), (0x2010, 0x2027)),
    *((0x2030, 0x205E), (0x2070, 0x2BFF), (0x2E00, 0x2FFF), (0x3001, 0x3130), (0x3190, 0x4DBF)),
    *((0x4DC0, 0x9FFF), (0xF900, 0xFAFF), (0xFE10, 0xFE1F), (0xFE30, 0xFE6F), (0xFF01, 0xFF0F)),
    *((0xFF1A, 0xFF20), (0xFF3B, 0xFF40), (0xFF5B, 0xFF9F), (0xFFE0, 0xFFEE), (0xFFFC, 0xFFFD)),
    *((0x1D000, 0x1D7FF), (0x1F000, 0x1FBFF), (0x20000, 0x3FFFF)),
)
"""Punctuation, symbols, emoji, Chinese characters and Japanese kana: each is a token of its own."""
WORDS = f"{character_class(_ALONE)}|{character_class((*_SEPARATORS, *_ALONE), negated=True)}+"
CHARACTERS = r"[\s\S]"
_NO_SEPARATOR = re.compile(character_class(_SEPARATORS, negated=True))


class Tokenizer(Protocol):
    """`kind`: one of TOKENIZERS. `vocabulary`: its tokens, numbered from 0, PADDING and UNKNOWN first.
    `tokens`: how the file spells each.
    """

    kind: str
    vocabulary: int
    tokens: tuple[str, ...]

    def ids(self, text: str) -> list[int]:
        """The numbers of the text's tokens, none for an empty text."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """The text that these numbers stand for: what `ids` was given, in normal form. Raises DataError for a
        kind that leaves out what is between its tokens.
        """
        ...

    def decoder(self) -> Decoder:
        """`decode` token by token: whole characters alone, LOST at the end for what never was."""
        ...


class _Spelled:
    """What every kind has: its tokens by their number, and the way back to text."""

    def __init__(self, kind: str, numbers: Mapping[str, int]) -> None:
        self.kind, self.vocabulary = kind, len(numbers)
        self.tokens = tuple(sorted(numbers, key=numbers.__getitem__))

    def decode(self, ids: Sequence[int]) -> str:
        """As `Tokenizer.decode`."""
        pieces = self._pieces
        return b"".join(pieces[number] for number in ids).decode("utf-8", "replace")

    def decoder(self) -> Decoder:
        """As `Tokenizer.decoder`."""
        pieces, decode = self._pieces, codecs.getincrementaldecoder("utf-8")("replace").decode
        return lambda number, last: decode(pieces[number], last)

    @cached_property
    def _pieces(self) -> list[bytes]:
        """By number the UTF-8 that a token stands for."""
        if self.kind not in LOSSLESS_KINDS:
            raise DataError(
                f"the tokens of the kind {self.kind} leave out what is between them, and are no text again;"
                f" take one of {', '.join(LOSSLESS_KINDS)}"
            )
        byte_of = {character: byte for byte, character in enumerate(byte_characters())}
        spelled = self.tokens[UNKNOWN + 1 :]
        if self.kind == "char":
            known = [token.encode("utf-8") for token in spelled]
        else:
            known = [bytes(byte_of[character] for character in token) for token in spelled]
        return [b"", LOST.encode("utf-8"), *known]


class PieceTokenizer(_Spelled):
    """The kinds char and word: each match of a pattern is a token."""

    def __init__(self, kind: str, numbers: Mapping[str, int], lowercase: bool) -> None:
        super().__init__(kind, numbers)
        self._numbers, self._lowercase = numbers, lowercase
        self._find = re.compile(WORDS if kind == "word" else CHARACTERS).findall

    def pieces(self, text: str) -> list[str]:
        """The tokens as they are spelled after normalisation, known or not."""
        pieces: list[str] = self._find(normalised(text, self._lowercase))
        return pieces

    def numbers(self, pieces: Sequence[str]) -> list[int]:
        """Each token's number; UNKNOWN for what is not in the vocabulary."""
        get = self._numbers.get
        return [get(piece, UNKNOWN) for piece in pieces]

    def ids(self, text: str) -> list[int]:
        """As `Tokenizer.ids`."""
        return self.numbers(self.pieces(text))


class ByteTokenizer(_Spelled):
    """The kind byte: a token for each byte of the text's UTF-8."""

    def __init__(self, numbers: Mapping[str, int], lowercase: bool) -> None:
        super().__init__("byte", numbers)
        self._numbers = [numbers[character] for character in byte_characters()]
        self._lowercase = lowercase

    def ids(self, text: str) -> list[int]:
        """As `Tokenizer.ids`."""
        return [self._numbers[byte] for byte in normalised(text, self._lowercase).encode()]


class LibraryTokenizer(_Spelled):
    """Any tokenizer.json, through the package `tokenizers`."""

    def __init__(self, kind: str, numbers: Mapping[str, int], library: Any) -> None:
        super().__init__(kind, numbers)
        self._library = library

    def ids(self, text: str) -> list[int]:
        """As `Tokenizer.ids`."""
        ids: list[int] = self._library.encode(text, add_special_tokens=False).ids
        return ids


def has_token(text: str) -> bool:
    """Whether a text has a token to every kind of tokenizer; one of separators alone has no word."""
    return _NO_SEPARATOR.search(text) is not None


def byte_characters() -> list[str]:
    """How tokenizer.json spells the bytes 0 to 255: a visible Latin-1 character stands for itself, the others
    follow from U+0100 on (Radford et al. 2019, `bytes_to_unicode` of GPT-2's encoder.py).
    """
    visible = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte) if byte in visible else chr(next(others)) for byte in range(256)]


def tokenizer_json(kind: str, numbers: Mapping[str, int], lowercase: bool) -> dict[str, Any]:
    """The content of tokenizer.json of a plain kind; also of the two others, apart from their model.

    numbers: the vocabulary, token -> number.
    """
    steps = [{"type": "NFC"}, *([{"type": "Lowercase"}] if lowercase else [])]
    model: dict[str, Any] = {"type": "WordLevel", "vocab": dict(numbers), "unk_token": UNKNOWN_TOKEN}
    if kind in ("byte", "bpe"):
        model = {"type": "BPE", "vocab": dict(numbers), "merges": []}
    return {
        "version": "1.0",
        "added_tokens": [],
        "normalizer": {"type": "Sequence", "normalizers": steps},
        "pre_tokenizer": _pre_tokenizer(kind),
        "model": model,
    }


def _pre_tokenizer(kind: str) -> dict[str, Any]:
    if kind in ("byte", "bpe"):
        whole = {"add_prefix_space": False, "trim_offsets": True}
        return {"type": "ByteLevel", **whole, "use_regex": kind == "bpe"}
    pattern = {"Regex": CHARACTERS if kind == "char" else WORDS}
    return {"type": "Split", "pattern": pattern, "behavior": "Removed", "invert": True}


def read_tokenizer(content: bytes, where: str) -> Tokenizer:
    """The tokenizer that a tokenizer.json describes. `where`: its name in messages.

    Raises DataError where it is none, or numbers its tokens otherwise, and DeviceError where it needs the
    package `tokenizers`, which is not installed.
    """
    values = _parsed(content, where)
    numbers, kind = _vocabulary(values, where), _kind(values, where)
    for lowercase in (True, False):
        if kind in PLAIN_KINDS and values == tokenizer_json(kind, numbers, lowercase):
            if kind != "byte":
                return PieceTokenizer(kind, numbers, lowercase)
            if len(numbers) == len(set(byte_characters()) & set(numbers)) + 2:
                return ByteTokenizer(numbers, lowercase)
    return LibraryTokenizer(kind, numbers, _library(content, kind, where))


def _parsed(content: bytes, where: str) -> dict[str, Any]:
    try:
        values = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not JSON ({error}); take the file that was exported") from error
    if not isinstance(values, dict) or not isinstance(values.get("model"), dict):
        raise DataError(f"{where}: not a tokenizer of Hugging Face's `tokenizers`: it has no model")
    return values


def _vocabulary(values: dict[str, Any], where: str) -> dict[str, int]:
    """Token -> number, checked: the numbers are 0 to n - 1, padding 0 and unknown 1; n from 2 on."""
    numbers = values["model"].get("vocab")
    if not isinstance(numbers, dict):
        raise DataError(f"{where}: its model has no vocabulary of tokens and numbers")
    if not all(type(number) is int for number in numbers.values()):
        raise DataError(f"{where}: a token's number is not a whole number")
    if sorted(numbers.values()) != list(range(len(numbers))):
        raise DataError(f"{where}: the numbers of its {len(numbers)} tokens are not 0 to {len(numbers) - 1}")
    if (numbers.get(PADDING_TOKEN), numbers.get(UNKNOWN_TOKEN)) != (PADDING, UNKNOWN):
        raise DataError(f"{where}: its tokens 0 and 1 are not {PADDING_TOKEN} and {UNKNOWN_TOKEN}")
    return numbers


def _kind(values: dict[str, Any], where: str) -> str:
    model = values["model"]
    if model.get("type") == "BPE":
        return "bpe" if model.get("merges") else "byte"
    if model.get("type") == "WordLevel":
        return "char" if values.get("pre_tokenizer") == _pre_tokenizer("char") else "word"
    if model.get("type") == "WordPiece":
        return "wordpiece"
    raise DataError(f"{where}: the model {model.get('type')!r} is none of WordLevel, WordPiece and BPE")


def _library(content: bytes, kind: str, where: str) -> Any:
    try:
        from tokenizers import Tokenizer as Library  # noqa: PLC0415 - bytes, characters and words go without
    except ImportError as error:
        raise DeviceError(
            f"{where}: this {kind} tokenizer needs the Python package `tokenizers`, which is not installed"
            " here; install it (pip install tokenizers), or train with --tokenizer byte, char or word"
        ) from error
    try:
        library = Library.from_str(content.decode("utf-8"))
    except Exception as error:  # `tokenizers` raises nothing narrower
        raise DataError(f"{where}: `tokenizers` cannot read it ({error})") from error
    library.no_truncation()
    library.no_padding()
    return library
