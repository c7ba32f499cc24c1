"""How well a language model foresees a text: nats per token and bits per character, in torch and as a file.

A text is cut into STREAMS parts of equal length, each a stream of its own that starts with a fresh state and
carries it to its end. Torch runs them side by side, a step form one behind the other: the answers are alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from edgeseq.features.lm import STREAMS
from edgeseq.models.model import LanguageModel, State
from edgeseq_device.errors import DataError, EdgeseqError

CHUNK_TOKENS = 128
"""Torch answers so many tokens of each stream at once: the logits of a large vocabulary take RAM."""
GATE_TOKENS = 4096
"""Of each of the STREAMS parts of a text, an export judges so many: 65,536 take a board's runtime seconds."""

Ids = npt.NDArray[np.integer[Any]]
Progress = Callable[[int, int], None]


class Stepping(Protocol):
    """What is needed of an `edgeseq_device.stepping.LoadedStep`."""

    @property
    def step(self) -> Callable[[Any], npt.NDArray[np.float32]]: ...

    def reset(self) -> None: ...


@dataclass(frozen=True)
class TokensEvaluation:
    """tokens: those that were foretold; characters: what these are in the text, rounded.

    nats_per_token: mean of -ln p of the true next token; bits_per_character: the same of the text, whatever
    its tokens are; accuracy: the part of the tokens that the model held for the most probable.
    """

    tokens: int
    characters: int
    nats_per_token: float
    bits_per_character: float
    accuracy: float

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def streams(ids: Ids, most: int | None = None) -> npt.NDArray[np.int64]:
    """ids: [N] or [N, 1] of a text -> [STREAMS, n + 1]: n = (N - 1) // STREAMS tokens that are read and the
    one behind the last; tokens 1 .. n of a row are foretold.

    most: the first so many tokens of each part alone. Raises DataError where not every part has a token.
    """
    line = np.asarray(ids, np.int64).reshape(-1)
    each = (len(line) - 1) // STREAMS
    if each < 1:
        raise DataError(
            f"the text has {len(line)} tokens; a language model is judged on {STREAMS + 1} at least"
        )
    taken = each if most is None else min(each, most)
    return np.stack([line[part * each : part * each + taken + 1] for part in range(STREAMS)])


def evaluate_language_module(
    module: LanguageModel,
    ids: Ids,
    characters: int,
    most: int | None = None,
    progress: Progress | None = None,
) -> TokensEvaluation:
    """The module in evaluation mode over ids [N, 1], which are a text of so many characters.

    most: as in `streams`. progress(done, n): in tokens. Raises DataError on too few tokens, EdgeseqError
    where an answer is NaN or infinity.
    """
    rows = torch.from_numpy(streams(ids, most))
    length = rows.shape[1] - 1
    nats, right, state = 0.0, 0, None
    was_training = module.training
    module.eval()
    try:
        with torch.inference_mode():
            for start in range(0, length, CHUNK_TOKENS):
                end = min(start + CHUNK_TOKENS, length)
                found = _chunk(module, rows[:, start : end + 1], state)
                nats, right, state = nats + found[0], right + found[1], found[2]
                if progress is not None:
                    progress(STREAMS * end, STREAMS * length)
    finally:
        module.train(was_training)
    return _evaluation(nats, right, STREAMS * length, characters / len(ids))


def _chunk(module: LanguageModel, rows: torch.Tensor, state: State | None) -> tuple[float, int, State]:
    """rows: [B, T + 1]. The sum of -ln p, how many are foretold rightly, the state behind them."""
    logits, state = module(rows[:, :-1, None], state)
    wanted = rows[:, 1:]
    logits = logits.double()
    likely = logits.gather(2, wanted[..., None])[..., 0] - logits.logsumexp(dim=2)
    return -float(likely.sum()), int((logits.argmax(dim=2) == wanted).sum()), state


def evaluate_language_step(
    step: Stepping, ids: Ids, characters: int, most: int | None = None, progress: Progress | None = None
) -> TokensEvaluation:
    """A step form over the same streams, token by token, as a board runs it. Arguments as above."""
    rows = streams(ids, most)
    length = rows.shape[1] - 1
    nats, right = 0.0, 0
    for number, row in enumerate(rows):
        step.reset()
        for start in range(0, length, CHUNK_TOKENS):
            read = row[start : min(start + CHUNK_TOKENS, length), None].astype(np.int32)
            logits = np.stack([step.step(each) for each in read])
            found = _foretold(logits, row[start + 1 : start + 1 + len(read)])
            nats, right = nats + found[0], right + found[1]
            if progress is not None:
                progress(number * length + start + len(read), STREAMS * length)
    return _evaluation(nats, right, STREAMS * length, characters / len(ids))


def _foretold(logits: npt.NDArray[np.float32], wanted: npt.NDArray[np.int64]) -> tuple[float, int]:
    """logits: [T, V], wanted: [T]. The sum of -ln p, how many are foretold rightly."""
    centred = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    likely = centred[np.arange(len(wanted)), wanted] - np.log(np.exp(centred).sum(axis=1))
    return -float(likely.sum()), int((logits.argmax(axis=1) == wanted).sum())


def _evaluation(nats: float, right: int, tokens: int, characters_of_token: float) -> TokensEvaluation:
    if not math.isfinite(nats):
        raise EdgeseqError("the model answers NaN or infinity; train it again with a lower --learning-rate")
    mean = nats / tokens
    bits = mean / characters_of_token / math.log(2)
    return TokensEvaluation(tokens, round(tokens * characters_of_token), mean, bits, right / tokens)
