"""What this processor cannot compute, whatever edgeseq does."""

from __future__ import annotations

import platform
from collections.abc import Iterable

import pytest

from edgeseq_device.runtimes.onnx_runtime import has_vnni
from edgeseq_export.forms import LayerForm


def saturates() -> bool:
    """Whether ONNX Runtime's int8 products in a GRU's loop are wrong here, see docs/export.md."""
    return platform.machine() == "x86_64" and not has_vnni()


def skip_if_wrong_here(forms: Iterable[LayerForm]) -> None:
    """Skip a test that compares what a model with these forms answers."""
    if saturates() and any(form.form == "scan" and form.product.compute == "int8" for form in forms):
        pytest.skip("an x86 without VNNI saturates int8 products in a GRU's loop")
