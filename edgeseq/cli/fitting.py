"""`--fit SIZE` of train and distill: a model's widths by a size budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from edgeseq.cli.console import output, print_warnings
from edgeseq_device.errors import UsageError

if TYPE_CHECKING:
    from edgeseq.data import Dataset
    from edgeseq.runs import Run
    from edgeseq.training.recipe import Recipe

WIDTHS = ("hidden", "embedding", "vocabulary", "buckets")
LEAST_SHARE = 0.95
NEXT_IS_OVER = "the next width of this model is over it"
FIT_OPTIONS = [
    click.option(
        "--fit",
        metavar="SIZE",
        help="Choose --hidden and, of text, --embedding, --vocabulary, --buckets so that the int8 artifact"
        " fills SIZE, such as 2MB.",
    ),
    click.option(
        "--step/--no-step",
        default=None,
        help="--fit: an artifact with the form for single frames, or without. [default: with; text: without]",
    ),
]


def fitted(recipe: Recipe, dataset: Dataset, given: dict[str, Any], pinned: tuple[str, ...] = ()) -> Recipe:
    """`recipe` with widths that fill the budget which was asked for; what was given or is pinned stays.

    Without --fit it is `recipe` itself.
    """
    from edgeseq.export.sizing import fit_to
    from edgeseq_export.budget import parse_size

    if given["fit"] is None:
        if given["step"] is not None:
            option = "--step" if given["step"] else "--no-step"
            raise UsageError(f"{option} is about --fit; without it, say {option} to edgeseq export")
        return recipe
    if given["size"] is not None:
        raise UsageError("--fit chooses the widths that --size would; leave one out (--layers may stay)")
    stay = {*pinned, *(name for name in WIDTHS if given[name] is not None)}
    found = fit_to(
        recipe,
        dataset,
        parse_size(given["fit"]),
        given=stay,
        step=given["step"],
        target=given["target"] or "generic",
    )
    _report(found, [name for name in WIDTHS if given[name] is not None])
    return found


def refuse_fit(given: dict[str, Any], source: Run) -> None:
    """Raises UsageError where a size is asked for of a model whose shape is another run's."""
    if given["fit"] is not None or given["step"] is not None:
        raise UsageError(f"--fit chooses a shape, and --from keeps that of {source.path}; leave one out")


def _report(recipe: Recipe, stayed: list[str]) -> None:
    fit = recipe.fit
    if fit is None or fit.predicted_bytes is None:
        return
    values = {
        name: getattr(recipe.model, name, None) or getattr(recipe.front_end, name, None) for name in WIDTHS
    }
    chosen = ", ".join(f"{name} {value:,}" for name, value in values.items() if value)
    output().print(f"fitted to {fit.max_bytes:,} bytes: {chosen}; {fit.predicted_bytes:,} bytes in int8")
    if fit.predicted_bytes < LEAST_SHARE * fit.max_bytes:
        share = 100 * (1 - fit.predicted_bytes / fit.max_bytes)
        kept = ", ".join(f"--{name}" for name in stayed)
        cause = f"with {kept} as given no model comes closer; leave one out" if kept else NEXT_IS_OVER
        print_warnings([f"--fit: {share:.0f} % of the budget are left: {cause}"])
