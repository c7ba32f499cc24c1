"""The figures of the native runner beside Python, of FSDD's GRU-64 in int8 for TFLite, on this machine."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from measured import Commands, Figure

from edgeseq_device.artifact import open_artifact

ARTIFACT = "fsdd-int8-generic"
STREAMED_STEPS = 10_000_000
BLOCK_STEPS = 50_000
PROGRAM_BYTES_MAX = 80_000
ANSWER = """
import sys
from pathlib import Path
import numpy
from edgeseq_device.artifact import open_artifact
from edgeseq_device.runtimes import load
model = open_artifact(Path(sys.argv[1])).model("tflite")
print(load(model.path, "tflite").run(numpy.load(sys.argv[2])))
"""
"""What `edgeseq-run predict` does, in Python: verify the artifact, load the model, answer once."""


def native(commands: Commands) -> list[Figure]:
    """RAM and step in one benchmark of both, the programs' sizes, instructions to the first answer and ten
    million steps of a stream. valgrind, which counts the instructions, must be installed.
    """
    shown, benched = commands.run(f"bench {ARTIFACT} --device local --runner both --format tflite")
    by_runner = {model["runner"]: model for model in benched["models"]}
    own, python = by_runner["native"], by_runner["python"]
    step = own["step_latency_p50_ms"] / python["step_latency_p50_ms"]
    peak_mb = own["ram_peak_bytes"] / 1e6
    figures = [
        Figure("native runner's peak RSS (MB)", peak_mb, 10, False, shown),
        Figure("Python agent's peak RSS beside it (MB)", python["ram_peak_bytes"] / 1e6, None, False, shown),
        Figure("native step's p50 over Python's", step, 1, False, shown),
    ]
    shown, sizes = commands.measure("edgeseq device runner --output runner", programs)
    figures += [
        Figure(f"{name} (bytes)", size, PROGRAM_BYTES_MAX, False, shown) for name, size in sizes.items()
    ]
    shown, counted = commands.measure("valgrind --tool=cachegrind edgeseq-run predict", first_answers)
    part = counted["native"] / counted["python"]
    figures.append(Figure("instructions to the first answer, native over Python's", part, 0.05, False, shown))
    shown, found = commands.measure(f"edgeseq-run stream, {STREAMED_STEPS:,} steps", streamed)
    numbers, grown = "streamed steps that were answered by a number", "memory that a stream gained (bytes)"
    return [
        *figures,
        Figure(numbers, found["numbers"], STREAMED_STEPS, True, shown),
        Figure(grown, found["grown"], 65_536, False, shown),
    ]


def programs(folder: Path) -> dict[str, Any]:
    """Builds them into `folder`/runner; their sizes in bytes."""
    command = [sys.executable, "-m", "edgeseq", "device", "runner", "--output", "runner"]
    subprocess.run(command, cwd=folder, check=True)
    return {name: (folder / "runner" / name).stat().st_size for name in ("edgeseq-run", "edgeseq-bench")}


def first_answers(folder: Path) -> dict[str, Any]:
    """Instructions of a whole process that answers one golden vector, natively and in Python."""
    artifact = str(folder / "artifacts" / ARTIFACT)
    np.save(folder / "features.npy", _features(folder))
    runner = [str(folder / "runner/edgeseq-run"), "predict", artifact, str(folder / "features.npy")]
    python = [sys.executable, "-c", ANSWER, artifact, str(folder / "features.npy")]
    return {"native": _instructions(runner), "python": _instructions(python)}


def streamed(folder: Path, steps: int = STREAMED_STEPS, options: Sequence[str] = ()) -> dict[str, Any]:
    """numbers: answers to so many steps that are a label and a probability. grown: how much memory of its own
    the process has more behind the last step than behind the first block, in bytes.
    """
    features = _features(folder)
    block = np.resize(features, (BLOCK_STEPS, features.shape[1])).tobytes()
    command = [str(folder / "runner/edgeseq-run"), "stream", str(folder / "artifacts" / ARTIFACT)]
    numbers, held = 0, []
    with subprocess.Popen(
        [*command, "--input", "features", *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        writer = threading.Thread(target=_write, args=(process, block, steps // BLOCK_STEPS))
        writer.start()
        for step, line in enumerate(process.stdout, 1):
            numbers += _IS_ANSWER.fullmatch(line) is not None
            if step % BLOCK_STEPS == 0 and step < steps:
                held.append(_own_bytes(process.pid))
        writer.join()
    return {"numbers": numbers, "grown": max(held) - held[0]}


_IS_ANSWER = re.compile(rb'\{"frame": \d+, "label": (null|"[^"]*"), "probability": [01](\.\d+)?(e-\d+)?\}\n')


def _write(process: subprocess.Popen[bytes], block: bytes, blocks: int) -> None:
    assert process.stdin is not None
    for _ in range(blocks):
        process.stdin.write(block)
    process.stdin.close()


def _features(folder: Path) -> npt.NDArray[Any]:
    """[T, F] of the first golden vector."""
    return open_artifact(folder / "artifacts" / ARTIFACT).golden().features[0]


def _own_bytes(pid: int) -> int:
    told = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(kb) * 1024 for kb in re.findall(r"^(?:Anonymous|Swap):\s+(\d+) kB$", told, re.MULTILINE))


def _instructions(command: list[str]) -> int:
    counting = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    done = subprocess.run([*counting, *command], capture_output=True, text=True, check=True)
    (said,) = re.findall(r"I\s+refs:\s+([\d,]+)", done.stderr)
    return int(said.replace(",", ""))
