"""The explicit state of a model's step form: what goes from one frame to the next."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edgeseq_device import tensors
from edgeseq_export.layers import (
    GRU,
    LSTM,
    Attention,
    CausalConv,
    ClassToken,
    Layer,
    Pool,
    Positions,
    Residual,
)
from edgeseq_export.spec import SeqSpec, reads_ahead, walk, width_behind

NEXT = tensors.NEXT
"""A state goes into a step under its name and comes out under its name with this behind it."""
LOWEST = float(np.finfo(np.float32).min)


@dataclass(frozen=True)
class StateTensor:
    """One float32 tensor that a step takes and gives back. initial: what it is full of before frame 0."""

    name: str
    shape: tuple[int, ...]
    initial: float = 0.0


def why_no_step(spec: SeqSpec) -> str | None:
    """Why a model has no step form, naming the layer; None where it has one."""
    if spec.frames is not None:
        return f"a forecast is made of a whole context of {spec.frames} frames"
    for layer in walk(spec.layers):
        if reads_ahead(layer):
            return f"{layer.name} reads frames to come"
        if isinstance(layer, (Positions, ClassToken)) or (isinstance(layer, Pool) and layer.kind == "first"):
            return f"{layer.name} ({type(layer).__name__}) has a place in a whole sequence only"
    return None


def why_no_prefill(spec: SeqSpec) -> str | None:
    """Why a model's sequence form cannot give the states behind its last frame, naming the layer; or None."""
    for layer in walk(spec.layers):
        if isinstance(layer, Pool) and layer.kind in ("mean", "max"):
            return f"{layer.name} keeps a {layer.kind} over all frames, which a sequence form does not give"
    return why_no_step(spec)


def carried_states(spec: SeqSpec) -> tuple[StateTensor, ...]:
    """What the sequence form gives beside its logits, each under its name with NEXT behind it.

    A GRU's and LSTM's are those behind the last frame; a CausalConv's frames and an Attention's keys and
    values the last ones, zeros in front of them where there were fewer, the keys turned by their frames'
    numbers, and `turn` that of the number of frames, which is the next one's.
    """
    return states_of(spec) if spec.carries else ()


def states_of(spec: SeqSpec) -> tuple[StateTensor, ...]:
    """Every state in the order of the layers. The spec passes `check_spec` and `why_no_step`."""
    return _states(spec.layers, spec.input_features)


def _states(layers: tuple[Layer, ...], width: int) -> tuple[StateTensor, ...]:
    found: list[StateTensor] = []
    for layer in layers:
        if isinstance(layer, Residual):
            found += _states(layer.layers, width)
        else:
            found += [
                StateTensor(f"{layer.name}.{name}", shape, initial)
                for name, shape, initial in layer_states(layer, width)
            ]
            width = width_behind(layer, width)
    return tuple(found)


def layer_states(layer: Layer, width: int) -> list[tuple[str, tuple[int, ...], float]]:
    """(name, shape, initial value) of each state of one layer whose input rows are `width` wide.

    GRU h [1, H]; LSTM h, c [1, H]; CausalConv frames [kernel - 1, F], the oldest first; Attention keys and
    values [W, D], the oldest first, and position [1, 1], the number of frames before this one, W where there
    are more: the row s of W holds a frame once this one is written where s >= W - 1 - position. Rotary
    attention turn [1, d]: d / 2 cosines, then their sines, of the angles that this frame's query and key are
    turned by; the keys are turned already. Scores depend on differences of angles only, so that the first
    frame's may be any, and every next one is turned on from the one before: nothing grows with a stream.
    Pool mean: sum [1, F] and count [1, 1] of the frames before; max: max [1, F].
    """
    states: list[tuple[str, tuple[int, ...], float]] = []
    if isinstance(layer, (GRU, LSTM)):
        names = "h" if isinstance(layer, GRU) else "hc"
        states += [(name, (1, layer.forward.hidden), 0.0) for name in names]
    elif isinstance(layer, CausalConv) and layer.kernel > 1:
        states.append(("frames", (layer.kernel - 1, width), 0.0))
    elif isinstance(layer, Attention) and layer.window is not None:
        cache = (layer.window, layer.weight_out.shape[1])
        states += [("keys", cache, 0.0), ("values", cache, 0.0), ("position", (1, 1), 0.0)]
        if layer.rotary:
            states.append(("turn", (1, cache[1] // layer.heads), math.sqrt(0.5)))
    elif isinstance(layer, Pool) and layer.kind == "mean":
        states += [("sum", (1, width), 0.0), ("count", (1, 1), 0.0)]
    elif isinstance(layer, Pool) and layer.kind == "max":
        states.append(("max", (1, width), LOWEST))
    return states
