"""The rows of a comparison: bytes are those of what an export puts on a board."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgeseq.distill.distillation import Distillation
from edgeseq.distill.run import Watching, distill
from edgeseq.export.options import ExportOptions
from edgeseq.export.report import ExportReport
from edgeseq.export.run import export_run
from edgeseq.runs import Run
from edgeseq.training.recipe import FitConfig


def exported(run: Run, options: ExportOptions) -> dict[tuple[str, str], tuple[int, int]]:
    """By precision and format: bytes on a board, and of the model file."""
    name = f"{run.name}-{options.precision}-{options.target}"
    report = ExportReport(options.precision, Path("artifacts") / name)
    export_run(run, options, report, lambda _name, _rows: None, lambda *_step: None)
    return {
        (options.precision, each.format): (each.bytes, each.files[f"model.{each.format}"])
        for each in report.sizes
    }


def test_bytes_are_those_that_the_export_of_the_fitted_run_counts(
    texts_to_gru: Distillation, workplace: Path, quiet: Watching
) -> None:
    """With the tokenizer, without the step form that the fit left out; fp32 rows too."""
    alone = replace(texts_to_gru.config, twin=None)
    recipe = replace(texts_to_gru.recipe, distill=alone, fit=FitConfig(1_000_000, step=False))
    found = distill(replace(texts_to_gru, recipe=recipe), "small", quiet)
    wanted = ExportOptions(max_drop=100.0, step=False)
    sizes = exported(found.student, wanted) | exported(found.student, replace(wanted, precision="fp32"))
    rows = {(row.precision, row.form): row for row in found.rows if row.role == "distilled"}
    assert rows.keys() == sizes.keys()
    for each, (on_board, model) in sizes.items():
        assert rows[each].model_bytes == model
        assert 0 <= rows[each].bytes - on_board <= 100
    written = found.comparison()["rows"]
    assert {"bytes", "model_bytes"} <= written[0].keys()
