"""The tensors of an edgeseq model's file: their names and types, and what a runtime tells of them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Union

import numpy as np
import numpy.typing as npt

from edgeseq_device import manifest

FloatArray = npt.NDArray[np.float32]
Features = Union[FloatArray, npt.NDArray[np.int32]]
"""[T, F]: float32 readings, or int32 ids of tokens for a model of text."""

SIGNATURE, STEP_SIGNATURE = "serving_default", "step"
FEATURES, LENGTHS, LOGITS, NEXT = manifest.FEATURES, "lengths", manifest.LOGITS, ".next"
"""The names of an edgeseq model's inputs and output; a step gives a state back under its name with NEXT."""
ONNX_TYPES = {"tensor(float)": "float32", "tensor(int32)": "int32"}


def fixed_size(size: object) -> int | None:
    """A dimension of a file: a number, or -1 or a name where it varies."""
    return size if isinstance(size, int) and size > 0 else None


def are_model_outputs(names: Collection[str]) -> bool:
    """Logits, and maybe states."""
    others = [name for name in names if name != LOGITS]
    return LOGITS in names and all(name.endswith(NEXT) for name in others)


def state_before(name: str) -> str:
    """The name under which a step takes the state that is called `name` behind it."""
    return name[: -len(NEXT)]
