"""Recordings for a board that takes the accuracy itself: one file of them as they were read, with labels.

The board runs the front end too, so the file holds no features (see `edgeseq_device.measuring.readings`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeseq.data import Dataset, Recording
from edgeseq.data.dataset import Samples, refuse_unknown_labels
from edgeseq.draws import stream
from edgeseq.eval_subject import Subject, open_subject, select
from edgeseq_device.errors import DataError
from edgeseq_device.measuring.readings import samples_key

RECORDINGS_MAX = 1000
FILE = "readings.npz"


def write_readings(artifact: Path, reference: str | None, folder: Path, most: int = RECORDINGS_MAX) -> Path:
    """Write readings.npz into `folder`: the test split of the data that `artifact` was trained on.

    Its validation split where there is no test split; all of other data that `reference` names. Of more than
    `most` recordings a part, drawn by class, always the same. Equal recordings give equal bytes. Those of
    none of the classes are left out. Raises what `edgeseq eval` raises (`eval_subject.choose`).
    """
    subject = open_subject(str(artifact))
    dataset, split, recordings = _chosen(subject, reference)
    known = (subject.labels, dataset.name, "the model", "remove its recordings")
    refuse_unknown_labels(recordings, *known)
    places = draw_by_class([each.label for each in recordings], most)
    path = folder / FILE
    write(path, dataset, split, [recordings[place] for place in places])
    return path


def _chosen(subject: Subject, reference: str | None) -> tuple[Dataset, str, list[Recording]]:
    dataset, split, places = select(subject, reference, None)
    if split == "test" and not places:
        dataset, split, places = select(subject, reference, "validation")
    if not places:
        raise DataError(f"{dataset.name}: there are no recordings in it to take the accuracy on; see --data")
    return dataset, split, [dataset.recordings[place] for place in places]


def draw_by_class(labels: Sequence[str], most: int) -> list[int]:
    """The places of at most `most` recordings, ascending: as many of each class as its share, at random."""
    if len(labels) <= most:
        return list(range(len(labels)))
    classes = sorted(set(labels))
    members = [[place for place, label in enumerate(labels) if label == each] for each in classes]
    shares = [len(each) * most / len(labels) for each in members]
    counts = [int(share) for share in shares]
    by_remainder = sorted(range(len(classes)), key=lambda at: counts[at] - shares[at])
    for at in by_remainder[: most - sum(counts)]:
        counts[at] += 1
    drawn = (
        stream("readings for a board", number).choice(each, count, replace=False)
        for number, (each, count) in enumerate(zip(members, counts, strict=True))
    )
    return sorted(int(place) for part in drawn for place in part)


def write(path: Path, dataset: Dataset, split: str, recordings: Sequence[Recording]) -> None:
    """Write these recordings of a `split` of `dataset` as `edgeseq_device.measuring.readings` reads them."""
    arrays: dict[str, npt.NDArray[Any]] = {
        "kind": np.array(dataset.kind),
        "split": np.array(split),
        "sample_rate_hz": np.array(dataset.sample_rate_hz or 0, np.int64),
        "names": np.array([each.name for each in recordings]),
        "labels": np.array([each.label for each in recordings]),
    }
    for place, each in enumerate(recordings):
        arrays[samples_key(place)] = _as_array(each.samples)
    np.savez_compressed(path, allow_pickle=False, **arrays)


def _as_array(samples: Samples) -> npt.NDArray[Any]:
    if isinstance(samples, str):
        return np.frombuffer(samples.encode("utf-8"), np.uint8)
    return samples.astype(np.float32)
