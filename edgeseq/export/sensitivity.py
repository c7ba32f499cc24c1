"""What int8 costs layer by layer: each layer quantized alone, the rest in fp32."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from edgeseq.batches import logits_of
from edgeseq.evaluate import Evaluation, evaluate_logits
from edgeseq.features import FloatArray, LabelledFeatures
from edgeseq.models.model import SequenceModel
from edgeseq.training.quantized import quantized_logits
from edgeseq_export.reference import Rounding
from edgeseq_export.spec import SeqSpec, parameters, quantize_spec, quantized_layers, walk

ALL = "all"


@dataclass(frozen=True)
class LayerSensitivity:
    """Accuracy with one layer in int8, or with `ALL` of them, against the fp32 model on the same recordings.

    kind: the layer's, such as GRU; "" of the row `ALL`. fp32_bytes, int8_bytes: of its weight matrices.
    accuracy: of n recordings, 0 to 1. drop: in points. flips: recordings that only fp32 has right, less those
    that only int8 has right. logit_error: mean absolute difference of the logits to those of fp32.
    """

    layer: str
    kind: str
    fp32_bytes: int
    int8_bytes: int
    n: int
    accuracy: float
    drop: float
    flips: int
    logit_error: float


@dataclass(frozen=True, eq=False)
class _Measurement:
    """The fp32 model's answers, and how any layers of it are measured in int8."""

    spec: SeqSpec
    rounding: Rounding
    split: LabelledFeatures
    logits: FloatArray
    fp32: Evaluation

    def row(self, name: str, kind: str, layers: Collection[str]) -> LayerSensitivity:
        logits = logits_of(
            lambda features, lengths: quantized_logits(self.spec, features, lengths, self.rounding, layers),
            self.split.features,
        )
        found = evaluate_logits(logits, self.split)
        sizes = [_matrix_bytes(self.spec, layer) for layer in layers]
        return LayerSensitivity(
            layer=name,
            kind=kind,
            fp32_bytes=sum(fp32 for fp32, _ in sizes),
            int8_bytes=sum(int8 for _, int8 in sizes),
            n=found.n,
            accuracy=found.accuracy,
            drop=100 * (self.fp32.accuracy - found.accuracy),
            flips=self.fp32.correct - found.correct,
            logit_error=float(np.abs(logits - self.logits).mean()),
        )


def sensitivity(
    module: SequenceModel, spec: SeqSpec, rounding: Rounding, split: LabelledFeatures
) -> list[LayerSensitivity]:
    """A row for each layer that has a weight matrix, the most harmful first, and a last row `ALL`.

    module answers as fp32; spec is its `to_spec()`, with float32 weights. rounding: by layer, as the form
    that would be shipped with every layer quantized; a layer's weights are rounded where it is not named too.
    Raises DataError where the split is empty, ValueError naming a weight that holds NaN or infinity.
    """
    quantize_spec(spec)  # refuses what cannot be quantized, by name
    names = quantized_layers(spec)
    kinds = {layer.name: type(layer).__name__ for layer in walk(spec.layers)}
    module.eval()
    logits = logits_of(module, split.features) if len(split) else np.zeros((0, 1), np.float32)
    measurement = _Measurement(spec, rounding, split, logits, evaluate_logits(logits, split))
    rows = [measurement.row(name, kinds[name], (name,)) for name in names]
    rows.sort(key=lambda row: (-row.flips, -row.logit_error))
    return [*rows, measurement.row(ALL, "", names)]


def _matrix_bytes(spec: SeqSpec, layer: str) -> tuple[int, int]:
    """(float32, int8 with scales) of one layer's weight matrices."""
    owner = next(each for each in walk(spec.layers) if each.name == layer)
    alone = dataclasses.replace(spec, layers=(owner,))
    sizes = [
        sum(w.nbytes for name, w in parameters(each).items() if name.rpartition(".")[2].startswith("weight"))
        for each in (alone, quantize_spec(alone))
    ]
    return sizes[0], sizes[1]
