"""What an export writes for a board: the plan of each file, the files themselves, their manifest and bytes.

The export, `--fit` and the comparison of a distillation all ask here, so that they count the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from edgeseq.artifacts import PROVENANCE_FILE
from edgeseq.export.golden import GOLDEN_COUNT
from edgeseq.export.manifest import Judged, manifest, model_entry
from edgeseq.export.options import ExportOptions
from edgeseq_device.errors import EdgeseqError
from edgeseq_device.frontend import FrontEnd, Tokens
from edgeseq_device.manifest import MANIFEST_FILE, NATIVE_FILE, SUMS_FILE, TOKENIZER_FILE
from edgeseq_export import ExportedModel, Format, Plan, SeqSpec, bundle, write_model
from edgeseq_export.budget import SizeCheck
from edgeseq_export.choice import choose

_LONGEST_NAME = "n" * 48
_LONGEST = Judged(0.0123456789012345, 0.0123456789012345, 0.123456)
_LONGEST_S = 0.0123456789012345
_LONGEST_FASTEST = {"sequence": "tflite", "step": "tflite"}


@dataclass(frozen=True, eq=False)
class BoardFiles:
    """An artifact that has not been measured: its models, and for each the files that a board needs.

    Their bytes are at most some 100 above the artifact's: what only measuring tells is as long as it can be.
    """

    models: Mapping[Format, ExportedModel]
    sizes: Mapping[Format, SizeCheck]

    @property
    def larger(self) -> SizeCheck:
        """Of the format that takes the most bytes."""
        return max(self.sizes.values(), key=lambda each: each.bytes)


def board_files(
    where: str,
    spec: SeqSpec,
    front_end: FrontEnd,
    options: ExportOptions,
    frames: int | None,
    *,
    rejects: bool,
) -> BoardFiles:
    """What an export of `spec` writes, without tuning. where: of whom, for messages.

    frames: of a usual recording; rejects: whether there will be a rejection threshold. Raises EdgeseqError
    naming the layer that has no form in a format.
    """
    plans = {each: plan_of(spec, each, options, frames) for each in options.formats}
    models = write_models(where, front_end.unit, spec, plans, step=options.step_of(spec))
    named = replace(options, name=options.name or _LONGEST_NAME)
    judged = dict.fromkeys(models, _LONGEST if rejects else replace(_LONGEST, rejection_threshold=None))
    whole, entries = manifest_of(
        *(named, front_end, spec, models, judged, _LONGEST_FASTEST, GOLDEN_COUNT), interval_s=_LONGEST_S
    )
    files = [each for model in models.values() for each in bundle.model_files(model).items()]
    bytes_of = {name: len(content) for name, content in files}
    bytes_of[MANIFEST_FILE] = len(bundle.manifest_bytes(whole, entries))
    if isinstance(front_end, Tokens):
        bytes_of[TOKENIZER_FILE] = len(front_end.content)
    native = [NATIVE_FILE] if "tflite" in models else []
    listed = [*bytes_of, *native, bundle.GOLDEN_FILE, PROVENANCE_FILE]
    bytes_of[SUMS_FILE] = sum(len(bundle.sums_line("0" * 64, name)) for name in listed)
    return BoardFiles(models, sizes_on_board(models, front_end, bytes_of, options.max_bytes))


def plan_of(spec: SeqSpec, model_format: Format, options: ExportOptions, frames: int | None) -> Plan:
    """By the table of crossovers. frames: of a usual recording."""
    return choose(
        spec,
        model_format,
        options.target,
        batch=options.batch,
        compute=options.compute,
        frames=frames,
    )


def write_models(
    where: str, unit: str, spec: SeqSpec, plans: Mapping[Format, Plan], *, step: bool
) -> dict[Format, ExportedModel]:
    """The files. where: of whom, for messages; unit: of the features; step: with the step form, if there is
    one. Raises EdgeseqError naming the layer that has no form in a format.
    """
    wanted = {each: plan if step else replace(plan, step=None) for each, plan in plans.items()}
    return {each: _write(where, unit, spec, each, plan, tuple(plans)) for each, plan in wanted.items()}


def _write(
    where: str, unit: str, spec: SeqSpec, model_format: Format, plan: Plan, formats: Sequence[Format]
) -> ExportedModel:
    try:
        return write_model(spec, model_format, unit, plan)
    except ValueError as error:
        others = [each for each in formats if each != model_format]
        advice = f"export --format {others[0]} alone" if others else "export the other format"
        raise EdgeseqError(f"{where}: cannot be written as {model_format}: {error}; {advice}") from error


def manifest_of(
    options: ExportOptions,
    front_end: FrontEnd,
    spec: SeqSpec,
    models: Mapping[Format, ExportedModel],
    judged: Mapping[Format, Judged],
    fastest: Mapping[str, str | None],
    golden_count: int,
    interval_s: float | None = None,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The manifest of the artifact that `options` names, and its models' entries. interval_s: as in
    `manifest`.
    """
    widest = max(max(each.tolerance, each.step_tolerance or 0.0) for each in judged.values())
    whole = manifest(str(options.name), options, spec, front_end, fastest, golden_count, widest, interval_s)
    step = options.step_of(spec)
    entries = [model_entry(spec, model, judged[each], step=step) for each, model in models.items()]
    return whole, entries


def files_on_board(model: ExportedModel, front_end: FrontEnd) -> tuple[str, ...]:
    """Everything that a board needs for one format; golden vectors only test it, provenance only tells."""
    tokenizer = (TOKENIZER_FILE,) if isinstance(front_end, Tokens) else ()
    return (*bundle.model_files(model), MANIFEST_FILE, SUMS_FILE, *tokenizer)


def sizes_on_board(
    models: Mapping[Format, ExportedModel], front_end: FrontEnd, bytes_of: Mapping[str, int], max_bytes: int
) -> dict[Format, SizeCheck]:
    """What a board needs of each format, held to a budget. bytes_of: each file of the artifact, by name."""
    return {
        each: SizeCheck(each, {name: bytes_of[name] for name in files_on_board(model, front_end)}, max_bytes)
        for each, model in models.items()
    }
