"""Everything training needs to go on after a kill, in one safetensors file that is replaced in one step.

There is no generator state in it: every random draw derives from the seed and the epoch.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from edgeseq.files import atomic_write_bytes
from edgeseq.models.classifier import SequenceClassifier
from edgeseq.settings import settings_from_dict
from edgeseq.training.recipe import PhaseName
from edgeseq_device.errors import DataError

METADATA_KEY = "edgeseq"  # one key only: safetensors writes several in an order that varies
OPTIMIZER_FIELDS = ("step", "exp_avg", "exp_avg_sq")


@dataclass(frozen=True)
class EpochResult:
    """One finished epoch; epoch counts from 1 over all phases, learning_rate is that of its last step.

    phase: qat where the validation, as the training, was in the arithmetic of the int8 model.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    learning_rate: float
    seconds: float
    phase: PhaseName = "float"


@dataclass(frozen=True)
class Validation:
    """Mean cross-entropy and accuracy on the validation split."""

    loss: float
    accuracy: float


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
        """The first epoch of the phase of highest validation accuracy; the lower loss decides among equals.

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


def _rank(accuracy: float, loss: float) -> tuple[float, float]:
    """Lower is better."""
    return -accuracy, loss


@dataclass(eq=False)
class TrainingState:
    """What changes while training; `best` holds the best weights so far, empty before there are any."""

    module: SequenceClassifier
    optimizer: torch.optim.AdamW
    history: History
    best: dict[str, Tensor] = field(default_factory=dict)


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
    """Writes weights, best weights, optimizer moments and history."""
    tensors = {f"model.{name}": tensor for name, tensor in state.module.state_dict().items()}
    tensors |= {f"best.{name}": tensor for name, tensor in state.best.items()}
    for index, (name, _) in enumerate(state.module.named_parameters()):
        moments = state.optimizer.state_dict()["state"][index]
        tensors |= {f"optimizer.{name}.{field_name}": moments[field_name] for field_name in OPTIMIZER_FIELDS}
    save_weights(path, tensors, json.dumps(dataclasses.asdict(state.history), sort_keys=True))


def load_checkpoint(path: Path, state: TrainingState) -> None:
    """Puts a checkpoint's content into `state`.

    Raises DataError where the file is damaged, or holds other data or splits than `state.history` names.
    """
    tensors, metadata = load_weights(path)
    try:
        history = settings_from_dict(History, json.loads(metadata or ""), str(path))
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "best": {}, "optimizer": {}}
        for name, tensor in tensors.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = tensor
        if history.data_sha256 != state.history.data_sha256:
            raise DataError(f"{path}: the data changed since training began; train a new run on it")
        if history.splits_sha256 != state.history.splits_sha256:
            raise DataError(
                f"{path}: the splits come out otherwise than when training began; train a new run"
            )
        state.module.load_state_dict(parts["model"])
        state.optimizer.load_state_dict(_optimizer_state(state, parts["optimizer"]))
    except (KeyError, ValueError, RuntimeError) as error:
        raise DataError(f"{path}: not a checkpoint of this recipe ({error}); train a new run") from error
    state.best, state.history = parts["best"], history


def _optimizer_state(state: TrainingState, moments: dict[str, Tensor]) -> dict[str, object]:
    return {
        "state": {
            index: {field_name: moments[f"{name}.{field_name}"] for field_name in OPTIMIZER_FIELDS}
            for index, (name, _) in enumerate(state.module.named_parameters())
        },
        "param_groups": state.optimizer.state_dict()["param_groups"],
    }
