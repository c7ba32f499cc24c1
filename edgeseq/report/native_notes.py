"""That the native runner was a board's default, and how it compares with Python where a result has both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgeseq.report.bench_figures import Model, is_native
from edgeseq_device.measuring.assemble import name
from edgeseq_device.measuring.measure import compare_logits
from edgeseq_device.measuring.words import worded

_COMPARED = {
    "latency p50": "latency_p50_ms",
    "step p50": "step_latency_p50_ms",
    "all to first answer": "first_answer_ms",
    "instructions": "instructions",
    "step instructions": "step_instructions",
    "peak RAM": "ram_peak_bytes",
    "steady RAM": "ram_steady_bytes",
}


def default_notes(models: Sequence[Model]) -> Iterator[str]:
    """One line where the native runner measured; for results whose runner nobody chose."""
    formats = dict.fromkeys(model["format"] for model in models if is_native(model))
    if formats:
        yield (
            f"{' and '.join(formats)} is measured by the native runner, which was set up there; --runner"
            " python measures Python's"
        )


def native_notes(models: Sequence[Model]) -> Iterator[str]:
    """A line for each model that both have measured: the native figures as shares of Python's."""
    for native in filter(is_native, models):
        python = _of_python(native, models)
        if python is None:
            continue
        shares = {
            label: f"{worded(label, native['task'])} {native[key] / python[key]:.2g}x"
            for label, key in _COMPARED.items()
            if native[key] is not None and python[key] is not None
        }
        if "peak RAM" in shares:
            shares.pop("steady RAM", None)
        told = [*shares.values(), *_answers(native, python)]
        if told:
            yield f"{name(native)} against {name(python)}: {', '.join(told)}"


def _of_python(native: Model, models: Sequence[Model]) -> Model | None:
    same = (each for each in models if all(each[key] == native[key] for key in ("format", "threads")))
    return next((each for each in same if not is_native(each)), None)


def _answers(native: Model, python: Model) -> list[str]:
    if native["logits"] is None or python["logits"] is None:
        return []
    if native["logits"] == python["logits"]:
        return ["the same answers to the bit"]
    apart = compare_logits(native["logits"], python["logits"], tolerance=0.0).error
    return ["answers that are NaN" if apart is None else f"answers {apart:.1e} apart"]
