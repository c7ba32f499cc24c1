"""The figures of forecasting: ETTh1, 96 hours ahead, from exported int8 files, on both runtimes."""

from __future__ import annotations

from typing import Any

from measured import Commands, Figure

FAMILIES = ("gru", "lstm", "transformer")
FORMATS = ("onnx", "tflite")
HORIZON = 96
LINEAR = 0.385  # published: 0.375 (Zeng et al. 2022, arXiv 2205.13504, table 2)


def etth1(commands: Commands) -> list[Figure]:
    """12, 4 and 4 months train, validate and test; every window of the test months is judged.

    The best non-linear model is chosen by validation.
    """
    exports: dict[str, tuple[str, dict[str, Any]]] = {}
    figures: list[Figure] = []
    for family in FAMILIES:
        name = f"etth1-{family}"
        train, trained = commands.run(
            f"train --data etth1 --task forecast --horizon {HORIZON} --model {family} --name {name}"
        )
        seconds = trained["metrics"]["training_seconds"]
        figures.append(Figure(f"ETTh1 {family}, training (s)", seconds, None, False, train))
        exports[family] = commands.run(f"export {name} --int8")
        figures += _exported(family, *exports[family])
    best = min(FAMILIES, key=lambda family: float(exports[family][1]["accuracy"]["validation"]["fp32"]))
    export, exported = exports[best]
    test = exported["accuracy"]["test"]
    linear = Figure("ETTh1 test MSE, linear baseline, fp32", test["linear"], LINEAR, False, export)
    bounds = [
        Figure(f"ETTh1 test MSE, {best} by validation, int8 {each}", test[each], 0.375, False, export)
        for each in FORMATS
    ]
    bounds += [
        Figure(
            f"ETTh1 test MSE over the linear baseline's, int8 {each}",
            test[each] / test["linear"],
            1,
            False,
            export,
        )
        for each in FORMATS
    ]
    bounds += [
        Figure(
            f"ETTh1, lost by int8, {each} (% of MSE)",
            100 * (test[each] / test["fp32"] - 1),
            1.0,
            False,
            export,
        )
        for each in FORMATS
    ]
    return [*figures, linear, *bounds]


def _exported(family: str, export: str, exported: dict[str, Any]) -> list[Figure]:
    test = exported["accuracy"]["test"]
    figures = [
        Figure(f"ETTh1 test MSE, {family}, {form}", test[form], None, False, export)
        for form in ("fp32", *FORMATS)
    ]
    for size in exported["size"]:
        what = f"ETTh1 artifact of the {family}, {size['format']} (bytes)"
        figures.append(Figure(what, size["bytes"], 1_000_000, False, export))
    return figures
