"""Which runner measures, and how a result tells of it. A script stands in for edgeseq-run."""

from __future__ import annotations

import importlib.util
import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import edgeseq_device
from edgeseq_device.artifact import open_artifact, sha256_of
from edgeseq_device.errors import DataError, DeviceError, UsageError
from edgeseq_device.layout import RUNNER, SETUP
from edgeseq_device.measuring import fits
from edgeseq_device.measuring.agent import bench
from edgeseq_device.measuring.assemble import Taken, name
from edgeseq_device.measuring.cgroup import Confined
from edgeseq_device.measuring.plan import plan, reason_not_to
from edgeseq_device.measuring.request import Limits, Request, parse_request, request_to_dict
from edgeseq_device.measuring.runners import choose_runners, find_native
from edgeseq_device.measuring.verdict import judge

Fake = Any
"""A FakeRunner of conftest.py."""
PLAIN = {"because": None, "runner_sha256": None, "library_sha256": None}


def request_of(folder: Path, **changes: Any) -> Request:
    fast = replace(Limits(), timeout_s=30, cooldown_max_s=0, launches=2)
    return replace(Request(str(folder), ("tflite",), ("ram",), limits=fast), **changes)


def silent(_event: Mapping[str, Any]) -> None:
    pass


def test_a_request_with_a_runner_survives_the_way_to_the_agent(fake: Fake) -> None:
    runner = replace(fake.runner, counting_command=("count", fake.runner.program))
    request = request_of(Path("/a"), runners=("python", "native"), native=runner)
    assert parse_request(json.loads(json.dumps(request_to_dict(request)))) == request


def test_formats_and_runners_take_turns_in_each_launch(pristine_artifact: Path) -> None:
    request = request_of(pristine_artifact, formats=("onnx", "tflite"), kinds=("latency",))
    models = open_artifact(pristine_artifact).models
    runners = {"onnx": ["python"], "tflite": ["python", "native"]}
    planned = plan(request, models, emulated=False, runners=runners)
    assert [(each.format, each.runner, each.launch) for each in planned] == [
        *(("onnx", "python", 0), ("tflite", "python", 0), ("tflite", "native", 0)),
        *(("onnx", "python", 1), ("tflite", "python", 1), ("tflite", "native", 1)),
    ]


def test_what_the_runner_cannot_measure_has_a_reason(fake: Fake, pristine_artifact: Path) -> None:
    model = open_artifact(pristine_artifact).model("tflite")
    kinds = ("power", "accuracy", "profile", "instructions")

    def reasons(**changes: Any) -> dict[str, str | None]:
        request = request_of(pristine_artifact, kinds=kinds, **changes)
        return {each: reason_not_to(each, model, 1, "native", request, emulated=False) for each in kinds}

    told = reasons(counting_worker_command=("count", "python3"))
    assert {told[each] for each in kinds[:3]} == {"not by the native runner: --runner python"}
    assert "qemu-user" in str(told["instructions"])
    counting = replace(fake.runner, counting_command=("count", "r"))
    assert reasons(native=counting)["instructions"] is None


def test_a_result_of_the_runner_is_whole_and_says_whose_it_is(fake: Fake, pristine_artifact: Path) -> None:
    kinds = ("ram", "parity", "step_parity", "latency", "step_latency", "power")
    request = request_of(pristine_artifact, kinds=kinds, runners=("native",), native=fake.runner)
    result = bench(request, silent)
    (entry,) = result["models"]
    assert result["valid"], result["invalid_because"]
    assert (entry["runner"], name(entry)) == ("native", "tflite native")
    assert entry["runner_sha256"] == sha256_of(Path(fake.runner.program))
    assert entry["library_sha256"] == sha256_of(Path(fake.runner.library))
    assert (entry["numpy_ms"], entry["latency_n"], entry["frames"]) == (None, 6, 11)
    assert entry["not_measured"]["numpy_ms"] == "the native runner has no numpy"
    assert entry["step_load_ms"] == 0.75
    assert "step latency: the warm-up of 2 of 2 launches did not settle within 5 %" in entry["warnings"]
    assert entry["not_measured"]["power_w"] == "not by the native runner: --runner python"
    assert (name({**entry, "threads": 2}), judge(result)) == ("tflite native, 2 threads", None)


def test_a_runner_out_of_parity_is_named_in_the_verdict(
    fake: Fake, outcomes: dict[str, str], pristine_artifact: Path
) -> None:
    fake.says("step_parity", outcomes["step_parity"].replace("parity_ok true", "parity_ok false"))
    request = request_of(pristine_artifact, kinds=("step_parity",), runners=("native",), native=fake.runner)
    assert str(judge(bench(request, silent))).startswith(
        "model.tflite by the native runner, step form, is out of parity: error 1.0e-05 of 1.0e-03"
    )


def test_a_runner_needs_no_numpy_and_python_does(
    fake: Fake, pristine_artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    request = request_of(pristine_artifact, runners=("native",), native=fake.runner)
    assert bench(request, silent)["models"][0]["ram_peak_bytes"] == 1_000_005
    with pytest.raises(DeviceError, match="numpy is not installed"):
        bench(replace(request, runners=("python", "native")), silent)


def test_it_is_held_to_a_limit_as_python_is(
    fake: Fake, pristine_artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "memory.events").write_text("oom_kill 0\n")
    (tmp_path / "memory.peak").write_text("7000000\n")

    class Imitated:
        def __init__(self, *_limits: object) -> None: ...
        def __enter__(self) -> Confined:
            return Confined(("/usr/bin/env", "HELD=yes"), tmp_path, {"LIMIT": "16 MB"})

        def __exit__(self, *_error: object) -> None: ...

    monkeypatch.setattr("edgeseq_device.measuring.cgroup.confined", Imitated)
    monkeypatch.setattr(fits, "emulation", lambda: None)
    fake.does(f'[ "$HELD$LIMIT" = "yes16 MB" ] && cat "{fake.folder}/$2"')
    request = request_of(pristine_artifact, kinds=("fits",), max_ram_bytes=16_000_000)
    (entry,) = bench(replace(request, runners=("native",), native=fake.runner), silent)["models"]
    assert (entry["fits_ram"], entry["ram_limit_peak_bytes"]) == (True, 8_000_000)


@pytest.fixture
def board(make_runner: Callable[[Path], Fake], tmp_path: Path) -> Callable[..., Path]:
    """Makes a board's folder with a native runner that was set up, with other entries in its setup.json."""

    def make(**changes: Any) -> Path:
        root = tmp_path / "board"
        fake = make_runner(root / "native-0123456789abcdef")
        setup = {
            "edgeseq": edgeseq_device.__version__,
            "runner_sha256": sha256_of(Path(fake.runner.program)),
            "library_sha256": sha256_of(Path(fake.runner.library)),
            "library_version": "2.3.0",
            "passed": True,
            "because": None,
            "artifact": "digits",
            "artifact_sha256": "0" * 64,
            **changes,
        }
        (fake.folder / SETUP).write_text(json.dumps(setup))
        (root / "native").symlink_to(fake.folder.name)
        return root

    return make


def test_a_runner_that_was_set_up_is_the_boards_default_for_tflite(
    board: Callable[..., Path], pristine_artifact: Path
) -> None:
    root, artifact = board(), open_artifact(pristine_artifact)
    request = request_of(pristine_artifact, formats=("onnx", "tflite"), root=str(root))
    found = find_native(request, artifact)
    assert found.runner is not None
    assert found.runner.program == str(root / "native-0123456789abcdef" / RUNNER)  # not by the link
    assert choose_runners(request, found) == {"onnx": ["python"], "tflite": ["native"]}
    both = replace(request, runners=("python", "native"))
    assert choose_runners(both, found) == {"onnx": ["python"], "tflite": ["python", "native"]}
    python = replace(request, runners=("python",))
    assert choose_runners(python, found) == {"onnx": ["python"], "tflite": ["python"]}
    with pytest.raises(UsageError, match="runs no onnx, only tflite; add --format tflite or --runner both"):
        choose_runners(replace(request, runners=("native",)), found)


def test_an_agent_measures_by_the_boards_runner_unless_it_is_told_otherwise(
    board: Callable[..., Path], pristine_artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)  # an agent's own temporary folder is this process's too
    monkeypatch.setenv("TMPDIR", tempfile.gettempdir())
    request = request_of(pristine_artifact, root=str(board()))
    result = bench(request, silent)
    assert result["valid"], result["invalid_because"]
    assert [each["runner"] for each in result["models"]] == ["native"]
    assert not any("by Python" in each for each in result["warnings"])


def test_a_runner_that_the_host_names_is_used_only_where_it_is_asked_for(
    fake: Fake, pristine_artifact: Path
) -> None:
    request = request_of(pristine_artifact, native=fake.runner)
    found = find_native(request, open_artifact(pristine_artifact))
    assert choose_runners(request, found) == {"tflite": ["python"]}
    assert choose_runners(replace(request, runners=("native",)), found) == {"tflite": ["native"]}
    Path(fake.runner.library).unlink()
    with pytest.raises(DeviceError, match=r"libLiteRt\.so: cannot be read"):
        find_native(request, open_artifact(pristine_artifact))


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"passed": False, "because": "model.tflite is out of parity"}, "did not pass its set-up: model"),
        ({"edgeseq": "0.0.9"}, "set up by edgeseq 0.0.9, this is .* BOARD --native` again"),
        ({"runner_sha256": "0" * 64}, "edgeseq-run: changed since it was set up"),
        ({"library_sha256": "0" * 64}, r"libLiteRt\.so: changed since it was set up"),
        ({"library_sha256": 3}, r"setup\.json: library_sha256 is 3"),
        ({"more": 1}, r"setup\.json: unknown key"),
    ],
)
def test_a_runner_that_cannot_be_trusted_is_not_used_and_the_result_says_why(
    board: Callable[..., Path], pristine_artifact: Path, changes: dict[str, Any], because: str
) -> None:
    request = request_of(pristine_artifact, root=str(board(**changes)))
    found = find_native(request, open_artifact(pristine_artifact))
    assert found.runner is None
    assert choose_runners(request, found) == {"tflite": ["python"]}
    taken = Taken(request, [])
    taken.hear({"event": "began", "native": found.told(), "runners": {"tflite": ["python"]}})
    (warning,) = taken.warnings
    assert warning.startswith("measured by Python, not by the native runner: ")
    for runners, option in ((("native",), "native"), (("python", "native"), "both")):
        with pytest.raises(DeviceError, match=f"--runner {option}: the native .* be used: .*{because}"):
            choose_runners(replace(request, runners=runners), found)


@pytest.mark.parametrize("broken", ["not json", None])
def test_a_set_up_that_a_power_cut_broke_is_not_used(
    board: Callable[..., Path], pristine_artifact: Path, broken: str | None
) -> None:
    root = board()
    (root / "native" / SETUP).unlink()
    if broken:
        (root / "native" / SETUP).write_text(broken)
    found = find_native(request_of(pristine_artifact, root=str(root)), open_artifact(pristine_artifact))
    assert found.runner is None
    assert "device setup BOARD --native` again" in str(found.because)


def test_a_board_without_a_runner_is_no_reason_to_warn(pristine_artifact: Path, tmp_path: Path) -> None:
    for root in (None, str(tmp_path)):
        request = request_of(pristine_artifact, root=root)
        found = find_native(request, open_artifact(pristine_artifact))
        assert found.told() == PLAIN
        with pytest.raises(DeviceError, match="not set up here; run `edgeseq device setup BOARD --native`"):
            choose_runners(replace(request, runners=("native",)), found)


def test_an_artifact_of_an_older_edgeseq_is_measured_by_python(
    board: Callable[..., Path], artifact_folder: Path
) -> None:
    sums = artifact_folder / "SHA256SUMS"
    (artifact_folder / "native.txt").unlink()
    kept = [line for line in sums.read_text().splitlines(keepends=True) if "native.txt" not in line]
    sums.write_text("".join(kept))
    request = request_of(artifact_folder, root=str(board()))
    found = find_native(request, open_artifact(artifact_folder))
    assert choose_runners(request, found) == {"tflite": ["python"]}
    said = "has no native.txt: exported by an edgeseq that knew no native runner; export it again"
    assert said in str(found.because)
    with pytest.raises(DataError, match=said):  # whoever asks for the native runner gets no other
        find_native(replace(request, runners=("native",)), open_artifact(artifact_folder))


def test_an_agent_that_begins_again_with_another_runner_is_refused() -> None:
    taken = Taken(request_of(Path("/a")), [])
    began = {"event": "began", "runners": {"tflite": ["native"]}, "native": PLAIN}
    taken.hear(began)
    taken.hear(began)
    for other in ({"runners": {"tflite": ["python"]}}, {"native": {**PLAIN, "runner_sha256": "0" * 64}}):
        with pytest.raises(DeviceError, match="the board's native runner was changed meanwhile"):
            taken.hear({**began, **other})
