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
from torch import Tensor, nn

from edgeseq.files import atomic_write_bytes
from edgeseq.settings import settings_from_dict
from edgeseq_device.errors import DataError

METADATA_KEY = "edgeseq"  # one key only: safetensors writes several in an order that varies
OPTIMIZER_FIELDS = ("step", "exp_avg", "exp_avg_sq")


@dataclass(frozen=True)
class EpochResult:
    """One finished epoch; epoch counts from 1, learning_rate is that of its last step."""

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    learning_rate: float
    seconds: float


@dataclass(frozen=True)
class History:
    """The epochs so far, the data they were trained on and how it was split."""

    data_sha256: str
    splits_sha256: str
    epochs: tuple[EpochResult, ...] = ()

    @property
    def best(self) -> EpochResult | None:
        """The first epoch of highest validation accuracy; the lower loss decides between equals."""
        return min(self.epochs, key=lambda e: (-e.validation_accuracy, e.validation_loss), default=None)

    def with_epoch(self, result: EpochResult) -> History:
        """A copy with one more epoch."""
        return dataclasses.replace(self, epochs=(*self.epochs, result))


@dataclass(eq=False)
class TrainingState:
    """What changes while training; `best` holds the weights of `history.best`."""

    module: nn.Module
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
