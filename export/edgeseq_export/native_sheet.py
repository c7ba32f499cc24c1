"""native.txt: what the native runner has to know of an artifact, so that C parses no JSON.

One item a line, words parted by one blank. Names, labels and reasons are percent-encoded, numbers are
written as Python's repr; the order of the lines is fixed. "T" is the number of frames.

    edgeseq-native 1
    name NAME / task classify | lm | forecast / manifest SHA256-OF-MANIFEST.JSON
    labels 10, then as many lines: label NAME
    features 40 float32
    context 336 / horizon 96: of a forecaster alone, whose sequences have just so many frames, no T
    front_end log_mel | standardise | tokens | none, then its settings, each on a line
    model model.tflite / weight_bytes 20608 / rejection_threshold 0.5 / golden golden.npz 16
    sequence SIGNATURE TOLERANCE, then: input|output NAME DTYPE SIZE...
    step SIGNATURE TOLERANCE, then the same, then: state NAME INITIAL SIZE...; or: step_none REASON
    end

The outputs of a language model's sequence form are those of its step form. A runner that knows neither this
nor a forecaster refuses the line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from edgeseq_device.frontend import LogMel, Standardise, front_end_from_dict
from edgeseq_device.manifest import FEATURES
from edgeseq_device.mel import fft_size
from edgeseq_device.tensors import SIGNATURE

VERSION = 1
_FORMAT = "tflite"
_PLAIN = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) != "%")


def native_sheet(manifest: Mapping[str, Any], manifest_sha256: str) -> str | None:
    """The text of a whole manifest's native.txt; None where the artifact has no model the runner can load."""
    entry = next((each for each in manifest["models"] if each["format"] == _FORMAT), None)
    if entry is None:
        return None
    return "".join(f"{line}\n" for line in _lines(manifest, entry, manifest_sha256))


def _lines(manifest: Mapping[str, Any], entry: Mapping[str, Any], manifest_sha256: str) -> Iterator[str]:
    labels, features, golden = manifest["labels"], manifest["features"], manifest["golden"]
    yield f"edgeseq-native {VERSION}"
    yield f"name {_text(manifest['name'])}"
    yield f"task {_text(manifest.get('task', 'classify'))}"
    yield f"manifest {manifest_sha256}"
    yield f"labels {len(labels)}"
    yield from (f"label {_text(label)}" for label in labels)
    dtype = next(each["dtype"] for each in entry["inputs"] if each["name"] == FEATURES)
    yield f"features {features['count']} {dtype}"
    if manifest.get("task") == "forecast":
        yield f"context {manifest['context']}"
        yield f"horizon {manifest['horizon']}"
    yield from _front_end(features.get("front_end") or {})
    yield f"model {_text(entry['file'])}"
    yield f"weight_bytes {entry['weight_bytes']}"
    if entry.get("rejection_threshold") is not None:
        yield f"rejection_threshold {float(entry['rejection_threshold'])!r}"
    yield f"golden {_text(golden['file'])} {golden['count']}"
    tolerance = entry.get("parity_tolerance", manifest["parity"]["tolerance"])
    yield from _form("sequence", SIGNATURE, entry, tolerance)
    yield from _step(entry, tolerance)
    yield "end"


def _front_end(settings: Mapping[str, Any]) -> Iterator[str]:
    kind = settings.get("kind", "none")
    yield f"front_end {kind}"
    if kind not in (LogMel.kind, Standardise.kind):
        return
    front_end = front_end_from_dict(settings)
    assert isinstance(front_end, (LogMel, Standardise))  # noqa: S101 - by its kind
    yield f"sample_rate_hz {front_end.sample_rate_hz or 0}"
    if isinstance(front_end, LogMel):
        yield f"frame_samples {front_end.frame_samples}"
        yield f"hop_samples {front_end.hop_samples}"
        yield f"fft_size {fft_size(front_end.frame_samples)}"
        yield f"mels {front_end.mels}"
        yield f"low_hz {front_end.low_hz!r}"
        yield f"high_hz {float(front_end.top_hz)!r}"
        yield f"pre_emphasis {front_end.pre_emphasis!r}"
        yield f"floor {front_end.floor!r}"
    if front_end.mean is not None and front_end.scale is not None:
        for name, values in (("mean", front_end.mean), ("scale", front_end.scale)):
            yield " ".join((name, str(len(values)), *map(repr, values)))


def _step(entry: Mapping[str, Any], tolerance: float) -> Iterator[str]:
    step = entry["step"]
    if step is None or step["signature"] is None:
        reason = entry["step_reason"] if step is None else f"it is in a file of its own, {step['file']}"
        yield f"step_none {_text(reason)}"
        return
    yield from _form("step", step["signature"], step, step.get("parity_tolerance", tolerance))
    for state in step["states"]:
        yield _shaped("state", _text(state["name"]), repr(float(state["initial"])), state["shape"])


def _form(form: str, signature: str, entry: Mapping[str, Any], tolerance: float) -> Iterator[str]:
    yield f"{form} {_text(signature)} {float(tolerance)!r}"
    for what in ("input", "output"):
        for each in entry[f"{what}s"]:
            yield _shaped(what, _text(each["name"]), each["dtype"], each["shape"])


def _shaped(what: str, name: str, word: str, shape: list[int | str]) -> str:
    return " ".join((what, name, word, *map(str, shape)))


def _text(text: str) -> str:
    return quote(text, safe=_PLAIN)
