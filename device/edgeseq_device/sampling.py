"""How a language model's next token is drawn from its logits."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Callable

import numpy as np
from numpy.typing import NDArray

from edgeseq_device.errors import DataError, UsageError
from edgeseq_device.tokenizer import PADDING, UNKNOWN

Draw = Callable[[NDArray[np.float32]], "tuple[int, float]"]
"""Logits [V] -> the number of the token that was drawn, and its log-probability."""
FIRST = max(PADDING, UNKNOWN) + 1
"""The tokens in front of it stand for no text: they are never drawn."""
_DRAWN_AT_ONCE = 1024


@dataclass(frozen=True)
class Sampling:
    """Which of the tokens that may come next is taken.

    temperature: logits are divided by it; 0 takes the most probable token. top_k: only the k most probable
    ones may come. top_p: only the fewest of the most probable ones, of those that top_k leaves, that have
    this probability together (Holtzman et al. 2020, arXiv 1904.09751, section 3.1). seed: the same one gives
    the same text from the same file on the same machine; None another one each time.
    Raises UsageError on a value that draws nothing, and for top_k or top_p beside temperature 0.
    """

    temperature: float = 0.8
    top_k: int | None = None
    top_p: float | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < math.inf:
            raise UsageError(f"--temperature is {self.temperature:g}; give 0 or more, such as 0.8")
        if self.top_k is not None and self.top_k < 1:
            raise UsageError(f"--top-k is {self.top_k}; give at least 1, or leave it out for all tokens")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise UsageError(f"--top-p is {self.top_p:g}; give a number above 0, at most 1")
        if self.seed is not None and self.seed < 0:
            raise UsageError(f"seed is {self.seed}; give a whole number from 0 up")
        if self.temperature == 0 and (self.top_k, self.top_p) != (None, None):
            raise UsageError("temperature 0 takes the most probable token; leave top-k and top-p out")


def drawer(sampling: Sampling, vocabulary: int) -> Draw:
    """What draws one token after the other. vocabulary: V.

    The log-probability is the model's own, at temperature 1, among the tokens that can be drawn. Raises
    DataError where logits are no numbers.
    """
    shifted: NDArray[np.float64] = np.empty(vocabulary - FIRST)
    powers = np.empty_like(shifted)
    pick = _picker(sampling, len(shifted))

    def draw(logits: NDArray[np.float32]) -> tuple[int, float]:
        known = logits[FIRST:]
        highest = known.max()
        if not math.isfinite(highest):
            raise DataError("the model's logits hold NaN or infinity; export it again, or train it anew")
        np.subtract(known, highest, out=shifted)
        np.exp(shifted, out=powers)
        place = pick(shifted)
        return place + FIRST, float(shifted[place]) - math.log(powers.sum())

    return draw


def _picker(sampling: Sampling, count: int) -> Callable[[NDArray[np.float64]], int]:
    """Gives the place of the token that is taken, from logits [count] float64 less the highest of them.

    A token of probability 0 is never drawn: `searchsorted` finds the first sum above a number, which is below
    the last sum, because the numbers drawn end at 1 - 2^-53.
    """
    if sampling.temperature == 0:
        return lambda shifted: int(shifted.argmax())
    inverse = 1 / max(sampling.temperature, np.finfo(np.float64).tiny)
    numbers = _uniform(sampling.seed)
    sums = np.empty(count)

    def from_all(shifted: NDArray[np.float64]) -> int:
        np.multiply(shifted, inverse, out=sums)
        np.exp(sums, out=sums)
        np.cumsum(sums, out=sums)
        return int(sums.searchsorted(next(numbers) * sums[-1], "right"))

    most = min(sampling.top_k or count, count)
    top_p = sampling.top_p or 1.0
    if most == count and top_p == 1:
        return from_all

    def from_the_most_probable(shifted: NDArray[np.float64]) -> int:
        places = shifted.argpartition(count - most)[count - most :] if most < count else np.arange(count)
        places = places[np.argsort(-shifted[places], kind="stable")]
        sums = np.exp(shifted[places] * inverse).cumsum()
        last = sums[sums.searchsorted(top_p * sums[-1])]
        return int(places[sums.searchsorted(next(numbers) * last, "right")])

    return from_the_most_probable


def _uniform(seed: int | None) -> Iterator[float]:
    """Numbers from 0 up to 1, drawn many at once: a call of the generator costs as much as forty of them."""
    generator = np.random.default_rng(seed)
    while True:
        yield from generator.random(_DRAWN_AT_ONCE).tolist()
