"""The families of models by name, and the shape that a model can have."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from edgeseq.names import unknown
from edgeseq.settings import require
from edgeseq_device.errors import UsageError

# The module that builds each family. Imported on use, because each one needs torch.
FAMILIES = {
    "gru": "edgeseq.models.recurrent",
    "lstm": "edgeseq.models.recurrent",
    "transformer": "edgeseq.models.transformer",
}
# What suits a family better than the defaults of ModelConfig.
FAMILY_DEFAULTS: Mapping[str, Mapping[str, Any]] = {"transformer": {"layers": 2, "pooling": "mean"}}
TRANSFORMER_ONLY = ("heads", "feedforward", "positions", "max_frames", "causal", "window")

Pooling = Literal["last", "mean", "max", "cls"]
POOLINGS = ("last", "mean", "max", "cls")
POSITIONS = ("rotary", "learned")


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a model. Raises UsageError on a value that makes no model or does not fit the family.

    hidden: units of a recurrent layer, or the width of a transformer's rows. conv_kernel: frames that a
    causal convolution in front takes together; 0: none. Of a transformer only: heads; feedforward, the width
    of its middle layers in units of `hidden`; positions, rotary or learned for at most max_frames; causal,
    whether a frame sees only the `window` frames up to itself, so that the model has a step form; pooling
    `cls`, a learned row in front of the frames that the classifier reads.
    """

    family: str = "gru"
    hidden: int = 64
    layers: int = 1
    bidirectional: bool = False
    pooling: Pooling = "last"
    dropout: float = 0.1
    conv_kernel: int = 0
    heads: int = 4
    feedforward: int = 2
    positions: Literal["rotary", "learned"] = "rotary"
    max_frames: int = 512
    causal: bool = False
    window: int = 64

    def __post_init__(self) -> None:
        check_family(self.family)
        for name in ("hidden", "layers", "heads", "feedforward", "max_frames", "window"):
            require(getattr(self, name) >= 1, f"{_words(name)} is {getattr(self, name)}; give at least 1")
        require(self.pooling in POOLINGS, f"pooling {self.pooling!r} is not one of {', '.join(POOLINGS)}")
        require(self.positions in POSITIONS, f"positions {self.positions!r} is not rotary or learned")
        require(0 <= self.dropout < 1, f"dropout is {self.dropout}; it must be at least 0 and below 1")
        require(self.conv_kernel >= 0, f"conv kernel is {self.conv_kernel}; give 0 for none, or its frames")
        if self.family == "transformer":
            self._check_transformer()
        else:
            check_fits(self.family, [name for name in TRANSFORMER_ONLY if self._is_set(name)])
            require(self.pooling != "cls", f"pooling cls is a transformer's; a {self.family} has no such row")

    @property
    def title(self) -> str:
        """What a table calls the model, such as `gru 1x64` or `transformer 2x64 causal 64`."""
        words = [self.family, f"{self.layers}x{self.hidden}"]
        words += ["bidirectional"] * self.bidirectional
        words += [f"causal {self.window}"] * self.causal
        words += [f"conv {self.conv_kernel}"] * bool(self.conv_kernel)
        return " ".join(words)

    def _check_transformer(self) -> None:
        require(not self.bidirectional, "a transformer sees both sides already; leave bidirectional out")
        width, rest = divmod(self.hidden, self.heads)
        require(
            not rest, f"hidden {self.hidden} does not divide by {self.heads} heads; give a multiple of them"
        )
        if self.positions == "rotary":
            even = f"hidden {self.hidden} over {self.heads} heads is {width}"
            require(width % 2 == 0, f"rotary positions need heads of an even width; {even}")
            no_limit = "rotary positions know no longest recording"
            require(not self._is_set("max_frames"), f"{no_limit}; leave max frames out, or take learned ones")
        if self.causal:
            endless = "a causal transformer runs without an end"
            require(self.positions == "rotary", f"{endless}; it needs rotary positions, not learned ones")
            unseeing = "a causal transformer's row in front of the frames sees none of them"
            require(self.pooling != "cls", f"{unseeing}; leave pooling cls out")
        else:
            require(
                not self._is_set("window"), "a window is a causal transformer's; add causal or leave it out"
            )

    def _is_set(self, name: str) -> bool:
        return bool(getattr(self, name) != DEFAULTS[name])


DEFAULTS: Mapping[str, Any] = {field.name: field.default for field in dataclasses.fields(ModelConfig)}


def check_family(name: str) -> None:
    """Raises UsageError, naming the nearest family, when `name` is none."""
    if name not in FAMILIES:
        raise UsageError(unknown("model", name, FAMILIES))


def check_fits(family: str, given: list[str]) -> None:
    """Raises UsageError where one of the settings that were given is not one of the family's."""
    for name in given:
        if name in TRANSFORMER_ONLY and family != "transformer":
            raise UsageError(
                f"{_words(name)} is a setting of a transformer; a {family} has none, leave it out"
            )


def model_config(family: str, given: Mapping[str, Any]) -> ModelConfig:
    """The shape with what was given, the family's own defaults for the rest. Raises UsageError."""
    check_family(family)
    check_fits(family, list(given))
    return ModelConfig(family=family, **{**FAMILY_DEFAULTS.get(family, {}), **given})


def _words(name: str) -> str:
    return name.replace("_", " ")
