"""`edgeseq data`: which data sets there are, what one holds, and how to get it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgeseq.cli.console import (
    check_outputs,
    json_option,
    output,
    print_warnings,
    progress_output,
    write_json,
)
from edgeseq.cli.data_stretches import stretch_facts, stretch_rows
from edgeseq.cli.forecast_options import SERIES_OPTIONS
from edgeseq.cli.option_groups import with_options
from edgeseq.cli.train_options import DATA_OPTIONS, SAMPLE_RATE, TASK_OPTION
from edgeseq.report.table import table

if TYPE_CHECKING:
    from edgeseq.data import Dataset, Splits
    from edgeseq.data.catalogue import NamedSet

TEXT_SHOWN = 80  # characters
SPLIT_OPTIONS = ("validation_fraction", "test_fraction", "by_group")


@click.group(name="data")
def command() -> None:
    """Named data sets: list, describe, fetch."""


@command.command(name="list")
@json_option
def list_sets(json_file: Path | None) -> None:
    """The data sets that edgeseq knows by name, and where each one is."""
    from edgeseq.data.catalogue import CATALOGUE

    rows = [_catalogue_row(known) for known in CATALOGUE.values()]
    columns = ["name", "task", "kind", "recordings", "classes", "licence", "where"]
    cells = [[row[key] or None for key in columns] for row in rows]
    heads = [{"recordings": "n"}.get(key, key) for key in columns]  # no name is broken at 80 columns
    output().print(table("Named data sets", heads, cells))
    output().print("`edgeseq data fetch NAME` downloads one; --data takes a name or a path of your own.")
    write_json(json_file, {"data_sets": rows})


@command.command()
@click.argument("reference", metavar="NAME|PATH")
@with_options([TASK_OPTION, *DATA_OPTIONS, SAMPLE_RATE, *SERIES_OPTIONS])
@json_option
def info(reference: str, json_file: Path | None, **given: Any) -> None:
    """What a data set holds, and how it would be split, as training would read it."""
    from edgeseq.data import DataOptions, SplitOptions, StretchSplits, load, split

    check_outputs({"--json": json_file}, reference)
    given = {key: value for key, value in given.items() if value is not None}
    splitting = {key: given.pop(key) for key in SPLIT_OPTIONS if key in given}
    if "split_seed" in given:
        splitting["seed"] = given.pop("split_seed")
    if "sample_rate" in given:
        given["sample_rate_hz"] = given.pop("sample_rate")
    options = DataOptions(**given)
    dataset = load(reference, options)
    splits = split(dataset, SplitOptions(**splitting))
    facts = _identity(reference, dataset)
    if isinstance(splits, StretchSplits):
        facts |= stretch_facts(dataset, splits)
        rows = stretch_rows(facts)
    else:
        facts |= _facts(dataset, splits, _features_rate_hz(dataset, options.sample_rate_hz))
        rows = _fact_rows(facts)
    first = [("data set", facts["name"]), ("kind", facts["kind"])]
    last = [("content sha256", facts["content_sha256"])]
    last += [(key, facts[key]) for key in ("summary", "home", "licence") if facts[key]]
    for key, value in [*first, *rows, *last]:
        output().print(f"{key:<24}{value}", soft_wrap=True)
    if dataset.task == "classify":
        _print_classes(facts)
    print_warnings(facts["warnings"])
    write_json(json_file, facts)


def _print_classes(facts: dict[str, Any]) -> None:
    rows = [[label, *counts.values(), sum(counts.values())] for label, counts in facts["classes"].items()]
    if any(outside := facts["out_of_scope"].values()):
        rows.append(["(out of scope)", *outside, sum(outside)])
    output().print(table("Recordings", ["class", "train", "validation", "test", "all"], rows))


@command.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option("--force", is_flag=True, help="Download it even though it is here.")
@json_option
def fetch(names: tuple[str, ...], force: bool, json_file: Path | None) -> None:
    """Download data sets into the cache, checked by content; later commands find them there."""
    from edgeseq.data.catalogue import named

    wanted = [named(name) for name in dict.fromkeys(names)]
    rows = [_fetch_one(known, force) for known in wanted]
    for row in rows:
        output().print(f"{row['name']}: {row['state']}, {row['where']}", soft_wrap=True)
    write_json(json_file, {"data_sets": rows})


def _fetch_one(known: NamedSet, force: bool) -> dict[str, Any]:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    from edgeseq.data.catalogue import cache_folder, located
    from edgeseq.data.fetch import fetch as download

    if known.built_in:
        return {"name": known.name, "state": "built in", "where": "nothing to download"}
    path = None if force else located(known)
    if path is not None:
        return {"name": known.name, "state": "already here", "where": str(path)}
    parts = (TextColumn(known.name), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*parts, console=progress_output(), transient=True) as bar:
        task = bar.add_task(known.name, total=None)
        path = download(
            known, cache_folder(), lambda done, total: bar.update(task, completed=done, total=total)
        )
    return {"name": known.name, "state": "fetched", "where": str(path)}


def _catalogue_row(known: NamedSet) -> dict[str, Any]:
    from edgeseq.data.catalogue import located

    path = located(known)
    return {
        "name": known.name,
        "summary": known.summary,
        "task": known.options.task,
        "kind": known.kind,
        "recordings": known.recordings,
        "classes": known.classes,
        "licence": known.licence,
        "home": known.home,
        "content_sha256": known.content_sha256,
        "where": "built in" if known.built_in else "here" if path else "not fetched",
        "path": str(path) if path else None,
    }


def _identity(reference: str, dataset: Dataset) -> dict[str, Any]:
    from edgeseq.data.catalogue import CATALOGUE

    known = CATALOGUE.get(reference)
    return {
        "name": dataset.name,
        "summary": known.summary if known else None,
        "home": known.home if known else None,
        "licence": known.licence if known else None,
        "kind": dataset.kind,
        "content_sha256": dataset.content_sha256,
    }


def _facts(dataset: Dataset, splits: Splits, features_rate_hz: int | None) -> dict[str, Any]:
    from collections import Counter

    sides = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    counts = {side: Counter(dataset.recordings[i].label for i in places) for side, places in sides.items()}
    outside = Counter(str(recording.split) for recording in dataset.out_of_scope)
    return {
        "channels": list(dataset.channels),
        "sample_rate_hz": dataset.sample_rate_hz,
        "features_rate_hz": features_rate_hz,
        "columns": dict(dataset.columns),
        "first_text": _first_text(dataset),
        "recordings": len(dataset.recordings),
        "groups": len({r.group for r in dataset.recordings if r.group is not None}),
        **{unit: _range(lengths) for unit, lengths in _lengths(dataset).items()},
        "split": {"origin": splits.origin, **{side: len(places) for side, places in sides.items()}},
        "classes": {label: {side: counts[side][label] for side in sides} for label in dataset.labels},
        "out_of_scope": {side: outside[side] for side in sides},
        "warnings": [*dataset.warnings, *splits.warnings],
    }


def _first_text(dataset: Dataset) -> dict[str, str] | None:
    if dataset.kind != "text":
        return None
    first = dataset.recordings[0]
    return {"name": first.name, "text": str(first.samples), "label": first.label}


def _features_rate_hz(dataset: Dataset, chosen_hz: int | None) -> int | None:
    from edgeseq.data import FrontEndOptions, default_front_end

    if dataset.kind == "text":
        return None
    return default_front_end(dataset, FrontEndOptions(chosen_hz)).sample_rate_hz


def _lengths(dataset: Dataset) -> dict[str, list[int]]:
    """How long each recording is, by the unit that is counted in."""
    samples = [recording.samples for recording in dataset.recordings]
    if dataset.kind != "text":
        return {"samples": [len(each) for each in samples]}
    texts = [str(each) for each in samples]
    return {"characters": [len(text) for text in texts], "words": [len(text.split()) for text in texts]}


def _range(lengths: list[int]) -> dict[str, int]:
    ordered = sorted(lengths)
    return {"least": ordered[0], "median": ordered[len(ordered) // 2], "most": ordered[-1]}


def _fact_rows(facts: dict[str, Any]) -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = [
        ("recordings", facts["recordings"]),
        ("classes", len(facts["classes"])),
    ]
    if any(outside := facts["out_of_scope"].values()):
        rows.append(("out of scope", sum(outside)))
    rows.append(("groups", facts["groups"] or "none"))
    if facts["columns"]:
        rows.append(("columns", ", ".join(f'{role} "{name}"' for role, name in facts["columns"].items())))
    if first := facts["first_text"]:
        text = json.dumps(first["text"], ensure_ascii=False)
        shown = text if len(text) <= TEXT_SHOWN else f"{text[:TEXT_SHOWN]} ..."
        rows.append((f"text of {first['name']}", f"{shown} is {first['label']}"))
    if facts["kind"] != "text":
        rate = facts["sample_rate_hz"]
        features = f", features at {facts['features_rate_hz']} Hz" if facts["kind"] == "audio" else ""
        rows.append(("channels", ", ".join(facts["channels"])))
        rows.append(("sample rate", f"{rate} Hz{features}" if rate else "unknown"))
    for unit in ("samples", "characters", "words"):
        if unit in facts:
            lengths = facts[unit]
            spread = f"{lengths['least']} to {lengths['most']}, median {lengths['median']}"
            rows.append((f"{unit} in a {'recording' if unit == 'samples' else 'text'}", spread))
    return [*rows, ("split", facts["split"]["origin"])]
