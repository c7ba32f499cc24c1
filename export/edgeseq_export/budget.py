"""The size budget: what a board must hold for one format, and where a model's bytes are.

native.txt counts to no budget: the native runner reads it in place of the larger manifest.json, which counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgeseq_device.errors import UsageError
from edgeseq_export.quantize import QuantizedTensor
from edgeseq_export.spec import SeqSpec, parameters

_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_SIZE = re.compile(r"\s*(\d{1,12}(?:\.\d{1,12})?)\s*([a-z]*)\s*", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class TensorSize:
    """One tensor of a model: bytes is what its values and scales take."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    bytes: int


@dataclass(frozen=True)
class SizeCheck:
    """The bytes of one format against the budget. files: name -> bytes of everything a board needs."""

    format: str
    files: dict[str, int]
    max_bytes: int

    @property
    def bytes(self) -> int:
        """Of all files together."""
        return sum(self.files.values())

    @property
    def passed(self) -> bool:
        """Within the budget."""
        return self.bytes <= self.max_bytes


def parse_size(text: str) -> int:
    """Bytes of a size such as 100MB (10^6), 512KiB (2^10) or 4096. Raises UsageError on anything else."""
    match = _SIZE.fullmatch(text)
    unit = match and match[2].lower()
    if match is None or unit not in _UNITS:
        raise UsageError(
            f'size "{text}" is not understood; write a number and B, kB, MB, GB, KiB, MiB or GiB'
        )
    size = int(float(match[1]) * _UNITS[unit])
    if not size:
        raise UsageError(f'size "{text}" is zero; no model fits in it')
    return size


def tensor_sizes(spec: SeqSpec) -> list[TensorSize]:
    """Every tensor of a model, the largest first."""
    sizes = [
        TensorSize(
            name, weight.shape, "int8" if isinstance(weight, QuantizedTensor) else "float32", weight.nbytes
        )
        for name, weight in parameters(spec).items()
    ]
    return sorted(sizes, key=lambda size: (-size.bytes, size.name))


def weight_bytes(spec: SeqSpec) -> int:
    """Bytes of the weight matrices' values: without scales and biases."""
    weights = [weight for weight in parameters(spec).values() if len(weight.shape) == 2]
    return sum(w.values.nbytes if isinstance(w, QuantizedTensor) else w.nbytes for w in weights)
