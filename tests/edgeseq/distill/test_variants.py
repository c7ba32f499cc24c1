"""Variants of texts: drawn from the training texts and the version alone, never empty, classes known."""

from __future__ import annotations

import numpy as np
import pytest

from edgeseq.distill.variants import TextVersion, TextVersions
from edgeseq.training.examples import UNLABELLED
from edgeseq.training.recipe import TextVariants
from edgeseq_device.errors import UsageError
from edgeseq_device.tokenizer import has_token

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
) -> list[TextVersion]:
    every = TextVersions(texts, labels, settings)
    return [every.version(number) for number in range(versions)]


def test_version_0_is_the_texts_as_they_are() -> None:
    first, second = drawn(versions=2)
    assert first.texts == TEXTS
    assert second.texts != TEXTS
    assert (first.mixed.others == LABELS).all()
    assert (first.mixed.shares == 1).all()


def test_a_version_is_the_same_whatever_was_drawn_before() -> None:
    every, alone = drawn(versions=6), TextVersions(TEXTS, LABELS, TextVariants())
    for number in (4, 1, 4):
        assert alone.version(number).texts == every[number].texts
    assert len({version.texts for version in every}) == 6


def test_no_variant_is_empty_and_every_word_is_a_training_text_s() -> None:
    known = {word for text in TEXTS for word in text.split()}
    for version in drawn(settings=TextVariants(0.5, 0.5, 1.0, 0.5, 0.5)):
        assert all(text.split() and set(text.split()) <= known for text in version.texts)


def test_a_spliced_text_goes_on_as_another_from_a_word_they_share() -> None:
    found = drawn(settings=TextVariants(1.0, 0.0, 0.0))
    mixed = 0
    for version in found[1:]:
        mixes = zip(version.texts, range(18), version.mixed.others, version.mixed.shares, strict=True)
        for text, number, other, share in mixes:
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
    shares = np.stack([version.mixed.shares for version in found[1:]])
    assert (shares < 1).all()
    assert (shares > 0).all()
    assert {len(text.split()) for version in found[1:] for text in version.texts} == {4, 8}


def test_without_any_kind_of_variation_all_versions_are_alike() -> None:
    assert {version.texts for version in drawn(settings=NOTHING)} == {TEXTS}


def test_texts_without_a_label_are_varied_but_mixed_into_no_other() -> None:
    labels = np.array([*LABELS, UNLABELLED])
    found = drawn((*TEXTS, "unheard zebra words"), labels, settings=TextVariants(0.5, 0.5, 0.0))
    assert {version.mixed.others[-1] for version in found} == {UNLABELLED}
    assert not any("zebra" in text for version in found for text in version.texts[:-1])
    assert len({version.texts[-1] for version in found}) > 1


def test_writing_without_spaces_varies_by_characters() -> None:
    found = drawn(("打开灯光", "关闭窗户", "打开窗户"), np.array([0, 1, 0]), settings=TextVariants(0, 0, 1))
    assert any(version.texts != found[0].texts for version in found)
    assert not any(" " in text for version in found for text in version.texts)


@pytest.mark.parametrize(
    "texts",
    [
        pytest.param(("开灯", "关 灯", "关窗"), id="short Chinese with spaces"),
        pytest.param(("\u2764\ufe0f", "\u2602\ufe0f", "\u2600\ufe0f"), id="hearts with variation selectors"),
        pytest.param(("灯\u200d\u200d\u200d", "窗\u200d\u200d\u200d", "门"), id="joiners"),
    ],
)
def test_a_variant_without_a_token_is_the_text_itself(texts: tuple[str, ...]) -> None:
    severe = TextVariants(0.5, 0.3, 1.0, 0.6, 0.4)
    found = drawn(texts, np.array([0, 1, 2]), versions=60, settings=severe)
    assert all(has_token(text) for version in found for text in version.texts)
    assert not any(
        text.isspace() or " " in text for version in found[1:] for text in version.texts if text not in texts
    )
    assert len({text for version in found for text in version.texts}) > len(texts)


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
