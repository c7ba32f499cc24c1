"""The families of models by name, and the settings that a model can have."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from edgeseq.names import option, unknown
from edgeseq.settings import require
from edgeseq_device.errors import UsageError
from edgeseq_device.tasks import Task

if TYPE_CHECKING:
    from edgeseq_device.frontend import FrontEnd

# By task, the module that builds each family. Imported on use, because each one needs torch.
FAMILIES: Mapping[Task, Mapping[str, str]] = {
    "classify": {
        "gru": "edgeseq.models.classify.recurrent",
        "lstm": "edgeseq.models.classify.recurrent",
        "transformer": "edgeseq.models.classify.transformer",
        "bag": "edgeseq.models.classify.bag",
    },
    "lm": {
        "gru": "edgeseq.models.lm.recurrent",
        "lstm": "edgeseq.models.lm.recurrent",
        "transformer": "edgeseq.models.lm.transformer",
    },
    "forecast": {
        "gru": "edgeseq.models.forecast.recurrent",
        "lstm": "edgeseq.models.forecast.recurrent",
        "transformer": "edgeseq.models.forecast.transformer",
        "linear": "edgeseq.models.forecast.linear",
    },
}
ALL_FAMILIES = tuple(dict.fromkeys(family for of_task in FAMILIES.values() for family in of_task))
TRANSFORMER_ONLY = ("heads", "feedforward", "positions", "max_frames", "causal", "window")
NOT_OF_A_BAG = ("layers", "bidirectional", "conv_kernel", *TRANSFORMER_ONLY)
TEXT_ONLY = ("embedding", "embedding_dropout")
_CAUSAL_TRANSFORMER = ("heads", "feedforward", "window")
_OF_LM = ("hidden", "layers", "dropout", *TEXT_ONLY, "tied")
_OF_FORECAST = ("hidden", "dropout", "context", "horizon", "segment")
# The settings that a model of another task than classify has; classify has all but those of these alone.
SETTINGS: Mapping[Task, Mapping[str, tuple[str, ...]]] = {
    "lm": {"gru": _OF_LM, "lstm": _OF_LM, "transformer": (*_OF_LM, *_CAUSAL_TRANSFORMER)},
    "forecast": {
        "gru": _OF_FORECAST,
        "lstm": _OF_FORECAST,
        "transformer": (*_OF_FORECAST, "layers", "heads", "feedforward"),
        "linear": ("context", "horizon"),
    },
}
NOT_OF_CLASSIFY = {"tied": "lm", "context": "forecast", "horizon": "forecast", "segment": "forecast"}

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

    Of a language model: tied, whether the table of the tokens that come in is that of the logits too; it is
    causal in any case, and a transformer sees `window` tokens. Of a forecaster: context, the moments that it
    reads; horizon, those that it says; segment, the moments that a step of its GRU or LSTM, or a patch of its
    transformer, takes together.
    """

    family: str = "gru"
    task: Task = "classify"
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
    tied: bool = False
    context: int = 336
    horizon: int = 96
    segment: int = 24

    def __post_init__(self) -> None:
        check_family(self.family, self.task)
        for name in _COUNTS:
            require(getattr(self, name) >= 1, f"{option(name)} is {getattr(self, name)}; give at least 1")
        require(self.pooling in POOLINGS, f"--pooling {self.pooling!r} is not one of {', '.join(POOLINGS)}")
        require(self.positions in POSITIONS, f"--positions {self.positions!r} is not rotary or learned")
        for name in ("dropout", "embedding_dropout"):
            value = getattr(self, name)
            require(0 <= value < 1, f"{option(name)} is {value}; it must be at least 0 and below 1")
        require(self.conv_kernel >= 0, f"--conv-kernel is {self.conv_kernel}; give 0 for none, or its frames")
        require(self.embedding >= 0, f"--embedding is {self.embedding}; give 0 for none, or its width")
        check_fits(self.family, [name for name in DEFAULTS if self._is_set(name)], self.task)
        if self.task == "lm":
            self._check_lm()
        elif self.task == "forecast":
            self._check_forecast()
        else:
            self._check_classifier()

    def _check_classifier(self) -> None:
        if self.family == "transformer":
            self._check_transformer()
            return
        require(self.pooling != "cls", f"--pooling cls is a transformer's; a {self.family} has no such row")
        if self.family == "bag":
            require(self.pooling != "last", "a bag of tokens has no last one; give --pooling mean or max")

    @property
    def title(self) -> str:
        """What a table calls the model, such as `gru 1x64`, `transformer 2x64 causal 64` or `bag 128+256`."""
        if self.family == "bag":
            return f"bag {self.embedding}+{self.hidden}"
        if self.task == "forecast":
            return self._forecaster_title
        words = [self.family, f"{self.embedding}+" * bool(self.embedding) + f"{self.layers}x{self.hidden}"]
        words += ["bidirectional"] * self.bidirectional
        words += [f"causal {self.window}"] * self.causal
        words += [f"conv {self.conv_kernel}"] * bool(self.conv_kernel)
        words += [f"window {self.window}"] * (self.task == "lm" and self.family == "transformer")
        words += ["tied"] * self.tied
        return " ".join(words)

    @property
    def _forecaster_title(self) -> str:
        reach = f"{self.context} to {self.horizon}"
        if self.family == "linear":
            return f"linear {reach}"
        return f"{self.family} {self.layers}x{self.hidden} by {self.segment}, {reach}"

    def _check_lm(self) -> None:
        require(self.embedding >= 1, "a language model has an embedding; give --embedding 1 at least")
        if self.tied:
            equal = f"--embedding {self.embedding} is not --hidden {self.hidden}"
            require(self.embedding == self.hidden, f"tied tables have one width: {equal}")
        if self.family == "transformer":
            self._check_heads()

    def _check_forecast(self) -> None:
        if self.family == "transformer":
            self._check_heads()
            fits = self.segment <= self.context
            require(fits, f"--segment {self.segment} is longer than --context {self.context}")
        elif self.family != "linear":
            for name in ("context", "horizon"):
                value = getattr(self, name)
                rest = value % self.segment
                require(
                    not rest, f"--{name} {value} is no multiple of --segment {self.segment}; give another"
                )

    def _check_heads(self) -> None:
        width, rest = divmod(self.hidden, self.heads)
        not_divided = f"--hidden {self.hidden} does not divide by --heads {self.heads}"
        require(not rest, f"{not_divided}; give a multiple of them, or leave --heads out")
        if self.task != "forecast" and self.positions == "rotary":
            even = f"--hidden {self.hidden} over {self.heads} heads is {width}"
            require(width % 2 == 0, f"rotary positions need heads of an even width; {even}")

    def _check_transformer(self) -> None:
        require(not self.bidirectional, "a transformer sees both sides already; leave --bidirectional out")
        self._check_heads()
        if self.positions == "rotary":
            no_limit = "rotary positions know no longest recording"
            require(
                not self._is_set("max_frames"),
                f"{no_limit}; leave --max-frames out, or take --positions learned",
            )
        if self.causal:
            endless = "a causal transformer runs without an end"
            require(self.positions == "rotary", f"{endless}; it needs --positions rotary")
            unseeing = "a causal transformer's row in front of the frames sees none of them"
            require(self.pooling != "cls", f"{unseeing}; leave --pooling cls out")
        else:
            require(
                not self._is_set("window"), "--window is a causal transformer's; add --causal or leave it out"
            )

    def _is_set(self, name: str) -> bool:
        return bool(getattr(self, name) != DEFAULTS[name])


_COUNTS = (
    *("hidden", "layers", "heads", "feedforward", "max_frames", "window"),
    *("context", "horizon", "segment"),
)
DEFAULTS: Mapping[str, Any] = {field.name: field.default for field in dataclasses.fields(ModelConfig)}


def check_family(name: str, task: Task | None = None) -> None:
    """Raises UsageError, naming the nearest family, when `name` is none of the task's; None: of any task."""
    if name not in ALL_FAMILIES:
        raise UsageError(unknown("model", name, ALL_FAMILIES if task is None else FAMILIES[task]))
    if task is not None and name not in FAMILIES[task]:
        families = " or ".join(FAMILIES[task])
        raise UsageError(f"{name} is no model of the task {task}; take {families}")


def check_fits(family: str, given: list[str], task: Task = "classify") -> None:
    """Raises UsageError where one of the settings that were given is not one of the family's in that task."""
    if task != "classify":
        allowed = (*SETTINGS[task][family], "family", "task")
        for name in given:
            if name not in allowed:
                raise UsageError(
                    f"{option(name)} is no setting of a {family} of the task {task}; leave it out"
                )
        return
    for name in given:
        if name in NOT_OF_CLASSIFY:
            other = NOT_OF_CLASSIFY[name]
            advice = f"add --task {other}, or leave it out"
            raise UsageError(f"{option(name)} is a setting of the task {other}; {advice}")
        if name in TRANSFORMER_ONLY and family != "transformer":
            raise UsageError(
                f"{option(name)} is a setting of a transformer; a {family} has none, leave it out"
            )
        if name in NOT_OF_A_BAG and family == "bag":
            raise UsageError(f"a bag of tokens has no {option(name)}; leave it out, or take another model")


def check_kind(config: ModelConfig, *, takes_text: bool) -> None:
    """Raises UsageError where the shape is not one for text, or for sounds and series."""
    if config.task == "forecast":
        require(not takes_text, "a forecaster reads series, and this data is text")
        return
    if takes_text:
        require(config.embedding >= 1, "a model of text has an embedding; give --embedding 1 at least")
        return
    require(config.family != "bag", "a bag is a model of text; take gru, lstm or transformer for this data")
    for name in TEXT_ONLY:
        require(not getattr(config, name), f"{option(name)} is a setting for text; leave it out")


@dataclass(frozen=True)
class Inputs:
    """What a model reads: rows of `features` readings or, where `ids` is not 0, of so many different ids."""

    features: int
    ids: int = 0


def inputs_of(front_end: FrontEnd) -> Inputs:
    """What comes out of a front end."""
    return Inputs(front_end.features_count, front_end.ids)
