"""The power a board draws: idle, and with inferences without a pause (Raspberry Pi 5's PMIC).

The PMIC tells voltage and current of most of the board's rails behind the regulators. Their sum is less than
what the supply gives, which only an external meter tells; the difference between idle and busy is of use.
"""

# ruff: noqa: PLC0415
from __future__ import annotations

import os
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from edgeseq_device.emulation import emulation
from edgeseq_device.measuring.guards import vcgencmd
from edgeseq_device.measuring.job import input_of, load_model, not_taken, runtime_of

NO_PMIC = "this board has no PMIC reading; measure with an external meter"
READINGS_MIN = 3
_COMMAND = "pmic_read_adc"
_RAIL = re.compile(r"^\s*(\S+)_([AV]) (?:current|volt)\(\d+\)=(\d+\.?\d*)[AV]\s*$", re.MULTILINE)
_POLL_S = 0.2
_END = "end of a reading"
_SAMPLER = """
i=0
while [ "$i" -lt "$1" ] && vcgencmd "$2"; do
    echo "$3"
    sleep "$4"
    i=$((i + 1))
done
"""
"""A shell reads the PMIC, because this process has its inferences to do."""


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """limits.power_s of nothing, then as long of inferences; nothing is loaded where nothing can be read."""
    emulated = emulation()
    if emulated is not None:
        return not_taken("power", f"emulated: there is no board that draws power ({emulated.because})")
    if rails_w(vcgencmd(_COMMAND) or "") is None:
        return not_taken("power", NO_PMIC)
    power_s = job["limits"]["power_s"]
    with sampled_w(power_s) as idle_w:
        time.sleep(power_s)
    from edgeseq_device.measuring.measure import warm_up
    from edgeseq_device.measuring.request import Limits

    features, model = input_of(job), load_model(job)

    def run() -> None:
        model.run(features)

    warm_up(run, Limits(**job["limits"]))
    with sampled_w(power_s) as busy_w:
        runs, seconds = run_for(power_s, run)
    values, missing = figures(idle_w, busy_w, seconds / runs)
    return {"values": values, "not_measured": missing, **runtime_of(model)}


def rails_w(reading: str) -> float | None:
    """W: volt times ampere, summed over the rails of which a reading tells both; None for no reading.

    A line is `VDD_CORE_A current(7)=0.91574000A` or `VDD_CORE_V volt(15)=0.72065690V`.
    """
    told = {(rail, unit): float(number) for rail, unit, number in _RAIL.findall(reading)}
    rails = [rail for rail, unit in told if unit == "A" and (rail, "V") in told]
    return sum(told[rail, "A"] * told[rail, "V"] for rail in rails) or None


@contextmanager
def sampled_w(longest_s: float) -> Iterator[list[float]]:
    """What the board draws in W, about five readings a second, while the block runs; filled in at its end."""
    watts: list[float] = []
    with tempfile.TemporaryFile() as readings:
        words = [str(int(2 * longest_s / _POLL_S) + 10), _COMMAND, _END, str(_POLL_S)]
        sampler = subprocess.Popen(
            ["/bin/sh", "-c", _SAMPLER, "sampler", *words], stdout=readings, stderr=subprocess.DEVNULL
        )
        try:
            _move_off_this_cpu(sampler.pid)
            yield watts
        finally:
            sampler.kill()
            sampler.wait()
        # Not by seek(): its last vcgencmd may still write, and shares the position.
        size_bytes = os.fstat(readings.fileno()).st_size
        told = os.pread(readings.fileno(), size_bytes, 0).decode("utf-8", "replace").split(_END)[:-1]
        watts += [each for each in map(rails_w, told) if each is not None]


def _move_off_this_cpu(pid: int) -> None:
    """The processors that the inferences are not pinned to, where there are any."""
    others = set(range(os.cpu_count() or 1)) - os.sched_getaffinity(0)
    with suppress(OSError):  # not allowed here, or it has ended; the reading is as good
        os.sched_setaffinity(pid, others)


def run_for(
    seconds: float, run: Callable[[], object], clock_ns: Callable[[], int] = time.monotonic_ns
) -> tuple[int, float]:
    """(inferences, the seconds they took): so many as it takes to fill `seconds`, one at least."""
    begin_ns, runs = clock_ns(), 0
    while True:
        run()
        runs += 1
        took_ns = clock_ns() - begin_ns
        if took_ns >= seconds * 1e9:
            return runs, took_ns / 1e9


def figures(
    idle_w: Sequence[float], busy_w: Sequence[float], inference_s: float
) -> tuple[dict[str, Any], dict[str, str]]:
    """The figures of readings in W and of inferences of so many seconds, and the reasons of those that are
    None. energy_mj is what an inference takes above what the board draws idle."""
    fewest = min(len(idle_w), len(busy_w))
    if fewest < READINGS_MIN:
        outcome = not_taken("power", f"{fewest} readings of the PMIC, fewer than {READINGS_MIN}")
        return outcome["values"], outcome["not_measured"]
    idle, busy = statistics.fmean(idle_w), statistics.fmean(busy_w)
    values = {"power_idle_w": idle, "power_w": busy, "energy_mj": 1000 * (busy - idle) * inference_s}
    if busy > idle:
        return values, {}
    return {**values, "energy_mj": None}, {"energy_mj": "busy, the board drew no more than idle"}
