"""A size budget that acts: a model's widths, chosen so that its int8 artifact fills the budget.

Every size is that of a real export, of an untrained model behind a tokenizer trained on the training split:
what the weights are changes the length of no file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from edgeseq import data, models
from edgeseq.data import Dataset, FrontEndOptions, Recording
from edgeseq.export.board_files import BoardFiles, board_files
from edgeseq.export.options import ExportOptions, formats_for, steps_by_default
from edgeseq.features import FeatureArray
from edgeseq.models.config import ModelConfig, inputs_of
from edgeseq.tokenizer_training import settled, trained_tokens
from edgeseq.training.recipe import FitConfig, Recipe
from edgeseq_device.errors import BudgetError, UsageError
from edgeseq_device.frontend import FrontEnd, Tokens
from edgeseq_export import SeqSpec
from edgeseq_export.budget import SizeCheck
from edgeseq_export.spec import quantize_spec

LARGEST_FIT = 256_000_000
ENOUGH = 0.99
"""A model that takes this part of the budget is not enlarged further."""
SCALED_ENOUGH = 0.97
"""The same, where rows of the embedding's table can fill the rest."""
EMBEDDING, VOCABULARY, BUCKETS = 0.5, 32, 64
"""For each hidden unit: numbers in a token's row, tokens, rows of hashed n-grams. These are the proportions
of the base GRU in `edgeseq.models.config` (128 units, 64 numbers) and its 8192 rows: 1 MB on CLINC150."""
PIECES_AT_LEAST = {"wordpiece": 512, "bpe": 320}  # the letters or bytes alone take most of these
_SAMPLE = 32


def fit_to(
    recipe: Recipe,
    dataset: Dataset,
    max_bytes: int,
    *,
    given: Collection[str] = (),
    step: bool | None = None,
    target: str = "generic",
) -> Recipe:
    """`recipe` with the widths that fill `max_bytes`, the budget of one format's files on a board.

    The larger of the target's formats decides, each exported with default options. step: with step forms,
    None: as the kind of data has it by default. given: which of hidden, embedding, vocabulary and buckets
    stay as they are; the others may not be able to fill the budget. Raises UsageError where these are all
    that could be chosen, BudgetError naming the smallest model's bytes where not even that fits.
    """
    if max_bytes > LARGEST_FIT:
        raise UsageError(f"--fit: no more than {LARGEST_FIT:,} bytes; for larger models give --hidden")
    step = steps_by_default(dataset.kind) if step is None else step
    options = ExportOptions(formats=formats_for(target, (), batch=False), target=target, step=step)
    trial = _Trial(recipe, dataset, options)
    free = tuple(name for name in _adjustable(recipe, dataset) if name not in given)
    if not free:
        raise UsageError(f"--fit has nothing left to choose: leave out one of {_options(given)}")
    unit = _unit(recipe.model) if "hidden" in free else 4

    def scaled(count: int) -> Recipe:
        return trial.scaled(count * unit, free)

    smallest = trial.check(scaled(1), max_bytes)
    if not smallest.passed:
        raise BudgetError(_too_small(recipe, smallest))
    enough = SCALED_ENOUGH if "buckets" in free or "vocabulary" in free else ENOUGH
    limit = None
    if free == ("vocabulary",):  # it ends with the tokens that there are, and the size with it
        limit = math.ceil(trial.most(recipe, "vocabulary") / (VOCABULARY * unit))
    found = scaled(_largest(lambda n: trial.bytes(scaled(n)), 1, max_bytes, enough, limit))
    for name in free:
        found = _filled(trial, found, name, max_bytes)
    return replace(found, fit=FitConfig(max_bytes, step, trial.bytes(found)))


def _adjustable(recipe: Recipe, dataset: Dataset) -> tuple[str, ...]:
    """What can be chosen, in the order in which it fills what is left: the finest first."""
    if dataset.kind != "text":
        return ("hidden",)
    settings = settled(recipe.front_end)
    names = ["buckets"] * bool(settings.buckets) + ["vocabulary"] * (settings.tokenizer != "byte")
    return (*names, "embedding", "hidden")


def _unit(model: ModelConfig) -> int:
    """What `hidden` is a multiple of: of a transformer each head has a width, with rotary positions an even
    one.
    """
    if model.family != "transformer":
        return 4
    return math.lcm(4, model.heads * (2 if model.positions == "rotary" else 1))


def _filled(trial: _Trial, found: Recipe, name: str, max_bytes: int) -> Recipe:
    """`found` with as much more of one width as fits."""
    grain = _unit(found.model) if name == "hidden" and found.model.family == "transformer" else 1
    first, most = trial.width(found, name), trial.most(found, name)
    if first is None or first >= most or trial.bytes(found) >= ENOUGH * max_bytes:
        return found

    def grown(count: int) -> Recipe:
        return trial.with_width(found, name, min(most, first + (count - 1) * grain))

    limit = 1 + (most - first) // grain if most < LARGEST_FIT else None
    return grown(_largest(lambda n: trial.bytes(grown(n)), 1, max_bytes, ENOUGH, limit))


def _largest(
    size: Callable[[int], int], low: int, max_bytes: int, enough: float, limit: int | None = None
) -> int:
    """The largest number from `low` on, `limit` at most, whose size fits, or one that fills enough.

    `low` must fit, and sizes rise: a number is guessed on the line between the nearest that fits and the
    nearest that does not.
    """
    high = low * 2
    while size(high if limit is None else min(high, limit)) <= max_bytes:
        if limit is not None and high >= limit:
            return limit
        low, high = high, high * 2
    while high - low > 1 and size(low) < enough * max_bytes:
        share = (max_bytes - size(low)) / (size(high) - size(low))
        guess = min(max(low + int(share * (high - low)), low + 1), high - 1)
        low, high = (guess, high) if size(guess) <= max_bytes else (low, guess)
    return low


def _too_small(recipe: Recipe, smallest: SizeCheck) -> str:
    parts = ", ".join(f"{name} {count:,}" for name, count in smallest.files.items())
    step = ", or leave out the step form with --no-step" if any(".step." in f for f in smallest.files) else ""
    return (
        f"--fit {smallest.max_bytes:,} bytes: the smallest {recipe.model.family} with these settings takes"
        f" {smallest.bytes:,} bytes ({smallest.format}: {parts}); give it as much{step}"
    )


def _options(given: Collection[str]) -> str:
    return ", ".join(
        f"--{name}" for name in ("hidden", "embedding", "vocabulary", "buckets") if name in given
    )


class _Trial:
    """Recipes that differ in their widths, exported untrained. Each is exported once."""

    def __init__(self, recipe: Recipe, dataset: Dataset, options: ExportOptions) -> None:
        self._recipe, self._dataset, self._options = recipe, dataset, options
        chosen = data.split(dataset, recipe.splitting).train
        self._training = [dataset.recordings[i] for i in chosen]
        self._checks: dict[tuple[ModelConfig, FrontEndOptions], SizeCheck] = {}
        self._front_ends: dict[FrontEndOptions, tuple[FrontEnd, int]] = {}

    def scaled(self, hidden: int, free: Sequence[str]) -> Recipe:
        """The widths in `free` as they suit so many hidden units."""
        widths = {
            "hidden": hidden,
            "embedding": max(2, round(hidden * EMBEDDING)),
            "vocabulary": hidden * VOCABULARY,
            "buckets": hidden * BUCKETS,
        }
        found = self._recipe
        for name in free:
            found = self.with_width(found, name, widths[name])
        return found

    def with_width(self, recipe: Recipe, name: str, value: int) -> Recipe:
        """`recipe` with one width changed; as many tokens as there are, where more were asked for."""
        if name in ("hidden", "embedding"):
            return replace(recipe, model=replace(recipe.model, **_only(name, value)))
        if name == "vocabulary":
            value = max(value, PIECES_AT_LEAST.get(settled(recipe.front_end).tokenizer, 3))
            value = min(value, self.most(recipe, name))
        return replace(recipe, front_end=replace(recipe.front_end, **_only(name, value)))

    def width(self, recipe: Recipe, name: str) -> int | None:
        """What `recipe` says of one width."""
        where = recipe.model if name in ("hidden", "embedding") else recipe.front_end
        value: int | None = getattr(where, name)
        return value

    def most(self, recipe: Recipe, name: str) -> int:
        """The most of one width that means anything: tokens that training has."""
        if name != "vocabulary":
            return LARGEST_FIT
        every = replace(recipe.front_end, vocabulary=LARGEST_FIT)
        front_end, _ = self._front_end(replace(every, ngrams=1, subwords=0, buckets=0))
        return front_end.vocabulary if isinstance(front_end, Tokens) else LARGEST_FIT

    def bytes(self, recipe: Recipe) -> int:
        """Of the larger format."""
        return self.check(recipe, 0).bytes

    def check(self, recipe: Recipe, max_bytes: int) -> SizeCheck:
        """The files of the larger format on a board."""
        key = (recipe.model, recipe.front_end)
        if key not in self._checks:
            self._checks[key] = self._exported(recipe).larger
        return replace(self._checks[key], max_bytes=max_bytes)

    def _exported(self, recipe: Recipe) -> BoardFiles:
        front_end, frames = self._front_end(recipe.front_end)
        spec = _untrained(recipe.model, front_end, self._dataset.labels)
        rejects = bool(self._dataset.out_of_scope)
        return board_files(recipe.model.title, spec, front_end, self._options, frames, rejects=rejects)

    def _front_end(self, options: FrontEndOptions) -> tuple[FrontEnd, int]:
        """The front end, and the frames of a usual recording in it."""
        if options not in self._front_ends:
            made = _text if self._dataset.kind == "text" else _readings
            self._front_ends[options] = made(self._dataset, self._training, options)
        return self._front_ends[options]


def _only(name: str, value: int) -> dict[str, Any]:
    """For `replace`, whose fields are of different types."""
    return {name: value}


def _text(dataset: Dataset, training: Sequence[Recording], options: FrontEndOptions) -> tuple[FrontEnd, int]:
    texts = [str(each.samples) for each in training]
    front_end = trained_tokens(texts, options.only_of(dataset))
    counts = [min(len(front_end.reader.ids(text)), front_end.max_tokens) for text in texts]
    return front_end, int(np.median(counts))


def _readings(
    dataset: Dataset, training: Sequence[Recording], options: FrontEndOptions
) -> tuple[FrontEnd, int]:
    """Fitted on a few recordings: mean and scale take as many digits as those of all."""
    unfitted = data.default_front_end(dataset, options)
    sorted_by_length = sorted(training, key=lambda each: len(each.samples))

    def raw(recording: Recording) -> FeatureArray:
        return unfitted.raw(recording.samples, dataset.sample_rate_hz)

    middle = (len(training) - 1) // 2, len(training) // 2
    frames = int(np.median([len(raw(sorted_by_length[i])) for i in middle]))
    some = sorted_by_length[:: max(1, len(training) // _SAMPLE)]
    return unfitted.fitted_on(raw(each) for each in some), frames


def _untrained(config: ModelConfig, front_end: FrontEnd, labels: tuple[str, ...]) -> SeqSpec:
    """Quantized; no two vectors alike, such as biases of 0: writers store equal constants once."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        module = models.build(config, inputs_of(front_end), labels)
        for vector in (each for each in module.parameters() if each.dim() == 1):
            vector.uniform_(-1, 1)
    return quantize_spec(module.to_spec())
