"""The plot of a run: time over ORT's fp32 op against H, for each length, as PNG and SVG.

Large marks are the forms that edgeseq chooses.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
mpl.rcParams["svg.hashsalt"] = "edgeseq"  # the same run gives the same file
import matplotlib.pyplot as plt  # noqa: E402 - behind the choice of a backend that needs no screen
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.ticker import NullLocator  # noqa: E402
from results import EDGESEQ_INT8, Row  # noqa: E402

FLOOR, CEILING = 0.08, 6.0
"""What the axis shows; torch is above it at small H."""
RUNTIMES = {"tflite": ("LiteRT", "#0b6e99"), "onnx": ("ONNX Runtime", "#c2410c")}
COMPUTES = {"int8": ("int8 compute", "-", "o"), "fp32": ("fp32 compute", "--", "s")}
BASELINES = {
    "op bound": ("ORT fp32, through IOBinding", "#000000", "--"),
    "op quantize_dynamic": ("ORT quantize_dynamic", "#555555", ":"),
    "torch": ("torch fp32", "#6b6b6b", "-."),
    "torch quantize_dynamic": ("torch quantize_dynamic", "#b8a100", "-."),
}
TICKS = (0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2, 3, 5)


def draw(rows: Sequence[Row], stem: Path) -> None:
    """Write `stem`.png and `stem`.svg: panels by recurrent family and length."""
    rows = [row for row in rows if row.ratio is not None and row.subject.case.family != "transformer"]
    families = list(dict.fromkeys(row.subject.case.family for row in rows))
    lengths = list(dict.fromkeys(row.subject.case.frames for row in rows))
    if not rows:
        return
    height = 3.4 * len(families) + 1.3
    figure, axes = plt.subplots(
        len(families),
        len(lengths),
        figsize=(max(3.0 * len(lengths) + 0.8, 10), height),
        squeeze=False,
        sharex=True,
        sharey=True,
    )
    for line, family in zip(axes, families, strict=True):
        for axis, frames in zip(line, lengths, strict=True):
            case = family, frames
            inside = [row for row in rows if (row.subject.case.family, row.subject.case.frames) == case]
            _draw_panel(axis, inside, f"{family.upper()}, {'step' if frames is None else f'T = {frames}'}")
        line[0].set_ylabel("time / ORT's fp32 op")
    for axis in axes[-1]:
        axis.set_xlabel("hidden units H")
    title = "Time over ONNX Runtime's fp32 operator, one thread: lower is better"
    marks = f"large marks: the form that edgeseq chooses on this machine; above {CEILING:g} is cut off"
    figure.suptitle(f"{title}\n{marks}", fontsize=11)
    _draw_legend(figure, list(axes.flat))
    figure.tight_layout(rect=(0, 0.6 / height, 1, 1))
    figure.savefig(stem.with_suffix(".png"), dpi=130)
    figure.savefig(stem.with_suffix(".svg"), metadata={"Date": None})
    plt.close(figure)


def _draw_legend(figure: Figure, axes: Sequence[Axes]) -> None:
    """One for all panels, edgeseq's lines first."""
    labelled: dict[str, Any] = {}
    for axis in axes:
        handles, labels = axis.get_legend_handles_labels()
        labelled |= dict(zip(labels, handles, strict=True))
    names = sorted(labelled, key=lambda name: (not name.startswith("edgeseq"), not name.startswith("torch")))
    handles = [labelled[name] for name in names]
    figure.legend(handles, names, loc="lower center", ncols=4, fontsize=8, frameon=False)


def _draw_panel(axis: Axes, rows: Sequence[Row], title: str) -> None:
    for role, (label, colour, style) in BASELINES.items():
        line = [row for row in rows if row.subject.role == role]
        _draw_line(axis, line, label, color=colour, linestyle=style, linewidth=1.3, marker=".", markersize=4)
    for runtime, (runtime_label, colour) in RUNTIMES.items():
        for compute, (compute_label, style, marker) in COMPUTES.items():
            label = f"edgeseq, {runtime_label}, {compute_label}"
            line = _forms(rows, runtime, compute)
            look = {"color": colour, "linestyle": style, "linewidth": 1.8}
            _draw_line(axis, line, label, marker=marker, markersize=3.5, **look)
            chosen = [row for row in line if row.subject.role == "int8"]
            _draw_line(axis, chosen, "", color=colour, linestyle="", marker=marker, markersize=7)
    axis.axhline(1.0, color="black", linewidth=0.9)
    axis.set_title(title, fontsize=10)
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    axis.set_ylim(FLOOR, CEILING)
    hidden = sorted({row.subject.case.hidden for row in rows})
    axis.set_xticks(hidden, [str(each) for each in hidden])
    axis.set_yticks(TICKS, [f"{each:g}" for each in TICKS])
    axis.yaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_minor_locator(NullLocator())
    axis.grid(visible=True, color="#e5e5e5", linewidth=0.6)
    axis.tick_params(labelsize=8)


def _forms(rows: Sequence[Row], runtime: str, compute: str) -> list[Row]:
    """edgeseq's int8 forms that multiply in `compute`, one for each H.

    fp32 compute is as fast from an fp32 file, which stands in where no int8 file was timed with it.
    """
    found = [row for row in rows if (row.subject.runtime, row.subject.compute) == (runtime, compute)]
    by_hidden = {row.subject.case.hidden: row for row in found if row.subject.role == "fp32"}
    by_hidden |= {row.subject.case.hidden: row for row in found if row.subject.role in EDGESEQ_INT8}
    return list(by_hidden.values())


def _draw_line(axis: Axes, rows: Sequence[Row], label: str, **style: Any) -> None:
    points = sorted((row.subject.case.hidden, row.ratio) for row in rows)
    if points:
        hidden, ratios = zip(*points, strict=True)
        axis.plot(hidden, ratios, label=label or None, **style)
