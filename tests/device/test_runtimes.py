from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseq_device.artifact import open_artifact
from edgeseq_device.errors import DataError, DeviceError
from edgeseq_device.refusals import check_features
from edgeseq_device.runtimes import import_runtime, load
from edgeseq_device.runtimes.onnx_runtime import has_vnni
from edgeseq_export import write_model
from edgeseq_export.choice import choose
from edgeseq_export.layers import LSTM, Cell, Linear, Pool
from edgeseq_export.reference import run_reference
from edgeseq_export.spec import SeqSpec, quantize_spec

FORMATS = ("onnx", "tflite")


@pytest.mark.parametrize("model_format", FORMATS)
def test_answers_are_those_of_the_reference_interpreter(pristine_artifact: Path, model_format: str) -> None:
    artifact = open_artifact(pristine_artifact)
    golden = artifact.golden()
    model = load(artifact.model(model_format).path, model_format)
    answers = np.stack([model.run(features) for features in golden.features])
    np.testing.assert_allclose(answers, golden.references[model_format], atol=1e-4)
    assert answers.dtype == np.float32
    assert model.features_count == 5


@pytest.mark.parametrize("model_format", FORMATS)
def test_the_length_of_an_input_leaves_no_trace_in_the_next_answer(
    pristine_artifact: Path, model_format: str
) -> None:
    golden = open_artifact(pristine_artifact).golden()
    model = load(pristine_artifact / f"model.{model_format}", model_format)
    short, long = golden.features[0], golden.features[15]
    alone = model.run(short)
    model.run(long)
    np.testing.assert_array_equal(model.run(short), alone)


@pytest.mark.parametrize("model_format", FORMATS)
def test_an_answer_belongs_to_the_caller(pristine_artifact: Path, model_format: str) -> None:
    golden = open_artifact(pristine_artifact).golden()
    model = load(pristine_artifact / f"model.{model_format}", model_format)
    first = model.run(golden.features[3])
    kept = first.copy()
    model.run(golden.features[4])
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize("model_format", FORMATS)
def test_a_batch_of_different_lengths_gets_the_answers_of_each_alone(
    pristine_artifact: Path, model_format: str
) -> None:
    golden = open_artifact(pristine_artifact).golden()
    model = load(pristine_artifact / f"model.{model_format}", model_format)
    together = model.run_batch(golden.features)
    np.testing.assert_allclose(together, np.stack([model.run(each) for each in golden.features]), atol=1e-5)


@pytest.mark.parametrize("model_format", FORMATS)
@pytest.mark.parametrize("content", [b"", b"no model at all", b"\x00" * 4096])
def test_a_file_that_the_runtime_refuses_is_named(tmp_path: Path, model_format: str, content: bytes) -> None:
    path = tmp_path / f"model.{model_format}"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"model\.{model_format}: refused by ") as refusal:
        load(path, model_format)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("model_format", FORMATS)
@pytest.mark.parametrize("shape", [(10, 7), (0, 5), (5,), (1, 10, 5)])
def test_features_of_another_shape_are_refused(
    pristine_artifact: Path, model_format: str, shape: tuple[int, ...]
) -> None:
    model = load(pristine_artifact / f"model.{model_format}", model_format)
    features = np.zeros(shape, np.float32)
    cause = rf"model\.{model_format}: takes features \[T >= 1, 5\], not "
    with pytest.raises(DataError, match=cause):
        model.run(features)
    with pytest.raises(DataError, match=cause):
        model.run_batch([np.zeros((3, 5), np.float32), features])


@pytest.mark.parametrize("model_format", FORMATS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused_and_leaves_no_trace(
    pristine_artifact: Path, model_format: str, value: float
) -> None:
    features = open_artifact(pristine_artifact).golden().features[3]
    model = load(pristine_artifact / f"model.{model_format}", model_format)
    expected, damaged = model.run(features), features.copy()
    damaged[2, 4] = value
    for answer in (lambda: model.run(damaged), lambda: model.run_batch([features, damaged])):
        with pytest.raises(DataError, match=rf"model\.{model_format}: features hold NaN .* in frame 2; "):
            answer()
    np.testing.assert_array_equal(model.run(features), expected)


def test_large_numbers_are_numbers() -> None:
    large = np.full((4, 5), 1e30, np.float32)
    with np.errstate(all="raise"):
        check_features("model.onnx", large, 5, large.dtype)


@pytest.mark.parametrize("model_format", FORMATS)
def test_a_batch_of_none_or_of_another_type_is_refused(pristine_artifact: Path, model_format: str) -> None:
    model = load(pristine_artifact / f"model.{model_format}", model_format)
    with pytest.raises(DataError, match=rf"model\.{model_format}: a batch takes one sequence or more"):
        model.run_batch([])
    with pytest.raises(DataError, match=rf"model\.{model_format}: takes readings, float32, not float64"):
        model.run_batch([np.ones((3, 5)), np.ones((4, 5))])  # type: ignore[list-item]


@pytest.mark.parametrize("model_format", FORMATS)
@pytest.mark.parametrize("dtype", [np.float64, np.complex64, np.int32, "U1", object])
def test_features_of_another_type_are_refused_and_leave_no_trace(
    pristine_artifact: Path, model_format: str, dtype: Any
) -> None:
    features = open_artifact(pristine_artifact).golden().features[3]
    model = load(pristine_artifact / f"model.{model_format}", model_format)
    expected = model.run(features)
    with pytest.raises(DataError, match=rf"model\.{model_format}: takes readings, float32, not "):
        model.run(np.ones(features.shape).astype(dtype))
    np.testing.assert_array_equal(model.run(features), expected)


def test_a_step_form_is_not_taken_for_a_sequence_form(pristine_artifact: Path) -> None:
    with pytest.raises(DataError, match=r"model\.step\.onnx: inputs .* are not an edgeseq model's"):
        load(pristine_artifact / "model.step.onnx", "onnx")


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(DataError, match="unknown model format 'torch'; known: onnx, tflite"):
        import_runtime("torch")


@pytest.mark.parametrize(("model_format", "other"), [("onnx", "ai_edge_litert"), ("tflite", "onnxruntime")])
def test_a_model_brings_in_its_own_runtime_only_and_says_no_more_than_its_usual_line(
    pristine_artifact: Path, model_format: str, other: str
) -> None:
    path = pristine_artifact / f"model.{model_format}"
    ours = f"edgeseq_device.runtimes.{'litert' if model_format == 'onnx' else 'onnx_runtime'}"
    code = (
        "import sys, numpy\n"
        "from edgeseq_device.runtimes import load\n"
        f"load({str(path)!r}, {model_format!r}).run(numpy.zeros((30, 5), 'float32'))\n"
        f"sys.exit({other!r} in sys.modules or {ours!r} in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    usual = "INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n"
    said = [line for line in done.stderr.splitlines(keepends=True) if "device_discovery.cc" not in line]
    assert said == ([usual] if model_format == "tflite" else [])


@pytest.mark.parametrize("model_format", FORMATS)
@pytest.mark.parametrize("fault", ["ImportError('GLIBC_2.34 not found')", "OSError('libLiteRt.so: bad ELF')"])
def test_a_runtime_that_does_not_load_says_why_and_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_format: str, fault: str
) -> None:
    for name in ("onnxruntime", "ai_edge_litert"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"raise {fault}")
        for known in [each for each in sys.modules if each.partition(".")[0] == name]:
            monkeypatch.delitem(sys.modules, known)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(DeviceError, match=r"does not load \((GLIBC|libLiteRt).*; run: .* -m pip install "):
        import_runtime(model_format)


@pytest.mark.parametrize(
    ("model_format", "known"), [("onnx", {"allow_spinning": False, "arena": False}), ("tflite", {})]
)
def test_a_loaded_model_tells_what_its_runtime_was_set_to(
    pristine_artifact: Path, model_format: str, known: dict[str, object]
) -> None:
    model = load(pristine_artifact / f"model.{model_format}", model_format, threads=2)
    assert model.settings.items() >= {"threads": 2, **known}.items()


def lstm(rng: np.random.Generator, hidden: int) -> SeqSpec:
    def draw(*shape: int) -> Any:
        return rng.standard_normal(shape).astype(np.float32)

    def cell(width: int) -> Cell:
        H = 4 * hidden
        return Cell(draw(H, width) / 4, draw(H, hidden) / 4, draw(H), draw(H))

    layers = (LSTM("lstm0", cell(5), cell(5)), LSTM("lstm1", cell(2 * hidden)), Pool("pool", "last"))
    return quantize_spec(SeqSpec(5, ("a", "b"), (*layers, Linear("head", draw(2, hidden), draw(2)))))


def test_products_that_an_x86_without_vnni_saturates_are_computed_exactly_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX Runtime then rewrites the graph, and refuses one in which two weights share their zero points."""
    spec = lstm(np.random.default_rng(0), 8)
    model = write_model(spec, "onnx", "unit", choose(spec, "onnx", compute="int8"))
    (tmp_path / "model.onnx").write_bytes(model.content)
    features = np.random.default_rng(1).standard_normal((30, 5)).astype(np.float32)
    for vnni in (True, False):
        monkeypatch.setattr("edgeseq_device.runtimes.onnx_runtime.has_vnni", lambda vnni=vnni: vnni)
        loaded = load(tmp_path / "model.onnx", "onnx")
        assert loaded.settings["x64quantprecision"] is not vnni
        if vnni is has_vnni() or not vnni:
            expected = run_reference(spec, features, model.rounding)
            np.testing.assert_allclose(loaded.run(features), expected, atol=1e-3)


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [
        ("flags\t\t: fpu avx2 avx512f avx512_vnni\n", True),
        ("flags\t\t: fpu avx2 avx_vnni\n", True),
        ("flags\t\t: fpu avx2 avx512f\n", False),
        ("Features\t: fp asimd asimddp\n", False),
    ],
)
def test_vnni_is_found_among_the_flags_of_the_first_core(
    tmp_path: Path, cpuinfo: str, expected: bool
) -> None:
    path = tmp_path / "cpuinfo"
    assert not has_vnni(path)
    path = tmp_path / "there"
    path.write_text("processor\t: 0\n" + cpuinfo)
    assert has_vnni(path) is expected


def test_no_runtime_leaves_anything_in_the_home_folder(pristine_artifact: Path, tmp_path: Path) -> None:
    """ONNX Runtime's Linux wheels since 1.29 keep a device id and events for their maker there by default."""
    script = (
        "import sys, time\n"
        "from edgeseq_device.runtimes import load\n"
        "for each in ('onnx', 'tflite'):\n"
        "    load(f'{sys.argv[1]}/model.{each}', each)\n"
        "time.sleep(0.5)\n"
    )
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "PYTHONPATH")}
    environment = {**kept, "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "-c", script, str(pristine_artifact)], env=environment, check=True)
    assert list(tmp_path.iterdir()) == []
