"""A teacher from a local Hugging Face folder: a classifier of texts. Nothing is fetched."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgeseq.data.dataset import Kind
from edgeseq.distill.teachers import Asked
from edgeseq.features import FloatArray
from edgeseq.training.recipe import TeacherSource
from edgeseq_device.artifact import sha256_of
from edgeseq_device.errors import DataError, UsageError

BATCH = 64
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1"}
ADAPTER_FILE = "adapter_config.json"
MANY_TOKENS = 1_000_000  # a tokenizer without a limit says something above


@dataclass(frozen=True, eq=False)
class HuggingFaceTeacher:
    """model, tokenizer: as transformers has them; max_tokens: after which a text is cut, None for never."""

    source: TeacherSource
    labels: tuple[str, ...]
    model: Any
    tokenizer: Any
    max_tokens: int | None

    @property
    def kind(self) -> Kind:
        """Texts alone."""
        return "text"

    @property
    def run(self) -> None:
        """It is none."""

    @property
    def module(self) -> None:
        """It reads nothing that a student reads."""

    @property
    def software(self) -> str:
        """The versions of transformers and torch."""
        return f"transformers {version('transformers')}, torch {torch.__version__}"

    @property
    def parameters(self) -> int:
        """Of the whole model."""
        return sum(each.numel() for each in self.model.parameters())

    def logits(self, asked: Asked, watch: Callable[[int, int], None]) -> FloatArray:
        """[n, C] float32; texts of alike length share a batch."""
        texts = [str(each) for each in asked]
        order = sorted(range(len(texts)), key=lambda place: (len(texts[place]), place))
        rows = np.empty((len(texts), len(self.labels)), np.float32)
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            rows[chosen] = self.answer(self.encode([texts[place] for place in chosen]))
            watch(start + len(chosen), len(order))
        return rows

    def encode(self, asked: Asked) -> Any:
        """Some texts' tokens, cut after `max_tokens`, padded."""
        return self.tokenizer(
            [str(each) for each in asked],
            padding=True,
            truncation=self.max_tokens is not None,
            max_length=self.max_tokens,
            return_tensors="pt",
        )

    def answer(self, encoded: Any) -> FloatArray:
        """[B, C] float32. Raises DataError for more tokens than the model takes."""
        try:
            with torch.inference_mode():
                logits: FloatArray = self.model(**encoded).logits.float().numpy()
        except (IndexError, RuntimeError) as error:  # which of them differs from family to family
            tokens, limit = encoded["input_ids"].shape[1], self.max_tokens or "any number of"
            raise DataError(
                f"{self.source.reference}: this teacher fails on {tokens} tokens ({_first_line(error)}),"
                f" though by its files it takes {limit} tokens; set model_max_length in tokenizer_config.json"
            ) from error
        return logits

    def cut(self, asked: Asked) -> int:
        """As `Teacher.cut`."""
        if self.max_tokens is None:
            return 0
        lengths = (
            len(ids) for ids in self.tokenizer([str(each) for each in asked], verbose=False)["input_ids"]
        )
        return sum(length > self.max_tokens for length in lengths)


def open_folder(reference: str) -> HuggingFaceTeacher:
    """The classifier in a folder: safetensors alone, no adapter, and none of the folder's own code.

    Raises UsageError where transformers is not installed, DataError where the folder holds no whole
    classifier with a tokenizer.
    """
    folder = Path(reference)
    if (folder / ADAPTER_FILE).exists():
        raise DataError(
            f"{folder}: {ADAPTER_FILE} makes it an adapter of another model; merge the two"
            " (merge_and_unload) and save the whole with save_pretrained(FOLDER)"
        )
    if not any(folder.glob("*.safetensors")):
        others = sorted(path.name for path in folder.glob("*.bin"))
        found = f" ({others[0]} is a pickle, which could run anything)" if others else ""
        raise DataError(
            f"{folder}: holds no .safetensors{found}; save it again with save_pretrained(FOLDER,"
            " safe_serialization=True)"
        )
    model, tokenizer, report = _loaded(folder)
    if report["missing_keys"] or report["mismatched_keys"]:
        missing = sorted(str(each) for each in [*report["missing_keys"], *report["mismatched_keys"]])
        raise DataError(
            f"{folder}: has no trained {missing[0]}; it is no finished classifier: train one, or take another"
        )
    labels = tuple(str(model.config.id2label[number]) for number in range(model.config.num_labels))
    if len(set(labels)) < len(labels):
        raise DataError(f"{folder}: config.json names a label twice in id2label; mend it")
    source = TeacherSource(reference, "huggingface", _sha256_of(folder))
    return HuggingFaceTeacher(source, labels, model, tokenizer, _most_tokens(model, tokenizer))


def _loaded(folder: Path) -> tuple[Any, Any, dict[str, Any]]:
    """The model in float32 and evaluation mode, its tokenizer, and which weights were not in the file."""
    with _offline():
        try:
            import transformers  # noqa: PLC0415 - an optional extra, and seconds to import
        except ModuleNotFoundError as error:
            raise UsageError(
                f"{folder} is a Hugging Face model's folder, and {error.name} is not installed;"
                " run: pip install 'edgeseq[huggingface]'"
            ) from error
        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        safe = {"local_files_only": True, "trust_remote_code": False}
        try:
            model, report = transformers.AutoModelForSequenceClassification.from_pretrained(
                folder, use_safetensors=True, output_loading_info=True, **safe
            )
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **safe)
        except Exception as error:
            raise DataError(
                f"{folder}: transformers cannot load it as a classifier: {_first_line(error)}"
            ) from error
    return model.float().eval(), tokenizer, report


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    """transformers reads these variables when it is imported; they are as before afterwards."""
    before = {name: os.environ.get(name) for name in OFFLINE}
    os.environ.update(OFFLINE)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _most_tokens(model: Any, tokenizer: Any) -> int | None:
    """The least of what tokenizer, config and tables of positions say; None where none says anything.

    RoBERTa and its like number positions from padding_idx + 1 on: so much less is left of their tables.
    """
    limits = [tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", None)]
    for name, module in model.named_modules():
        if name.split(".")[-1] == "position_embeddings" and isinstance(module, torch.nn.Embedding):
            used = 0 if module.padding_idx is None else module.padding_idx + 1
            limits.append(module.num_embeddings - used)
    known = [int(limit) for limit in limits if limit is not None and limit < MANY_TOKENS]
    return min(known, default=None)


def _sha256_of(folder: Path) -> str:
    """Over every file in it that is no pickle, those of folders in it too."""
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".bin":
            whole.update(f"{path.relative_to(folder).as_posix()} {sha256_of(path)}\n".encode())
    return whole.hexdigest()
