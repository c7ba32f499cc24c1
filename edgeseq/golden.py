"""Golden vectors: real inputs with the answers they must get, and the exported files held to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from torch import nn

from edgeseq.batches import logits_of
from edgeseq.evaluate import one_by_one
from edgeseq.features import FeatureSplits, FloatArray
from edgeseq_device import runtimes
from edgeseq_device.golden import GoldenVectors
from edgeseq_device.stepping import LoadedStep
from edgeseq_export import ExportedModel, Format, SeqSpec, bundle
from edgeseq_export.forms import LayerForm, rounding
from edgeseq_export.parity import TOLERANCE, WIDEST_TOLERANCE, Parity, compare
from edgeseq_export.reference import Rounding, run_reference

GOLDEN_COUNT = 16
NOISE_DRAWS = 3
NOISE_MARGIN = 3.0
"""A few draws of noise find most of what roundings that turn over can do, not all of it."""

Models = Mapping[Format, ExportedModel]
Loaded = Mapping[Format, runtimes.LoadedModel]
Steps = Mapping[Format, LoadedStep]
Forms = tuple[LayerForm, ...]


def choose_golden(module: nn.Module, spec: SeqSpec, models: Models, splits: FeatureSplits) -> GoldenVectors:
    """Real inputs, evenly over the classes, with torch's answers and the reference's for each format."""
    chosen = [(splits.validation, i) for i in _spread(splits.validation.labels, GOLDEN_COUNT)]
    chosen += [(splits.train, i) for i in _spread(splits.train.labels, GOLDEN_COUNT - len(chosen))]
    features = tuple(split.features[i] for split, i in chosen)
    return GoldenVectors(
        features=features,
        logits=np.asarray(logits_of(module, features), np.float32),
        references={name: _reference(spec, features, model.rounding) for name, model in models.items()},
        own_step_references=step_references(spec, features, models),
        labels=np.array([split.labels[i] for split, i in chosen], np.int64),
        names=tuple(split.names[i] for split, i in chosen),
    )


def step_references(
    spec: SeqSpec, features: Sequence[runtimes.Features], models: Models
) -> dict[str, FloatArray]:
    """[n, C] for each step form that rounds in another way than its sequence form."""
    return {
        name: _reference(spec, features, model.step.rounding)
        for name, model in models.items()
        if model.step is not None and model.step.rounding != model.rounding
    }


def load_steps(folder: Path, models: Models) -> Steps:
    """The step form of each model that has one and whose files are in `folder`."""
    return {
        name: runtimes.load_step(folder / bundle.step_file(model), name, model.step.states)
        for name, model in models.items()
        if model.step is not None
    }


def check_parity(
    loaded: Loaded,
    golden: GoldenVectors,
    trained: SeqSpec,
    spec: SeqSpec,
    models: Models,
    steps: Steps = MappingProxyType({}),
) -> list[Parity]:
    """The reference against torch in fp32, then each exported file against the reference, where it takes a
    batch once more with all inputs in one ("onnx batch"), then each step form ("onnx step"), run frame by
    frame over the same inputs.
    """
    fp32 = _reference(trained, golden.features)
    found = compare("reference fp32", fp32, "torch", golden.logits, golden.names, TOLERANCE["fp32"])
    checks = [_with_noise(found, trained, {}, golden, fp32)]

    def check(subject: str, answers: FloatArray, expected: FloatArray, forms: Forms) -> Parity:
        return judge(subject, answers, expected, golden, spec, forms)

    for name, model in loaded.items():
        expected, forms = golden.references[name], models[name].layers
        checks.append(check(name, one_by_one(model.run, golden.features), expected, forms))
        if models[name].batch:
            checks.append(check(f"{name} batch", model.run_batch(golden.features), expected, forms))
    for name, loaded_step in steps.items():
        answers, step = one_by_one(loaded_step.run, golden.features), models[name].step
        forms = () if step is None else step.layers
        checks.append(check(f"{name} step", answers, golden.step_reference(name), forms))
    return checks


def judge(
    subject: str,
    answers: FloatArray,
    expected: FloatArray,
    golden: GoldenVectors,
    spec: SeqSpec,
    forms: Forms,
) -> Parity:
    """answers, expected: [n, C], of a form and of the reference, or of that form on another machine.

    A form that computes in fp32 throughout keeps fp32's tolerance, whatever its weights are in the file. An
    answer of int8 compute that is beyond its own is judged again by what the reference itself does when its
    activations change in the seventh digit: if that moves it as far, a rounding on the edge fell to the
    other side, and the tolerance is widened to NOISE_MARGIN times as much, at most WIDEST_TOLERANCE.
    """
    compute = "int8" if any(form.product.compute == "int8" for form in forms) else "fp32"
    found = compare(subject, answers, "reference", expected, golden.names, TOLERANCE[compute])
    found = _with_noise(found, spec, rounding(forms), golden, expected)
    widened = min(NOISE_MARGIN * (found.noise_error or 0.0), WIDEST_TOLERANCE)
    if compute == "int8" and widened > found.tolerance:
        wider = compare(subject, answers, "reference", expected, golden.names, widened)
        found = replace(wider, noise_error=found.noise_error)
    return found


def _with_noise(
    found: Parity, spec: SeqSpec, rounding: Rounding, golden: GoldenVectors, still: FloatArray
) -> Parity:
    """A parity that was not kept, with how far noise moves the reference from where it stood `still`."""
    if found.passed:
        return found
    noise = np.random.default_rng(0)
    draws = [_reference(spec, golden.features, rounding, noise) for _ in range(NOISE_DRAWS)]
    errors = [compare("", each, "", still, golden.names, found.tolerance).max_error for each in draws]
    return replace(found, noise_error=max(error or 0.0 for error in errors))


def _reference(
    spec: SeqSpec,
    features: Sequence[runtimes.Features],
    rounding: Rounding | None = None,
    noise: np.random.Generator | None = None,
) -> FloatArray:
    """[n, C] float32."""
    return np.stack([run_reference(spec, each, rounding, noise) for each in features])


def _spread(labels: npt.NDArray[np.int64], count: int) -> list[int]:
    """Up to `count` indices, evenly spaced over the recordings sorted by class."""
    by_class = np.argsort(labels, kind="stable")
    places = np.linspace(0, len(labels) - 1, min(count, len(labels))).round().astype(int)
    return [int(by_class[place]) for place in places]
