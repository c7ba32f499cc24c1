"""`edgeseq bench --runner both`: the native runner beside Python, for real."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from edgeseq.bench.run import BenchOptions, bench
from edgeseq.devices.cache import Progress
from edgeseq.devices.links import Link, LocalLink
from edgeseq_device.artifact import sha256_of
from edgeseq_device.measuring.native_runner import NativeRunner
from edgeseq_device.measuring.request import QUICK

SHORT = replace(QUICK, warmup_s=0.01, steady_s=0.01, steady_runs=20)


@dataclass
class Board:
    """This machine under another name, with the native runner that is given."""

    native: NativeRunner
    name: str = "pi9"
    emulated: bool = False
    description: str = "a board made of this machine"
    cores: int | None = 4

    @contextmanager
    def open(self, progress: Progress) -> Iterator[Link]:
        progress(1.0, "ready")
        yield LocalLink(find_native=lambda _progress: self.native)


def quietly(_fraction: float, _label: str) -> None:
    """Nobody watches."""


@pytest.fixture(scope="module")
def native(runner: Path, library: Path) -> NativeRunner:
    return NativeRunner((str(runner),), str(library), "9.9")


@pytest.fixture(scope="module")
def measured(
    pristine_artifact: Path, native: NativeRunner, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """Both runners side by side, with the fewest kinds of measurement."""
    options = BenchOptions(formats=("tflite",), limits=SHORT, runners=("python", "native"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGESEQ_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.setattr("edgeseq.bench.run.DEFAULT_KINDS", ("ram", "parity", "latency"))
        return bench(pristine_artifact, Board(native), options, quietly, lambda _event: None)


def test_both_runners_give_the_same_answers_side_by_side(
    measured: dict[str, Any], runner: Path, library: Path
) -> None:
    python, native = measured["models"]
    assert [each["runner"] for each in (python, native)] == ["python", "native"]
    assert native["logits"] == python["logits"]
    assert (python["host_error"], native["host_error"]) == (0.0, 0.0)
    assert native["accuracy"] == python["accuracy"] != {}
    assert native["runtime"] == "ai-edge-litert 9.9"
    assert (native["runner_sha256"], native["library_sha256"]) == (sha256_of(runner), sha256_of(library))
    assert (python["runner_sha256"], python["library_sha256"]) == (None, None)


def test_the_native_runner_takes_less_ram_and_has_all_phases_but_numpys(measured: dict[str, Any]) -> None:
    python, native = measured["models"]
    assert native["ram_peak_bytes"] < python["ram_peak_bytes"] / 2
    phases = ("start_ms", "import_ms", "load_ms", "first_inference_ms", "first_answer_ms")
    assert all(native[each] > 0 for each in phases)
    assert native["not_measured"]["numpy_ms"] == "the native runner has no numpy"


def test_no_path_of_this_machine_is_in_a_result_of_the_native_runner(
    measured: dict[str, Any], runner: Path, library: Path
) -> None:
    told = json.dumps(measured)
    assert str(runner.parent) not in told
    assert str(library.parent) not in told
