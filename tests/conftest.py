"""A small real artifact, written by the exporter's own writers from random weights."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import io
import json
import os
import platform
import shutil
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from edgeseq_device.frontend import FrontEnd, Standardise, Tokens
from edgeseq_device.golden import GoldenVectors
from edgeseq_device.tokenizer import byte_characters, tokenizer_json
from edgeseq_export import bundle, write_model
from edgeseq_export.budget import weight_bytes
from edgeseq_export.exported import ExportedModel
from edgeseq_export.layers import GRU, Attention, Cell, Embedding, Linear, PerChannel, Pool, Residual
from edgeseq_export.reference import run_reference
from edgeseq_export.spec import SeqSpec, quantize_spec

NATIVE = Path(__file__).parents[1] / "device/native"
FEATURES, HIDDEN, LABELS, VECTORS = 5, 8, ("circle", "line", "rest"), 16

# The same examples everywhere, and no limit of time for one: a busy machine takes any.
settings.register_profile(
    "repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repeatable")

LONGEST_FIRST = (
    "test_docs.py",
    "edgeseq/devices/machine/test_bench.py",
    "device/test_docker.py",
    "edgeseq/bench/test_run.py",
    "edgeseq/devices/machine/test_device_commands.py",
    "edgeseq/devices/emulated/test_virtual_board.py",
    "edgeseq/devices/machine/test_virtual_pi.py",
    "edgeseq/export/test_tune.py",
    "edgeseq/test_chain.py",
)
"""The files that take 20 s and more. `make test` prints none of their times; `--durations 30` does."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first: of two test processes, each of which takes whole files, none ends alone."""
    tests = Path(__file__).parent
    place = {tests / name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


@pytest.fixture(scope="session")
def pristine_artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An int8 GRU-8 in both formats; never to be changed."""
    spec = _random_spec(np.random.default_rng(7))
    quantized = quantize_spec(spec)
    models = [write_model(quantized, each, "m/s^2") for each in ("onnx", "tflite")]
    folder = tmp_path_factory.mktemp("artifact") / "gestures-gru-int8-generic"
    folder.mkdir()
    for model in models:
        for name, content in bundle.model_files(model).items():
            (folder / name).write_bytes(content)
    bundle.write_golden(folder, _golden(spec, quantized, models))
    (folder / "provenance.json").write_text(json.dumps(_provenance()))
    bundle.seal(folder, _manifest(), [bundle.model_entry(each, weight_bytes(quantized)) for each in models])
    return folder


@pytest.fixture(scope="session")
def make_language_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes a language model of random weights in both formats, once for each call; never to be changed.

    text: its characters are the vocabulary, None: bytes. window: of a transformer, None: a GRU. carries:
    whether the sequence form gives its states.
    """

    @cache
    def make(text: str | None = "abc defg\n", window: int | None = None, *, carries: bool = True) -> Path:
        pieces, kind = (byte_characters(), "byte") if text is None else (sorted(set(text)), "char")
        numbers = {name: number for number, name in enumerate(("[PAD]", "[UNK]", *pieces))}
        content = json.dumps(tokenizer_json(kind, numbers, lowercase=False)).encode()
        front_end = Tokens(kind, len(numbers), hashlib.sha256(content).hexdigest(), 1, 0, 0, 2**30, content)
        spec = _language_spec(tuple(numbers), window, carries=carries)
        folder = tmp_path_factory.mktemp("artifact") / f"letters-{kind}"
        folder.mkdir()
        (folder / "tokenizer.json").write_bytes(content)
        _write_unmeasured(folder, spec, {"task": "lm"}, front_end)
        return folder

    return make


@pytest.fixture(scope="session")
def forecaster_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A forecaster of two channels that says the mean of its 6 hours for the next 4; never to be changed."""
    head = Linear("head", np.full((4, 6), 1 / 6, np.float32), np.zeros(4, np.float32))
    layers = (PerChannel("channels", (Pool("pool", "all"), head)),)
    spec = SeqSpec(2, ("load", "heat"), layers, frames=6, horizon=4)
    front_end = Standardise(2, None, mean=(10.0, -1.0), scale=(2.0, 0.5))
    folder = tmp_path_factory.mktemp("artifact") / "plant"
    folder.mkdir()
    told = {"task": "forecast", "context": 6, "horizon": 4, "interval_s": 3600.0}
    _write_unmeasured(folder, spec, told, front_end)
    return folder


@pytest.fixture
def artifact_folder(pristine_artifact: Path, tmp_path: Path) -> Path:
    """A copy of the small artifact that a test may damage."""
    return Path(shutil.copytree(pristine_artifact, tmp_path / pristine_artifact.name))


@pytest.fixture
def rewrite_manifest() -> Callable[[Path, Callable[[dict[str, Any]], object]], None]:
    """Change an artifact's manifest and seal it with right hashes again, as only its writer could."""
    from edgeseq_device.artifact import sha256_of

    def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
        path = folder / "manifest.json"
        manifest = json.loads(path.read_text("utf-8"))
        change(manifest)
        path.write_text(json.dumps(manifest), "utf-8")
        files = sorted(each for each in folder.iterdir() if each.name != "SHA256SUMS")
        (folder / "SHA256SUMS").write_text("".join(f"{sha256_of(each)}  {each.name}\n" for each in files))

    return rewrite


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the test processes of this run share."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def make_once(shared_folder: Path) -> Callable[[str, Callable[[Path], None]], Path]:
    """(name, make) -> a folder that `make` has filled, in whichever test process asked first."""

    def once(name: str, make: Callable[[Path], None]) -> Path:
        folder, part = shared_folder / name, shared_folder / f"{name}.part"
        with (shared_folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                shutil.rmtree(part, ignore_errors=True)
                make(part)
                part.rename(folder)
        return folder

    return once


@pytest.fixture(scope="session")
def native_folder(shared_folder: Path) -> Path:
    """Programs that the test processes of this run share."""
    folder = shared_folder / "native"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def build_native(native_folder: Path) -> Callable[..., Path]:
    """Builds a program with options of device/native/build.py, once; skips where no compiler is,
    unless EDGESEQ_ALL_TESTS is set, as by `make test`: then the tests fail."""
    specification = importlib.util.spec_from_file_location("edgeseq_native_build", NATIVE / "build.py")
    assert specification is not None
    assert specification.loader is not None
    script = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = script
    specification.loader.exec_module(script)

    def build(name: str, *options: str) -> Path:
        program = native_folder / name
        program.parent.mkdir(exist_ok=True)
        arguments = ["--output", str(program), "--objects", str(native_folder / "objects"), *options]
        with program.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not program.exists():
                said = io.StringIO()
                with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                    exit_code = script.main(arguments)
                if exit_code == script.UNFIT and "EDGESEQ_ALL_TESTS" not in os.environ:
                    pytest.skip(said.getvalue().strip())
                assert exit_code == 0, said.getvalue()
        return program

    return build


@pytest.fixture(scope="session")
def build_runner(build_native: Callable[..., Path]) -> Callable[..., Path]:
    """Gives edgeseq-run for a machine, or edgeseq-bench beside it, as it is shipped."""

    def build(machine: str, program: str = "edgeseq-run") -> Path:
        return build_native(f"{machine}/{program}", "--machine", machine, "--program", program)

    return build


@pytest.fixture(scope="session")
def runner(build_runner: Callable[..., Path]) -> Path:
    """edgeseq-run for this machine, as it is shipped."""
    if platform.system() != "Linux":
        pytest.skip("edgeseq-run is for Linux")
    return build_runner(platform.machine())


@pytest.fixture(scope="session")
def arm_runner(build_runner: Callable[..., Path]) -> Path:
    """edgeseq-run for 64-bit ARM, as it is shipped."""
    return build_runner("aarch64")


@pytest.fixture(scope="session")
def bench_program(runner: Path, build_runner: Callable[..., Path]) -> Path:
    """edgeseq-bench for this machine, beside `runner`."""
    return build_runner(runner.parent.name, "edgeseq-bench")


@pytest.fixture(scope="session")
def sanitized_runner(build_native: Callable[..., Path]) -> Path:
    """edgeseq-run for this machine with AddressSanitizer and UBSan: it ends at the first fault."""
    return build_native("edgeseq-run-sanitized", "--sanitize")


@pytest.fixture(scope="session")
def library() -> Path:
    """libLiteRt.so of this environment."""
    package = importlib.util.find_spec("ai_edge_litert")
    if package is None or package.origin is None:
        pytest.skip("edgeseq-run needs libLiteRt.so, which the package ai-edge-litert has")
    return Path(package.origin).with_name("libLiteRt.so")


def _random_spec(generator: np.random.Generator) -> SeqSpec:
    def draw(*shape: int) -> Any:
        return (generator.standard_normal(shape) * 0.6).astype(np.float32)

    cell = Cell(draw(3 * HIDDEN, FEATURES), draw(3 * HIDDEN, HIDDEN), draw(3 * HIDDEN), draw(3 * HIDDEN))
    head = Linear("head", draw(len(LABELS), HIDDEN), draw(len(LABELS)))
    return SeqSpec(FEATURES, LABELS, (GRU("gru0", cell), Pool("pool", "last"), head))


def _golden(spec: SeqSpec, quantized: SeqSpec, models: list[ExportedModel]) -> GoldenVectors:
    generator = np.random.default_rng(8)
    lengths = [4 + index for index in range(VECTORS)]
    features = tuple(generator.standard_normal((T, FEATURES)).astype(np.float32) for T in lengths)
    logits = np.stack([run_reference(spec, each) for each in features])
    references = {
        model.format: np.stack([run_reference(quantized, each, model.rounding) for each in features])
        for model in models
    }
    step_references = {
        model.format: np.stack([run_reference(quantized, each, model.step.rounding) for each in features])
        for model in models
        if model.step is not None and model.step.rounding != model.rounding
    }
    names = tuple(f"golden-{index}" for index in range(VECTORS))
    labels = logits.argmax(axis=1).astype(np.int64)
    return GoldenVectors(features, logits, references, labels, names, step_references)


def _manifest() -> dict[str, Any]:
    return {
        "name": "gestures-gru-int8-generic",
        "created_utc": "2025-01-01T00:00:00+00:00",
        "task": "classify",
        "precision": "int8",
        "target": "generic",
        "labels": list(LABELS),
        "features": {"count": FEATURES, "unit": "m/s^2", "front_end": {}},
        "golden": {"file": bundle.GOLDEN_FILE, "count": VECTORS},
        "parity": {"tolerance": 1e-3},
    }


def _provenance() -> dict[str, Any]:
    return {
        "accuracy": {"validation": {"n": 270, "fp32": 0.9963, "onnx": 0.9926, "tflite": 0.9926}},
        "recipe": {},
        "data": {"reference": "gestures", "content_sha256": "0" * 64},
        "versions": {},
        "warnings": [],
    }


def _language_spec(tokens: tuple[str, ...], window: int | None, *, carries: bool) -> SeqSpec:
    generator, width = np.random.default_rng(5), 8

    def draw(*shape: int) -> Any:
        return (generator.standard_normal(shape) * 0.6).astype(np.float32)

    table = draw(len(tokens), width)
    table[0] = 0
    attention = Attention(
        "attention", 2, draw(24, 8), draw(24), draw(8, 8), draw(8), rotary=True, window=window
    )
    gru = GRU("gru0", Cell(draw(24, width), draw(24, 8), draw(24), draw(24)))
    layer = gru if window is None else Residual("block", (attention,))
    head = Linear("head", 3 * draw(len(tokens), 8), draw(len(tokens)))
    layers = (Embedding("embedding", table), layer, Pool("pool", "last"), head)
    return SeqSpec(1, tokens, layers, carries=carries)


def _write_unmeasured(folder: Path, spec: SeqSpec, told: dict[str, Any], front_end: FrontEnd) -> None:
    """An artifact without golden vectors: what only uses it needs none."""
    quantized = quantize_spec(spec)
    models = [write_model(quantized, each, front_end.unit) for each in ("onnx", "tflite")]
    for model in models:
        for name, content in bundle.model_files(model).items():
            (folder / name).write_bytes(content)
    (folder / bundle.GOLDEN_FILE).write_bytes(b"")
    features = {"count": spec.input_features, "unit": front_end.unit, "front_end": front_end.to_dict()}
    manifest = {**_manifest(), **told, "name": folder.name, "labels": list(spec.labels), "features": features}
    bundle.seal(folder, manifest, [bundle.model_entry(each, weight_bytes(quantized)) for each in models])
