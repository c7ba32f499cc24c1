"""Programs in C for tests, unit tests and fuzz targets with sanitizers, and tiny models for edgeseq-run."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseq_device.frontend import LogMel, Standardise
from edgeseq_export import bundle, write_model
from edgeseq_export.layers import GRU, Cell, Embedding, Layer, Linear, Pool
from edgeseq_export.spec import SeqSpec, quantize_spec
from edgeseq_export.state import why_no_step

NATIVE = Path(__file__).parents[3] / "device/native"


@pytest.fixture(scope="session")
def run_sanitized() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a sanitized program, in the folder `cwd`: a leak ends it with an error as well."""

    def run(
        program: Path, *arguments: str | Path, cwd: Path, seconds: float = 120
    ) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "ASAN_OPTIONS": "detect_leaks=1:handle_abort=0",
            "UBSAN_OPTIONS": "print_stacktrace=1",
        }
        command = [str(each) for each in (program, *arguments)]
        return subprocess.run(
            command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=seconds, check=False
        )

    return run


@pytest.fixture(scope="session")
def tiny_artifact(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Writes an int8 GRU-8 for TFLite, once: of a `sound` (log-mel), a `series` (standardised rows), a `text`
    (ids), or of features and `backward` too, which has no step form. entries: others of its model.
    """
    made: dict[str, Path] = {}

    def make(kind: str, labels: tuple[str, ...] = ("one", "two", "three"), **entries: Any) -> Path:
        key = repr((kind, labels, entries))
        if key not in made:
            made[key] = tmp_path_factory.mktemp("tiny") / f"tiny-{kind}"
            _write_tiny(made[key], kind, labels, entries)
        return made[key]

    return make


def _write_tiny(folder: Path, kind: str, labels: tuple[str, ...], entries: dict[str, Any]) -> None:
    generator = np.random.default_rng(11)
    features = {"sound": 13, "series": 6, "text": 3, "backward": 4}[kind]
    spec = quantize_spec(_tiny_spec(generator, kind, features, labels))
    model = write_model(spec, "tflite", "unit")
    folder.mkdir()
    for name, content in bundle.model_files(model).items():
        (folder / name).write_bytes(content)
    (folder / bundle.GOLDEN_FILE).touch()  # nothing that answers reads it
    manifest = {
        "name": folder.name,
        "labels": list(labels),
        "features": {"count": features, "unit": "unit", "front_end": _front_end(generator, kind, features)},
        "golden": {"file": bundle.GOLDEN_FILE, "count": 1},
        "parity": {"tolerance": 1e-3},
    }
    bundle.seal(folder, manifest, [{**bundle.model_entry(model, 1, why_no_step(spec)), **entries}])


def _tiny_spec(generator: np.random.Generator, kind: str, features: int, labels: tuple[str, ...]) -> SeqSpec:
    def draw(*shape: int) -> Any:
        return generator.uniform(-0.9, 0.9, shape).astype(np.float32)

    def cell(inputs: int) -> Cell:
        return Cell(draw(24, inputs), draw(24, 8), draw(24), draw(24))

    first: tuple[Layer, ...] = (GRU("gru", cell(features), cell(features) if kind == "backward" else None),)
    if kind == "text":
        table = draw(40, 5)
        table[0] = 0
        first = (Embedding("words", table), GRU("gru", cell(5)))
    head = Linear("head", draw(len(labels), 16 if kind == "backward" else 8), draw(len(labels)))
    return SeqSpec(features, labels, (*first, Pool("pool", "last"), head))


def _front_end(generator: np.random.Generator, kind: str, features: int) -> dict[str, Any]:
    mean = tuple(generator.uniform(-9, 9, features).astype(np.float32).tolist())
    scale = tuple(generator.uniform(0.1, 9, features).astype(np.float32).tolist())
    if kind == "sound":
        return LogMel(8000, mels=features, pre_emphasis=0.97, mean=mean, scale=scale).to_dict()
    if kind == "series":
        return Standardise(features, 50, mean=mean, scale=scale).to_dict()
    return {"kind": "tokens"} if kind == "text" else {}
