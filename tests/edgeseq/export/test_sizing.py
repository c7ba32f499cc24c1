"""A size budget that acts: what `fit_to` chooses, and what the export of it then takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from edgeseq import data
from edgeseq.data import FrontEndOptions
from edgeseq.export.options import ExportOptions, formats_for
from edgeseq.export.report import ExportReport
from edgeseq.export.run import export_run
from edgeseq.export.sizing import fit_to
from edgeseq.features import prepare
from edgeseq.models.shapes import model_config
from edgeseq.training.recipe import Recipe, TrainConfig
from edgeseq.training.train import train
from edgeseq_device.errors import BudgetError, UsageError


def recipe_for(path: Path, family: str = "gru", **front_end: object) -> Recipe:
    kind = "text" if path.suffix == ".csv" else "series"
    return Recipe(
        data=str(path),
        model=model_config(family, {}, kind),  # type: ignore[arg-type]
        front_end=FrontEndOptions(**front_end),  # type: ignore[arg-type]
        training=TrainConfig(epochs=1),
    )


def exported_bytes(recipe: Recipe, *, step: bool | None, target: str = "generic") -> dict[str, int]:
    """Of each format, after a training of one epoch, by the size gate of the export itself."""
    dataset = data.load(recipe.data)
    run = train(recipe, prepare(dataset, recipe.splitting, recipe.front_end, recipe.model))
    options = ExportOptions(max_drop=100.0, step=step, max_bytes=recipe.fit.max_bytes, target=target)
    options = replace(options, formats=formats_for(target, (), batch=False))
    report = ExportReport("int8", Path("artifacts/fitted"), target)
    export_run(run, options, report, lambda _name, _rows: None, lambda *_step: None)
    return {each.format: each.bytes for each in report.sizes}


@pytest.mark.parametrize(
    ("family", "max_bytes", "step"),
    [("gru", 40_000, True), ("gru", 40_000, False), ("lstm", 60_000, True)],
)
def test_the_larger_format_lands_at_most_five_percent_under_the_budget(
    workplace: Path, tiny_series: Path, family: str, max_bytes: int, step: bool
) -> None:
    recipe = recipe_for(tiny_series, family)
    fitted = fit_to(recipe, data.load(recipe.data), max_bytes, step=step)
    assert fitted.fit is not None
    sizes = exported_bytes(fitted, step=step)
    assert 0.95 * max_bytes <= max(sizes.values()) <= fitted.fit.predicted_bytes <= max_bytes
    assert fitted == replace(recipe, model=replace(recipe.model, hidden=fitted.model.hidden), fit=fitted.fit)


@pytest.mark.parametrize("family", ["gru", "transformer", "bag"])
def test_texts_fill_it_with_rows_of_their_table(workplace: Path, tiny_texts: Path, family: str) -> None:
    recipe = recipe_for(tiny_texts, family)
    fitted = fit_to(recipe, data.load(recipe.data), 70_000)
    assert fitted.fit is not None
    sizes = exported_bytes(fitted, step=None)
    assert 0.95 * 70_000 <= max(sizes.values()) <= fitted.fit.predicted_bytes <= 70_000
    assert fitted.front_end.buckets is not None
    assert fitted.front_end.buckets > fitted.model.hidden > fitted.model.embedding


def test_a_bag_of_texts_has_a_step_form_only_where_it_is_asked_for(tiny_texts: Path) -> None:
    recipe = recipe_for(tiny_texts, "bag")
    dataset = data.load(recipe.data)
    by_default, alone, streaming = (
        fit_to(recipe, dataset, 70_000, step=each) for each in (None, False, True)
    )
    assert by_default == alone
    assert (alone.fit.step, streaming.fit.step) == (False, True)
    assert alone.model.hidden > streaming.model.hidden


def test_without_a_step_form_there_is_room_for_a_larger_model(tiny_series: Path) -> None:
    recipe = recipe_for(tiny_series)
    dataset = data.load(recipe.data)
    alone = fit_to(recipe, dataset, 40_000, step=False)
    assert alone.model.hidden > fit_to(recipe, dataset, 40_000).model.hidden
    assert (alone.fit.step, alone.fit.max_bytes) == (False, 40_000)


def test_the_formats_of_the_target_decide_and_no_other(workplace: Path, tiny_series: Path) -> None:
    """armv7 has no ONNX, whose step form holds the weights once more: there is room for more units."""
    recipe = recipe_for(tiny_series)
    dataset = data.load(recipe.data)
    fitted = fit_to(recipe, dataset, 40_000, target="armv7")
    assert fitted.model.hidden > fit_to(recipe, dataset, 40_000).model.hidden
    sizes = exported_bytes(fitted, step=True, target="armv7")
    assert list(sizes) == ["tflite"]
    assert 0.95 * 40_000 <= sizes["tflite"] <= fitted.fit.predicted_bytes <= 40_000
    with pytest.raises(UsageError, match='unknown target "armv8"'):
        fit_to(recipe, dataset, 40_000, target="armv8")


@pytest.mark.parametrize("options", [{}, {"tokenizer": "wordpiece", "ngrams": 2}], ids=str)
def test_a_vocabulary_ends_with_the_tokens_of_the_texts(tiny_texts: Path, options: dict[str, object]) -> None:
    """Alone it cannot fill a large budget: every token is taken, and the size grows no further."""
    recipe = recipe_for(tiny_texts, buckets=64, **options)
    recipe = replace(recipe, model=replace(recipe.model, hidden=8, embedding=8))
    dataset, given = data.load(recipe.data), ("hidden", "embedding", "buckets")
    every = prepare(
        dataset, recipe.splitting, replace(recipe.front_end, vocabulary=10**6), recipe.model
    ).front_end
    fitted = fit_to(recipe, dataset, 2_000_000, given=given)
    assert fitted.front_end.vocabulary == every.vocabulary
    assert fitted.fit.predicted_bytes < 100_000


def test_what_was_given_stays(tiny_texts: Path) -> None:
    recipe = recipe_for(tiny_texts, vocabulary=20)
    recipe = replace(recipe, model=replace(recipe.model, hidden=24))
    fitted = fit_to(recipe, data.load(recipe.data), 80_000, given=("hidden", "vocabulary"))
    assert (fitted.model.hidden, fitted.front_end.vocabulary) == (24, 20)
    assert fitted.fit.predicted_bytes >= 0.95 * 80_000


@pytest.mark.parametrize(
    "options", [{"ngrams": 1, "subwords": 0}, {"tokenizer": "byte"}, {"tokenizer": "bpe"}], ids=str
)
def test_without_hashed_rows_other_widths_fill_it(tiny_texts: Path, options: dict[str, object]) -> None:
    recipe = recipe_for(tiny_texts, **options)
    fitted = fit_to(recipe, data.load(recipe.data), 90_000)
    assert 0.95 * 90_000 <= fitted.fit.predicted_bytes <= 90_000
    assert fitted.front_end.buckets is None


def test_a_transformer_keeps_heads_of_an_even_width_and_is_the_widest_of_these(
    workplace: Path, tiny_series: Path
) -> None:
    recipe = recipe_for(tiny_series, "transformer")
    fitted = fit_to(recipe, data.load(recipe.data), 400_000)
    assert fitted.model.hidden % (2 * fitted.model.heads) == 0
    wider = replace(recipe, model=replace(recipe.model, hidden=fitted.model.hidden + 2 * recipe.model.heads))
    with pytest.raises(BudgetError):
        exported_bytes(replace(wider, fit=fitted.fit), step=True)


def test_a_budget_that_holds_no_model_names_the_smallest_and_what_it_consists_of(tiny_series: Path) -> None:
    recipe = recipe_for(tiny_series)
    with pytest.raises(
        BudgetError, match=r"the smallest gru with these settings takes [\d,]+ bytes"
    ) as fault:
        fit_to(recipe, data.load(recipe.data), 3_000)
    for name in ("manifest.json", "SHA256SUMS", "model."):
        assert name in str(fault.value)


def test_where_everything_is_given_nothing_can_be_chosen(tiny_series: Path, tiny_texts: Path) -> None:
    recipe = recipe_for(tiny_series)
    with pytest.raises(UsageError, match="nothing left to choose: leave out one of --hidden"):
        fit_to(recipe, data.load(recipe.data), 40_000, given=("hidden",))
    recipe = recipe_for(tiny_texts)
    given = ("hidden", "embedding", "vocabulary", "buckets")
    with pytest.raises(UsageError, match="--hidden, --embedding, --vocabulary, --buckets"):
        fit_to(recipe, data.load(recipe.data), 40_000, given=given)


def test_a_budget_beyond_any_board_is_refused_before_anything_is_built(tiny_series: Path) -> None:
    with pytest.raises(UsageError, match="no more than 256,000,000 bytes"):
        fit_to(recipe_for(tiny_series), data.load(str(tiny_series)), 10**12)


def test_the_draw_of_a_trainings_weights_is_not_disturbed(tiny_series: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    fit_to(recipe_for(tiny_series), data.load(str(tiny_series)), 40_000)
    assert torch.equal(torch.rand(4), expected)
