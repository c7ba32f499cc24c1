"""What teachers answer to a transfer set, computed once and kept in the cache folder.

n examples, V versions, C classes. A file holds one teacher's answers to one version; its name is the hash of
the teacher and of everything it was asked, so that no run, seed or setting can find a wrong one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
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
from edgeseq_device.errors import DataError

METADATA_KEY = "sha256"  # of the values: safetensors itself would not notice a changed one
HalfArray = npt.NDArray[np.float16]


def answers(
    teachers: Sequence[Teacher], transfer: TransferSet, labels: Sequence[str], watch: Watched
) -> HalfArray:
    """[V, n, C] float16: the teachers' answers `together`, the classes in the order of `labels`."""
    shape = (*transfer.labels.shape, len(labels))
    found = np.zeros(shape, np.float32)
    for teacher in teachers:
        for version in range(shape[0]):
            told = partial(_told, watch, teacher, version, shape)
            logits = in_order(cached_logits(teacher, transfer.asked(version), told), teacher.labels, labels)
            found[version] += logits if len(teachers) == 1 else _log_softmax(logits) / len(teachers)
    return found.astype(np.float16)


def _told(watch: Watched, teacher: Teacher, version: int, shape: tuple[int, ...], done: int, of: int) -> None:
    watch(f"{teacher.source.reference} answers", version * of + done, shape[0] * of)


def together(logits: Sequence[FloatArray]) -> FloatArray:
    """[n, C] each -> [n, C]: the mean of the logarithms of their probabilities; of one teacher its logits."""
    if len(logits) == 1:
        return logits[0]
    mean: FloatArray = np.mean([_log_softmax(each) for each in logits], axis=0)
    return mean


def in_order(logits: FloatArray, of: Sequence[str], labels: Sequence[str]) -> FloatArray:
    """[n, C] with classes in the order `of` -> in the order of `labels`."""
    return logits[:, [of.index(label) for label in labels]]


def cached_logits(teacher: Teacher, asked: Asked, watch: Callable[[int, int], None]) -> FloatArray:
    """[n, C] float32, as precise as float16, in the teacher's order of labels: from the cache folder, or
    asked for and put there.

    Raises DataError where the teacher answers with what is no number.
    """
    path = cache_root() / "transfer" / f"{_key(teacher, asked)}.safetensors"
    kept = _read(path, (len(asked), len(teacher.labels)))
    if kept is None:
        logits = teacher.logits(asked, watch)
        if not np.isfinite(logits).all():
            raise DataError(f"{teacher.source.reference}: this teacher answers NaN or infinity; take another")
        kept = logits.astype(np.float16)
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write_bytes(path, save({"logits": kept}, {METADATA_KEY: _sha256(kept)}))
    return kept.astype(np.float32)


def _read(path: Path, shape: tuple[int, int]) -> HalfArray | None:
    """None where there is no such file or it is damaged: it is made anew then."""
    try:
        with safe_open(path, framework="numpy") as stream:
            logits: HalfArray = stream.get_tensor("logits")
            written = (stream.metadata() or {}).get(METADATA_KEY)
    except (FileNotFoundError, SafetensorError):
        return None
    whole = logits.shape == shape and logits.dtype == np.float16 and _sha256(logits) == written
    return logits if whole else None


def _key(teacher: Teacher, asked: Asked) -> str:
    whole = hashlib.sha256(f"{teacher.source.sha256} {len(asked)}".encode())
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
