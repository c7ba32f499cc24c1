"""The table of a benchmark result: every key with its type, unit and check, and the kinds of measurement.

A result is JSON. Every figure that could not be taken is null and says why in `not_measured`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edgeseq_device.tasks import TASKS

SCHEMA = "edgeseq.bench"
SCHEMA_VERSION = 5
STEP = "step_"
"""Before the name of a kind of measurement and of a figure: of the step form, not the sequence form."""
LATENCIES, INSTRUCTIONS = ("latency", "step_latency"), ("instructions", "step_instructions")
TIMED = (*LATENCIES, "realtime", "sustained", "profile", "power")
"""Kinds that an emulated processor cannot have."""
DEFAULT_KINDS = ("ram", "parity", "step_parity", *INSTRUCTIONS, *LATENCIES, "power")
KINDS = (*DEFAULT_KINDS, "fits", "accuracy", "realtime", "sustained", "profile")
ONCE = ("instructions", "step_instructions", "fits", "accuracy", "profile")
"""Kinds that are taken with the first number of threads only."""
RUNNERS = ("python", "native")
"""What runs a model on the board: a worker in Python, or edgeseq-run."""
P99_SAMPLES_MIN = 500
NOT_ASKED = "not asked for"
"""The reason of a figure that nobody wanted."""
INTERRUPTED = "interrupted: the rest was not measured"
"""What makes a result invalid that Ctrl-C or SIGTERM ended early."""
TIME_UNITS = ("ms", "s", "us")


@dataclass(frozen=True)
class Key:
    """One key of a result: the JSON types it may have, its unit, what must hold, and which kind of
    measurement fills it ("" for what is not measured). `added_by` says who writes it: agent or host. tasks:
    for which models alone it is told."""

    types: tuple[type, ...]
    unit: str = ""
    check: Callable[[Any], bool] | None = None
    kind: str = ""
    added_by: str = "agent"
    nullable: bool = False
    tasks: tuple[str, ...] = TASKS

    @property
    def measured(self) -> bool:
        """Whether it is a figure that may be null with a reason."""
        return bool(self.kind)


def positive(value: Any) -> bool:
    """A check: above 0."""
    return bool(value > 0)


def _not_negative(value: Any) -> bool:
    return bool(value >= 0)


def texts(value: Any) -> bool:
    """A check: a list of texts, none empty."""
    return all(isinstance(each, str) and each for each in value)


def is_hash(value: Any) -> bool:
    """A check: as long as a sha256 in hex."""
    return len(value) == 64


def _time(kind: str = "latency", unit: str = "ms") -> Key:
    return Key((int, float), unit, positive, kind)


def _bytes(kind: str = "ram") -> Key:
    return Key((int,), "bytes", positive, kind)


def _share(unit: str, kind: str) -> Key:
    return Key((int, float), unit, _not_negative, kind)


def _parity_keys(form: str = "") -> dict[str, Key]:
    kind = f"{form}parity"
    return {
        f"models.{kind}_error": _share("max|a-b| / max(1, max|b|)", kind),
        f"models.{kind}_tolerance": _share("max|a-b| / max(1, max|b|)", kind),
        f"models.{kind}_n": Key((int,), "golden vectors", positive, kind),
        f"models.{kind}_decisions_changed": Key(
            (int,), "golden vectors", _not_negative, kind, tasks=("classify", "lm")
        ),
        f"models.{kind}_ok": Key((bool,), kind=kind),
    }


def _instruction_keys(form: str = "") -> dict[str, Key]:
    kind, unit = f"{form}instructions", "step" if form else "inference"
    return {
        f"models.{kind}": Key((int,), f"instructions per {unit}", positive, kind),
        f"models.{kind}_n": Key((int,), f"{unit}s", positive, kind),
        f"models.{kind}_spread_percent": _share("% of the median", kind),
    }


def _latency_keys(form: str = "") -> dict[str, Key]:
    kind, unit = f"{form}latency", "steps" if form else "inferences"
    return {
        f"models.{form}warmup_n": Key((int,), unit, positive, kind),
        f"models.{form}warmup_s": _time(kind, "s"),
        f"models.{kind}_n": Key((int,), unit, positive, kind),
        f"models.{kind}_launches": Key((int,), "processes", positive, kind),
        f"models.{kind}_p50_ms": _time(kind),
        f"models.{kind}_p50_low_ms": _time(kind),
        f"models.{kind}_p50_high_ms": _time(kind),
        f"models.{kind}_p90_ms": _time(kind),
        f"models.{kind}_p99_ms": _time(kind),
        f"models.{kind}_spread_percent": _share("% of the median launch", kind),
    }


_WINDOW = {"s", "p50_ms", "temperature_c", "frequency_hz"}


def _windows(value: Any) -> bool:
    return bool(value) and all(isinstance(each, dict) and set(each) == _WINDOW for each in value)


def _rate(unit: str, kind: str, task: str) -> Key:
    return Key((int, float), unit, positive, kind, tasks=(task,))


def _whole(unit: str, kind: str, check: Callable[[Any], bool] = positive) -> Key:
    return Key((int,), unit, check, kind)


MODEL = "models."
"""Before the keys of one entry of a result's models: one format with one number of threads by one runner."""
KEYS: dict[str, Key] = {
    "schema": Key((str,), check=lambda value: value == SCHEMA),
    "schema_version": Key((int,), check=lambda value: value == SCHEMA_VERSION),
    "agent_version": Key((str,), check=bool),
    "started_utc": Key((str,), check=bool),
    "emulated": Key((bool,)),
    "emulated_because": Key((str,), nullable=True),
    "valid": Key((bool,)),
    "invalid_because": Key((list,), check=texts),
    "warnings": Key((list,), check=texts),
    "device": Key((dict,), check=lambda value: isinstance(value.get("emulated"), bool)),
    "guards_before": Key((dict,)),
    "guards_after": Key((dict,)),
    "threads": Key((list,), "threads", check=lambda value: bool(value) and all(each > 0 for each in value)),
    "settings": Key((dict,)),
    "board": Key((str,), check=bool, added_by="host"),
    "board_description": Key((str,), check=bool, added_by="host"),
    "artifact": Key((dict,), added_by="host"),
    "host": Key((dict,), added_by="host"),
    "models": Key((list,), check=bool),
    "models.format": Key((str,), check=bool),
    "models.task": Key((str,), check=lambda value: value in TASKS),
    "models.threads": Key((int,), "threads", check=positive),
    "models.runner": Key((str,), check=lambda value: value in RUNNERS),
    "models.runner_sha256": Key((str,), "of edgeseq-run", is_hash, nullable=True),
    "models.library_sha256": Key((str,), "of libLiteRt.so", is_hash, nullable=True),
    "models.affinity": Key((list,), "CPU numbers", nullable=True),
    "models.file": Key((str,), check=bool),
    "models.sha256": Key((str,), check=is_hash),
    "models.model_bytes": Key((int,), "bytes", positive),
    "models.weight_bytes": Key((int,), "bytes", _not_negative),
    "models.runtime": Key((str,), check=bool, nullable=True),
    "models.runtime_settings": Key((dict,), nullable=True),
    "models.not_measured": Key((dict,)),
    "models.failures": Key((list,), check=texts),
    "models.warnings": Key((list,), check=texts),
    "models.step_file": Key((str,), check=bool, nullable=True),
    "models.step_sha256": Key((str,), check=is_hash, nullable=True),
    "models.step_bytes": Key((int,), "bytes", positive, nullable=True),
    "models.states_bytes": Key((int,), "bytes", _not_negative, nullable=True),
    "models.window": Key((int,), "tokens", positive, nullable=True, tasks=("lm",)),
    "models.context": Key((int,), "moments", positive, tasks=("forecast",)),
    "models.horizon": Key((int,), "moments", positive, tasks=("forecast",)),
    "models.accuracy": Key((dict,), "by split", added_by="host"),
    "models.frames": Key((int,), "frames", positive, nullable=True),
    "models.ram_start_bytes": _bytes(),
    "models.ram_numpy_bytes": _bytes(),
    "models.ram_runtime_bytes": _bytes(),
    "models.ram_loaded_bytes": _bytes(),
    "models.ram_first_bytes": _bytes(),
    "models.ram_steady_bytes": _bytes(),
    "models.ram_peak_bytes": _bytes(),
    "models.ram_pss_bytes": _bytes(),
    **_parity_keys(),
    **_parity_keys(STEP),
    "models.logits": Key((list,), "logit, per golden vector and class", bool, "parity"),
    "models.host_error": Key(
        (int, float), "max|a-b| / max(1, max|b|)", _not_negative, "parity", added_by="host"
    ),
    **_instruction_keys(),
    **_instruction_keys(STEP),
    "models.start_ms": _time(),
    "models.numpy_ms": _time(),
    "models.import_ms": _time(),
    "models.load_ms": _time(),
    "models.first_inference_ms": _time(),
    "models.first_answer_ms": _time(),
    **_latency_keys(),
    "models.prefill_tokens_per_second": _rate("tokens per second", "latency", "lm"),
    "models.forecasts_per_second": _rate("forecasts per second", "latency", "forecast"),
    "models.step_load_ms": _time("step_latency"),
    **_latency_keys(STEP),
    "models.tokens_per_second": _rate("tokens per second", "step_latency", "lm"),
    "models.power_idle_w": Key((int, float), "W", positive, "power"),
    "models.power_w": Key((int, float), "W", positive, "power"),
    "models.energy_mj": Key((int, float), "mJ per inference above idle", _not_negative, "power"),
    "models.ram_limit_bytes": _bytes("fits"),
    "models.fits_ram": Key((bool,), kind="fits"),
    "models.ram_limit_peak_bytes": _bytes("fits"),
    "models.device_accuracy": _share("share of recordings", "accuracy"),
    "models.device_accuracy_n": _whole("recordings", "accuracy"),
    "models.device_accuracy_split": Key((str,), check=bool, kind="accuracy"),
    "models.realtime_period_ms": _time("realtime"),
    "models.realtime_s": _time("realtime", "s"),
    "models.realtime_n": _whole("frames", "realtime"),
    "models.realtime_misses": _whole("frames", "realtime", _not_negative),
    "models.realtime_factor": _share("busy time over real time", "realtime"),
    "models.realtime_cpu_percent": _share("% of one core", "realtime"),
    "models.realtime_p50_ms": _time("realtime"),
    "models.realtime_p99_ms": _time("realtime"),
    "models.sustained_s": _time("sustained", "s"),
    "models.sustained_n": _whole("inferences", "sustained"),
    "models.sustained_first_p50_ms": _time("sustained"),
    "models.sustained_last_p50_ms": _time("sustained"),
    "models.sustained_slowdown_percent": Key((int, float), "% of the first p50", None, "sustained"),
    "models.sustained_windows": Key(
        (list,), "{s, p50_ms, temperature_c, frequency_hz} each", _windows, "sustained"
    ),
    "models.profile_n": _whole("inferences", "profile"),
    "models.profile": Key((list,), "us per inference, by operator", bool, "profile"),
}


def is_of_step(kind: str) -> bool:
    """Whether a kind of measurement looks at the step form."""
    return kind.startswith(STEP)


def needs_step(kind: str) -> bool:
    """Whether a kind of measurement takes a step form: it looks at it, or feeds a stream through it."""
    return is_of_step(kind) or kind == "realtime"


RATES = {
    "prefill_tokens_per_second": "latency_p50_ms",
    "forecasts_per_second": "latency_p50_ms",
    "tokens_per_second": "step_latency_p50_ms",
}
"""Figures that are made from another, the time of one inference or step."""


def rate(name: str, frames: int | None, p50_ms: float) -> float:
    """One of RATES: of a prefill its frames, of another inference one, in so much time."""
    return 1000 * (frames or 1 if name == "prefill_tokens_per_second" else 1) / p50_ms


def measured_keys(kind: str, added_by: str = "agent", task: str = "classify") -> tuple[str, ...]:
    """The keys of a model for a task that one kind of measurement fills, without the `models.`."""
    return tuple(
        name[len(MODEL) :]
        for name, key in KEYS.items()
        if key.kind == kind and key.added_by == added_by and task in key.tasks
    )
