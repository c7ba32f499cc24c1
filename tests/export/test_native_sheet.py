"""native.txt says in lines what the manifest says in JSON."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from edgeseq_device.frontend import LogMel, Standardise
from edgeseq_export.native_sheet import native_sheet

HASH = "0123456789abcdef" * 4
STEP = {
    "file": "model.tflite",
    "signature": "step",
    "inputs": [
        {"name": "features", "dtype": "float32", "shape": [1, 2], "unit": ""},
        {"name": "gru0.h", "dtype": "float32", "shape": [1, 8], "unit": "state"},
    ],
    "outputs": [
        {"name": "logits", "dtype": "float32", "shape": [1, 3], "unit": "logit"},
        {"name": "gru0.h.next", "dtype": "float32", "shape": [1, 8], "unit": "state"},
    ],
    "states": [{"name": "gru0.h", "shape": [1, 8], "initial": 0.0}],
    "parity_tolerance": 2e-05,
}


def manifest(front_end: dict[str, Any], labels: tuple[str, ...] = ("a", "b", "c"), **entry: Any) -> Any:
    dtype = "int32" if front_end.get("kind") == "tokens" else "float32"
    model = {
        "format": "tflite",
        "file": "model.tflite",
        "weight_bytes": 96,
        "inputs": [{"name": "features", "dtype": dtype, "shape": [1, "T", 2], "unit": ""}],
        "outputs": [{"name": "logits", "dtype": "float32", "shape": [1, 3], "unit": "logit"}],
        "step": STEP,
        "step_reason": None,
        "parity_tolerance": 0.001,
    }
    return {
        "name": "small",
        "task": "classify",
        "labels": list(labels),
        "features": {"count": 2, "unit": "", "front_end": front_end},
        "golden": {"file": "golden.npz", "count": 16},
        "parity": {"tolerance": 0.003},
        "models": [{"format": "onnx"}, {**model, **entry}],
    }


def lines(*args: Any, **entry: Any) -> list[str]:
    text = native_sheet(manifest(*args, **entry), HASH)
    assert text is not None
    assert text.isascii()
    return text.splitlines()


def test_every_line_of_a_model_with_a_step_form_stands_in_its_place() -> None:
    assert lines({}, rejection_threshold=0.5) == [
        *("edgeseq-native 1", "name small", "task classify", f"manifest {HASH}"),
        *("labels 3", "label a", "label b", "label c", "features 2 float32", "front_end none"),
        *("model model.tflite", "weight_bytes 96", "rejection_threshold 0.5", "golden golden.npz 16"),
        *("sequence serving_default 0.001", "input features float32 1 T 2", "output logits float32 1 3"),
        *("step step 2e-05", "input features float32 1 2", "input gru0.h float32 1 8"),
        *("output logits float32 1 3", "output gru0.h.next float32 1 8", "state gru0.h 0.0 1 8", "end"),
    ]


def test_a_log_mel_front_end_is_told_in_samples_and_with_the_end_of_its_band() -> None:
    front_end = LogMel(16000, high_hz=None, mels=2, pre_emphasis=0.97, mean=(-10.5, 0.1), scale=(3.0, 1e-4))
    written = lines(front_end.to_dict())
    begin = written.index("front_end log_mel")
    assert written[begin + 1 : begin + 11] == [
        *("sample_rate_hz 16000", "frame_samples 400", "hop_samples 160", "fft_size 512", "mels 2"),
        *("low_hz 20.0", "high_hz 8000.0", "pre_emphasis 0.97", "floor 1e-08", "mean 2 -10.5 0.1"),
    ]
    assert written[begin + 11] == "scale 2 3.0 0.0001"


def test_a_series_whose_rate_is_unknown_has_rate_0_and_one_not_fitted_no_statistics() -> None:
    written = lines(Standardise(2).to_dict())
    begin = written.index("front_end standardise")
    assert written[begin + 1 : begin + 3] == ["sample_rate_hz 0", "model model.tflite"]
    written = lines(Standardise(2, 50, (0.25, 1.0), (1.5, 2.0)).to_dict())
    assert written[begin + 1 : begin + 4] == ["sample_rate_hz 50", "mean 2 0.25 1.0", "scale 2 1.5 2.0"]


def test_ids_of_tokens_are_int32_and_need_no_tokenizer_here() -> None:
    written = lines({"kind": "tokens", "vocabulary": 100})
    begin = written.index("features 2 int32")
    assert written[begin + 1 : begin + 3] == ["front_end tokens", "model model.tflite"]
    assert "input features int32 1 T 2" in written


@pytest.mark.parametrize(
    ("step", "reason", "told"),
    [
        (None, "gru0 reads frames to come", "gru0%20reads%20frames%20to%20come"),
        ({**STEP, "signature": None, "file": "s.tflite"}, None, "it%20is%20in%20a%20file%20of%20its%20own,"),
    ],
)
def test_a_model_whose_step_form_cannot_be_used_says_why(step: Any, reason: str | None, told: str) -> None:
    written = lines({}, step=step, step_reason=reason)
    assert written[-2].startswith(f"step_none {told}")
    assert written[-3] == "output logits float32 1 3"


def test_a_form_without_a_tolerance_of_its_own_has_the_whole_artifacts() -> None:
    whole = manifest({}, step=None, step_reason="none")
    del whole["models"][1]["parity_tolerance"]
    assert "sequence serving_default 0.003" in str(native_sheet(whole, HASH))


def test_a_label_with_any_character_stays_one_word_and_comes_back() -> None:
    odd = ("turn left", "100%", "two\nlines", "größe", "\x7f", "", "!\"#'/~")
    told = [line for line in lines({}, odd) if line.startswith("label ")]
    assert told == [
        *("label turn%20left", "label 100%25", "label two%0Alines", "label gr%C3%B6%C3%9Fe"),
        *("label %7F", "label ", "label !\"#'/~"),
    ]
    assert [unquote(line.partition(" ")[2]) for line in told] == list(odd)


def test_an_artifact_has_the_sheet_of_its_own_manifest_where_it_has_a_tflite_model(
    pristine_artifact: Path,
) -> None:
    text = (pristine_artifact / "native.txt").read_text("ascii")
    content = (pristine_artifact / "manifest.json").read_bytes()
    assert text == native_sheet(json.loads(content), hashlib.sha256(content).hexdigest())
    assert "native.txt" in (pristine_artifact / "SHA256SUMS").read_text()
    only_onnx = {**json.loads(content), "models": [{"format": "onnx"}]}
    assert native_sheet(only_onnx, HASH) is None
