"""Everything training needs to go on after a kill, in one safetensors file that is replaced in one step.

There is no generator state in it: every random draw derives from the seed and the epoch.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from edgeseq.files import atomic_write_bytes
from edgeseq.models.model import SequenceModel
from edgeseq.settings import settings_from_dict
from edgeseq.training.recipe import PhaseName
from edgeseq_device.errors import DataError

METADATA_KEY = "edgeseq"  # one key only: safetensors writes several in an order that varies
OBJECTIVE = "objective"  # what names of an objective's parameters begin with
PARTS = ("model", OBJECTIVE, "best", "average", "optimizer")
OPTIMIZER_FIELDS = ("step", "exp_avg", "exp_avg_sq")


@dataclass(frozen=True)
class EpochResult:
    """One finished epoch; epoch counts from 1 over all phases, learning_rate is that of its last step.

    accuracies: of classes, or of next tokens; None of what has no right and wrong. phase: qat where the
    validation, as the training, was in the arithmetic of the int8 model.
    """

    epoch: int
    train_loss: float
    train_accuracy: float | None
    validation_loss: float
    validation_accuracy: float | None
    learning_rate: float
    seconds: float
    phase: PhaseName = "float"


@dataclass(frozen=True)
class Validation:
    """The loss on the validation split, and of a classifier its accuracy, which then goes before the loss."""

    loss: float
    accuracy: float | None = None


@dataclass(frozen=True)
class History:
    """The epochs so far, the data they were trained on and how it was split.

    phase: the one that training is in. before: what the weights that it started from reach in its own
    arithmetic, None where it started from random ones.
    """

    data_sha256: str
    splits_sha256: str
    epochs: tuple[EpochResult, ...] = ()
    phase: PhaseName = "float"
    before: Validation | None = None

    @property
    def phase_epochs(self) -> tuple[EpochResult, ...]:
        """Those of the present phase."""
        return tuple(each for each in self.epochs if each.phase == self.phase)

    @property
    def best(self) -> EpochResult | None:
        """The first epoch of the phase of highest validation accuracy; the lower loss decides among equals,
        and where there is no accuracy.

        None where no epoch is better than the weights that the phase started from.
        """
        found = _best(self.phase_epochs)
        if found is None or self.before is None:
            return found
        better = _rank(found.validation_accuracy, found.validation_loss) < _rank(
            self.before.accuracy, self.before.loss
        )
        return found if better else None

    @property
    def best_epoch(self) -> int:
        """The number of the epoch whose weights are kept; 0: those that training started from."""
        earlier = _best(tuple(each for each in self.epochs if each.phase != self.phase))
        found = self.best or earlier
        return found.epoch if found else 0

    @property
    def epochs_since_best(self) -> int:
        """Epochs of the phase that came after its best one, or after its start."""
        epochs, best = self.phase_epochs, self.best
        return len(epochs) if best is None else epochs[-1].epoch - best.epoch

    def with_epoch(self, result: EpochResult) -> History:
        """A copy with one more epoch."""
        return dataclasses.replace(self, epochs=(*self.epochs, result))

    def in_phase(self, phase: PhaseName, before: Validation | None) -> History:
        """A copy at the start of a phase."""
        return dataclasses.replace(self, phase=phase, before=before)


def _best(epochs: tuple[EpochResult, ...]) -> EpochResult | None:
    return min(epochs, key=lambda each: _rank(each.validation_accuracy, each.validation_loss), default=None)


def _rank(accuracy: float | None, loss: float) -> tuple[float, float]:
    """Lower is better."""
    return -(accuracy or 0.0), loss


@dataclass(eq=False)
class TrainingState:
    """What changes while training; `best` holds the best weights so far, empty before there are any.

    objective: the phase's (`edgeseq.training.objective`), with parameters of its own or none. average: the
    moving average of the module's weights, empty where the phase takes none.
    """

    module: SequenceModel
    objective: nn.Module
    optimizer: torch.optim.AdamW
    history: History
    best: dict[str, Tensor] = field(default_factory=dict)
    average: dict[str, Tensor] = field(default_factory=dict)

    def named_parameters(self) -> list[tuple[str, nn.Parameter]]:
        """Everything that is trained, in the optimizer's order: the module's, then the objective's."""
        return [*self.module.named_parameters(), *self.objective.named_parameters(prefix=OBJECTIVE)]

    def own_weights(self) -> dict[str, Tensor]:
        """A copy of the module's weights."""
        return {name: tensor.clone() for name, tensor in self.module.state_dict().items()}

    def kept_weights(self) -> dict[str, Tensor]:
        """A copy of the weights that the present epoch gives: the averaged ones where there are any."""
        if not self.average:
            return self.own_weights()
        return {name: tensor.clone() for name, tensor in self.average.items()}


def save_weights(path: Path, weights: dict[str, Tensor], metadata: str | None = None) -> None:
    """Writes named tensors as safetensors, in one step."""
    described = None if metadata is None else {METADATA_KEY: metadata}
    contiguous = {name: tensor.contiguous() for name, tensor in weights.items()}
    atomic_write_bytes(path, safetensors.torch.save(contiguous, described))


def load_weights(path: Path) -> tuple[dict[str, Tensor], str | None]:
    """Named tensors and the metadata. Raises DataError on a missing or damaged file."""
    try:
        with safe_open(path, framework="pt") as stream:
            metadata = (stream.metadata() or {}).get(METADATA_KEY)
            return {name: stream.get_tensor(name) for name in stream.keys()}, metadata  # noqa: SIM118
    except FileNotFoundError:
        raise DataError(f"{path} is missing; train the run again") from None
    except SafetensorError as error:
        raise DataError(f"{path}: not a whole safetensors file ({error}); train the run again") from error


def save_checkpoint(path: Path, state: TrainingState) -> None:
    """Writes weights, best and averaged weights, the objective's, optimizer moments and history."""
    parts = {
        "model": state.module.state_dict(),
        OBJECTIVE: state.objective.state_dict(),
        "best": state.best,
        "average": state.average,
        "optimizer": _moments(state),
    }
    tensors = {f"{part}.{name}": tensor for part, held in parts.items() for name, tensor in held.items()}
    save_weights(path, tensors, json.dumps(dataclasses.asdict(state.history), sort_keys=True))


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A checkpoint's content: named tensors by part, and the history that says which phase they are of."""

    path: Path
    parts: Mapping[str, dict[str, Tensor]]
    history: History

    def restore(self, state: TrainingState) -> None:
        """Puts the content into a state of that phase. Raises DataError where it does not fit."""
        try:
            state.module.load_state_dict(self.parts["model"])
            state.objective.load_state_dict(self.parts[OBJECTIVE])
            state.optimizer.load_state_dict(_optimizer_state(state, self.parts["optimizer"]))
        except (KeyError, ValueError, RuntimeError) as error:
            raise _not_a_checkpoint(self.path, error) from error
        state.best, state.average, state.history = self.parts["best"], self.parts["average"], self.history


def load_checkpoint(path: Path, expected: History) -> Checkpoint:
    """Reads a checkpoint of a training on the data and splits that `expected` names.

    Raises DataError where the file is damaged, or holds other data or splits.
    """
    tensors, metadata = load_weights(path)
    parts: dict[str, dict[str, Tensor]] = {part: {} for part in PARTS}
    try:
        history = settings_from_dict(History, json.loads(metadata or ""), str(path))
        for name, tensor in tensors.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = tensor
    except (KeyError, ValueError) as error:
        raise _not_a_checkpoint(path, error) from error
    if history.data_sha256 != expected.data_sha256:
        raise DataError(f"{path}: the data changed since training began; train a new run on it")
    if history.splits_sha256 != expected.splits_sha256:
        raise DataError(f"{path}: the splits come out otherwise than when training began; train a new run")
    return Checkpoint(path, parts, history)


def _not_a_checkpoint(path: Path, error: Exception) -> DataError:
    return DataError(f"{path}: not a checkpoint of this recipe ({error}); train a new run")


def _moments(state: TrainingState) -> dict[str, Tensor]:
    """By parameter and field what the optimizer remembers."""
    by_number = state.optimizer.state_dict()["state"]
    return {
        f"{name}.{field_name}": by_number[number][field_name]
        for number, (name, _) in enumerate(state.named_parameters())
        for field_name in OPTIMIZER_FIELDS
    }


def _optimizer_state(state: TrainingState, moments: dict[str, Tensor]) -> dict[str, object]:
    return {
        "state": {
            number: {field_name: moments[f"{name}.{field_name}"] for field_name in OPTIMIZER_FIELDS}
            for number, (name, _) in enumerate(state.named_parameters())
        },
        "param_groups": state.optimizer.state_dict()["param_groups"],
    }
