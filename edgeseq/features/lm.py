"""What a language model learns from: the ids of each split's characters, and windows of them.

A split of N ids is judged in STREAMS parts of (N - 1) // STREAMS tokens, one behind the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from edgeseq.data import Dataset, FrontEndOptions, StretchSplits
from edgeseq.data.stretches import corpus_text
from edgeseq.features import SPLITS, FeatureSplits, LabelledFeatures, Prepared, Text
from edgeseq.models.config import ModelConfig
from edgeseq.tokenizer_training import trained_tokens_for_lm
from edgeseq_device.errors import DataError
from edgeseq_device.frontend import FrontEnd, Tokens
from edgeseq_device.tokenizer import UNKNOWN

STREAMS = 16
WINDOW_TOKENS, MOST_WINDOWS = 64, 256
UNKNOWN_SHOWN = 5
_EMPTY = LabelledFeatures((), (), np.zeros(0, np.int64))

Ids = npt.NDArray[np.int32]


def fitted(dataset: Dataset, places: StretchSplits, options: FrontEndOptions) -> Tokens:
    """The tokenizer, trained on the training characters alone. Raises DataError where there are none."""
    text = _part(corpus_text(dataset), places.train)
    if not text:
        raise DataError(f"{dataset.name}: no character is left to train on; give a longer text")
    return trained_tokens_for_lm(text, options.only_of(dataset))


def applied(dataset: Dataset, front_end: FrontEnd, places: StretchSplits, model: ModelConfig) -> Prepared:  # noqa: ARG001
    """Everything that training needs. model: of any shape.

    Raises DataError where a split has too few tokens to be judged.
    """
    assert isinstance(front_end, Tokens)  # noqa: S101 - a fault of ours, not the user's
    text = corpus_text(dataset)
    parts = {name: _part(text, getattr(places, name)) for name in SPLITS if getattr(places, name)}
    streams = {name: _ids(front_end, part) for name, part in parts.items()}
    _check_lengths(dataset, streams, len(text))
    splits = {name: _windows(name, streams[name]) if name in streams else _EMPTY for name in SPLITS}
    return Prepared(
        dataset,
        front_end,
        FeatureSplits(splits["train"], splits["validation"], splits["test"]),
        places,
        front_end.reader.tokens,
        (*dataset.warnings, *places.warnings, *unknown_tokens(front_end, parts, streams)),
        {name: Text(streams[name], len(part)) for name, part in parts.items()},
    )


def _part(text: str, place: range) -> str:
    return text[place.start : place.stop]


def _ids(front_end: Tokens, text: str) -> Ids:
    """[N, 1]; none of an empty text."""
    return np.array(front_end.reader.ids(text), np.int32).reshape(-1, 1)


def _check_lengths(dataset: Dataset, streams: Mapping[str, Ids], characters: int) -> None:
    """Raises DataError, saying how long a text must be for all splits, where in one not each of the STREAMS
    parts has a token to foretell.
    """
    needed = STREAMS + 1
    judged = [name for name in SPLITS if name in streams or name != "test"]
    lengths = {name: len(streams.get(name, ())) for name in judged}
    split = min(judged, key=lambda name: lengths[name])
    if lengths[split] >= needed:
        return
    enough = round(needed * characters / max(lengths[split], 1))
    larger = "" if split == "train" else f", or a larger --{split}-fraction"
    raise DataError(
        f"{dataset.name}: {characters:,} characters in all leave {lengths[split]} tokens for {split}; a"
        f" language model is judged on {needed} at least: give a text of {enough:,} characters or more"
        f"{larger}"
    )


def _windows(split: str, ids: Ids) -> LabelledFeatures:
    """Stretches of the tokens [N, 1], evenly over all of them, each with the token behind it as its label."""
    last = len(ids) - 1
    tokens = min(WINDOW_TOKENS, last)
    count = min(MOST_WINDOWS, last // tokens)
    starts = np.linspace(0, last - tokens, count).astype(int).tolist()
    return LabelledFeatures(
        tuple(f"{split}@{start}" for start in starts),
        tuple(ids[start : start + tokens] for start in starts),
        np.array([ids[start + tokens, 0] for start in starts], np.int64),
    )


def unknown_tokens(front_end: Tokens, parts: Mapping[str, str], streams: Mapping[str, Ids]) -> list[str]:
    """A warning that counts, by part of a text, the characters that training lacks."""
    counts = {name: int((ids == UNKNOWN).sum()) for name, ids in streams.items()}
    if not any(counts.values()):
        return []
    known = set(front_end.reader.tokens)
    lacking = Counter(each for part in parts.values() for each in part if each not in known)
    shown = ", ".join(repr(each) for each, _ in lacking.most_common(UNKNOWN_SHOWN))
    found = ", ".join(f"{count:,} in {name}" for name, count in counts.items() if count)
    unknown = f"characters that the vocabulary lacks count as unknown: {found}, such as {shown}"
    return [f"{unknown}; a model of --tokenizer byte knows all"]
