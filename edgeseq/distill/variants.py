"""Variants of training texts for a teacher to answer: words lost or replaced, two texts spliced or joined.

A teacher has an opinion on any text, so that variants may go further than where the label still holds. They
follow from the training texts and the number of the version alone: every run and seed has the same ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeseq.draws import stream
from edgeseq.training.examples import UNLABELLED
from edgeseq.training.recipe import TextVariants

IntArray = npt.NDArray[np.int64]
FEWEST_WORDS = 2  # of a text on average; below, the writing has no spaces and characters take their place


@dataclass(frozen=True, eq=False)
class Variants:
    """n texts in V versions, version 0 as they are, with what is known of their classes.

    texts: V times n; labels, others: [V, n] int64, the class of a text and of the one that was mixed in (or
    the same again), UNLABELLED where it is not known; shares: [V, n] float32, the part of the pieces that
    is of the first class.
    """

    texts: tuple[tuple[str, ...], ...]
    labels: IntArray
    others: IntArray
    shares: npt.NDArray[np.float32]


def text_variants(texts: Sequence[str], labels: IntArray, versions: int, settings: TextVariants) -> Variants:
    """labels: [n] int64, UNLABELLED where there is none; of these texts nothing is mixed into another."""
    sources = _Sources(texts, labels)
    rows = [[_Mix(text, label, 1.0) for text, label in zip(texts, sources.labels, strict=True)]]
    rows += [sources.drawn(version, settings) for version in range(1, versions)]
    known = labels != UNLABELLED
    return Variants(
        tuple(tuple(mix.text for mix in row) for row in rows),
        np.broadcast_to(labels, (versions, len(texts))),
        np.where(known, [[mix.other for mix in row] for row in rows], UNLABELLED),
        np.array([[mix.share for mix in row] for row in rows], np.float32),
    )


@dataclass(frozen=True)
class _Mix:
    text: str
    other: int
    share: float


class _Sources:
    """The texts in pieces (words, else characters), and where each occurs in a text of known class."""

    def __init__(self, texts: Sequence[str], labels: IntArray) -> None:
        by_words = sum(len(text.split()) for text in texts) >= FEWEST_WORDS * len(texts)
        self.between = " " if by_words else ""
        self.pieces = [text.split() if by_words else list(text) for text in texts]
        self.labels = [int(label) for label in labels]
        self.known = [number for number, label in enumerate(self.labels) if label != UNLABELLED]
        self.pool = [piece for number in self.known for piece in self.pieces[number]]
        self.places: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for number in self.known:
            for place, piece in enumerate(self.pieces[number]):
                self.places[piece].append((number, place))

    def drawn(self, version: int, settings: TextVariants) -> list[_Mix]:
        """A variant of each text."""
        generator = stream("text variants", version)
        return [self._variant(number, settings, generator) for number in range(len(self.pieces))]

    def _variant(self, number: int, settings: TextVariants, generator: np.random.Generator) -> _Mix:
        mixing, noising = generator.random(2)
        pieces, other, share = self.pieces[number], self.labels[number], 1.0
        if mixing < settings.spliced:
            pieces, other, share = self._spliced(number, generator)
        elif mixing < settings.spliced + settings.joined:
            pieces, other, share = self._joined(number, generator)
        if noising < settings.noised:
            pieces = self._noised(pieces, settings, generator)
        if not any(
            piece.isprintable() for piece in pieces
        ):  # joiners alone, say, are no token to a front end
            return _Mix(self.between.join(self.pieces[number]), self.labels[number], 1.0)
        return _Mix(self.between.join(pieces), other, share)

    def _spliced(self, number: int, generator: np.random.Generator) -> tuple[list[str], int, float]:
        """The text up to one of its pieces, and another text from the same piece on."""
        first = self.pieces[number]
        cut = int(generator.integers(len(first)))
        partners = self.places.get(first[cut])
        if not partners:
            return first, self.labels[number], 1.0
        partner, place = partners[int(generator.integers(len(partners)))]
        return self._both(first[:cut], partner, place)

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
