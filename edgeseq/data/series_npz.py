"""Series in one `.npz` file (numpy.savez). Pickled objects are never read.

Arrays in it:
    samples   [N, T, C] padded, [rows, C] one recording after the other (then `lengths` is needed), or [N, T]
    labels    [N] text or whole numbers
    lengths   [N] whole numbers, optional with padded samples: the true frames of each recording
    names, groups, splits   [N] text, optional; a split is train, validation or test
    channels  [C] text, optional;  sample_rate_hz   one whole number, optional
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseq.data.dataset import DataOptions, Dataset, Recording, assembled, given_split
from edgeseq.data.lineage import ARCHIVE_FAULTS, check_archive, content_hash, sha256_of
from edgeseq.names import unknown
from edgeseq_device.errors import DataError

Arrays = Mapping[str, NDArray[Any]]
REQUIRED = ("samples", "labels")
KNOWN = (*REQUIRED, "lengths", "names", "groups", "splits", "channels", "sample_rate_hz")
PER_RECORDING = ("lengths", "names", "groups", "splits")


def read_npz(path: Path, options: DataOptions, name: str) -> Dataset:
    """The recordings of a `.npz` file in the layout that this module's text describes.

    The content hash is over the arrays inside, so that a compressed copy counts the same. Raises DataError,
    naming file and array, for missing, unknown, pickled or contradicting arrays.
    """
    options.only("sample_rate_hz", reference=str(path))
    arrays, digest = _open(path)
    samples, labels = arrays["samples"], _texts(arrays["labels"], f"{path}: labels")
    if samples.dtype.kind not in "fiu":
        raise DataError(f"{path}: samples are of type {samples.dtype}, not numbers")
    for key in PER_RECORDING:
        if key in arrays and arrays[key].shape != (len(labels),):
            raise DataError(f"{path}: {key} has shape {arrays[key].shape}, labels has ({len(labels)},)")
    pieces = _pieces(samples, arrays.get("lengths"), len(labels), path)
    return assembled(
        name,
        "series",
        _recordings(arrays, labels, pieces, path),
        channels=_channels(arrays, pieces, path),
        sample_rate_hz=options.sample_rate_hz or _rate(arrays, path),
        content_sha256=digest,
    )


def _open(path: Path) -> tuple[Arrays, str]:
    """Every array, and the hash over the members."""
    try:
        with zipfile.ZipFile(path) as archive:
            check_archive(archive, path)
            digest = content_hash((member, sha256_of(archive.read(member))) for member in archive.namelist())
        with np.load(path, allow_pickle=False) as loaded:
            _check_names(loaded.files, path)
            return {key: _array(loaded, key, path) for key in loaded.files}, digest
    except MemoryError as error:
        raise DataError(
            f"{path}: its arrays do not fit in this machine's memory; cut it into parts"
        ) from error
    except (*ARCHIVE_FAULTS, ValueError) as error:
        raise DataError(f"{path}: not a readable .npz file ({error})") from error


def _check_names(names: Sequence[str], path: Path) -> None:
    for key in REQUIRED:
        if key not in names:
            raise DataError(
                f'{path}: there is no array "{key}" in it; {" and ".join(REQUIRED)} are required'
                f" (found: {', '.join(sorted(names)) or 'none'})"
            )
    for key in names:
        if key not in KNOWN:
            raise DataError(f"{path}: {unknown('array', key, KNOWN)}")


def _array(loaded: Mapping[str, Any], key: str, path: Path) -> NDArray[Any]:
    try:
        array = loaded[key]
    except ValueError as error:
        reason = "pickled objects are not read" if "pickle" in str(error) else "no readable array"
        raise DataError(f"{path}: {key}: {reason}; save plain numbers and text") from error
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path}: {key}: not an array of numpy's; write the file with numpy.savez")
    return array


def _texts(array: NDArray[Any], where: str) -> list[str]:
    if array.ndim != 1 or array.dtype.kind not in "Uiub":
        raise DataError(f"{where}: shape {array.shape} of type {array.dtype}, not [N] text or whole numbers")
    return [str(item).strip() for item in array.tolist()]


def _pieces(
    samples: NDArray[Any], lengths: NDArray[Any] | None, count: int, path: Path
) -> list[NDArray[np.float32]]:
    """One [n, C] float32 array per recording."""
    with np.errstate(over="ignore"):
        samples = samples.astype(np.float32, copy=False)
    if lengths is not None and (lengths.dtype.kind not in "iu" or (lengths < 0).any()):
        raise DataError(f"{path}: lengths must be whole numbers from 0 up")
    if samples.ndim == 2 and lengths is not None and int(lengths.sum()) == len(samples):
        return np.split(samples, np.cumsum(lengths)[:-1])
    if samples.ndim == 2:
        samples = samples[:, :, np.newaxis]
    if samples.ndim != 3 or len(samples) != count:
        advice = "" if lengths is not None else "; recordings one after the other need `lengths`"
        raise DataError(f"{path}: samples of shape {samples.shape} do not fit {count} labels{advice}")
    if lengths is None:
        return list(samples)
    if count and lengths.max() > samples.shape[1]:
        raise DataError(f"{path}: a length of {lengths.max()} in samples padded to {samples.shape[1]}")
    return [row[:length] for row, length in zip(samples, lengths.tolist(), strict=True)]


def _recordings(
    arrays: Arrays, labels: list[str], pieces: list[NDArray[np.float32]], path: Path
) -> list[Recording]:
    columns = {
        key: _texts(arrays[key], f"{path}: {key}") if key in arrays else None
        for key in ("names", "groups", "splits")
    }
    names, groups, splits = columns["names"], columns["groups"], columns["splits"]
    return [
        Recording(
            names[i] if names else f"{path.stem}_{i:05d}",
            pieces[i],
            labels[i],
            groups[i] if groups else None,
            given_split(splits[i], f"{path}: splits[{i}]") if splits else None,
        )
        for i in range(len(labels))
    ]


def _channels(arrays: Arrays, pieces: list[NDArray[np.float32]], path: Path) -> list[str]:
    count = pieces[0].shape[1] if pieces else 0
    if "channels" not in arrays:
        return [f"channel_{i}" for i in range(count)]
    names = _texts(arrays["channels"], f"{path}: channels")
    if len(names) != count:
        raise DataError(f"{path}: {len(names)} channel names for samples of {count} channels")
    return names


def _rate(arrays: Arrays, path: Path) -> int | None:
    if "sample_rate_hz" not in arrays:
        return None
    rate = arrays["sample_rate_hz"]
    if rate.size != 1 or rate.dtype.kind not in "iu" or int(rate.flat[0]) <= 0:
        raise DataError(f"{path}: sample_rate_hz must be one whole number above 0")
    return int(rate.flat[0])
