"""Tokenizers: host, device and Hugging Face's `tokenizers` read every text alike, on every Python."""

# ruff: noqa: RUF001 - letters that look like others are the point

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer as Library

import edgeseq_device
from edgeseq.data import FrontEndOptions
from edgeseq.tokenizer_training import settled, train_tokenizer
from edgeseq_device.errors import DataError, DeviceError
from edgeseq_device.tokenizer import (
    LibraryTokenizer,
    byte_characters,
    has_token,
    read_tokenizer,
    tokenizer_json,
)

CHARACTERS_A_LINE = 16
SURROGATES = range(0xD800, 0xE000)
WRITTEN = """
turn The volume UP don't e-mail 3.5% $10 what's [PAD] [UNK] ##ing
naïve na\u0308i Ångström A\u030angstro\u0308m
é\u0323 e\u0323\u0301 ﬁn ½ straße STRASSE ẞ İstanbul ısı ΟΔΥΣΣΕΥΣ σοφός ΣΑΣ Σ ᾼ ǅ Ⅳ Ꟈ Ⱟ \ua7cb \ua7dc
👩\u200d💻 👨\u200d👩\u200d👧\u200d👦 👍🏽 🇩🇪🇫🇷 🏴\U000e0067\U000e007f ❤\ufe0f 1\ufe0f\u20e3
🫠 \U0001fae8 ☎ → € № 𝔘𝔫𝔦 𐐀𐐨 \U0002a6d6 我想听音乐 音楽をかけて ガッコウ か\u3099 ｶﾞｯｺｳ
음악을 \u1112\u1161\u11ab 葛\U000e0100
مرحبا السَّلَامُ \u200fשלום\u200e می\u200cخواهم १२३ नमस्ते ภาษาไทย Ｆｕｌｌ１２！ ؟ \u061c \u202e \u2066
\u0000 \u0007 \u00ad \u200b \ufeff \ufffd \ufdd0 \uffff \U0010ffff \ue000 \u0345 \u0300\u0301\u0302
\U00010570 \U00016ea0 \u0898\u0301 \u1ac1\u0323 a\u1e2e\u0315
"""
LIMITS = {
    ("byte", True): None,
    ("byte", False): None,
    ("char", True): 700,
    ("char", False): 700,
    ("word", True): 900,
    ("word", False): 900,
    ("wordpiece", True): 99_999,
    ("bpe", True): 500,
}
"""The vocabulary of each kind, in lower case or not."""
SPACES = [" ", " ", " ", "", "  ", "\t", "\r\n", "\x85", "\u00a0", "\u2028", "\u3000"]


def many_texts(count: int = 10_000) -> list[str]:
    """Each code point of the Basic Multilingual Plane is in it once at least, surrogates apart."""
    generator = np.random.default_rng(0)
    plane = [chr(each) for each in range(0x10000) if each not in SURROGATES]
    plane = [plane[place] for place in generator.permutation(len(plane))]
    starts = range(0, len(plane), CHARACTERS_A_LINE)
    lines = ["".join(plane[start : start + CHARACTERS_A_LINE]) for start in starts]
    words = WRITTEN.split(" ")
    while len(lines) < count:
        places = generator.integers(0, (len(words), len(SPACES)), (8, 2))
        lines.append("".join(words[word] + SPACES[space] for word, space in places))
    return lines


def plain(kind: str, *tokens: str, lowercase: bool = True) -> bytes:
    known = ["[PAD]", "[UNK]", *(byte_characters() if kind == "byte" else tokens)]
    return json.dumps(tokenizer_json(kind, {token: i for i, token in enumerate(known)}, lowercase)).encode()


def changed(**changes: Any) -> bytes:
    values = json.loads(plain("word", "a", "b"))
    for name, value in changes.items():
        values[name] = value
    return json.dumps(values).encode()


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return many_texts()


@pytest.fixture(scope="module")
def contents(texts: list[str]) -> dict[tuple[str, bool], bytes]:
    """A tokenizer.json of each kind, in lower case or not, that knows half of the lines."""
    return {
        (kind, lowercase): train_tokenizer(
            texts[::2], settled(FrontEndOptions(tokenizer=kind, lowercase=lowercase, vocabulary=limit))
        )
        for (kind, lowercase), limit in LIMITS.items()
    }


@pytest.mark.parametrize(("kind", "lowercase"), LIMITS)
def test_ten_thousand_lines_are_read_as_tokenizers_reads_them(
    kind: str, lowercase: bool, texts: list[str], contents: dict[tuple[str, bool], bytes], tmp_path: Path
) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(contents[kind, lowercase])
    library, ours = Library.from_file(str(path)), read_tokenizer(path.read_bytes(), "here")
    assert (ours.kind, ours.vocabulary) == (kind, library.get_vocab_size())
    assert isinstance(ours, LibraryTokenizer) == (kind in ("wordpiece", "bpe"))
    expected = [each.ids for each in library.encode_batch(texts)]
    assert [text for text, ids in zip(texts, expected, strict=True) if ours.ids(text) != ids] == []
    assert len({number for ids in expected for number in ids}) > 200


def test_words_are_split_where_tokenizers_splits_them(texts: list[str]) -> None:
    """A word that is unknown to both would hide where it ends."""
    content = json.dumps(tokenizer_json("word", {"[PAD]": 0, "[UNK]": 1}, True)).encode()
    library, ours = Library.from_str(content.decode()), read_tokenizer(content, "here")
    for text in texts:
        normalised = library.normalizer.normalize_str(text)
        pieces = [piece for piece, _ in library.pre_tokenizer.pre_tokenize_str(normalised)]
        assert ours.pieces(text) == pieces, ascii(text)


def test_python_3_9_reads_the_lines_as_this_python_does(
    old_python: str, texts: list[str], contents: dict[tuple[str, bool], bytes], tmp_path: Path
) -> None:
    kinds = ("byte", "char", "word")
    (tmp_path / "texts.json").write_text(json.dumps(texts))
    for kind in kinds:
        (tmp_path / kind).write_bytes(contents[kind, True])
    program = f"""
import hashlib, json, pathlib, sys
sys.path.insert(0, {str(Path(edgeseq_device.__file__).parents[1])!r})
from edgeseq_device.tokenizer import read_tokenizer
texts = json.loads(pathlib.Path("texts.json").read_text())
for kind in {kinds}:
    reader = read_tokenizer(pathlib.Path(kind).read_bytes(), kind)
    print(hashlib.sha256(json.dumps([reader.ids(text) for text in texts]).encode()).hexdigest())
"""
    done = subprocess.run(
        [old_python, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    for kind, digest in zip(kinds, done.stdout.split(), strict=True):
        reader = read_tokenizer(contents[kind, True], "here")
        assert digest == hashlib.sha256(json.dumps([reader.ids(text) for text in texts]).encode()).hexdigest()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("What's the  3.5% e-mail?", ["what", "'", "s", "the", "3", ".", "5", "%", "e", "-", "mail", "?"]),
        ("ΟΔΥΣΣΕΥΣ İstanbul STRASSE ẞ", ["οδυσσευσ", "i\u0307stanbul", "strasse", "ß"]),
        ("nai\u0308ve A\u030a", ["na\u00efve", "\u00e5"]),
        ("👩\u200d💻👍🏽 🇩🇪 ❤\ufe0f", ["👩", "💻", "👍", "🏽", "🇩", "🇪", "❤"]),
        ("我想听 カナ 음악을 \u200fשלום", ["我", "想", "听", "カ", "ナ", "음악을", "שלום"]),
        ("[PAD] a\x00b\u2028c", ["[", "pad", "]", "a", "b", "c"]),
        (" \t\n\u200b\ufeff", []),
    ],
)
def test_a_word_a_sign_an_emoji_and_a_chinese_character_are_tokens(text: str, words: list[str]) -> None:
    ours = read_tokenizer(plain("word"), "here")
    assert ours.pieces(text) == words


def test_a_text_has_a_token_where_a_tokenizer_of_words_finds_one() -> None:
    words = read_tokenizer(train_tokenizer(["on"], settled(FrontEndOptions())), "tokenizer.json")
    places = [place for place in (*range(0x30000), *range(0xE0000, 0xE1100)) if place not in SURROGATES]
    assert [p for p in places if has_token(chr(p)) != bool(words.ids(chr(p)))] == []
    assert not has_token("")
    assert not has_token(" \ufe0f\u200d\n")
    assert has_token("\u2764\ufe0f")


def test_a_text_that_spells_padding_or_unknown_does_not_mean_them() -> None:
    for kind in ("byte", "char", "word"):
        ids = read_tokenizer(plain(kind, "[", "]", "p", "a", "d", "pad"), "here").ids("[PAD] [UNK]")
        assert 0 not in ids, kind


def test_bytes_are_numbered_in_their_order_behind_padding_and_unknown() -> None:
    ours = read_tokenizer(plain("byte"), "here")
    assert ours.ids("Az é") == [2 + byte for byte in b"az \xc3\xa9"]
    assert read_tokenizer(plain("byte", lowercase=False), "here").ids("Az") == [2 + 65, 2 + 122]


def test_a_tokenizer_of_another_make_goes_through_tokenizers() -> None:
    values = json.loads(plain("word", "hello", "hello,", "world"))
    values["pre_tokenizer"] = {"type": "WhitespaceSplit"}
    ours = read_tokenizer(json.dumps(values).encode(), "here")
    assert isinstance(ours, LibraryTokenizer)
    assert (ours.kind, ours.ids("Hello, world friend")) == ("word", [3, 4, 1])


@pytest.mark.parametrize("kind", ["wordpiece", "bpe"])
def test_pieces_without_the_package_tokenizers_say_what_to_install(
    kind: str, contents: dict[tuple[str, bool], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(DeviceError, match=rf"board: this {kind} tokenizer needs .*pip install tokenizers"):
        read_tokenizer(contents[kind, True], "board")
    assert read_tokenizer(contents["word", True], "board").ids("turn")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff{}", "here: not JSON"),
        (b"[" * 100_000, "here: not JSON"),
        (b"[]", "not a tokenizer of Hugging Face's `tokenizers`: it has no model"),
        (b'{"model": 3}', "it has no model"),
        (changed(model={"type": "WordLevel"}), "no vocabulary"),
        (changed(model={"type": "WordLevel", "vocab": {"[PAD]": 0, "[UNK]": 2}}), "are not 0 to 1"),
        (changed(model={"type": "WordLevel", "vocab": {"[PAD]": 0, "[UNK]": True}}), "not a whole number"),
        (changed(model={"type": "WordLevel", "vocab": {"[UNK]": 0, "[PAD]": 1}}), "tokens 0 and 1 are not"),
        (changed(model={"type": "Unigram", "vocab": {"[PAD]": 0, "[UNK]": 1}}), "'Unigram' is none of"),
        (changed(normalizer={"type": "Magic"}), "`tokenizers` cannot read it"),
    ],
)
def test_a_file_that_is_no_tokenizer_is_refused_with_its_name(content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_tokenizer(content, "here")


WHOLE = "  Two\n\n\tlines, e\u0301 \u65e5\u672c \U0001f389 [PAD]\r\n \u00a0x "


@pytest.mark.parametrize("kind", ["char", "byte", "bpe"])
def test_a_lossless_kind_gives_the_text_back_whole_and_token_by_token(kind: str) -> None:
    settings = replace(settled(FrontEndOptions(tokenizer=kind)), lowercase=False)
    reader = read_tokenizer(train_tokenizer([WHOLE], settings, min_count=1), "a")
    ids, composed = reader.ids(WHOLE), unicodedata.normalize("NFC", WHOLE)
    assert reader.decode(ids) == composed
    assert len(reader.tokens) == reader.vocabulary
    decoder, added = reader.decoder(), []
    for place, number in enumerate(ids, 1):
        added.append(decoder(number, place == len(ids)))
    assert "".join(added) == composed
    assert "\ufffd" not in "".join(added)


def test_bytes_are_held_back_until_they_are_a_character_and_what_never_was_shows_at_the_end() -> None:
    reader = read_tokenizer(train_tokenizer([], settled(FrontEndOptions(tokenizer="byte"))), "a")
    ids = reader.ids("\u65e5x")
    decoder = reader.decoder()
    assert [decoder(number, False) for number in ids] == ["", "", "\u65e5", "x"]
    assert [decoder(ids[0], False), decoder(ids[1], True)] == ["", "\ufffd"]
    assert reader.decode([*ids[:2], ids[3], 0, 1]) == "\ufffdx\ufffd"


@pytest.mark.parametrize("kind", ["word", "wordpiece"])
def test_a_kind_that_leaves_out_spaces_gives_no_text_back(kind: str) -> None:
    reader = read_tokenizer(train_tokenizer(["two words"] * 2, settled(FrontEndOptions(tokenizer=kind))), "a")
    with pytest.raises(DataError, match=f"the kind {kind} leave out .*; take one of char, byte, bpe"):
        reader.decode(reader.ids("two words"))
