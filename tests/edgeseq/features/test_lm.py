"""What a language model learns from: ids of each split, windows of them, what is unknown or too short."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeseq.data import DataOptions, FrontEndOptions, SplitOptions, load
from edgeseq.features import Prepared, prepare
from edgeseq.features.lm import MOST_WINDOWS, STREAMS, WINDOW_TOKENS
from edgeseq.models.shapes import model_config
from edgeseq_device.errors import DataError, UsageError
from edgeseq_device.frontend import Tokens
from edgeseq_device.tokenizer import UNKNOWN

MODEL = model_config("gru", {}, task="lm")


def prepared_of(path: Path, splitting: SplitOptions | None = None, **options: object) -> Prepared:
    front_end = FrontEndOptions(**options)  # type: ignore[arg-type]
    return prepare(load(str(path), DataOptions(task="lm")), splitting or SplitOptions(), front_end, MODEL)


@pytest.mark.parametrize("kind", ["char", "byte", "bpe"])
def test_the_ids_of_each_split_are_its_text(tiny_corpus: Path, kind: str) -> None:
    splitting = SplitOptions(validation_fraction=0.2, test_fraction=0.1)
    vocabulary = 270 if kind == "bpe" else None
    prepared = prepared_of(tiny_corpus, splitting, tokenizer=kind, vocabulary=vocabulary)
    assert isinstance(prepared.front_end, Tokens)
    reader, text = prepared.front_end.reader, tiny_corpus.read_text("utf-8")
    assert "".join(reader.decode(each.ids[:, 0].tolist()) for each in prepared.texts.values()) == text
    assert sum(each.characters for each in prepared.texts.values()) == len(text)
    assert prepared.labels == reader.tokens
    assert prepared.examples == len(prepared.texts["train"].ids)
    assert prepared.sizes() == {name: len(each.ids) for name, each in prepared.texts.items()}


def test_windows_lie_evenly_over_a_split_and_each_has_its_next_token(tiny_corpus: Path) -> None:
    prepared = prepared_of(tiny_corpus)
    for name in ("train", "validation"):
        ids, windows = prepared.texts[name].ids, prepared.splits.named(name)
        assert 1 < len(windows) <= MOST_WINDOWS
        for title, features, label in zip(windows.names, windows.features, windows.labels, strict=True):
            split, _, start = title.partition("@")
            behind = int(start) + WINDOW_TOKENS
            assert split == name
            assert np.array_equal(features, ids[int(start) : behind])
            assert label == ids[behind, 0]
        assert windows.names[0] == f"{name}@0"
        assert windows.names[-1] == f"{name}@{len(ids) - 1 - WINDOW_TOKENS}"


def test_without_a_test_fraction_there_is_no_test_split(tiny_corpus: Path) -> None:
    prepared = prepared_of(tiny_corpus)
    assert prepared.splits.names == ("train", "validation")
    assert set(prepared.texts) == {"train", "validation"}
    assert len(prepared.splits.test) == 0


def test_every_character_of_training_is_known_and_others_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("ab\n" * 299 + "abQ" + "\u00e9?" * 50)
    prepared = prepared_of(tmp_path / "a.txt")
    assert (prepared.texts["train"].ids != UNKNOWN).all()
    assert (prepared.texts["validation"].ids == UNKNOWN).sum() == 100
    assert "100 in validation, such as '\u00e9', '?'" in " ".join(prepared.warnings)
    assert not prepared_of(tmp_path / "a.txt", tokenizer="byte").warnings


def test_a_vocabulary_limits_the_characters_to_the_most_frequent_ones(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("aaabbc" * 200)
    prepared = prepared_of(tmp_path / "a.txt", vocabulary=4)
    assert prepared.labels[2:] == ("a", "b")
    assert "such as 'c'" in prepared.warnings[0]
    with pytest.raises(UsageError, match="--vocabulary does not concern the tokenizer byte"):
        prepared_of(tmp_path / "a.txt", tokenizer="byte", vocabulary=300)


def test_capital_letters_are_kept_unless_told_otherwise(tiny_corpus: Path) -> None:
    assert "A" in prepared_of(tiny_corpus).labels
    assert "A" not in prepared_of(tiny_corpus, lowercase=True).labels


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tokenizer": "word"}, "loses spaces and line ends"),
        ({"tokenizer": "wordpiece"}, "take char or byte or bpe"),
        ({"ngrams": 2}, "--ngrams is no setting of a language model"),
        ({"max_tokens": 64}, "--max-tokens is no setting of a language model"),
    ],
)
def test_what_no_language_model_has_is_refused(
    tiny_corpus: Path, options: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        prepared_of(tiny_corpus, **options)


def test_a_split_too_short_to_be_judged_is_refused_with_how_long_it_must_be(tmp_path: Path) -> None:
    needed = (STREAMS + 1) * 10
    (tmp_path / "a.txt").write_text("xy" * (needed // 2 - 5))
    with pytest.raises(DataError, match=f"leave 16 tokens for validation; .* text of {needed} characters"):
        prepared_of(tmp_path / "a.txt")
    with pytest.raises(DataError, match="or a larger --validation-fraction"):
        prepared_of(tmp_path / "a.txt")
    (tmp_path / "a.txt").write_text("xy" * (needed // 2))
    assert len(prepared_of(tmp_path / "a.txt").splits.validation) == 1
    (tmp_path / "a.txt").write_text("xy")
    with pytest.raises(DataError, match="no character is left to train on"):
        prepared_of(tmp_path / "a.txt", SplitOptions(validation_fraction=0.6))


def test_all_short_splits_are_settled_by_one_refusal_that_names_the_shortest(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("xy" * 50)
    splitting = SplitOptions(validation_fraction=0.1, test_fraction=0.05)
    with pytest.raises(DataError, match=r"leave 5 tokens for test; .* text of 340 .* larger --test-fraction"):
        prepared_of(tmp_path / "a.txt", splitting)
    (tmp_path / "a.txt").write_text("xy" * 180)
    assert len(prepared_of(tmp_path / "a.txt", splitting).splits.test) == 1
