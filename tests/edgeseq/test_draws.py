"""Seeded draws: repeatable, and no two purposes share a stream."""

from __future__ import annotations

from edgeseq.draws import PURPOSES, stream


def test_a_stream_is_repeatable() -> None:
    assert stream("dropout", 3, 1).random() == stream("dropout", 3, 1).random()


def test_no_two_purposes_or_keys_share_a_stream() -> None:
    keys = {
        "augmentation": [(0, 1, 0), (0, 1, 1)],
        "batch order": [(0, 1), (1, 0)],
        "dropout": [(0, 1), (1, 0)],
    }
    draws = [
        stream(purpose, *key).random() for purpose in PURPOSES for key in keys.get(purpose, [(0,), (1,)])
    ]
    assert len(set(draws)) == len(draws) == 2 * len(PURPOSES)
