"""Variants of training texts for a teacher to answer: words lost or replaced, two texts spliced or joined.

A teacher has an opinion on any text, so that variants may go further than where the label still holds. They
follow from the training texts and the number of the version alone: every run and seed has the same ones.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeseq.draws import stream
from edgeseq.training.examples import UNLABELLED
from edgeseq.training.recipe import TextVariants
from edgeseq_device.tokenizer import has_token

IntArray = npt.NDArray[np.int64]
FEWEST_WORDS = 2  # of a text on average; below, the writing has no spaces and characters take their place


@dataclass(frozen=True, eq=False)
class Mixed:
    """What was mixed into n examples.

    others: [n] int64, the class of what was mixed in, or of the example itself again; UNLABELLED where it is
    not known. shares: [n] float32, the part of the example that is of its own class.
    """

    others: IntArray
    shares: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class TextVersion:
    """n texts and what was mixed into them."""

    texts: tuple[str, ...]
    mixed: Mixed


class TextVersions:
    """n texts of which any number of versions can be drawn, each from its number alone; 0 as they are.

    Only the version that was drawn last is kept.
    """

    def __init__(self, texts: Sequence[str], labels: IntArray, settings: TextVariants) -> None:
        """labels: [n] int64, UNLABELLED where there is none; of these texts nothing is mixed into another."""
        self.labels, self._settings = labels, settings
        self._sources = _Sources(texts, labels)
        self._last: tuple[int, TextVersion] | None = None

    def version(self, number: int) -> TextVersion:
        """The version of that number."""
        if self._last is None or self._last[0] != number:
            self._last = number, self._made(self._sources.drawn(number, self._settings))
        return self._last[1]

    def _made(self, row: Sequence[_Mix]) -> TextVersion:
        others = np.where(self.labels != UNLABELLED, [mix.other for mix in row], UNLABELLED)
        shares = np.array([mix.share for mix in row], np.float32)
        return TextVersion(tuple(mix.text for mix in row), Mixed(others, shares))


@dataclass(frozen=True)
class _Mix:
    text: str
    other: int
    share: float


class _Sources:
    """The texts in pieces (words, else characters), and where each occurs in a text of known class.

    pool: the pieces of all texts of known class behind each other; starts: where each of them begins there;
    places: where each piece is there.
    """

    def __init__(self, texts: Sequence[str], labels: IntArray) -> None:
        by_words = sum(len(text.split()) for text in texts) >= FEWEST_WORDS * len(texts)
        self.texts, self.between = texts, " " if by_words else ""
        one_of_each: dict[str, str] = {}  # a million texts share their words' objects
        self.pieces = [
            [one_of_each.setdefault(piece, piece) for piece in _pieces(text, by_words)] for text in texts
        ]
        self.labels = [int(label) for label in labels]
        self.known = [number for number, label in enumerate(self.labels) if label != UNLABELLED]
        self.pool: list[str] = []
        self.starts: list[int] = []
        for number in self.known:
            self.starts.append(len(self.pool))
            self.pool += self.pieces[number]
        self.places: dict[str, array[int]] = defaultdict(lambda: array("q"))
        for place, piece in enumerate(self.pool):
            self.places[piece].append(place)

    def drawn(self, version: int, settings: TextVariants) -> list[_Mix]:
        """A variant of each text; the texts themselves in version 0."""
        if not version:
            return [self._itself(number) for number in range(len(self.texts))]
        generator = stream("text variants", version)
        return [self._variant(number, settings, generator) for number in range(len(self.texts))]

    def _itself(self, number: int) -> _Mix:
        return _Mix(self.texts[number], self.labels[number], 1.0)

    def _variant(self, number: int, settings: TextVariants, generator: np.random.Generator) -> _Mix:
        mixing, noising = generator.random(2)
        pieces, other, share = self.pieces[number], self.labels[number], 1.0
        if mixing < settings.spliced:
            pieces, other, share = self._spliced(number, generator)
        elif mixing < settings.spliced + settings.joined:
            pieces, other, share = self._joined(number, generator)
        if noising < settings.noised:
            pieces = self._noised(pieces, settings, generator)
        text = self.between.join(pieces)
        return _Mix(text, other, share) if has_token(text) else self._itself(number)

    def _spliced(self, number: int, generator: np.random.Generator) -> tuple[list[str], int, float]:
        """The text up to one of its pieces, and another text from the same piece on."""
        first = self.pieces[number]
        cut = int(generator.integers(len(first)))
        partners = self.places.get(first[cut])
        if not partners:
            return first, self.labels[number], 1.0
        place = partners[int(generator.integers(len(partners)))]
        known = bisect_right(self.starts, place) - 1
        return self._both(first[:cut], self.known[known], place - self.starts[known])

    def _joined(self, number: int, generator: np.random.Generator) -> tuple[list[str], int, float]:
        """The text and another one behind it, or the first half of the one and the second of the other."""
        first, partner = self.pieces[number], self.known[int(generator.integers(len(self.known)))]
        if generator.random() < 0.5:
            return self._both(first, partner, 0)
        return self._both(first[: max(1, len(first) // 2)], partner, len(self.pieces[partner]) // 2)

    def _both(self, first: list[str], partner: int, place: int) -> tuple[list[str], int, float]:
        pieces = first + self.pieces[partner][place:]
        return pieces, self.labels[partner], len(first) / len(pieces)

    def _noised(self, pieces: list[str], settings: TextVariants, generator: np.random.Generator) -> list[str]:
        """Up to so many of the pieces lost, others replaced by a piece of the training texts."""
        drop, replace = generator.random(2) * (settings.drop, settings.replace)
        fates, drawn = generator.random(len(pieces)), generator.integers(len(self.pool), size=len(pieces))
        return [
            self.pool[number] if fate < drop + replace else piece
            for piece, fate, number in zip(pieces, fates.tolist(), drawn.tolist(), strict=True)
            if fate >= drop
        ]


def _pieces(text: str, by_words: bool) -> list[str]:
    return text.split() if by_words else [letter for letter in text if not letter.isspace()]
