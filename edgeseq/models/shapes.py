"""The shape that a model has where nothing else is said: by size, by task, by family, by kind of data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from edgeseq.models.config import DEFAULTS, ModelConfig, check_family, check_fits, check_kind
from edgeseq.names import unknown
from edgeseq_device.errors import UsageError
from edgeseq_device.tasks import Task

if TYPE_CHECKING:
    from edgeseq.data.dataset import Kind

Size = Literal["tiny", "small", "base"]
SIZES = ("tiny", "small", "base")
_RECURRENT: Mapping[str, Mapping[str, int]] = {
    "tiny": {"hidden": 32, "embedding": 32},
    "small": {"hidden": 64, "embedding": 64},
    "base": {"hidden": 128, "embedding": 64},
}
# The shape that a size stands for; `embedding` counts for text alone.
SHAPES: Mapping[str, Mapping[str, Mapping[str, int]]] = {
    "gru": _RECURRENT,
    "lstm": _RECURRENT,
    "transformer": {
        "tiny": {"hidden": 64, "layers": 2, "embedding": 32},
        "small": {"hidden": 128, "layers": 2, "embedding": 64},
        "base": {"hidden": 192, "layers": 3, "heads": 6, "embedding": 128},
    },
    "bag": {
        "tiny": {"hidden": 64, "embedding": 32},
        "small": {"hidden": 128, "embedding": 64},
        "base": {"hidden": 256, "embedding": 128},
    },
}
# What suits a family better than the defaults of ModelConfig; and, of text, better than that.
FAMILY_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "transformer": {"layers": 2, "pooling": "mean"},
    "bag": {"pooling": "mean"},
}
_RECURRENT_TEXT = {"bidirectional": True, "pooling": "max", "dropout": 0.4, "embedding_dropout": 0.4}
TEXT_SIZES: Mapping[str, Size] = {"gru": "base", "lstm": "base", "transformer": "small", "bag": "base"}
TEXT_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "gru": _RECURRENT_TEXT,
    "lstm": _RECURRENT_TEXT,
    "transformer": {"embedding_dropout": 0.4},
    "bag": {"dropout": 0.3, "embedding_dropout": 0.3},
}
# Of the other tasks: the shape that a size stands for (base, unless one is given), and what any size has.
_LM_RECURRENT: Mapping[str, Mapping[str, Any]] = {
    "defaults": {"dropout": 0.3, "embedding_dropout": 0.15},
    "tiny": {"hidden": 128, "embedding": 64},
    "small": {"hidden": 256, "embedding": 64},
    "base": {"hidden": 512, "embedding": 64},
}
_SEGMENTS: Mapping[str, Mapping[str, Any]] = {
    "defaults": {"dropout": 0.2, "segment": 24},
    "tiny": {"hidden": 32},
    "small": {"hidden": 64},
    "base": {"hidden": 128},
}
TASK_SHAPES: Mapping[Task, Mapping[str, Mapping[str, Mapping[str, Any]]]] = {
    "lm": {
        "gru": _LM_RECURRENT,
        "lstm": _LM_RECURRENT,
        "transformer": {
            "defaults": {"dropout": 0.2, "embedding_dropout": 0.1, "window": 128},
            "tiny": {"hidden": 64, "embedding": 64, "layers": 2},
            "small": {"hidden": 128, "embedding": 64, "layers": 4},
            "base": {"hidden": 192, "embedding": 64, "layers": 6, "heads": 6},
        },
    },
    "forecast": {
        "gru": _SEGMENTS,
        "lstm": _SEGMENTS,
        "transformer": {
            "defaults": {"dropout": 0.3, "segment": 24, "heads": 2},
            "tiny": {"hidden": 16, "layers": 1},
            "small": {"hidden": 16, "layers": 2},
            "base": {"hidden": 32, "layers": 2},
        },
        "linear": {"defaults": {}, "tiny": {}, "small": {}, "base": {}},
    },
}
LEAST_SEGMENT = 4  # moments; a step for fewer costs more than it says
LEAST_WIDTH = 8  # of an attention head; narrower ones see too little


def model_config(
    family: str,
    given: Mapping[str, Any],
    kind: Kind | None = None,
    size: str | None = None,
    task: Task = "classify",
) -> ModelConfig:
    """The shape with what was given, else that of the size, else what suits the task, the family and the
    data's kind.

    kind: None where it is not known yet; the shape is then checked, not settled. Raises UsageError.
    """
    check_family(family, task)
    check_fits(family, list(given), task)
    if size is not None and size not in SIZES:
        raise UsageError(unknown("size", size, SIZES))
    if task != "classify":
        shape = TASK_SHAPES[task][family]
        found = {**shape["defaults"], **shape[size or "base"]}
        if given.get("tied") and "embedding" not in given:
            found["embedding"] = given.get("hidden", found["hidden"])
        found |= given
        if family == "transformer":
            found |= _usual_heads(found, given)
        if "segment" in found and "segment" not in given:
            found["segment"] = _usual_segment(family, {**DEFAULTS, **found})
        return ModelConfig(family=family, task=task, **found)
    found = dict(FAMILY_DEFAULTS.get(family, {}))
    if kind == "text":
        found |= TEXT_DEFAULTS[family]
        size = size or TEXT_SIZES[family]
    if size is not None:
        found |= SHAPES[family][size]
    if kind != "text":
        found.pop("embedding", None)
    if family == "transformer":
        found |= _usual_heads({**found, **given}, given)
    config = ModelConfig(family=family, **{**found, **given})
    if kind is not None:
        check_kind(config, takes_text=kind == "text")
    return config


def _usual_heads(shape: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, int]:
    """The size's heads where they cut `hidden` into even widths, else as many as are at least LEAST_WIDTH
    wide, one where that is none.
    """
    if "heads" in given:
        return {}
    hidden, usual = (shape.get(name, DEFAULTS[name]) for name in ("hidden", "heads"))
    if hidden % (2 * usual) == 0:
        return {"heads": usual}
    widths = range(LEAST_WIDTH, hidden + 1, 2)
    return {"heads": next((hidden // width for width in widths if hidden % width == 0), 1)}


def linear_beside(model: ModelConfig) -> ModelConfig:
    """The linear baseline of a forecaster: of the same context and horizon."""
    reach = {"context": model.context, "horizon": model.horizon}
    return model_config("linear", reach, task="forecast")


def _usual_segment(family: str, shape: Mapping[str, int]) -> int:
    """A transformer's patches may overlap the end of the context; a GRU or LSTM takes the longest segment, up
    to the usual one, of which the context and the horizon are multiples.

    Raises UsageError where that is too short to be worth a step.
    """
    context, horizon, longest = shape["context"], shape["horizon"], shape["segment"]
    if family == "transformer":
        return min(int(longest), int(context))
    lengths = range(LEAST_SEGMENT, longest + 1)
    fitting = [length for length in lengths if context % length == 0 and horizon % length == 0]
    if fitting:
        return max(fitting)
    ways = [
        f"--{name} {min(found)}"
        for name, value, other in (("horizon", horizon, context), ("context", context, horizon))
        if (found := [-(-value // length) * length for length in lengths if other % length == 0])
    ]
    up = [-(-value // longest) * longest for value in (horizon, context)]
    advice = " or ".join(ways) or "--horizon {} and --context {}".format(*up)
    raise UsageError(
        f"a {family} takes context and horizon in segments of {LEAST_SEGMENT} to {longest} moments, and"
        f" context {context} and horizon {horizon} are multiples of none; give {advice}, a --segment, or"
        " another --model"
    )
