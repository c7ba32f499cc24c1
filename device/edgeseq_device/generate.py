"""Text from a language model, token by token: what an application on a board calls.

model = load_language_model("shakespeare-gru-int8-pi4")
for token in model.generate("ROMEO:", 200, Sampling(seed=1)):
    print(token.text, end="", flush=True)
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgeseq_device import runtimes
from edgeseq_device.errors import DataError, UsageError
from edgeseq_device.frontend import Tokens
from edgeseq_device.manifest import MANIFEST_FILE, ModelFile
from edgeseq_device.normalisation import normalised
from edgeseq_device.opening import Opened, open_model
from edgeseq_device.sampling import Draw, Sampling, drawer
from edgeseq_device.states import window_of, windows_of
from edgeseq_device.tensors import NEXT, FloatArray
from edgeseq_device.tokenizer import UNKNOWN

__all__ = ["LanguageModel", "Sampling", "Token", "load_language_model"]

_SHOWN = 5
_USUAL = Sampling()


class Token(NamedTuple):
    """A token that was drawn.

    text: what it adds, whole characters only: empty where the bytes of one are not complete yet; the last
    token of a text has U+FFFD for what never was. log_probability: the model's own, at temperature 1.
    """

    text: str
    id: int
    log_probability: float


class LanguageModel:
    """A verified language model in memory: one text at a time, not for several threads at once.

    version: the runtime and its version. vocabulary: V, its tokens. window: the tokens that each layer of a
    transformer sees, None where a model has no such end.
    """

    def __init__(self, opened: Opened, threads: int) -> None:
        file, front_end = opened.file, opened.front_end
        where = f"{opened.artifact.path}: its {file.format} model"
        if not isinstance(front_end, Tokens) or front_end.features_count != 1:
            raise DataError(f"{where} takes no single ids of tokens; export the artifact again")
        if file.step is None:
            raise DataError(f"{where} has no step form ({file.step_reason}); take the whole folder")
        if len(opened.artifact.labels) != front_end.vocabulary:
            raise DataError(
                f"{opened.artifact.path / MANIFEST_FILE}: labels are {len(opened.artifact.labels)}, must be"
                f" the {front_end.vocabulary} tokens of the vocabulary; export the artifact again"
            )
        self.format, self.front_end, self.vocabulary = file.format, front_end, front_end.vocabulary
        self._step = runtimes.load_step(file.step.path, file.format, file.step.states, threads)
        self.version = self._step.version
        self._sequence: Any = runtimes.load(file.path, file.format, threads) if _carries(file) else None
        windows, self.window = windows_of(file.step), window_of(file.step)
        self._reach = (len(windows) + 1) * max(windows, default=0)
        self._writer: object = None

    def generate(self, prompt: str, tokens: int, sampling: Sampling = _USUAL) -> Iterator[Token]:
        """`tokens` tokens behind the prompt, each computed when it is asked for.

        The prompt has been read when this returns. A second call ends the text of the first. Raises
        UsageError for an empty prompt and no tokens, DataError for characters that the vocabulary lacks.
        """
        if tokens < 1:
            raise UsageError(f"tokens is {tokens}; give at least 1")
        draw = drawer(sampling, self.vocabulary)
        logits = self.read(self.ids(prompt))
        self._writer = writer = object()
        return self._written(logits, tokens, draw, writer)

    def ids(self, prompt: str) -> NDArray[np.int32]:
        """The prompt's tokens [T, 1]. Raises as `generate` does."""
        if not prompt:
            raise UsageError('the prompt is empty; give the text to go on from, such as "The "')
        ids: NDArray[np.int32] = self.front_end.features(prompt)
        if (ids == UNKNOWN).any():
            raise DataError(f"{self._unknown(prompt)}; the model cannot go on from it; leave it out")
        return ids

    def read(self, ids: NDArray[np.int32]) -> FloatArray:
        """Forget the text before, read tokens [T, 1] -> the logits [V] of the next one.

        Through the sequence form, where the file's gives its states too, else token by token. Of a long
        prompt a transformer reads no more than its state can tell: a window for each layer, and its own.
        """
        self._writer = None
        ids = ids[-self._reach :]  # 0: all of them
        if self._sequence is None:
            return self._step.run(ids)
        logits, self._step.state = self._sequence.prefill(ids)
        return logits  # type: ignore[no-any-return]

    def _written(self, logits: FloatArray, tokens: int, draw: Draw, writer: object) -> Iterator[Token]:
        decode, step, frame = self.front_end.reader.decoder(), self._step.step, np.zeros(1, np.int32)
        for left in range(tokens - 1, -1, -1):
            chosen, log_probability = draw(logits)
            yield Token(decode(chosen, left == 0), chosen, log_probability)
            if not left:
                return
            if self._writer is not writer:
                raise UsageError("this text was ended by another call; load the model twice for two texts")
            frame[0] = chosen
            logits = step(frame)

    def _unknown(self, prompt: str) -> str:
        """Names the characters that are no token, with the place of the first of each."""
        ids = self.front_end.reader.ids
        places: dict[str, int] = {}
        for place, character in enumerate(normalised(prompt, lowercase=False), 1):
            if UNKNOWN in ids(character):
                places.setdefault(character, place)
        named = [
            f'"{each}" (U+{ord(each):04X}, character {place})'
            for each, place in list(places.items())[:_SHOWN]
        ]
        more = f" and {len(places) - _SHOWN} more" * (len(places) > _SHOWN)
        return f"the prompt has what the model's vocabulary lacks: {', '.join(named)}{more}"


def load_language_model(
    folder: str | Path, model_format: str | None = None, threads: int = 1
) -> LanguageModel:
    """Verify an artifact folder and load one of its models, as `classify.load_classifier` does."""
    return LanguageModel(open_model(folder, "lm", model_format, "step"), threads)


def _carries(file: ModelFile) -> bool:
    return any(output.name.endswith(NEXT) for output in file.outputs)
