"""What rejecting unsure answers does: recordings of none of the classes against those of the classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.table import Table

from edgeseq.report.table import percent, table

if TYPE_CHECKING:
    from edgeseq.evaluate import OutOfScope  # needs torch, which a command's --help must not import


def rejection_table(found: Mapping[str, OutOfScope]) -> Table:
    """A row for each form of a model (torch, onnx, tflite) and split."""
    return table(
        "Out of scope: answers below the threshold are none of the classes",
        ("form", "split", "threshold", "out of scope", "recall", "in scope", "right and not rejected"),
        [
            (
                *(form, name, f"{each.threshold:.3f}"),
                *(split.outside, percent(split.recall), split.n, percent(split.accuracy)),
            )
            for form, each in found.items()
            for name, split in each.splits.items()
        ],
    )
