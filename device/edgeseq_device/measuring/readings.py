"""A file of labelled recordings as they were read, before any front end: for the accuracy on a board.

An .npz without pickled objects: `kind`, `split`, `sample_rate_hz` (0: unknown), `names` and `labels` [n], and
a member for each recording: samples [frames, channels] float32, or a text's UTF-8 as uint8.
`edgeseq.readings` writes it.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeseq_device.errors import DataError

KINDS = ("audio", "series", "text")
_BROKEN = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile)
_AGAIN = "run the command that sent it again"


def samples_key(place: int) -> str:
    """The name of the member that holds a recording's samples."""
    return f"samples_{place:06d}"


class Readings:
    """The recordings of a file; one at a time is in memory.

    kind: audio, series or text. split: that they are of. sample_rate_hz: None where unknown. names, labels:
    of each recording. DataError where the file is damaged, missing or of something else.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = path
        try:
            self._arrays: Any = np.load(path, allow_pickle=False)
            self.kind, self.split = str(self._arrays["kind"]), str(self._arrays["split"])
            self.sample_rate_hz = int(self._arrays["sample_rate_hz"]) or None
            self.names = tuple(str(name) for name in self._arrays["names"])
            self.labels = tuple(str(label) for label in self._arrays["labels"])
        except (*_BROKEN, IndexError, TypeError) as error:
            raise DataError(f"{path}: no file of recordings ({error}); {_AGAIN}") from error
        if self.kind not in KINDS or len(self.names) != len(self.labels) or not self.names:
            raise DataError(f"{path}: {len(self.names)} recordings of {self.kind}: damaged; {_AGAIN}")

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[tuple[str, str, str | npt.NDArray[np.float32]]]:
        """(name, label, raw input) of each recording."""
        for place, (name, label) in enumerate(zip(self.names, self.labels)):
            try:
                samples = self._arrays[samples_key(place)]
                raw = samples.tobytes().decode("utf-8") if self.kind == "text" else samples
            except _BROKEN as error:
                raise DataError(f"{self.path}: {name} cannot be read ({error}); {_AGAIN}") from error
            yield name, label, raw
