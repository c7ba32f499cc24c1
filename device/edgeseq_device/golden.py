"""The golden vectors of an artifact: real inputs and the answers they must get."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeseq_device.errors import DataError
from edgeseq_device.tensors import Features, FloatArray


@dataclass(frozen=True, eq=False)
class GoldenVectors:
    """n real recordings as features, with answers.

    features: n arrays [T, F] float32, or int32 ids, T differs; logits: [n, C] float32, the trained fp32
    model's; references: per format [n, C] float32, the reference interpreter's with that format's rounding;
    labels: [n] int64; names: [n]; own_step_references: as `references`, of the step forms that round in
    another way than their sequence forms.
    """

    features: tuple[Features, ...]
    logits: FloatArray
    references: dict[str, FloatArray]
    labels: npt.NDArray[np.int64]
    names: tuple[str, ...]
    own_step_references: dict[str, FloatArray] = field(default_factory=dict)

    def step_reference(self, model_format: str) -> FloatArray:
        """[n, C]: what the step form must have answered after each input's last frame."""
        return self.own_step_references.get(model_format, self.references[model_format])


def read_golden(
    path: Path, formats: Sequence[str], shape: tuple[int, int, int], features_dtype: str
) -> GoldenVectors:
    """Read golden.npz; shape: (vectors n, features F, classes C). DataError when it does not fit.

    features_dtype: "float32" for readings, "int32" for ids.
    """
    count, features_count, classes = shape
    answers = (count, classes)
    with _open(path) as arrays:
        return GoldenVectors(
            features=tuple(
                _array(arrays, path, key, np.dtype(features_dtype).type, (None, features_count))
                for key in feature_keys(count)
            ),
            logits=_array(arrays, path, "logits", np.float32, answers),
            references={
                each: _array(arrays, path, reference_key(each), np.float32, answers) for each in formats
            },
            labels=_array(arrays, path, "labels", np.int64, (count,)),
            names=tuple(str(name) for name in _array(arrays, path, "names", np.str_, (count,))),
            own_step_references={
                each: _array(arrays, path, step_reference_key(each), np.float32, answers)
                for each in formats
                if step_reference_key(each) in arrays.files
            },
        )


def feature_keys(count: int) -> list[str]:
    """The names of the inputs in golden.npz: features_00, features_01 ..."""
    return [f"features_{index:02d}" for index in range(count)]


def reference_key(model_format: str) -> str:
    """The name in golden.npz of what a format's sequence form must answer."""
    return f"reference_{model_format}"


def step_reference_key(model_format: str) -> str:
    """The name in golden.npz of what its step form must answer, where that is something else."""
    return f"reference_{model_format}_step"


def _open(path: Path) -> np.lib.npyio.NpzFile:
    try:
        loaded = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: cannot be read as .npz ({error}); export the artifact again") from error
    if not isinstance(loaded, np.lib.npyio.NpzFile):
        raise DataError(f"{path}: not an .npz archive; export the artifact again")
    return loaded


def _array(
    arrays: np.lib.npyio.NpzFile, path: Path, key: str, dtype: type[np.generic], shape: tuple[int | None, ...]
) -> npt.NDArray[Any]:
    try:
        array = arrays[key]
    except KeyError:
        raise DataError(f"{path}: {key} is missing; export the artifact again") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: {key} cannot be read ({error}); export the artifact again") from error
    fits = array.ndim == len(shape) and all(want in (None, have) for want, have in zip(shape, array.shape))
    if not fits or 0 in array.shape or not np.issubdtype(array.dtype, dtype):
        raise DataError(
            f"{path}: {key} is {array.dtype} {list(array.shape)}, expected {dtype.__name__} "
            f"{['T' if size is None else size for size in shape]}; export the artifact again"
        )
    if np.issubdtype(dtype, np.floating) and not np.isfinite(array).all():
        raise DataError(f"{path}: {key} holds NaN or infinity; export the artifact again")
    return array
