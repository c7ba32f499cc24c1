"""One whole run: each model is written, timed, weighed in fresh processes and counted on the boards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from baselines import quantize_module, torch_call
from board import BOARDS, count_on
from bounds import HIDDEN
from calls import Call, FloatArray, open_call
from footprint import footprints
from interleave import interleaved
from models import FAMILIES, FEATURES, WIDTH, Model, build
from results import Count, Results, Row
from subjects import Case, Subject
from weights import files_with_lowest
from writing import edgeseq_subjects, null_jobs, op_subjects, torch_subjects

from edgeseq_device.measuring.measure import compare_logits
from edgeseq_export.reference import run_reference

FRAMES = (50, 100, 500)
USUAL_FRAMES = 100
"""Sequences of this length stand for all where memory, load and instructions are taken."""
HOST = "x86"
"""The target whose choice is measured on this machine."""
INSTRUCTION_RUNS = 5

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """What a run covers.

    frames: the lengths of whole sequences; step: one frame with its state too. rounds: turns of each subject.
    launches: processes for each footprint, 0 for no footprints.
    """

    families: tuple[str, ...] = FAMILIES
    hidden: tuple[int, ...] = HIDDEN
    frames: tuple[int, ...] = FRAMES
    step: bool = True
    boards: tuple[str, ...] = BOARDS
    rounds: int = 15
    launches: int = 3
    seed: int = 0

    @property
    def lengths(self) -> tuple[int | None, ...]:
        """As `Case` has them."""
        return (*self.frames, *((None,) if self.step else ()))


def measure(options: Options, scratch: Path, tell: Progress) -> Results:
    """Everything that the options ask for. scratch: an empty folder for the models' files."""
    rng = np.random.default_rng(options.seed)
    features = rng.standard_normal((max(*options.frames, USUAL_FRAMES), FEATURES)).astype(np.float32)
    usual = scratch / "features.npy"
    np.save(usual, features[:USUAL_FRAMES])
    models = [
        build(family, hidden, options.seed)
        for family in options.families
        for hidden in ((WIDTH,) if family == "transformer" else options.hidden)
    ]
    results = Results()
    subjects: list[Subject] = []
    for model in models:
        subjects += _time(model, options, features, scratch, results, tell)
    if options.launches:
        files = [each for each in subjects if each.path and each.role != "op bound"]
        files = [each for each in files if each.case.frames in (USUAL_FRAMES, None)]
        results.footprints.extend(
            footprints(files, null_jobs(USUAL_FRAMES, scratch), usual, options.launches, tell)
        )
    with ThreadPoolExecutor() as pool:
        jobs = [pool.submit(_count, board, models, options, usual, results, tell) for board in options.boards]
        for job in jobs:
            results.counts.extend(job.result())
    results.lowest_weights.extend(files_with_lowest(scratch))
    return results


def _time(
    model: Model, options: Options, features: FloatArray, scratch: Path, results: Results, tell: Progress
) -> list[Subject]:
    """Time every subject of one model; returns them."""
    written = edgeseq_subjects(model, options.lengths, HOST, scratch, fp32=True)
    results.missing.extend(written.missing)
    ops = op_subjects(model, options.lengths, scratch)
    subjects = [*ops, *written.subjects, *torch_subjects(model, options.lengths)]
    modules = {"torch": model.module, "torch quantize_dynamic": quantize_module(model)}
    for frames in options.lengths:
        case = Case(model.family, model.hidden, frames)
        tell(f"timing {case.label}")
        rows = features[: frames or USUAL_FRAMES]
        calls = {
            each: torch_call(model, modules[each.role], rows, step=frames is None)
            if each.runtime == "torch"
            else open_call(each.to_job(), rows)
            for each in subjects
            if each.case == case
        }
        spec = model.step_spec if frames is None else model.spec
        results.rows.extend(_rows(calls, run_reference(spec, rows), options.rounds))
    return subjects


def _rows(calls: Mapping[Subject, Call], reference: FloatArray, rounds: int) -> list[Row]:
    timings = interleaved({subject.id: call.run for subject, call in calls.items()}, rounds)
    roles = {subject.role: timings[subject.id] for subject in calls}
    rows = []
    for subject, call in calls.items():
        timing = timings[subject.id]
        ratio, bound = (timing.over(roles[role]) if role in roles else None for role in ("op", "op bound"))
        error = compare_logits([call.answer()], [reference], 1.0).error
        rows.append(
            Row(
                subject,
                timing.median_us,
                timing.spread_percent,
                ratio and ratio.median,
                ratio and (ratio.low, ratio.high),
                bound and bound.median,
                float("inf") if error is None else error,
            )
        )
    return rows


def _count(
    board: str, models: Sequence[Model], options: Options, features: Path, results: Results, tell: Progress
) -> list[Count]:
    """The forms that are chosen for the board, the int8 forms where those are others, and ORT's fp32 op."""
    wanted = [length for length in options.lengths if length in (USUAL_FRAMES, None)]
    subjects: list[Subject] = []
    for model in models:
        written = edgeseq_subjects(model, wanted, board, features.parent, fp32=False)
        results.missing.extend(written.missing)
        ops = op_subjects(model, wanted, features.parent)
        subjects += [*written.subjects, *(each for each in ops if each.role in ("op", "op bound"))]
    return count_on(board, subjects, features, INSTRUCTION_RUNS, tell)
