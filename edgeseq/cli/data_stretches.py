"""`edgeseq data info` of what runs on: a text for a language model, a series to forecast."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from edgeseq_device.errors import DataError

if TYPE_CHECKING:
    from edgeseq.data import Dataset, StretchSplits

TEXT_SHOWN = 60  # characters


def stretch_facts(dataset: Dataset, splits: StretchSplits) -> dict[str, Any]:
    """What --json has of it beside what it has of every data set."""
    text = dataset.task == "lm"
    of_task = _text_facts if text else _series_facts
    sizes = {side: len(getattr(splits, side)) for side in ("train", "validation", "test")}
    return {
        "task": dataset.task,
        **of_task(dataset, splits),
        "split": {"origin": splits.origin, **sizes},
        "warnings": [*dataset.warnings, *splits.warnings, *([] if text else _refused(dataset, splits))],
    }


def _refused(dataset: Dataset, splits: StretchSplits) -> list[str]:
    """What training would refuse in the values themselves, such as a channel that never changes."""
    from edgeseq.data import FrontEndOptions
    from edgeseq.features.forecast import fitted

    try:
        fitted(dataset, splits, FrontEndOptions())
    except DataError as error:
        return [f"training refuses this as it is: {error}"]
    return []


def _text_facts(dataset: Dataset, splits: StretchSplits) -> dict[str, Any]:
    from edgeseq.data.stretches import corpus_text

    text = corpus_text(dataset)
    known = set(text[splits.train.start : splits.train.stop])
    return {
        "documents": len(dataset.recordings),
        "characters": len(text),
        "distinct_characters": len(set(text)),
        "unknown_characters": sum(each not in known for each in text[splits.train.stop :]),
        "begins": text[:TEXT_SHOWN],
    }


def _series_facts(dataset: Dataset, _splits: StretchSplits) -> dict[str, Any]:
    times = dataset.times
    return {
        "rows": len(dataset.recordings[0].samples),
        "channels": list(dataset.channels),
        "interval_s": dataset.interval_s,
        "first_time": None if times is None else str(times[0].astype("datetime64[s]")),
        "last_time": None if times is None else str(times[-1].astype("datetime64[s]")),
    }


def stretch_rows(facts: dict[str, Any]) -> list[tuple[str, object]]:
    """The same as lines: what, and its value."""
    if facts["task"] == "lm":
        rows: list[tuple[str, object]] = [
            ("documents", f"{facts['documents']:,}"),
            ("characters", f"{facts['characters']:,}, {facts['distinct_characters']:,} different ones"),
            ("unknown to training", f"{facts['unknown_characters']:,}"),
            ("begins", json.dumps(facts["begins"], ensure_ascii=False)),
        ]
        unit = "characters"
    else:
        interval = facts["interval_s"]
        rows = [
            ("rows", f"{facts['rows']:,}"),
            ("channels", ", ".join(facts["channels"])),
            ("interval", "unknown" if interval is None else f"{interval:g} s"),
        ]
        if facts["first_time"] is not None:
            rows.append(("time", f"{facts['first_time']} to {facts['last_time']}"))
        unit = "rows"
    sizes = [f"{side} {count:,}" for side, count in facts["split"].items() if side != "origin" and count]
    return [*rows, (f"split in {unit}", f"{', '.join(sizes)}: {facts['split']['origin']}")]
