"""The native runner, `edgeseq-run`: where it is, what it measures, and what it is told to.

It imports next to nothing: with the requests that name a runner, workers import it, whose RAM is measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgeseq_device.measuring.keys import INSTRUCTIONS, LATENCIES

if TYPE_CHECKING:
    from edgeseq_device.measuring.workers import Began

FORMAT = "tflite"
"""What it loads."""
KINDS = ("ram", "parity", "step_parity", *INSTRUCTIONS, *LATENCIES, "fits")
"""The kinds of measurement that it takes."""
_LIMITS = (
    *("warmup_runs", "warmup_s", "warmup_max_s", "steady_runs", "steady_s", "steady_max_s"),
    "instruction_runs",
)


@dataclass(frozen=True)
class NativeRunner:
    """command: the argv prefix that starts it, whose last word is the path of the program itself; library: of
    libLiteRt.so; library_version: such as "2.3.0", "" where unknown; counting_command: as `command`, with its
    instructions counted, or None. All as the agent's machine sees them."""

    command: tuple[str, ...]
    library: str
    library_version: str
    counting_command: tuple[str, ...] | None = None

    @property
    def program(self) -> str:
        """The path of edgeseq-run."""
        return self.command[-1]


def arguments(runner: NativeRunner, job: Mapping[str, Any], began: Began) -> list[str]:
    """The argv of one job."""
    return [*runner.command, "measure", job["kind"], *_options(runner, job, began)]


def _options(runner: NativeRunner, job: Mapping[str, Any], began: Began) -> Iterator[str]:
    yield from ("--artifact", job["artifact"], "--library", runner.library)
    if runner.library_version:
        yield from ("--library-version", runner.library_version)
    yield from ("--threads", str(job["threads"]), "--spawned-ns", str(began.spawned_ns))
    yield from ("--agent", "{}:{}".format(*began.agent))
    if "input" in job:
        yield from ("--input", job["input"], "--frames", str(job["input_shape"][0]))
    for name in _LIMITS if "limits" in job else ():
        yield from (f"--{name.replace('_', '-')}", str(job["limits"][name]))
