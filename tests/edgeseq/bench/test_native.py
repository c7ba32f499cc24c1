"""`edgeseq bench --runner`: the native runner beside Python, for real, and what it cannot be asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edgeseq.bench.formats import formats_to_measure
from edgeseq.bench.run import BenchOptions, bench
from edgeseq.cli import main
from edgeseq.devices.board import ContainerLink, SshLink
from edgeseq.devices.cache import Progress
from edgeseq.devices.links import Link, LocalLink
from edgeseq.devices.ssh.connection import Connection
from edgeseq.devices.ssh.destination import Destination
from edgeseq_device.artifact import open_artifact, sha256_of
from edgeseq_device.errors import DataError, DeviceError, UsageError
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


def test_native_alone_measures_tflite_alone(pristine_artifact: Path, artifact_folder: Path) -> None:
    artifact = open_artifact(pristine_artifact)
    assert formats_to_measure(artifact, (), ("native",)) == ("tflite",)
    assert formats_to_measure(artifact, (), ("python", "native")) == ("onnx", "tflite")
    assert formats_to_measure(artifact, ("onnx",), ()) == ("onnx",)
    with pytest.raises(UsageError, match="--format onnx: the native runner runs tflite models only"):
        formats_to_measure(artifact, ("onnx",), ("python", "native"))
    with pytest.raises(UsageError, match=r"--runner native: .*take --runner both"):
        formats_to_measure(artifact, ("tflite", "onnx"), ("native",))
    (artifact_folder / "native.txt").unlink()
    with pytest.raises(DataError, match=r"has no native\.txt: .*export it again"):
        formats_to_measure(replace(artifact, path=artifact_folder), (), ("native",))


def test_an_artifact_without_a_tflite_model_is_refused(pristine_artifact: Path) -> None:
    artifact = open_artifact(pristine_artifact)
    onnx = replace(artifact, models=tuple(each for each in artifact.models if each.format == "onnx"))
    with pytest.raises(UsageError, match=r"has no tflite model: .*take --runner python"):
        formats_to_measure(onnx, (), ("native",))


def run(*options: str) -> Result:
    return CliRunner().invoke(main, ["bench", *options])


def test_the_command_refuses_before_anything_is_made_ready(pristine_artifact: Path) -> None:
    done = run(str(pristine_artifact), "--runner", "native", "--format", "onnx")
    assert (done.exit_code, "the native runner runs tflite models only" in done.output) == (2, True)
    done = run(str(pristine_artifact), "--runner", "native", "--max-ram", "0.5MB")
    assert (done.exit_code, "give 1 MB or more" in done.output) == (2, True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--realtime",), "takes no --realtime: --runner both measures it with Python"),
        (("--duration", "5m"), "takes no --duration: --runner both measures it with Python"),
        (("--with-accuracy",), "takes no --with-accuracy: --runner both measures it with Python"),
        (
            ("--profile", "--realtime"),
            "takes no --realtime and no --profile: --runner both measures them with Python",
        ),
    ],
)
def test_native_alone_is_not_asked_for_what_python_alone_measures(
    pristine_artifact: Path, options: tuple[str, ...], said: str
) -> None:
    done = run(str(pristine_artifact), "--runner", "native", *options)
    assert (done.exit_code, f"the native runner {said}" in done.stderr) == (2, True)


def test_a_board_over_ssh_knows_its_own_runner_and_a_container_has_none(tmp_path: Path) -> None:
    connection = Connection(Destination("board"), "pi4")
    assert SshLink(connection).native(quietly) is None
    container = ContainerLink(connection, tmp_path, "an image")
    assert container.default_runners == ("python",)
    with pytest.raises(DeviceError, match="pi4: the container has no native runner; leave out --via docker"):
        container.native(quietly)
