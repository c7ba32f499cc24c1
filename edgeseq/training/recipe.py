"""A recipe: every setting that made a run. The same recipe on the same data gives the same weights."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

from edgeseq.data import DataOptions, FrontEndOptions, SplitOptions
from edgeseq.models.config import ModelConfig
from edgeseq.names import option
from edgeseq.settings import require, settings_from_dict
from edgeseq.training.augment import OFF, AugmentConfig
from edgeseq_device.errors import DataError

RECIPE_VERSION = 1


@dataclass(frozen=True)
class TrainConfig:
    """How the weights are found. Raises UsageError on a value that cannot train.

    epochs is 0 only where all training is quantization-aware. learning_rate is the peak of the one-cycle
    schedule, warm_up the part of the steps in which it rises. patience counts epochs without a better
    validation result; 0 never stops early. threads is fixed because sums depend on it. ema: how much of the
    weights' moving average a step keeps, such as 0.995; the averaged weights are then validated
    and kept. 0 takes no average.
    window_tokens: of a language model, whose batch_size counts the streams that are read side by side, the
    tokens of each that an update sees; 0 where there are none.
    """

    epochs: int = 30
    batch_size: int = 32
    learning_rate: float = 4e-3
    warm_up: float = 0.25
    weight_decay: float = 0.01
    label_smoothing: float = 0.05
    gradient_clip: float = 1.0
    patience: int = 10
    bucket_by_length: bool = True
    seed: int = 0
    threads: int = 1
    ema: float = 0.0
    augment: AugmentConfig = field(default=OFF)
    window_tokens: int = 0

    def __post_init__(self) -> None:
        for name in ("batch_size", "threads"):
            require(getattr(self, name) >= 1, f"{option(name)} is {getattr(self, name)}; give at least 1")
        require(self.learning_rate > 0, f"--learning-rate is {self.learning_rate}; it must be above 0")
        require(self.gradient_clip > 0, f"gradient_clip is {self.gradient_clip}; it must be above 0")
        for name in ("epochs", "weight_decay", "patience", "seed", "window_tokens"):
            require(
                getattr(self, name) >= 0, f"{option(name)} is {getattr(self, name)}; it must not be negative"
            )
        for name in ("label_smoothing", "ema", "warm_up"):
            require(
                0 <= getattr(self, name) < 1, f"{option(name)} is {getattr(self, name)}; give 0 up to below 1"
            )


@dataclass(frozen=True)
class QatConfig:
    """The quantization-aware part: training goes on with the rounding of the exported int8 model.

    target, format: whose form's rounding of activations. The other fields replace those of TrainConfig.
    Raises UsageError on a value that cannot train.
    """

    target: str = "generic"
    format: Literal["onnx", "tflite"] = "tflite"
    epochs: int = 10
    learning_rate: float = 4e-4
    patience: int = 10

    def __post_init__(self) -> None:
        require(self.epochs >= 1, f"--qat-epochs is {self.epochs}; give at least 1")
        require(self.learning_rate > 0, f"--qat-learning-rate is {self.learning_rate}; it must be above 0")
        require(self.patience >= 0, f"qat: patience is {self.patience}; it must not be negative")


@dataclass(frozen=True)
class TeacherSource:
    """Where a teacher is; sha256: over what its answers follow from, so that another is not taken for it."""

    reference: str
    kind: Literal["run", "huggingface"]
    sha256: str


@dataclass(frozen=True)
class TextVariants:
    """How far variants of training texts go from them.

    spliced, joined: the share of them that go on as another text from a word that both have, or have another
    text behind them. noised: the share, of all, in which up to `drop` of the words are lost and up to
    `replace` of them are other words of the training texts. Raises UsageError on what is no share.
    """

    spliced: float = 0.4
    joined: float = 0.1
    noised: float = 0.4
    drop: float = 0.3
    replace: float = 0.3

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            require(0 <= value <= 1, f"variants: {name} is {value}; give 0 to 1")
        for names in (("spliced", "joined"), ("drop", "replace")):
            total = sum(getattr(self, name) for name in names)
            require(total <= 1, f"variants: {' and '.join(names)} together are {total:g}; give 1 at most")


@dataclass(frozen=True)
class DistillConfig:
    """What a student learns from: the answers of teachers to variants of the training recordings.

    targets: `labels` alone for the student from scratch that the other one is compared with. versions: how
    many variants of a recording there are, itself among them, or as many as there are epochs; epoch e takes
    number (e - 1) modulo that. variants: of texts; sounds and series vary as TrainConfig.augment says.
    hard_weight: of the labels' part of the loss. unlabelled: a file with further texts. relation_weight,
    hidden_weight: of the losses on the inside of a Transformer teacher; relation_heads: None for the
    teacher's. twin: the model of the student from scratch, of the same shape but with the dropout that suits
    labels; None where there is none. Raises UsageError on a value that cannot train.
    """

    teachers: tuple[TeacherSource, ...]
    targets: Literal["teachers", "labels"] = "teachers"
    temperature: float = 2.0
    hard_weight: float = 0.0
    versions: int = 16
    variants: TextVariants = field(default_factory=TextVariants)
    unlabelled: str | None = None
    unlabelled_sha256: str | None = None
    relation_weight: float = 0.0
    relation_heads: int | None = None
    hidden_weight: float = 0.0
    twin: ModelConfig | None = None

    def __post_init__(self) -> None:
        require(bool(self.teachers), "there is no teacher; give --teacher RUN")
        require(self.temperature > 0, f"--temperature is {self.temperature}; it must be above 0")
        require(0 <= self.hard_weight <= 1, f"--hard-weight is {self.hard_weight}; give 0 to 1")
        require(
            self.relation_heads is None or self.relation_weight > 0,
            "--relation-heads is about the loss on a teacher's relations; give --relation-weight, or leave"
            " it out",
        )
        require(self.versions >= 1, f"--versions is {self.versions}; give at least 1")
        for name in ("relation_weight", "hidden_weight"):
            require(
                getattr(self, name) >= 0, f"{option(name)} is {getattr(self, name)}; it must not be negative"
            )

    @property
    def looks_inside(self) -> bool:
        """Whether a loss needs the inside of the teacher."""
        return bool(self.relation_weight or self.hidden_weight)


@dataclass(frozen=True)
class FitConfig:
    """The size budget that the model's shape was chosen for, of its int8 artifact in each format.

    step: whether the step form is part of the artifact. predicted_bytes: of the larger format, by an export
    of the untrained model. Raises UsageError where nothing fits in it.
    """

    max_bytes: int
    step: bool = True
    predicted_bytes: int | None = None

    def __post_init__(self) -> None:
        require(self.max_bytes >= 1, f"fit: max_bytes is {self.max_bytes}; no model fits in it")


@dataclass(frozen=True)
class Start:
    """The finished run that training starts from; weights_sha256 is that of its model.safetensors."""

    run: str
    weights_sha256: str


PhaseName = Literal["float", "qat"]


@dataclass(frozen=True)
class Phase:
    """A part of a training with a learning-rate cycle of its own, in fp32 or quantization-aware."""

    name: PhaseName
    config: TrainConfig


@dataclass(frozen=True)
class Recipe:
    """What was read (`data`: a named set or a path), how it was split, turned into features and learned.

    start: None draws first weights. qat: None trains in fp32 alone. distill: None trains on labels.
    fit: None where the shape was not chosen by a size.
    """

    data: str
    reading: DataOptions = field(default_factory=DataOptions)
    splitting: SplitOptions = field(default_factory=SplitOptions)
    front_end: FrontEndOptions = field(default_factory=FrontEndOptions)
    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainConfig = field(default_factory=TrainConfig)
    qat: QatConfig | None = None
    start: Start | None = None
    distill: DistillConfig | None = None
    fit: FitConfig | None = None
    version: int = RECIPE_VERSION

    def __post_init__(self) -> None:
        require(bool(self.phases), f"--epochs is {self.training.epochs}; give at least 1")

    @property
    def phases(self) -> tuple[Phase, ...]:
        """In order: fp32 where it has epochs, then the quantization-aware one where there is one."""
        found = [Phase("float", self.training)] if self.training.epochs else []
        if self.qat is not None:
            changed = {name: getattr(self.qat, name) for name in ("epochs", "learning_rate", "patience")}
            found.append(Phase("qat", dataclasses.replace(self.training, **changed)))
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold; `from_dict` reads it back."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, value: object, where: str = "recipe") -> Recipe:
        """The recipe from JSON. Raises DataError on an unknown key, naming the nearest, or version."""
        version = value.get("version", RECIPE_VERSION) if isinstance(value, dict) else RECIPE_VERSION
        if version != RECIPE_VERSION:
            raise DataError(
                f"{where}: recipe version {version} is not known here (known: {RECIPE_VERSION});"
                " use the edgeseq that wrote it"
            )
        return settings_from_dict(cls, value, where)
