"""Golden vectors: real inputs with the answers they must get, and the exported files held to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from edgeseq.batches import logits_of
from edgeseq.evaluate import one_by_one
from edgeseq.features import FeatureSplits, FloatArray
from edgeseq.models.model import LanguageModel
from edgeseq_device import runtimes, tensors
from edgeseq_device.golden import GoldenVectors
from edgeseq_device.stepping import LoadedStep
from edgeseq_export import ExportedModel, Format, SeqSpec, bundle
from edgeseq_export.forms import LayerForm, rounding
from edgeseq_export.parity import TOLERANCE, WIDEST_TOLERANCE, Parity, compare
from edgeseq_export.reference import Rounding, run_reference

GOLDEN_COUNT = 16
STEPS_BEHIND = 8
NOISE_DRAWS = 3
NOISE_MARGIN = 3.0
"""A few draws of noise find most of what roundings that turn over can do, not all of it."""

Models = Mapping[Format, ExportedModel]
Loaded = Mapping[Format, runtimes.LoadedModel]
Steps = Mapping[Format, LoadedStep]
Forms = tuple[LayerForm, ...]


def choose_golden(module: nn.Module, spec: SeqSpec, models: Models, splits: FeatureSplits) -> GoldenVectors:
    """Real inputs, evenly over the classes or over time, with torch's answers and the reference's for each
    format.
    """
    chosen = [(splits.validation, i) for i in _spread(splits.validation.labels, GOLDEN_COUNT)]
    chosen += [(splits.train, i) for i in _spread(splits.train.labels, GOLDEN_COUNT - len(chosen))]
    features = tuple(np.ascontiguousarray(split.features[i]) for split, i in chosen)
    labels = np.zeros(len(chosen)) if spec.task == "forecast" else [split.labels[i] for split, i in chosen]
    return GoldenVectors(
        features=features,
        logits=np.asarray(logits_of(_answering(module), features), np.float32),
        references={name: _reference(spec, features, model.rounding) for name, model in models.items()},
        own_step_references=step_references(spec, features, models),
        labels=np.asarray(labels, np.int64),
        names=tuple(split.names[i] for split, i in chosen),
    )


def _answering(module: nn.Module) -> Callable[[Tensor, Tensor], Tensor]:
    """forward(features [B, T, F], lengths [B]) -> [B, C] behind the last frame."""
    if not isinstance(module, LanguageModel):
        return module
    return lambda ids, lengths: module(ids)[0][torch.arange(len(ids)), lengths - 1]


def step_references(
    spec: SeqSpec, features: Sequence[tensors.Features], models: Models
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
    frame over the same inputs; where the sequence form leaves its states, once more by the step form from
    there on ("onnx prefill").
    """
    fp32 = _reference(trained, golden.features)
    decides = spec.task != "forecast"
    found = compare(
        *("reference fp32", fp32, "torch", golden.logits, golden.names, TOLERANCE["fp32"]), decides=decides
    )
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
        if spec.carries:
            answers = _prefilled(loaded[name], loaded_step, golden.features)
            checks.append(_judge_prefill(name, answers, golden, spec, checks[-1], forms))
    return checks


def _prefilled(
    loaded: runtimes.LoadedModel, loaded_step: LoadedStep, features: Sequence[tensors.Features]
) -> FloatArray:
    """[n, C]: the beginning by the sequence form, the last frames by the step form from where that ended.

    These are 1 to STEPS_BEHIND in turns: a model soon forgets a wrong state, and a cache shows its faults
    only after some.
    """
    rows = []
    for number, each in enumerate(features):
        begun = max(1, len(each) - 1 - number % STEPS_BEHIND)
        logits, loaded_step.state = loaded.prefill(each[:begun])
        for frame in each[begun:]:
            logits = loaded_step.step(frame)
        rows.append(logits)
    return np.stack(rows)


def _judge_prefill(
    name: str, answers: FloatArray, golden: GoldenVectors, spec: SeqSpec, step: Parity, forms: Forms
) -> Parity:
    """By the tolerance of the step form's own parity, `step`; where that is not kept, as a form of its own.

    Where the two forms round in different ways, what one leaves and the other goes on from lies between
    them: NOISE_MARGIN times their distance is allowed, at most WIDEST_TOLERANCE.
    """
    subject, expected = f"{name} prefill", golden.step_reference(name)
    apart = compare("", golden.references[name], "", expected, golden.names, 1.0).max_error
    tolerance = max(step.tolerance, min(NOISE_MARGIN * (apart or 0.0), WIDEST_TOLERANCE))
    found = compare(subject, answers, "reference", expected, golden.names, tolerance)
    return found if found.passed else judge(subject, answers, expected, golden, spec, forms)


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
    decides = spec.task != "forecast"
    of = (subject, answers, "reference", expected, golden.names)
    found = compare(*of, TOLERANCE[compute], decides=decides)
    found = _with_noise(found, spec, rounding(forms), golden, expected)
    widened = min(NOISE_MARGIN * (found.noise_error or 0.0), WIDEST_TOLERANCE)
    if compute == "int8" and widened > found.tolerance:
        wider = compare(*of, widened, decides=decides)
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
    features: Sequence[tensors.Features],
    rounding: Rounding | None = None,
    noise: np.random.Generator | None = None,
) -> FloatArray:
    """[n, C] float32."""
    return np.stack([run_reference(spec, each, rounding, noise) for each in features])


def _spread(labels: npt.NDArray[Any], count: int) -> list[int]:
    """Up to `count` indices, evenly spaced over the recordings sorted by class; of windows of a series, whose
    labels are no classes, over time.
    """
    by_class = np.argsort(labels, kind="stable") if labels.ndim == 1 else np.arange(len(labels))
    places = np.linspace(0, len(labels) - 1, min(count, len(labels))).round().astype(int)
    return [int(by_class[place]) for place in places]
