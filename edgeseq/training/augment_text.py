"""Training-time variation of texts: tokens lost, replaced or made unknown, all texts of an epoch at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edgeseq.draws import stream
from edgeseq.training.augment import AugmentConfig
from edgeseq_device.tokenizer import PADDING, UNKNOWN
from edgeseq_device.tokens import Tokens

Ids = npt.NDArray[np.int32]
Places = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


def augmented_texts(
    features: Sequence[Ids], front_end: Tokens, config: AugmentConfig, *, seed: int, epoch: int
) -> list[Ids]:
    """n texts' features [T_i, K] int32, varied as `config.token_*` say; a text keeps one token at least.

    N-grams are hashed anew from the tokens that are left.
    """
    if not _varies(config):
        return list(features)
    rows = front_end.without_ngrams(np.concatenate(features))
    text = np.repeat(np.arange(len(features)), [len(each) for each in features])
    return with_ngrams(*augmented_rows(rows, text, config, seed=seed, epoch=epoch), front_end)


def augmented_rows(
    rows: Ids, text: Places, config: AugmentConfig, *, seed: int, epoch: int
) -> tuple[Ids, Places]:
    """The rows [N, 1 + C] int32 of all texts behind each other, and [N] the text that each is of, varied.

    A token that is made unknown keeps its subwords, as a word has them that the vocabulary lacks; one that is
    replaced becomes another token of these texts.
    """
    if not _varies(config):
        return rows, text
    generator = stream("augmentation", seed, epoch)
    varied = rows.copy()
    replaced = _drawn(len(rows), config.token_replacement, generator)
    varied[replaced] = rows[generator.integers(len(rows), size=int(replaced.sum()))]
    varied[_drawn(len(rows), config.token_unknown, generator), 0] = UNKNOWN
    kept = ~_drawn(len(rows), config.token_dropout, generator)
    left = np.bincount(text[kept], minlength=int(text[-1]) + 1)
    kept |= (left == 0)[text]
    return varied[kept], text[kept]


def with_ngrams(rows: Ids, text: Places, front_end: Tokens) -> list[Ids]:
    """Each text's features [T, K] int32. rows: [N, 1 + C], those of all texts; text: [N], whose each is.

    Between two texts stands as much padding as an n-gram looks back, so that none reaches into another text.
    """
    place = np.arange(len(rows)) + (front_end.ngrams - 1) * text
    spaced = np.full((place[-1] + 1, rows.shape[1]), PADDING, np.int32)
    spaced[place] = rows
    features = front_end.with_ngrams(spaced)[place]
    return np.split(features, np.flatnonzero(np.diff(text)) + 1)


def _varies(config: AugmentConfig) -> bool:
    return bool(config.token_dropout or config.token_replacement or config.token_unknown)


def _drawn(count: int, part: float, generator: np.random.Generator) -> Mask:
    return np.asarray(generator.random(count) < part)
