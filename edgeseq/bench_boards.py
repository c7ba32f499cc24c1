"""One artifact on several devices at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeseq.bench import BenchOptions, bench, verdict
from edgeseq.devices.agent_link import OnEvent
from edgeseq.devices.cache import Progress
from edgeseq.devices.links import Device
from edgeseq_device.errors import EdgeseqError

SCHEMA, SCHEMA_VERSION = "edgeseq.bench.devices", 1

OnPrepare = Callable[[Device], Progress]
OnMeasure = Callable[[Device], OnEvent]


@dataclass(frozen=True)
class Benched:
    """What became of one device: its result, or why there is none; `fault` is what its command fails for."""

    device: Device
    result: dict[str, Any] | None
    fault: EdgeseqError | None


def bench_boards(
    folder: Path,
    devices: Sequence[Device],
    options: BenchOptions,
    on_prepare: OnPrepare,
    on_measure: OnMeasure,
) -> list[Benched]:
    """Measure an artifact on each device, side by side; of several, one that fails does not keep the others
    from theirs. The error of a single one is raised.

    A virtual board shares the processor with its neighbours, which changes none of its figures.
    """
    given_up = threading.Event()

    def measure(device: Device) -> Benched:
        prepared, measured = on_prepare(device), on_measure(device)

        def prepare(fraction: float, label: str) -> None:
            if given_up.is_set():
                raise KeyboardInterrupt
            prepared(fraction, label)

        def hear(event: Mapping[str, Any]) -> None:
            if given_up.is_set():
                raise KeyboardInterrupt
            measured(event)

        try:
            result = bench(folder, device, options, prepare, hear)
        except EdgeseqError as error:
            if len(devices) == 1:
                raise
            return Benched(device, None, error)
        return Benched(device, result, verdict(result))

    if len(devices) == 1:
        return [measure(devices[0])]
    with ThreadPoolExecutor(len(devices)) as threads:
        try:
            return list(threads.map(measure, devices))
        except BaseException:
            given_up.set()
            raise


def results_to_dict(benched: Sequence[Benched]) -> dict[str, Any]:
    """The result of one device as it is; of several, each by the device's name, or the error it ended in."""
    if len(benched) == 1:
        return benched[0].result or {}
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "results": {each.device.name: each.result or _failure(each) for each in benched},
    }


def _failure(benched: Benched) -> dict[str, Any]:
    fault = benched.fault
    return {"error": str(fault), "exit_code": 1 if fault is None else fault.exit_code}
