"""Instructions and answers on the virtual Raspberry Pis, held against this machine's answers."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from calls import FloatArray, open_call
from results import Count, over
from subjects import Subject

from edgeseq.devices.emulated.virtual import prepare
from edgeseq.export.golden import judge
from edgeseq_device.golden import GoldenVectors
from edgeseq_device.measuring.counting import INSTRUCTION_LOG
from edgeseq_export.parity import TOLERANCE, Parity, compare

BOARDS = ("pi4", "pi5")
PROBE = Path(__file__).with_name("probe.py")


def count_on(
    board: str,
    subjects: Sequence[Subject],
    features: Path,
    runs: int,
    on_done: Callable[[str], None],
) -> list[Count]:
    """Instructions of one inference of each subject: the median of `runs`, in one process on the board."""
    command = prepare(board).link.counting_python
    if command is None:
        raise RuntimeError(f"{board}: this board does not count instructions")
    counted = _run_probe(board, command, subjects, features, runs, on_done)
    rows = np.load(features)
    found = []
    for subject in subjects:
        roles = {
            each.role: counted[each.id]["instructions"] for each in subjects if each.case == subject.case
        }
        found.append(_count(board, subject, counted, roles, rows))
    return found


def _run_probe(
    board: str,
    command: Sequence[str],
    subjects: Sequence[Subject],
    features: Path,
    runs: int,
    on_done: Callable[[str], None],
) -> dict[str, dict[str, Any]]:
    """By subject, what one process on the board said of it."""
    counted: dict[str, dict[str, Any]] = {}
    jobs = [subject.to_job() for subject in subjects]
    with tempfile.TemporaryDirectory() as scratch:
        log, said = Path(scratch) / "counts", Path(scratch) / "stderr"
        job = {"task": "count", "features": str(features), "log": str(log), "runs": runs, "subjects": jobs}
        with (
            said.open("w") as stderr,
            subprocess.Popen(
                [*command, str(PROBE), json.dumps(job)],
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                env={**os.environ, INSTRUCTION_LOG: str(log)},
            ) as process,
        ):
            for line in process.stdout or ():
                outcome = json.loads(line)
                counted[outcome["id"]] = outcome
                on_done(f"{board} emulated, {len(counted)} of {len(subjects)}: {outcome['id']}")
        if process.returncode:
            raise RuntimeError(f"{board}: the probe failed:\n{said.read_text()}")
    return counted


def _count(
    board: str,
    subject: Subject,
    counted: Mapping[str, Mapping[str, Any]],
    roles: Mapping[str, float],
    features: FloatArray,
) -> Count:
    outcome = counted[subject.id]
    ratios = (over(outcome["instructions"], roles, role) for role in ("op", "op bound"))
    parity = _agreement(subject, outcome["answer"], features)
    error = float("inf") if parity.max_error is None else parity.max_error
    figures = outcome["instructions"], outcome["spread_percent"]
    return Count(subject, board, *figures, *ratios, error, parity.passed)


def _agreement(subject: Subject, answer: Sequence[float], features: FloatArray) -> Parity:
    """The board's answer against this machine's, by the rule of an export's parity."""
    here = open_call(subject.to_job(), features).answer()[None]
    there = np.array([answer], np.float32)
    if subject.spec is None:
        return compare(subject.id, there, "x86", here, (subject.id,), TOLERANCE[subject.compute])
    golden = GoldenVectors((features,), here, {}, np.zeros(1, np.int64), (subject.id,))
    return judge(subject.id, there, here, golden, subject.spec, subject.layers)
