"""One artifact on several devices at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeseq.bench.run import BenchOptions, bench, verdict
from edgeseq.devices.agent_link import HangUp, OnEvent
from edgeseq.devices.cache import Progress
from edgeseq.devices.links import Device
from edgeseq.devices.plain import printable
from edgeseq_device.errors import DeviceError, EdgeseqError
from edgeseq_device.measuring.verdict import InterruptedBenchError

SCHEMA, SCHEMA_VERSION = "edgeseq.bench.devices", 1
END_S = 30.0
"""How long an interrupted benchmark waits for its agents to end, and for what they have measured."""

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
    from theirs. A single one may be out of order too, but what it is refused for is raised.

    Ctrl-C ends the agents at once, and what they have measured until then are the results; KeyboardInterrupt
    where that is nothing, or when it comes again. A virtual board shares the processor with its neighbours,
    which changes none of its figures.
    """
    hang_up = HangUp()

    def measure(device: Device) -> Benched:
        prepared = on_prepare(device)

        def prepare(fraction: float, label: str) -> None:
            if hang_up.done:
                raise KeyboardInterrupt
            prepared(fraction, label)

        result = bench(folder, device, options, prepare, on_measure(device), hang_up)
        return Benched(device, result, verdict(result))

    if len(devices) == 1:
        return [_unless_away(measure, devices[0])]
    begun = [_begin(measure, device) for device in devices]
    try:
        return [each.result() for each in begun]
    except KeyboardInterrupt:
        hang_up()
        wait(begun, END_S)
        ended = [_ended(device, future) for device, future in zip(devices, begun, strict=True)]
        if all(each.result is None for each in ended):
            raise
        return ended


def _ended(device: Device, future: Future[Benched]) -> Benched:
    """What has become of a device when all were interrupted."""
    if future.done() and future.exception() is None:
        return future.result()
    return Benched(device, None, InterruptedBenchError(f"{device.name}: interrupted, nothing was measured"))


def _unless_away(measure: Callable[[Device], Benched], device: Device) -> Benched:
    try:
        return measure(device)
    except DeviceError as error:
        return Benched(device, None, error)


def _begin(measure: Callable[[Device], Benched], device: Device) -> Future[Benched]:
    """What becomes of one device among several. Its thread does not keep this process from its end: agents
    end with that by themselves."""
    future: Future[Benched] = Future()

    def run() -> None:
        try:
            future.set_result(_outcome(measure, device))
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
            future.set_exception(error)

    threading.Thread(target=run, name=f"bench {device.name}", daemon=True).start()
    return future


def _outcome(measure: Callable[[Device], Benched], device: Device) -> Benched:
    try:
        return measure(device)
    except EdgeseqError as error:
        return Benched(device, None, error)
    except Exception as error:  # noqa: BLE001 - the others' results must not be lost with it
        said = f"{type(error).__name__}: {printable(str(error))}"
        advice = f"a fault of edgeseq itself: bench {device.name} alone to see where"
        return Benched(device, None, EdgeseqError(f"{device.name}: {said}; {advice}"))


def results_to_dict(benched: Sequence[Benched]) -> dict[str, Any]:
    """The result of one device as it is; of several, each by the device's name, or the error it ended in, as
    of one that has no result."""
    if len(benched) == 1 and benched[0].result is not None:
        return benched[0].result
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "results": {each.device.name: each.result or _failure(each) for each in benched},
    }


def _failure(benched: Benched) -> dict[str, Any]:
    fault = benched.fault
    return {"error": str(fault), "exit_code": 1 if fault is None else fault.exit_code}
