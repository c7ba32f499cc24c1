"""The golden input of median length as bare bytes.

Read without numpy: the agent that hands it to its workers has then 13 MB less in a small board's RAM, and
on a slow one starts seconds sooner. (Format of .npy files: numpy.lib.format, version 1.0 and later.)
"""

from __future__ import annotations

import ast
import zipfile
from dataclasses import dataclass
from pathlib import Path

from edgeseq_device.errors import DataError

_MAGIC = b"\x93NUMPY"
_TYPES = {"<f4": "float32", "<i4": "int32"}


@dataclass(frozen=True)
class GoldenInput:
    """One input: shape (T, F), dtype "float32" or "int32", content in row order, little-endian."""

    shape: tuple[int, int]
    dtype: str
    content: bytes


def median_input(path: Path, count: int) -> GoldenInput:
    """Of the first `count` inputs in golden.npz that of median length, the lower of the two middle ones.

    DataError when one is missing or is no array of frames.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            inputs = [_read(archive, f"features_{index:02d}.npy") for index in range(count)]
    except (OSError, KeyError, ValueError, SyntaxError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: its inputs cannot be read ({error}); export the artifact again") from error
    return sorted(inputs, key=lambda each: each.shape[0])[(count - 1) // 2]


def _read(archive: zipfile.ZipFile, name: str) -> GoldenInput:
    """One array; ValueError where it is none of frames."""
    content = archive.read(name)
    width = 2 if content[6:7] == b"\x01" else 4
    begin = 8 + width
    end = begin + int.from_bytes(content[8:begin], "little")
    header = ast.literal_eval(content[begin:end].decode("latin-1"))
    shape, dtype = tuple(header["shape"]), _TYPES.get(header["descr"])
    size = 4 * shape[0] * shape[1] if len(shape) == 2 else -1
    if content[:6] != _MAGIC or dtype is None or header["fortran_order"] or len(content) - end != size:
        raise ValueError(f"{name} is no array of frames")
    return GoldenInput((shape[0], shape[1]), dtype, content[end:])
