"""`make figures`: the figures of the README, each measured now by the command that is shown with it.

Needs EDGESEQ_DATA_DIR with fsdd.zip and BasicMotions_*.ts, or `edgeseq data fetch fsdd basicmotions` before.
Writes figures.json into the folder that is named, and fails where a figure misses its bound.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Figure:
    """A measured figure, its bound, and the command that made it. at_least: the bound is a lower one."""

    what: str
    value: float
    bound: float
    at_least: bool
    command: str

    @property
    def reached(self) -> bool:
        """Within its bound."""
        return self.value >= self.bound if self.at_least else self.value <= self.bound


def main(folder: Path) -> int:
    """Measure everything into `folder`; 0 where every bound is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = [*fsdd(folder), *basicmotions(folder)]
    for each in figures:
        sign = ">=" if each.at_least else "<="
        verdict = "reached" if each.reached else "NOT REACHED"
        print(f"{each.what:<52} {each.value:>10.2f}  {sign} {each.bound:<10g} {verdict}")
    rows = [{**asdict(each), "reached": each.reached} for each in figures]
    (folder / "figures.json").write_text(json.dumps(rows, indent=2) + "\n", "utf-8")
    return 0 if all(each.reached for each in figures) else 1


def fsdd(folder: Path) -> list[Figure]:
    """GRU-64 on the official split, its int8 artifact, and the agent's memory."""
    train, trained = run(folder, "train --data fsdd --model gru --hidden 64 --name fsdd")
    export, exported = run(folder, "export fsdd --int8")
    bench, benched = run(folder, "bench fsdd-int8-generic --device local")
    accuracy = exported["accuracy"]["test"]
    metrics = trained["metrics"]
    figures = [
        Figure("FSDD test accuracy, GRU-64 fp32 (%)", 100 * accuracy["fp32"], 98.5, True, train),
        Figure("FSDD training (s)", metrics["training_seconds"], 240, False, train),
    ]
    for model in benched["models"]:
        name = model["format"]
        drop = 100 * (accuracy["fp32"] - accuracy[name])
        limit = 1.02 * model["weight_bytes"] + {"onnx": 8_000, "tflite": 40_000}[name]
        figures.append(Figure(f"FSDD int8 drop, {name} (points)", drop, 0.5, False, export))
        figures.append(Figure(f"int8 model file, {name} (bytes)", model["model_bytes"], limit, False, export))
    (tflite,) = (model for model in benched["models"] if model["format"] == "tflite")
    peak_mb = tflite["ram_peak_bytes"] / 1e6
    figures.append(Figure("peak RSS of the agent's process, LiteRT (MB)", peak_mb, 45, False, bench))
    return figures


def basicmotions(folder: Path) -> list[Figure]:
    """GRU-64 on the archive's own split, three seeds."""
    figures = []
    for seed in range(3):
        command = f"train --data basicmotions --model gru --seed {seed} --name basicmotions-{seed}"
        shown, trained = run(folder, command)
        accuracy = 100 * trained["metrics"]["test"]["accuracy"]
        figures.append(Figure(f"BasicMotions test accuracy, seed {seed} (%)", accuracy, 97.5, True, shown))
    return figures


def run(folder: Path, arguments: str) -> tuple[str, dict[str, Any]]:
    """Run an edgeseq command with --json: the command as a user types it, and its result."""
    result = folder / "result.json"
    words = [sys.executable, "-m", "edgeseq", *arguments.split(), "--json", str(result.resolve())]
    subprocess.run(words, cwd=folder, check=True)
    read: Callable[[str], Any] = json.loads
    return f"edgeseq {arguments}", read(result.read_text("utf-8"))


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "figures")))
