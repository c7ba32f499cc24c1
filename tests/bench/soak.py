"""Many benchmarks in a row over SSH: do processes, files or the host's memory grow?

    make soak
    python tests/bench/soak.py artifacts/fsdd-gru-int8-generic --device pi4 --runs 50

Every run is a whole `edgeseq bench` in this process, one format. Exits with 1 when something was left behind.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from edgeseq.artifacts import find_artifact
from edgeseq.bench.run import BenchOptions, bench
from edgeseq.devices.board import SshDevice
from edgeseq.devices.pick import pick_device
from edgeseq.devices.ssh.connection import Connection
from edgeseq_device.measuring.memory import rss_bytes
from edgeseq_device.measuring.request import QUICK

GROWTH_BYTES_MAX = 2_000_000
"""From the fifth run on; before it, Python and the libraries fill their caches."""
SETTLED_AFTER = 5

# What lies anywhere on the board's disk or in its /tmp but in the folder, and every process of the user's.
_FILES = "find / /tmp -xdev -type f 2>/dev/null | grep -v ^/proc | grep -v /.edgeseq/ | sort -u"
_FOLDER = "cd .edgeseq && find . -type f | grep -v __pycache__ | sort"
_PROCESSES = "ps -u $(id -u) -o args | grep -v -e sshd -e ps.-u -e grep -e ^cat -e ^sort | sort"


def main() -> int:
    """Run, compare what is there before and behind, and say so."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("artifact", nargs="?", help="default: the newest")
    parser.add_argument("--device", default="virtual-pi")
    parser.add_argument("--runs", type=int, default=50)
    asked = parser.parse_args()
    artifact, device = find_artifact(asked.artifact), pick_device(asked.device)
    if not isinstance(device, SshDevice):
        sys.exit(f"{asked.device} is not reached over SSH")
    _measure(artifact, device)  # sends the agent and the artifact
    before, sizes, seconds = _look(device), [], []
    for run in range(1, asked.runs + 1):
        begin = time.monotonic()
        _measure(artifact, device)
        seconds.append(time.monotonic() - begin)
        sizes.append(rss_bytes())
        print(f"run {run}: {seconds[-1]:.1f} s, {sizes[-1] / 1e6:.1f} MB here", flush=True)
    left = {name: sorted(after - before[name]) for name, after in _look(device).items()}
    for name, lines in left.items():
        print(f"{name} left behind: {', '.join(lines) or 'none'}")
    growth = max(sizes[SETTLED_AFTER:], default=sizes[-1]) - sizes[min(SETTLED_AFTER, len(sizes)) - 1]
    print(f"memory of this host's process: {growth / 1e6:+.2f} MB after run {SETTLED_AFTER}")
    print(f"{asked.runs} runs, median {sorted(seconds)[len(seconds) // 2]:.1f} s")
    return int(any(left.values()) or growth > GROWTH_BYTES_MAX)


def _measure(artifact: Path, device: SshDevice) -> None:
    options = BenchOptions(formats=("tflite",), limits=QUICK)
    result = bench(artifact, device, options, lambda _fraction, _label: None, lambda _event: None)
    if not result["valid"]:
        sys.exit(f"not valid: {result['invalid_because']}")


def _look(device: SshDevice) -> dict[str, set[str]]:
    with Connection(device.destination, device.name) as connection:
        scripts = {"files": _FILES, "files of edgeseq": _FOLDER, "processes": _PROCESSES}
        return {name: _lines(connection, script) for name, script in scripts.items()}


def _lines(connection: Connection, script: str) -> set[str]:
    return set(connection.run(script, timeout_s=120).decode("utf-8", "replace").splitlines())


if __name__ == "__main__":
    sys.exit(main())
