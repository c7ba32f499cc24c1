"""Measuring an artifact on a device: verify, prepare, run the agent, put the result together."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edgeseq.bench.added_by_host import complete
from edgeseq.bench.asking import measure
from edgeseq.bench.formats import NATIVE, formats_to_measure
from edgeseq.devices.agent_link import HangUp, OnEvent
from edgeseq.devices.cache import Progress
from edgeseq.devices.links import Device, Link
from edgeseq_device.artifact import Artifact, open_artifact
from edgeseq_device.errors import DeviceError, EdgeseqError
from edgeseq_device.layout import LOCK_WAIT_S
from edgeseq_device.measuring.assemble import Taken, about
from edgeseq_device.measuring.keys import DEFAULT_KINDS, INTERRUPTED
from edgeseq_device.measuring.protocol import validate_result
from edgeseq_device.measuring.request import Limits, Request
from edgeseq_device.measuring.runners import with_board
from edgeseq_device.measuring.verdict import judge

EMULATED_TIMEOUT_S = 900.0
"""For one measurement on a virtual board; a real processor gets the default of `Limits`."""


@dataclass(frozen=True)
class BenchOptions:
    """threads: each number of the runtime's threads is measured. formats: those to measure, empty for all.
    limits: how long; kinds: what is measured beside the usual; max_ram_bytes: for "fits"; period_ms: of a
    frame for "realtime", None where the artifact tells; readings: a file of recordings for "accuracy" (see
    `edgeseq.readings`); lock_wait_s: for a board that another host measures on; runners: of RUNNERS, empty
    for what the device takes by itself."""

    threads: tuple[int, ...] = (1,)
    formats: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    kinds: tuple[str, ...] = ()
    max_ram_bytes: int | None = None
    period_ms: float | None = None
    readings: Path | None = None
    lock_wait_s: float = LOCK_WAIT_S
    runners: tuple[str, ...] = ()


def bench(
    folder: Path,
    device: Device,
    options: BenchOptions,
    on_prepare: Progress,
    on_event: OnEvent,
    hang_up: HangUp | None = None,
) -> dict[str, Any]:
    """Measure the artifact in `folder` on `device` and return the complete, checked result.

    The artifact is verified before anything else happens: DataError if it was tampered with. `on_prepare`
    hears of the device being made ready, `on_event` of each measurement; `hang_up` ends it from another
    thread, as Ctrl-C does from this one. Where that comes, or the agent fails, after something was measured,
    the result has what there was until then and says so.
    """
    artifact = open_artifact(folder)
    formats = formats_to_measure(artifact, options.formats, options.runners)
    if device.cores is not None and max(options.threads) > device.cores:
        raise DeviceError(
            f"--threads {max(options.threads)}: {device.name} has {device.cores} cores; ask for fewer"
        )
    with device.open(on_prepare) as link:
        request = _request(link, artifact, formats, options, on_prepare, emulated=bool(device.emulated))
        taken = Taken(request, [artifact.model(each) for each in formats], about=about(artifact))
        try:
            measure(link, device, taken, on_event, hang_up)
        except KeyboardInterrupt:  # which has ended the agent
            if not taken.outcomes:
                raise
            taken.lost = INTERRUPTED
    result = taken.result()
    result["warnings"] = [with_board(each, device.name) for each in result["warnings"]]
    if device.emulated is not None and result["emulated"] != device.emulated:
        raise DeviceError(f"{device.name}: the agent found emulated={result['emulated']}; prepare it again")
    complete(result, artifact, formats, device)
    validate_result(result, complete=True)
    return result


def verdict(result: Mapping[str, Any]) -> EdgeseqError | None:
    """What a result is failed for (see `judge`); None if all is well."""
    return judge(result, result["board"])


def _request(
    link: Link,
    artifact: Artifact,
    formats: tuple[str, ...],
    options: BenchOptions,
    progress: Progress,
    *,
    emulated: bool,
) -> Request:
    """What the agent is asked for, with everything it needs sent to it."""
    runners = options.runners or link.default_runners
    native = link.native(progress) if NATIVE in runners else None
    sent = link.send(artifact.path, progress)
    readings = None if options.readings is None else link.send(options.readings, progress)
    limits = replace(options.limits, timeout_s=EMULATED_TIMEOUT_S) if emulated else options.limits
    return Request(
        artifact=sent.path,
        artifact_sha256=sent.sha256,
        formats=formats,
        kinds=tuple(dict.fromkeys((*DEFAULT_KINDS, *options.kinds))),
        threads=options.threads,
        limits=limits,
        worker_command=link.worker_command,
        counting_worker_command=link.counting_worker_command,
        root=link.root,
        host=platform.node() or "a host without a name",
        lock_wait_s=options.lock_wait_s,
        max_ram_bytes=options.max_ram_bytes,
        period_ms=options.period_ms,
        readings=None if readings is None else readings.path,
        readings_sha256=None if readings is None else readings.sha256,
        runners=runners,
        native=native,
    )
