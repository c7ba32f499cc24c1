"""`make bench`: edgeseq's forms against ONNX Runtime's and torch's, in one interleaved run on one thread.

Prints the tables, writes bench.json, bench.png and bench.svg into the folder that is named, and fails where a
bound is not reached. The virtual boards, which --no-boards leaves out, fetch about 100 MB at their first use.
"""

from __future__ import annotations

import os

os.environ |= {"ORT_DISABLE_TELEMETRY": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from bounds import Bound, evaluate
from measuring import Options, measure
from models import FAMILIES
from plot import draw
from results import Results
from tables import print_all

from edgeseq import __version__
from edgeseq_device.system import describe_system

BENCH_VERSION = 1
PACKAGES = ("numpy", "torch", "onnx", "onnxruntime", "ai-edge-litert")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; 0 where every bound on what was measured is kept."""
    folder, options = parse(arguments)
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch, torch.inference_mode():
        results = measure(options, Path(scratch), lambda text: print(text, file=sys.stderr, flush=True))
    bounds = evaluate(results)
    print_all(results, bounds)
    seconds = round(time.monotonic() - begin)
    write(folder / "bench.json", options, results, bounds, seconds)
    draw(results.rows, folder / "bench")
    print(f"{seconds} s; see {folder}/bench.json, bench.png and bench.svg")
    return 0 if all(each.reached for each in bounds) else 1


def parse(arguments: Sequence[str] | None) -> tuple[Path, Options]:
    """The folder and the options of a command line."""
    default = Options()
    parser = argparse.ArgumentParser(prog="bench.py", description=(__doc__ or "").split("\n\n", 1)[1])
    parser.add_argument("folder", nargs="?", type=Path, default=Path("bench"))
    parser.add_argument("--only", type=_words, default=default.families, help="families, such as gru,lstm")
    parser.add_argument("--hidden", type=_numbers, default=default.hidden, help="such as 64,128")
    parser.add_argument("--frames", type=_numbers, default=default.frames, help="such as 50,100")
    parser.add_argument("--no-step", action="store_true", help="whole sequences only")
    parser.add_argument("--no-boards", action="store_true", help="this machine only")
    parser.add_argument("--rounds", type=int, default=default.rounds, help="turns of each subject")
    parser.add_argument("--launches", type=int, default=default.launches, help="for memory and load; 0: none")
    parser.add_argument("--seed", type=int, default=default.seed)
    given = parser.parse_args(arguments)
    unknown = sorted(set(given.only) - set(FAMILIES))
    if unknown:
        parser.error(f"--only: no {', '.join(unknown)}; there are {', '.join(FAMILIES)}")
    return given.folder, Options(
        families=given.only,
        hidden=given.hidden,
        frames=given.frames,
        step=not given.no_step,
        boards=() if given.no_boards else default.boards,
        rounds=given.rounds,
        launches=given.launches,
        seed=given.seed,
    )


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(each) for each in text.split(","))


def write(path: Path, options: Options, results: Results, bounds: Sequence[Bound], seconds: int) -> None:
    """Everything that was found, with what it was found on."""
    document: dict[str, Any] = {
        "bench_version": BENCH_VERSION,
        "options": vars(options),
        "seconds": seconds,
        "system": describe_system(),
        "python": platform.python_version(),
        "versions": {"edgeseq": __version__} | {name: version(name) for name in PACKAGES},
        "times": [each.to_dict() for each in results.rows],
        "footprints": [each.to_dict() for each in results.footprints],
        "boards": [each.to_dict() for each in results.counts],
        "missing": results.missing,
        "bounds": [each.to_dict() for each in bounds],
    }
    path.write_text(json.dumps(document, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
