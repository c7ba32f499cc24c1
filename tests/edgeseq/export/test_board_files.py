"""What a board needs of an artifact, counted before there is one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgeseq import data
from edgeseq.export.board_files import board_files, files_on_board
from edgeseq.export.options import ExportOptions
from edgeseq.export.plans import spec_to_export
from edgeseq.export.report import ExportReport
from edgeseq.export.run import export_run
from edgeseq.features import prepare
from edgeseq.models.config import ModelConfig
from edgeseq.runs import Run
from edgeseq.training.recipe import Recipe, TrainConfig
from edgeseq.training.train import train
from edgeseq_device.frontend import LogMel, Tokens
from edgeseq_export import FORMATS, bundle


@pytest.fixture
def run(workplace: Path, tiny_series: Path) -> Run:
    recipe = Recipe(str(tiny_series), model=ModelConfig("gru", hidden=6), training=TrainConfig(epochs=1))
    return train(
        recipe, prepare(data.load(recipe.data), recipe.splitting, recipe.front_end, recipe.model), "small"
    )


OPTIONS = [
    ExportOptions(),
    ExportOptions(step=False),
    ExportOptions("fp32", ("onnx",)),
    ExportOptions(formats=("tflite",), target="armv7"),
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: f"{o.precision}-{o.target}-{o.step}")
def test_an_export_writes_these_very_models_and_hardly_fewer_bytes(run: Run, options: ExportOptions) -> None:
    """The rest is what only measuring tells: tolerances with more digits, the name of the fastest."""
    options = replace(options, name="small", max_drop=100.0)
    report = ExportReport(options.precision, Path("artifacts/small"), options.target)
    export_run(run, options, report, lambda _name, _rows: None, lambda *_step: None)
    spec = spec_to_export(run, run.spec(), options)
    frames = prepare(
        data.load(run.recipe.data), run.recipe.splitting, run.recipe.front_end, run.recipe.model
    ).splits.train.median_frames
    found = board_files("small", spec, run.front_end, options, frames, rejects=False)
    assert list(found.models) == [each.format for each in report.sizes] == list(options.formats)
    for size in report.sizes:
        counted = found.sizes[size.format]
        assert counted.files.keys() == size.files.keys()
        assert 0 <= counted.bytes - size.bytes <= 100
        for name, content in bundle.model_files(found.models[size.format]).items():
            assert content == Path("artifacts/small", name).read_bytes()
    assert found.larger.bytes == max(each.bytes for each in found.sizes.values())


def test_a_board_needs_neither_golden_vectors_nor_provenance(run: Run) -> None:
    options = ExportOptions()
    files = board_files("small", run.spec(), run.front_end, options, None, rejects=False)
    assert tuple(files.models) == FORMATS
    common = ("model.onnx", "model.step.onnx", "manifest.json", "SHA256SUMS")
    assert files_on_board(files.models["onnx"], LogMel(8000)) == common
    tokens = Tokens("byte", 258, "0" * 64, ngrams=1, subwords=0, buckets=0, max_tokens=8)
    assert files_on_board(files.models["onnx"], tokens) == (*common, "tokenizer.json")
    assert set(files.sizes["tflite"].files) == {"model.tflite", "manifest.json", "SHA256SUMS"}


def test_a_rejection_threshold_takes_its_room_in_the_manifest(run: Run) -> None:
    without, with_one = (
        board_files("small", run.spec(), run.front_end, ExportOptions(), None, rejects=rejects).larger.bytes
        for rejects in (False, True)
    )
    assert with_one > without
