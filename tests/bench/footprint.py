"""Load time and resident memory of a model, each in fresh processes of its own."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from results import Footprint
from subjects import Subject

PROBE = Path(__file__).with_name("probe.py")


def footprints(
    subjects: Sequence[Subject],
    nulls: dict[str, dict[str, str]],
    features: Path,
    repeats: int,
    on_done: Callable[[str], None],
) -> list[Footprint]:
    """The medians over `repeats` rounds, in each of which every subject has one process.

    nulls: the jobs of the models without a weight, by their names: one is loaded before every
    model, and its memory in the model's place is taken off.
    features: a .npy file with the input.
    """
    jobs = nulls | {subject.id: subject.to_job() for subject in subjects}
    names = {name: name for name in nulls} | {subject.id: _null(subject) for subject in subjects}
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in jobs}
    for number in range(repeats):
        for name, job in jobs.items():
            found[name].append(_probe(job, nulls[names[name]], features))
        on_done(f"memory and load: round {number + 1} of {repeats}")
    rss = {name: statistics.median(each["rss_bytes"] for each in list_) for name, list_ in found.items()}
    return [
        Footprint(
            subject,
            statistics.median(each["start_ms"] for each in found[subject.id]),
            statistics.median(each["load_ms"] for each in found[subject.id]),
            round(rss[subject.id] - rss[names[subject.id]]),
        )
        for subject in subjects
    ]


def _null(subject: Subject) -> str:
    return "null op" if subject.call.startswith("op") else f"null {subject.runtime}"


def _probe(job: dict[str, Any], null: dict[str, str], features: Path) -> dict[str, Any]:
    text = json.dumps({"task": "footprint", "null": null, "subject": job, "features": str(features)})
    done = subprocess.run([sys.executable, str(PROBE), text], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{job['path']}: the probe failed:\n{done.stderr}")
    outcome: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return outcome
