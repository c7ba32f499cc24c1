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
Mask = npt.NDArray[np.bool_]


def augmented_texts(
    features: Sequence[Ids], front_end: Tokens, config: AugmentConfig, *, seed: int, epoch: int
) -> list[Ids]:
    """n texts' features [T_i, K] int32, varied as `config.token_*` say; a text keeps one token at least.

    N-grams are hashed anew from the tokens that are left. A token that is made unknown keeps its subwords, as
    a word has them that the vocabulary lacks; one that is replaced becomes another token of these texts.
    """
    if not (config.token_dropout or config.token_replacement or config.token_unknown):
        return list(features)
    generator = stream("augmentation", seed, epoch)
    tokens = front_end.without_ngrams(np.concatenate(features))
    text = np.repeat(np.arange(len(features)), [len(each) for each in features])
    varied = tokens.copy()
    replaced = _drawn(len(tokens), config.token_replacement, generator)
    varied[replaced] = tokens[generator.integers(len(tokens), size=int(replaced.sum()))]
    varied[_drawn(len(tokens), config.token_unknown, generator), 0] = UNKNOWN
    kept = ~_drawn(len(tokens), config.token_dropout, generator)
    left = np.bincount(text[kept], minlength=len(features))
    kept |= (left == 0)[text]
    return _with_ngrams(varied[kept], text[kept], front_end)


def _drawn(count: int, part: float, generator: np.random.Generator) -> Mask:
    return np.asarray(generator.random(count) < part)


def _with_ngrams(tokens: Ids, text: npt.NDArray[np.int64], front_end: Tokens) -> list[Ids]:
    """tokens: [N, 1 + C], those of all texts behind each other; text: [N], the text that each is of.

    Between two texts stands as much padding as an n-gram looks back, so that none reaches into another text.
    """
    place = np.arange(len(tokens)) + (front_end.ngrams - 1) * text
    spaced = np.full((place[-1] + 1, tokens.shape[1]), PADDING, np.int32)
    spaced[place] = tokens
    features = front_end.with_ngrams(spaced)[place]
    return np.split(features, np.flatnonzero(np.diff(text)) + 1)
