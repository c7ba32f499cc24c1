"""Where the time of an inference goes, by operator, as each runtime's own profiler tells it.

Profilers count in whole microseconds and slow the runtime down, so an operator that is too short for them has
no time here. What is left of an inference without a profiler is one row of its own, by difference: such
operators, control flow, planning of memory.
"""

# ruff: noqa: PLC0415
from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeseq_device.errors import DeviceError
from edgeseq_device.measuring.job import input_of, load_model, refuse_emulation, runtime_of

if TYPE_CHECKING:
    from edgeseq_device.tensors import Features

REST = "the rest: control flow, memory, operators too short to time"
"""The name of the last row."""
RESOLVED_US = 2.0
"""Of an operator whose times are cut to whole us, a mean below this has no time: it could be half as much
again. From here on half a us is added to each, which is right to 20 % and better."""

_CONTAINERS = frozenset(
    ("WHILE", "IF", "CALL_ONCE", "STABLEHLO_WHILE", "STABLEHLO_COMPOSITE", "Scan", "Loop", "If")
)
"""Operators whose time is that of the operators inside them, which are told too."""
_EVENTS_MAX = 20_000
"""ONNX Runtime keeps about 1 KB of each event until the end."""
_PROBES = 3
_SLOW_SHARE = 4
"""One in so many inferences, the slowest, is left out: something else ran then."""

Sums = dict[str, tuple[int, int]]
"""Of one inference: by operator the calls and their time in us."""


@dataclass(frozen=True)
class Profile:
    """whole_us: the median inference without a profiler. inferences: with one, the slow ones left out.

    is_cut: whether an operator's times are cut to whole us, not rounded evenly.
    """

    whole_us: float
    inferences: Sequence[Sums]
    is_cut: Callable[[str], bool]


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """The profile of the job's model. DeviceError on an emulated processor."""
    refuse_emulation()
    features, model = input_of(job), load_model(job)
    profile_of = _of_onnx if job["format"] == "onnx" else _of_litert
    try:
        profile = profile_of(job, features, lambda: model.run(features))
    except DeviceError as error:
        missing = dict.fromkeys(("profile_n", "profile"), str(error))
        return {"values": dict.fromkeys(missing), "not_measured": missing, **runtime_of(model)}
    values = {"profile_n": len(profile.inferences), "profile": table(profile)}
    return {"values": values, "not_measured": {}, **runtime_of(model)}


def table(profile: Profile) -> list[dict[str, Any]]:
    """Rows {"op", "calls" per inference, "us" per inference, "percent" of it}, the longest first.

    us and percent are None for an operator that is too short to time; so are the calls of the rest.
    """
    count = len(profile.inferences)
    calls: Counter[str] = Counter()
    sums_us: Counter[str] = Counter()
    for sums in profile.inferences:
        for op, (times, us) in sums.items():
            calls[op] += times
            sums_us[op] += us
    times_us = {op: _time_us(sums_us[op], calls[op], profile.is_cut(op)) for op in calls}
    known_us = sum(us for us in times_us.values() if us is not None) / count
    whole_us = max(profile.whole_us, known_us)
    rows = [
        _row(op, calls[op] / count, None if us is None else us / count, whole_us)
        for op, us in times_us.items()
    ]
    if whole_us > known_us:
        rows.append(_row(REST, None, whole_us - known_us, whole_us))
    return sorted(rows, key=lambda row: (row["us"] is None, -(row["us"] or 0.0), -(row["calls"] or 0)))


def sums_of(events: Iterable[tuple[str, int]]) -> Sums:
    """From the operators of an inference, each with its time in us, those that hold no others."""
    calls: Counter[str] = Counter()
    sums_us: Counter[str] = Counter()
    for op, us in events:
        if op not in _CONTAINERS:
            calls[op] += 1
            sums_us[op] += us
    return {op: (calls[op], sums_us[op]) for op in calls}


def _time_us(sum_us: int, calls: int, is_cut: bool) -> float | None:
    if not is_cut:
        return float(sum_us)
    return sum_us + calls / 2 if sum_us >= RESOLVED_US * calls else None


def _row(op: str, calls: float | None, us: float | None, whole_us: float) -> dict[str, Any]:
    return {
        "op": op,
        "calls": calls if calls is None or calls % 1 else int(calls),
        "us": None if us is None else round(us, 2),
        "percent": None if us is None else round(100 * us / whole_us, 1),
    }


def _of_onnx(job: dict[str, Any], features: Features, plain: Callable[[], Any]) -> Profile:
    """A profiled session writes a file when it ends, into the folder of the job's input."""
    probe = list(_onnx_inferences(job, features, lambda: None, _PROBES))
    runs = min(job["limits"]["profile_runs"], max(_PROBES, _EVENTS_MAX // max(1, _calls(probe[-1][1]))))
    walls_ns: list[int] = []
    told = list(_onnx_inferences(job, features, _timed(plain, walls_ns), runs + 1))[1:]
    return Profile(_median_us(walls_ns[1:]), _quiet(told), lambda _op: True)


def _calls(sums: Sums) -> int:
    return sum(calls for calls, _us in sums.values())


def _onnx_inferences(
    job: dict[str, Any], features: Features, before: Callable[[], object], runs: int
) -> Iterator[tuple[int, Sums]]:
    """For each inference its time in us and that of its operators; `before` is called ahead of each."""
    from edgeseq_device import runtimes

    prefix = Path(job["input"]).with_name("profile")
    model, finish = runtimes.load_profiled(job["model"], prefix, job["threads"])
    try:
        for _ in range(runs):
            before()
            model.run(features)
    finally:
        file = Path(finish())
    try:
        yield from read_onnx_profile(file)
    finally:
        with suppress(FileNotFoundError):
            file.unlink()


def read_onnx_profile(file: Path) -> Iterator[tuple[int, Sums]]:
    """For each inference in ONNX Runtime's file its time in us and that of its operators.

    The file has an event a line, read as such: all at once would need ten times its size.
    """
    events: list[tuple[str, int]] = []
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            text = line.strip().strip("[],")
            event = json.loads(text) if text else {}
            if event.get("cat") == "Node" and str(event["name"]).endswith("_kernel_time"):
                events.append((str(event["args"]["op_name"]), int(event["dur"])))
            elif event.get("name") == "model_run":
                yield int(event["dur"]), sums_of(events)
                events = []


def _of_litert(job: dict[str, Any], features: Features, plain: Callable[[], Any]) -> Profile:
    """The same model twice: in the interpreter without a profiler, as a compiled model with one."""
    import numpy as np

    from edgeseq_device.measuring.litert_operators import XNNPACK, ProfiledModel

    walls_ns: list[int] = []
    profiled_ns: list[int] = []
    told: list[Sums] = []
    timed = _timed(plain, walls_ns)
    with ProfiledModel(job["model"], features, job["threads"]) as model:
        run = _timed(lambda: told.append(sums_of(model.run())), profiled_ns)
        for _ in range(job["limits"]["profile_runs"] + 1):
            timed()
            run()
        if not np.allclose(model.logits, plain(), rtol=1e-3, atol=1e-3):
            raise DeviceError("LiteRT answers otherwise with its profiler than without, so it is not trusted")
    inferences = [(wall_ns // 1000, sums) for wall_ns, sums in zip(profiled_ns, told)]
    return Profile(_median_us(walls_ns[1:]), _quiet(inferences[1:]), lambda op: op.startswith(XNNPACK))


def _timed(work: Callable[[], Any], into_ns: list[int]) -> Callable[[], None]:
    """`work`, with the time of each call added to a list."""

    def call() -> None:
        begin = time.perf_counter_ns()
        work()
        into_ns.append(time.perf_counter_ns() - begin)

    return call


def _quiet(inferences: Sequence[tuple[int, Sums]]) -> list[Sums]:
    """Those inferences that are not among the slowest."""
    order = sorted(range(len(inferences)), key=lambda at: inferences[at][0])
    kept = order[: len(order) - len(order) // _SLOW_SHARE]
    return [inferences[at][1] for at in sorted(kept)]


def _median_us(times_ns: Sequence[int]) -> float:
    from statistics import median

    return median(times_ns) / 1000
