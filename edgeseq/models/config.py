"""The families of models by name, and the shape that a model can have."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from edgeseq.names import unknown
from edgeseq.settings import require
from edgeseq_device.errors import UsageError

if TYPE_CHECKING:
    from edgeseq.data.dataset import Kind
    from edgeseq_device.frontend import FrontEnd

# The module that builds each family. Imported on use, because each one needs torch.
FAMILIES = {
    "gru": "edgeseq.models.recurrent",
    "lstm": "edgeseq.models.recurrent",
    "transformer": "edgeseq.models.transformer",
    "bag": "edgeseq.models.bag",
}
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
TRANSFORMER_ONLY = ("heads", "feedforward", "positions", "max_frames", "causal", "window")
NOT_OF_A_BAG = ("layers", "bidirectional", "conv_kernel", *TRANSFORMER_ONLY)
TEXT_ONLY = ("embedding", "embedding_dropout")

Pooling = Literal["last", "mean", "max", "cls"]
POOLINGS = ("last", "mean", "max", "cls")
POSITIONS = ("rotary", "learned")


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a model. Raises UsageError on a value that makes no model or does not fit the family.

    hidden: units of a recurrent layer, the width of a transformer's rows, or that of the layer in front of a
    bag's classifier. conv_kernel: frames that a causal convolution in front takes together; 0: none.
    embedding: numbers that a token's rows hold, 0 for data that is no text; embedding_dropout: the part of
    them that is left out in training. Of a transformer only: heads; feedforward, the width of its middle
    layers in units of `hidden`; positions, rotary or learned for at most max_frames; causal, whether a frame
    sees only the `window` frames up to itself, so that the model has a step form; pooling `cls`, a learned
    row in front of the frames that the classifier reads.
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
    embedding: int = 0
    embedding_dropout: float = 0.0

    def __post_init__(self) -> None:
        check_family(self.family)
        for name in ("hidden", "layers", "heads", "feedforward", "max_frames", "window"):
            require(getattr(self, name) >= 1, f"{_words(name)} is {getattr(self, name)}; give at least 1")
        require(self.pooling in POOLINGS, f"pooling {self.pooling!r} is not one of {', '.join(POOLINGS)}")
        require(self.positions in POSITIONS, f"positions {self.positions!r} is not rotary or learned")
        for name in ("dropout", "embedding_dropout"):
            value = getattr(self, name)
            require(0 <= value < 1, f"{_words(name)} is {value}; it must be at least 0 and below 1")
        require(self.conv_kernel >= 0, f"conv kernel is {self.conv_kernel}; give 0 for none, or its frames")
        require(self.embedding >= 0, f"embedding is {self.embedding}; give 0 for none, or its width")
        if self.family == "transformer":
            self._check_transformer()
            return
        check_fits(self.family, [name for name in DEFAULTS if self._is_set(name)])
        require(self.pooling != "cls", f"pooling cls is a transformer's; a {self.family} has no such row")
        if self.family == "bag":
            require(self.pooling != "last", "a bag of tokens has no last one; give pooling mean or max")

    @property
    def title(self) -> str:
        """What a table calls the model, such as `gru 1x64`, `transformer 2x64 causal 64` or `bag 128+256`."""
        if self.family == "bag":
            return f"bag {self.embedding}+{self.hidden}"
        words = [self.family, f"{self.embedding}+" * bool(self.embedding) + f"{self.layers}x{self.hidden}"]
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
        if name in NOT_OF_A_BAG and family == "bag":
            raise UsageError(f"a bag of tokens has no {_words(name)}; leave it out, or take another model")


def model_config(
    family: str, given: Mapping[str, Any], kind: Kind | None = None, size: str | None = None
) -> ModelConfig:
    """The shape with what was given, else that of the size, else what suits the family and the data's kind.

    kind: None where it is not known yet; the shape is then checked, not settled. Raises UsageError.
    """
    check_family(family)
    check_fits(family, list(given))
    if size is not None and size not in SIZES:
        raise UsageError(unknown("size", size, SIZES))
    found: dict[str, Any] = dict(FAMILY_DEFAULTS.get(family, {}))
    if kind == "text":
        found |= TEXT_DEFAULTS[family]
        size = size or TEXT_SIZES[family]
    if size is not None:
        found |= SHAPES[family][size]
    if kind != "text":
        found.pop("embedding", None)
    config = ModelConfig(family=family, **{**found, **given})
    if kind is not None:
        check_kind(config, takes_text=kind == "text")
    return config


def check_kind(config: ModelConfig, *, takes_text: bool) -> None:
    """Raises UsageError where the shape is not one for text, or for sounds and series."""
    if takes_text:
        require(config.embedding >= 1, "a model of text has an embedding; give at least 1")
        return
    require(config.family != "bag", "a bag is a model of text; take gru, lstm or transformer for this data")
    for name in TEXT_ONLY:
        require(not getattr(config, name), f"{_words(name)} is a setting for text; leave it out")


@dataclass(frozen=True)
class Inputs:
    """What a model reads: rows of `features` readings or, where `ids` is not 0, of so many different ids."""

    features: int
    ids: int = 0


def inputs_of(front_end: FrontEnd) -> Inputs:
    """What comes out of a front end."""
    return Inputs(front_end.features_count, front_end.ids)


def _words(name: str) -> str:
    return name.replace("_", " ")
