"""The figures of a benchmark in the order of its table, each with its label and how it is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

NOT_MEASURED = "not measured"
_OF_NUMPY = ("numpy_ms", "ram_numpy_bytes")

Model = Mapping[str, Any]


def size(count: int) -> str:
    """Bytes for people, such as `31.2 KB` (10^3) or `4.10 MB` (10^6)."""
    return f"{count / 1e6:.2f} MB" if count >= 1e6 else f"{count / 1e3:.1f} KB"


def milliseconds(value: float) -> str:
    """Three significant digits, such as `0.412` or `1230`."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def cell(key: str, show: Callable[[Model], str]) -> Callable[[Model], str]:
    return lambda model: _missing(key, model) if model[key] is None else show(model)


def is_no_gap(key: str, model: Model) -> bool:
    """Whether a figure is missing because there is nothing to measure: the native runner has no numpy."""
    return key in _OF_NUMPY and is_native(model)


def is_native(model: Model) -> bool:
    """Whether the native runner measured it."""
    return bool(model["runner"] == "native")


def _missing(key: str, model: Model) -> str:
    return "no numpy" if is_no_gap(key, model) else NOT_MEASURED


def _ram(key: str) -> Callable[[Model], str]:
    return lambda model: f"{model[key] / 1e6:.1f} MB"


def _ms(key: str) -> Callable[[Model], str]:
    return lambda model: f"{milliseconds(model[key])} ms"


def step_file(model: Model) -> str:
    if model["step_file"] is None:
        return "none"
    return "in the same file" if model["step_file"] == model["file"] else size(model["step_bytes"])


def _parity(kind: str = "parity") -> Callable[[Model], str]:
    def show(model: Model) -> str:
        state = "ok" if model[f"{kind}_ok"] else "FAILED"
        return f"{state}, {model[f'{kind}_error']:.1e} ({model[f'{kind}_tolerance']:.0e})"

    return show


def _decisions(model: Model) -> str:
    return f"{model['parity_n'] - model['parity_decisions_changed']} of {model['parity_n']}"


def _interval(kind: str = "latency") -> Callable[[Model], str]:
    def show(model: Model) -> str:
        low, high = (milliseconds(model[f"{kind}_p50_{end}_ms"]) for end in ("low", "high"))
        return f"{low} to {high} ms"

    return show


def _samples(model: Model) -> str:
    launches = model["latency_launches"]
    return f"{model['latency_n']} in {launches} launch{'' if launches == 1 else 'es'}"


def _launch_spread(model: Model) -> str:
    return f"{model['latency_spread_percent']:.1f} %"


def _instructions(model: Model) -> str:
    a_token = model["instructions"] / model["frames"] / 1e3
    told = f" ({a_token:.3g} k a token)" if model["task"] == "lm" else ""
    return _thousands(model["instructions"]) + told


def _thousands(count: float) -> str:
    return f"{count / 1e3:,.0f} k"


def _prefill_rate(model: Model) -> str:
    rate = model["prefill_tokens_per_second"]
    return f"{per_second(rate)} ({milliseconds(1000 / rate)} ms each)"


def per_second(rate: float) -> str:
    """A rate, such as `7,042` or `3.14`."""
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"


def _instructions_spread(model: Model) -> str:
    return f"{model['instructions_spread_percent']:.2f} % (n {model['instructions_n']})"


def _fits(model: Model) -> str:
    return f"{'fits' if model['fits_ram'] else 'DOES NOT FIT'} {model['ram_limit_bytes'] / 1e6:.4g} MB"


def _device_accuracy(model: Model) -> str:
    share, split = 100 * model["device_accuracy"], model["device_accuracy_split"]
    return f"{share:.2f} %, {split} n {model['device_accuracy_n']}"


def _realtime(model: Model) -> str:
    return f"{model['realtime_misses']} of {model['realtime_n']}"


def _sustained(model: Model) -> str:
    first, last = (milliseconds(model[f"sustained_{when}_p50_ms"]) for when in ("first", "last"))
    return f"{first} -> {last} ms"


def _slowdown(model: Model) -> str:
    return f"{model['sustained_slowdown_percent']:+.1f} %"


def _power(model: Model) -> str:
    return f"{model['power_w']:.2f} W (idle {model['power_idle_w']:.2f})"


FIGURES: tuple[tuple[str, str, Callable[[Model], str]], ...] = (
    ("parity", "parity_error", _parity()),
    ("step parity", "step_parity_error", _parity("step_parity")),
    ("same decision", "parity_decisions_changed", _decisions),
    ("error to this host", "host_error", lambda model: f"{model['host_error']:.1e}"),
    ("latency p50", "latency_p50_ms", _ms("latency_p50_ms")),
    ("p50 interval", "latency_p50_low_ms", _interval()),
    ("latency p90", "latency_p90_ms", _ms("latency_p90_ms")),
    ("latency p99", "latency_p99_ms", _ms("latency_p99_ms")),
    ("latency samples", "latency_n", _samples),
    (
        "spread of launches",
        "latency_spread_percent",
        _launch_spread,
    ),
    ("prefill tokens/s", "prefill_tokens_per_second", _prefill_rate),
    ("forecasts/s", "forecasts_per_second", lambda model: per_second(model["forecasts_per_second"])),
    ("step p50", "step_latency_p50_ms", _ms("step_latency_p50_ms")),
    ("step p50 interval", "step_latency_p50_low_ms", _interval("step_latency")),
    ("step p99", "step_latency_p99_ms", _ms("step_latency_p99_ms")),
    ("tokens/s", "tokens_per_second", lambda model: per_second(model["tokens_per_second"])),
    ("process start", "start_ms", _ms("start_ms")),
    ("numpy, input", "numpy_ms", _ms("numpy_ms")),
    ("import", "import_ms", _ms("import_ms")),
    ("load", "load_ms", _ms("load_ms")),
    ("load, step form", "step_load_ms", _ms("step_load_ms")),
    ("first inference", "first_inference_ms", _ms("first_inference_ms")),
    ("all to first answer", "first_answer_ms", _ms("first_answer_ms")),
    ("instructions", "instructions", _instructions),
    ("step instructions", "step_instructions", lambda model: _thousands(model["step_instructions"])),
    ("instructions spread", "instructions_spread_percent", _instructions_spread),
    ("RAM, start", "ram_start_bytes", _ram("ram_start_bytes")),
    ("RAM, + numpy, input", "ram_numpy_bytes", _ram("ram_numpy_bytes")),
    ("RAM, + runtime", "ram_runtime_bytes", _ram("ram_runtime_bytes")),
    ("RAM, + model", "ram_loaded_bytes", _ram("ram_loaded_bytes")),
    ("RAM, 1st inference", "ram_first_bytes", _ram("ram_first_bytes")),
    ("RAM, steady", "ram_steady_bytes", _ram("ram_steady_bytes")),
    ("RAM, peak", "ram_peak_bytes", _ram("ram_peak_bytes")),
    ("RAM, proportional", "ram_pss_bytes", _ram("ram_pss_bytes")),
    ("RAM limit", "fits_ram", _fits),
    ("RAM limit, peak", "ram_limit_peak_bytes", _ram("ram_limit_peak_bytes")),
    ("device accuracy", "device_accuracy", _device_accuracy),
    ("paced step p50", "realtime_p50_ms", _ms("realtime_p50_ms")),
    ("paced step p99", "realtime_p99_ms", _ms("realtime_p99_ms")),
    ("frame period", "realtime_period_ms", _ms("realtime_period_ms")),
    ("deadlines missed", "realtime_misses", _realtime),
    ("real-time factor", "realtime_factor", lambda model: f"{model['realtime_factor']:.2g}"),
    ("CPU", "realtime_cpu_percent", lambda model: f"{model['realtime_cpu_percent']:.1f} %"),
    ("sustained p50", "sustained_first_p50_ms", _sustained),
    ("sustained slowdown", "sustained_slowdown_percent", _slowdown),
    ("power", "power_w", _power),
    ("energy per inference", "energy_mj", lambda model: f"{model['energy_mj']:.3g} mJ"),
)
DETAILS = {
    "host_error",
    "latency_n",
    "latency_p50_low_ms",
    "step_latency_p50_low_ms",
    "latency_spread_percent",
    "start_ms",
    "numpy_ms",
    "ram_numpy_bytes",
    "import_ms",
    "first_answer_ms",
    "instructions_spread_percent",
    "step_load_ms",
    "power_w",
    "energy_mj",
}
"""Figures without a row of their own where no format has them."""
