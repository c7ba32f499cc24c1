"""`make figures`: the figures of the README, each measured by the command that is shown with it.

Needs EDGESEQ_DATA_DIR with fsdd.zip, BasicMotions_*.ts, clinc150.json, tinyshakespeare.txt and ETTh1.csv, or
`edgeseq data fetch` of them before. Writes figures.json into the folder that is named, and fails where a
figure misses its bound. What an earlier call measured with the same code is not measured again: it goes on
where it was cut off.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import figures_forecast
import figures_lm
import figures_native
import figures_text
from measured import Commands, Figure


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure into the folder; 0 where every bound is kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("figures"))
    parser.add_argument("--only", choices=CHAPTERS, action="append", help="these chapters alone")
    parser.add_argument("--any-code", action="store_true", help="take results of other code than today's too")
    given = parser.parse_args(arguments)
    commands = Commands(given.folder, any_code=given.any_code)
    figures = [figure for name in given.only or CHAPTERS for figure in CHAPTERS[name](commands)]
    for each in figures:
        print(_line(each))
    for command in commands.older:
        print(f"measured with other code than today's: {command}")
    rows = [{**each.to_dict(), "other_code": each.command in commands.older} for each in figures]
    (given.folder / "figures.json").write_text(json.dumps(rows, indent=2) + "\n", "utf-8")
    return 0 if all(each.reached for each in figures) else 1


def _line(each: Figure) -> str:
    if each.bound is None:
        return f"{each.what:<58} {each.value:>10.2f}"
    sign = ">=" if each.at_least else "<="
    verdict = "reached" if each.reached else "NOT REACHED"
    return f"{each.what:<58} {each.value:>10.2f}  {sign} {each.bound:<8g} {verdict}"


def fsdd(commands: Commands) -> list[Figure]:
    """GRU-64 on the official split, its int8 artifact, and the agent's memory."""
    train, trained = commands.run("train --data fsdd --model gru --hidden 64 --name fsdd")
    export, exported = commands.run("export fsdd --int8")
    bench, benched = commands.run("bench fsdd-int8-generic --device local")
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


def basicmotions(commands: Commands) -> list[Figure]:
    """GRU-64 on the archive's own split, three seeds."""
    figures = []
    for seed in range(3):
        command = f"train --data basicmotions --model gru --seed {seed} --name basicmotions-{seed}"
        shown, trained = commands.run(command)
        accuracy = 100 * trained["metrics"]["test"]["accuracy"]
        figures.append(Figure(f"BasicMotions test accuracy, seed {seed} (%)", accuracy, 97.5, True, shown))
    return figures


CHAPTERS: dict[str, Callable[[Commands], list[Figure]]] = {
    "fsdd": fsdd,
    "basicmotions": basicmotions,
    "fsdd-distilled": figures_text.fsdd_distilled,
    "clinc150-scratch": figures_text.clinc150_scratch,
    "clinc150-teacher": figures_text.clinc150_teacher,
    "clinc150-gru": figures_text.clinc150_gru,
    "clinc150-transformer": figures_text.clinc150_transformer,
    "tinyshakespeare": figures_lm.tinyshakespeare,
    "tinyshakespeare-others": figures_lm.tinyshakespeare_others,
    "etth1": figures_forecast.etth1,
    "native": figures_native.native,
}


if __name__ == "__main__":
    raise SystemExit(main())
