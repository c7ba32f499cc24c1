"""The options of `edgeseq bench`, and what they mean."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edgeseq_device.errors import UsageError
from edgeseq_device.layout import LOCK_WAIT_S

if TYPE_CHECKING:
    from edgeseq.bench.run import BenchOptions
    from edgeseq.devices.links import Device

Command = TypeVar("Command", bound=Callable[..., Any])

THREADS_MAX = 256
MAX_RAM_MIN_BYTES = {"Python": 4_000_000, "native runner": 1_000_000}
"""Less holds no such process: a --max-ram below is a slip of the unit."""
RUNNERS: dict[str | None, tuple[str, ...]] = {
    "python": ("python",),
    "native": ("native",),
    "both": ("python", "native"),
    None: (),
}
"""By what --runner says; () is the default of each device."""
_PYTHON_ONLY = ("realtime", "duration", "profile", "with_accuracy")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: str, *, or_none: bool = False) -> float:
    """Seconds of a duration such as 10ms, 30s, 5m or 1h. UsageError for anything else, and for none at all
    such as 0s unless `or_none`."""
    match = _DURATION.fullmatch(text)
    if match is None or (float(match[1]) == 0 and not or_none):
        raise UsageError(f'duration "{text}" is not understood; write a number and ms, s, m or h, such as 5m')
    return float(match[1]) * _SECONDS[match[2]]


def thread_counts(text: str) -> tuple[int, ...]:
    """The numbers in a list such as 1,2,4, each once. UsageError for anything else."""
    words = text.split(",")
    if not all(word.isascii() and word.isdigit() and 1 <= int(word) <= THREADS_MAX for word in words):
        raise UsageError(f'--threads "{text}": write numbers from 1 to {THREADS_MAX}, such as 1,2,4')
    return tuple(dict.fromkeys(int(word) for word in words))


def ram_bytes(text: str, *, native: bool = False) -> int:
    """Bytes of a --max-ram such as 64MB, for the native runner too if `native`. UsageError for anything else,
    without a unit, or for so little that nothing starts in it."""
    from edgeseq_export.budget import parse_size

    if text.strip()[-1:].isdigit():
        raise UsageError(
            f"--max-ram {text}: {text} of what? write --max-ram {text.strip()}MB, or another unit"
        )
    count = parse_size(text)
    what = "native runner" if native else "Python"
    if count < MAX_RAM_MIN_BYTES[what]:
        least = f"{MAX_RAM_MIN_BYTES[what] / 1e6:.0f} MB"
        raise UsageError(f"--max-ram {text}: no {what} starts in that; give {least} or more, such as 64MB")
    return count


_OPTIONS = (
    click.option(
        "--device",
        "devices",
        multiple=True,
        metavar="DEVICE",
        help="local (the default), a board of `edgeseq device list`, or a virtual one; more than once.",
    ),
    click.option("--emulate", is_flag=True, help="The virtual board, also where a host is configured."),
    click.option(
        "--via",
        type=click.Choice(("ssh", "docker")),
        default="ssh",
        show_default=True,
        help="The agent in the board's own Python, or in a container there.",
    ),
    click.option("--image", metavar="IMAGE", help="The container of --via docker."),
    click.option("--threads", default="1", show_default=True, metavar="N[,N...]", help="Of the runtime."),
    click.option(
        "--format", "formats", multiple=True, metavar="FORMAT", help="onnx or tflite; all by default."
    ),
    click.option(
        "--runner",
        type=click.Choice(("python", "native", "both")),
        help="Python, the native runner (TFLite only), or side by side; default: native on boards that were "
        "set up with it.",
    ),
    click.option("--quick", is_flag=True, help="One short launch: rougher latency."),
    click.option("--realtime", is_flag=True, help="Also frames at the pace of real time: deadlines, CPU."),
    click.option(
        "--period", metavar="TIME", help="Of a frame, such as 10ms; default: what the artifact tells."
    ),
    click.option("--duration", metavar="TIME", help="Also without a pause for so long, such as 5m."),
    click.option("--profile", is_flag=True, help="Also the time of each operator."),
    click.option("--max-ram", metavar="SIZE", help="Also whether it fits into so much RAM, such as 64MB."),
    click.option("--with-accuracy", is_flag=True, help="Also the accuracy of a test split, on the device."),
    click.option("--data", metavar="PATH|NAME", help="For --with-accuracy; default: the run's own."),
    click.option(
        "--wait",
        default=f"{LOCK_WAIT_S / 60:.0f}m",
        show_default=True,
        metavar="TIME",
        help="For a board that somebody else measures on; 0s: refuse at once.",
    ),
)


def bench_options(command: Command) -> Command:
    """All options that say what is measured where, passed on by their names."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def devices_of(asked: Mapping[str, Any]) -> list[Device]:
    """The devices that were asked for, each once."""
    from edgeseq.devices.names import LOCAL
    from edgeseq.devices.pick import IMAGE, pick_device

    if asked["image"] is not None and asked["via"] != "docker":
        raise UsageError("--image goes with --via docker; leave it out or add that")
    image = (IMAGE if asked["image"] is None else asked["image"]) if asked["via"] == "docker" else None
    names = dict.fromkeys(asked["devices"] or (LOCAL,))
    return [pick_device(name, emulate=asked["emulate"], image=image) for name in names]


@contextmanager
def options_of(asked: Mapping[str, Any], artifact: Path) -> Iterator[BenchOptions]:
    """What is to be measured; the recordings of --with-accuracy are a file while the context lasts."""
    for option, owner in (("data", "with_accuracy"), ("period", "realtime")):
        if asked[option] is not None and not asked[owner]:
            other = owner.replace("_", "-")
            raise UsageError(f"--{option} goes with --{other}; add that or leave --{option} out")
    _check_native(asked)
    options = _options(asked)
    if not asked["with_accuracy"]:
        yield options
        return
    from edgeseq.readings import write_readings

    _check_classifies(artifact)
    with tempfile.TemporaryDirectory(prefix="edgeseq-") as scratch:
        readings = write_readings(artifact, asked["data"], Path(scratch))
        yield replace(options, kinds=(*options.kinds, "accuracy"), readings=readings)


def _check_classifies(artifact: Path) -> None:
    """UsageError for an artifact that has no classes to be right about."""
    from edgeseq_device.manifest import MANIFEST_FILE, read_manifest

    if read_manifest(artifact / MANIFEST_FILE).get("task", "classify") != "classify":
        raise UsageError(
            f"--with-accuracy counts right classes, and {artifact.name} has none; judge it on this machine:"
            f" edgeseq eval {artifact.name}"
        )


def _check_native(asked: Mapping[str, Any]) -> None:
    """UsageError for what the native runner, asked for alone, would leave out."""
    refused = [f"--{each.replace('_', '-')}" for each in _PYTHON_ONLY if asked[each] not in (None, False)]
    if asked["runner"] == "native" and refused:
        them = "it" if len(refused) == 1 else "them"
        raise UsageError(
            f"the native runner takes no {' and no '.join(refused)}: --runner both measures {them} with"
            " Python"
        )


def _options(asked: Mapping[str, Any]) -> BenchOptions:
    from edgeseq.bench.run import BenchOptions
    from edgeseq_device.measuring.request import QUICK, Limits

    kinds = [kind for kind in ("realtime", "profile") if asked[kind]]
    runners = RUNNERS[asked["runner"]]
    limits = QUICK if asked["quick"] else Limits()
    if asked["duration"] is not None:
        kinds.append("sustained")
        limits = replace(limits, sustained_s=seconds(asked["duration"]))
    if asked["max_ram"] is not None:
        kinds.append("fits")
    return BenchOptions(
        threads=thread_counts(asked["threads"]),
        formats=asked["formats"],
        limits=limits,
        kinds=tuple(kinds),
        max_ram_bytes=None
        if asked["max_ram"] is None
        else ram_bytes(asked["max_ram"], native="native" in runners),
        period_ms=None if asked["period"] is None else 1e3 * seconds(asked["period"]),
        lock_wait_s=seconds(asked["wait"], or_none=True),
        runners=runners,
    )
