"""Variants of texts: drawn from the training texts and the version alone, never empty, classes known."""

from __future__ import annotations

import numpy as np
import pytest

from edgeseq.distill.variants import Variants, text_variants
from edgeseq.training.examples import UNLABELLED
from edgeseq.training.recipe import TextVariants
from edgeseq_device.errors import UsageError

TEXTS = tuple(
    f"{wish} {verb} the {thing}"
    for verb in ("open", "close")
    for wish in ("please", "now", "kindly")
    for thing in ("door", "box", "lid")
)
LABELS = np.arange(18, dtype=np.int64) // 9
NOTHING = TextVariants(0, 0, 0)


def drawn(
    texts: tuple[str, ...] = TEXTS,
    labels: np.ndarray = LABELS,
    versions: int = 8,
    settings: TextVariants = TextVariants(),  # noqa: B008 - frozen
) -> Variants:
    return text_variants(texts, labels, versions, settings)


def test_version_0_is_the_texts_as_they_are() -> None:
    found = drawn(versions=2)
    assert found.texts[0] == TEXTS
    assert found.texts[1] != TEXTS
    assert (found.labels == LABELS).all()
    assert (found.others[0] == LABELS).all()
    assert (found.shares[0] == 1).all()


def test_a_version_is_the_same_however_many_there_are() -> None:
    few, many = drawn(versions=3), drawn(versions=6)
    assert few.texts == many.texts[:3]
    assert len(set(many.texts)) == 6


def test_no_variant_is_empty_and_every_word_is_a_training_text_s() -> None:
    known = {word for text in TEXTS for word in text.split()}
    for row in drawn(settings=TextVariants(0.5, 0.5, 1.0, 0.5, 0.5)).texts:
        assert all(text.split() and set(text.split()) <= known for text in row)


def test_a_spliced_text_goes_on_as_another_from_a_word_they_share() -> None:
    found = drawn(settings=TextVariants(1.0, 0.0, 0.0))
    mixed = 0
    for row, others, shares in zip(found.texts[1:], found.others[1:], found.shares[1:], strict=True):
        for text, number, other, share in zip(row, range(18), others, shares, strict=True):
            words, first = text.split(), TEXTS[number].split()
            kept = round(share * len(words))
            assert words[:kept] == first[:kept]
            endings = [t.split()[kept:] for t, label in zip(TEXTS, LABELS, strict=True) if label == other]
            assert words[kept:] in endings
            assert words[kept] == first[kept]
            mixed += other != LABELS[number]
    assert mixed


def test_joined_texts_have_a_share_of_each_class() -> None:
    found = drawn(settings=TextVariants(0.0, 1.0, 0.0))
    assert (found.shares[1:] < 1).all()
    assert (found.shares[1:] > 0).all()
    assert {len(text.split()) for row in found.texts[1:] for text in row} == {4, 8}


def test_without_any_kind_of_variation_all_versions_are_alike() -> None:
    assert set(drawn(settings=NOTHING).texts) == {TEXTS}


def test_texts_without_a_label_are_varied_but_mixed_into_no_other() -> None:
    labels = np.array([*LABELS, UNLABELLED])
    found = drawn((*TEXTS, "unheard zebra words"), labels, settings=TextVariants(0.5, 0.5, 0.0))
    assert (found.labels[:, -1] == UNLABELLED).all()
    assert (found.others[:, -1] == UNLABELLED).all()
    assert not any("zebra" in text for row in found.texts for text in row[:-1])
    assert len({row[-1] for row in found.texts}) > 1


def test_writing_without_spaces_varies_by_characters() -> None:
    found = drawn(("打开灯光", "关闭窗户", "打开窗户"), np.array([0, 1, 0]), settings=TextVariants(0, 0, 1))
    assert any(text != own for row in found.texts for text, own in zip(row, found.texts[0], strict=True))
    assert not any(" " in text for row in found.texts for text in row)


def test_a_variant_that_a_reader_sees_nothing_of_is_the_text_itself() -> None:
    texts, joiners = ("灯\u200d\u200d\u200d", "窗\u200d\u200d\u200d"), set("\u200d")
    found = drawn(texts, np.array([0, 1]), versions=40, settings=TextVariants(0.5, 0.0, 1.0, 0.5, 0.5))
    assert not any(set(text) <= joiners for row in found.texts for text in row)
    assert len({text for row in found.texts for text in row}) > 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"noised": 1.5}, "noised is 1.5"),
        ({"drop": 0.6, "replace": 0.6}, "drop and replace together are 1.2"),
    ],
)
def test_what_is_no_share_is_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        TextVariants(**settings)
