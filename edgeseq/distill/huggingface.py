"""A teacher from a local Hugging Face folder: a classifier of texts. Nothing is fetched."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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

    def encode(self, texts: list[str]) -> Any:
        """What the model takes of some texts, padded."""
        return self.tokenizer(
            texts,
            padding=True,
            truncation=self.max_tokens is not None,
            max_length=self.max_tokens,
            return_tensors="pt",
        )

    def answer(self, encoded: Any) -> FloatArray:
        """[B, C] float32."""
        with torch.inference_mode():
            logits: FloatArray = self.model(**encoded).logits.float().numpy()
        return logits

    def cut(self, texts: list[str]) -> int:
        """How many of the texts have more tokens than the model takes."""
        if self.max_tokens is None:
            return 0
        lengths = (len(ids) for ids in self.tokenizer(texts, verbose=False)["input_ids"])
        return sum(length > self.max_tokens for length in lengths)


def open_folder(reference: str) -> HuggingFaceTeacher:
    """The classifier in a folder: safetensors alone, and none of the folder's own code.

    Raises UsageError where transformers is not installed, DataError where the folder holds no whole
    classifier with a tokenizer.
    """
    folder = Path(reference)
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
    return HuggingFaceTeacher(source, labels, model, tokenizer, _most_tokens(model.config, tokenizer))


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
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise DataError(f"{folder}: transformers cannot load it as a classifier: {first}") from error
    return model.float().eval(), tokenizer, report


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


def _most_tokens(config: Any, tokenizer: Any) -> int | None:
    limits = [tokenizer.model_max_length, getattr(config, "max_position_embeddings", None)]
    known = [int(limit) for limit in limits if limit is not None and limit < MANY_TOKENS]
    return min(known, default=None)


def _sha256_of(folder: Path) -> str:
    """Over every file that the answers may follow from."""
    whole = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in (".safetensors", ".json", ".txt", ".model"):
            whole.update(f"{path.name} {sha256_of(path)}\n".encode())
    return whole.hexdigest()
