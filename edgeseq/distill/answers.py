"""What teachers answer to a transfer set, computed once and kept in the cache folder.

n examples, V versions, C classes. A file holds one teacher's answers to one version; its name is the hash of
the teacher, of the code that asks it and of everything it was asked, so that no run, seed or setting can find
a wrong one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from edgeseq.cache import cache_root
from edgeseq.distill.teachers import Asked, Teacher, Watched
from edgeseq.distill.transfer import TransferSet
from edgeseq.features import FloatArray
from edgeseq.files import atomic_write_bytes
from edgeseq.training.fit import repeatable
from edgeseq.training.recipe import TrainConfig
from edgeseq_device.errors import DataError

ASKING_VERSION = 1
"""To be raised where other code answers otherwise: what is in the cache folder is then asked for anew."""
ASKING = TrainConfig(threads=1)  # fixed: answers depend on the number of threads, and are shared by all runs
METADATA = "key and sha256"  # sha256 of the values: safetensors itself would not notice a changed one
HalfArray = npt.NDArray[np.float16]


@dataclass(eq=False)
class Answers:
    """What teachers answer `together` to a transfer set; those to the last version asked for are kept."""

    teachers: Sequence[Teacher]
    transfer: TransferSet
    labels: Sequence[str]
    _version: tuple[int, HalfArray | None] = field(default=(-1, None), repr=False)

    def ask(self, watch: Watched) -> None:
        """Asks for what is not in the cache folder yet, so that training waits for nothing."""
        names = [teacher.source.reference for teacher in self.teachers]
        who = f"teacher {names[0]} answers" if len(names) == 1 else f"{len(names)} teachers answer"
        rounds = self.transfer.versions * len(names)
        for turn in range(rounds):
            version, number = divmod(turn, len(names))
            told = partial(_told, watch, f"{who}, variants included", turn, rounds)
            cached_logits(self.teachers[number], self.transfer.asked(version), told)

    def of(self, version: int) -> HalfArray:
        """[n, C], the classes in the order of `labels`."""
        number, kept = self._version
        if kept is None or number != version:
            asked = self.transfer.asked(version)
            logits = [self._logits(each, asked) for each in self.teachers]
            kept = _half(together(logits), "the teachers together")
            self._version = version, kept
        return kept

    def _logits(self, teacher: Teacher, asked: Asked) -> FloatArray:
        return in_order(cached_logits(teacher, asked, lambda _done, _of: None), teacher.labels, self.labels)


def _told(watch: Watched, what: str, turn: int, rounds: int, done: int, of: int) -> None:
    watch(what, turn * of + done, rounds * of)


def together(logits: Sequence[FloatArray]) -> FloatArray:
    """[n, C] each -> [n, C]: the mean of the logarithms of their probabilities; of one teacher its logits."""
    if len(logits) == 1:
        return logits[0]
    mean: FloatArray = np.zeros_like(logits[0])
    for each in logits:
        mean += _log_softmax(each) / len(logits)
    return mean


def in_order(logits: FloatArray, of: Sequence[str], labels: Sequence[str]) -> FloatArray:
    """[n, C] with classes in the order `of` -> in the order of `labels`."""
    return logits[:, [of.index(label) for label in labels]]


def cached_logits(teacher: Teacher, asked: Asked, watch: Callable[[int, int], None]) -> FloatArray:
    """[n, C] float32, as precise as float16, in the teacher's order of labels: from the cache folder, or
    asked for, whatever the threads and seeds of whoever asks, and put there.

    Raises DataError where the teacher answers with what is no number in float16.
    """
    key = _key(teacher, asked)
    path = cache_root() / "transfer" / f"{key}.safetensors"
    kept = _read(path, key, (len(asked), len(teacher.labels)))
    if kept is None:
        with repeatable(ASKING):
            kept = _half(teacher.logits(asked, watch), teacher.source.reference)
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write_bytes(path, save({"logits": kept}, {METADATA: f"{key} {_sha256(kept)}"}))
    return kept.astype(np.float32)


def _half(logits: FloatArray, whose: str) -> HalfArray:
    with np.errstate(over="ignore"):
        found = logits.astype(np.float16)
    if not np.isfinite(found).all():
        largest = np.finfo(np.float16).max
        raise DataError(f"{whose}: an answer is NaN, infinity or beyond {largest:.0f}; take another teacher")
    return found


def _read(path: Path, key: str, shape: tuple[int, int]) -> HalfArray | None:
    """None where there is no such file, it is damaged or another's: it is made anew then."""
    try:
        with safe_open(path, framework="numpy") as stream:
            logits: HalfArray = stream.get_tensor("logits")
            written = (stream.metadata() or {}).get(METADATA)
    except (FileNotFoundError, SafetensorError):
        return None
    is_right = logits.shape == shape and logits.dtype == np.float16
    return logits if is_right and written == f"{key} {_sha256(logits)}" else None


def _key(teacher: Teacher, asked: Asked) -> str:
    asking = f"asking {ASKING_VERSION} {teacher.software}"
    whole = hashlib.sha256(f"{asking} {teacher.source.sha256} {len(asked)}".encode())
    for each in asked:
        content = each.encode() if isinstance(each, str) else np.ascontiguousarray(each).tobytes()
        shape = () if isinstance(each, str) else each.shape
        whole.update(f" {len(content)} {shape} ".encode())
        whole.update(content)
    return whole.hexdigest()


def _sha256(logits: HalfArray) -> str:
    return hashlib.sha256(logits.tobytes()).hexdigest()


def _log_softmax(logits: FloatArray) -> FloatArray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    found: FloatArray = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return found
