"""The data of a run: found where it is now, and refused where it is another or is split otherwise."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeseq.data import DataOptions
from edgeseq.models.config import ModelConfig
from edgeseq.run_data import load_prepared, trained_reading
from edgeseq.runs import RunFolder, open_run
from edgeseq.training.recipe import Recipe
from edgeseq_device.errors import DataError


def test_features_are_refused_when_the_data_is_not_the_runs(
    run_path: Path, tmp_path: Path, tiny_series: Path, write_series: Callable[..., Path]
) -> None:
    moved = Path(shutil.copy(tiny_series, tmp_path / "moved.npz"))
    tiny_series.unlink()
    assert load_prepared(open_run("one"), str(moved)).splits.sizes()["test"] == 12
    write_series(tiny_series, recordings=56)
    with pytest.raises(DataError, match="its content is not what the run was trained on"):
        load_prepared(open_run("one"))


def test_features_are_refused_when_the_splits_come_out_otherwise(run_path: Path) -> None:
    """A recipe's other split seed stands for a numpy that draws otherwise."""
    recipe = json.loads(RunFolder(run_path).recipe.read_text())
    recipe["splitting"]["seed"] = 1
    RunFolder(run_path).recipe.write_text(json.dumps(recipe))
    with pytest.raises(DataError, match=r"runs/one: its splits of .* come out otherwise here"):
        load_prepared(open_run("one"))


def test_a_named_set_is_read_from_a_path_as_the_catalogue_says_unless_the_recipe_does() -> None:
    model = ModelConfig("linear", "forecast")
    for given, rows in ((None, (8640, 2880, 2880)), ((100, 50, 50), (100, 50, 50))):
        recipe = Recipe("etth1", DataOptions(task="forecast", split_rows=given), model=model)
        assert trained_reading(recipe).split_rows == rows
