"""`agent.pyz bench [FOLDER]`: a benchmark for people at the board, or in the Docker image, without a host.

The table goes to stdout; with `--json -` the result does, and the table to stderr like the progress.
"""

from __future__ import annotations

import importlib.util
import json
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeseq_device.errors import DeviceError, EdgeseqError, UsageError, board_fault

if TYPE_CHECKING:
    import argparse

    from edgeseq_device.artifact import Artifact

FOLDER = "/artifact"
"""Where the image expects the artifact, a folder of the board's bound to it."""
FORMATS = ("onnx", "tflite")


def main(arguments: Sequence[str]) -> int:
    """Measure and print; the exit code is that of the error, or of the verdict (`judge`). Ctrl-C ends the
    worker too; what was measured until then is the result."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        return _bench(_parse(arguments))
    except EdgeseqError as error:
        return _refuse(error)
    except OSError as error:
        return _refuse(board_fault(error))
    except KeyboardInterrupt as interruption:
        print("Interrupted: there is no result", file=sys.stderr)
        return 128 + (interruption.args[0] if interruption.args else signal.SIGINT)


def _bench(asked: argparse.Namespace) -> int:
    from edgeseq_device.artifact import open_artifact  # noqa: PLC0415
    from edgeseq_device.measuring.agent import bench  # noqa: PLC0415 - `--help` needs none of it
    from edgeseq_device.measuring.keys import DEFAULT_KINDS, INSTRUCTIONS  # noqa: PLC0415
    from edgeseq_device.measuring.plain_table import note_lines, table_lines  # noqa: PLC0415
    from edgeseq_device.measuring.request import QUICK, Limits, Request  # noqa: PLC0415
    from edgeseq_device.measuring.verdict import judge  # noqa: PLC0415

    artifact = open_artifact(asked.folder)
    formats, left_out = _formats(artifact, asked.format)
    kinds = tuple(each for each in DEFAULT_KINDS if each not in INSTRUCTIONS)  # those need an emulator
    request = Request(str(artifact.path), formats, kinds, asked.threads, QUICK if asked.quick else Limits())
    result = bench(request, _tell)
    _write(asked.json, result)
    out = sys.stderr if asked.json == "-" else sys.stdout
    for line in [artifact.name, *table_lines(result), *note_lines(result, left_out)]:
        print(line, file=out)
    failed = judge(result)
    return 0 if failed is None else _refuse(failed)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    import argparse  # noqa: PLC0415

    parser = argparse.ArgumentParser("agent.pyz bench", description="Measure an artifact on this machine.")
    parser.add_argument("folder", nargs="?", default=FOLDER, help=f"of the artifact; default: {FOLDER}")
    parser.add_argument("--format", choices=FORMATS, help="default: each whose runtime is installed here")
    parser.add_argument("--threads", type=_threads, default=(1,), metavar="N[,N...]", help="default: 1")
    parser.add_argument("--quick", action="store_true", help="one short launch: less precise")
    parser.add_argument("--json", metavar="FILE", help="write the whole result there; - is stdout")
    return parser.parse_args(arguments)


def _threads(text: str) -> tuple[int, ...]:
    counts = tuple(int(part) for part in text.split(","))
    if min(counts) < 1:
        raise ValueError(text)
    return tuple(dict.fromkeys(counts))


def _formats(artifact: Artifact, wanted: str | None) -> tuple[tuple[str, ...], list[str]]:
    """The formats to measure, and a line for each that is left out. UsageError for one that is not there,
    DeviceError when there is a runtime for none."""
    from edgeseq_device.manifest import RUNTIMES  # noqa: PLC0415

    there = [model.format for model in artifact.models]
    if wanted:
        if wanted not in there:
            raise UsageError(f"{artifact.name}: it has no {wanted}, only {', '.join(there)}")
        return (wanted,), []
    missing = {
        each: " or ".join(RUNTIMES[each])
        for each in there
        if not any(importlib.util.find_spec(module) for module in RUNTIMES[each])
    }
    chosen = tuple(each for each in there if each not in missing)
    if not chosen:
        needed = ", ".join(missing.values())
        raise DeviceError(f"no runtime is installed for {sys.executable}: one is needed of {needed}")
    return chosen, [f"{each}: not measured: no {names} here" for each, names in missing.items()]


def _tell(event: Mapping[str, Any]) -> None:
    """One line on stderr for each measurement, as it begins."""
    if event["event"] == "progress":
        launch = f", launch {event['launch'] + 1}" if event["launch"] else ""
        step = f"[{event['step'] + 1}/{event['steps']}]"
        print(f"{step} {event['format']}: {event['kind'].replace('_', ' ')}{launch}", file=sys.stderr)


def _write(target: str | None, result: Mapping[str, Any]) -> None:
    text = json.dumps(result, indent=1, allow_nan=False) + "\n"
    if target == "-":
        print(text, end="", flush=True)
    elif target:
        Path(target).write_text(text, "utf-8")


def _refuse(error: EdgeseqError) -> int:
    print(f"Error: {error}", file=sys.stderr)
    return error.exit_code


def _stop(number: int, _frame: object) -> None:
    """`docker stop`, or a supervisor: as Ctrl-C."""
    raise KeyboardInterrupt(number)
