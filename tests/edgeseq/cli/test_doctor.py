from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from edgeseq import doctor
from edgeseq.cli import main
from edgeseq.devices import native_build
from edgeseq.devices.registry import ConfiguredDevice, add_device, registry_path
from edgeseq.doctor import examine
from edgeseq_device.errors import DeviceError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGESEQ_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def test_the_doctor_tells_what_is_ready_and_how_to_mend_the_rest(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["doctor", "--json", str(tmp_path / "doctor.json")])
    assert done.exit_code == 0, done.output
    checks = json.loads((tmp_path / "doctor.json").read_text("utf-8"))["checks"]
    by_name = {check["name"]: check for check in checks}
    assert by_name["onnxruntime"]["state"].endswith("loads")
    assert by_name["ai-edge-litert"]["ok"]
    board = by_name["virtual pi4"]
    assert not board["ok"]
    assert board["remedy"] in done.output
    assert {"virtual pi4", "virtual pi5", "torch", "numpy", "cache", "tokenizers", "native runner"} <= set(
        by_name
    )


def test_a_runtime_that_does_not_load_is_told_with_its_cure_and_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "packages" / "onnxruntime"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('GLIBC_2.34 not found')")
    monkeypatch.setenv("PYTHONPATH", str(broken.parent), prepend=":")
    done = CliRunner().invoke(main, ["doctor"])
    assert done.exit_code == 0, done.output
    assert "GLIBC_2.34 not found" in done.output.replace("\n", " ") or "GLIBC_2.34" in done.output
    assert "-m pip install onnxruntime" in done.output


def test_what_few_need_is_optional_and_told_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.metadata.version

    def version(name: str) -> str:
        if name == "transformers":
            raise importlib.metadata.PackageNotFoundError(name)
        return found(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    (check,) = [each for each in examine() if each.name == "transformers"]
    assert not check.ok
    assert check.state == "not installed; optional, for: edgeseq distill from a Hugging Face model"
    assert str(check.remedy).endswith("-m pip install 'edgeseq[huggingface]'")


def test_looking_prepares_nothing(tmp_path: Path) -> None:
    CliRunner().invoke(main, ["doctor"])
    assert not (tmp_path / "cache").exists()


def test_boards_are_told_of_but_not_contacted(monkeypatch: pytest.MonkeyPatch) -> None:
    add_device(ConfiguredDevice("bench-pi", "pi@192.0.2.1", "pi4"))
    by_name = {each.name: each for each in examine()}
    assert by_name["bench-pi"].state == "pi@192.0.2.1, pi4; not contacted"
    assert by_name["bench-pi"].ok
    assert by_name["virtual-pi"].remedy


def test_what_boards_need_is_told_when_it_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    by_name = {each.name: each for each in examine()}
    assert by_name["ssh"].remedy == "apt-get install openssh-client"
    assert by_name["docker buildx"].state == "no docker; optional, for: make images"
    assert by_name["devices"].state.startswith("none yet")


def test_a_broken_list_of_devices_is_told_and_is_no_fault(tmp_path: Path) -> None:
    path = registry_path()
    path.parent.mkdir(parents=True)
    path.write_text("{")
    done = CliRunner().invoke(main, ["doctor", "--json", str(tmp_path / "found.json")])
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "found.json").read_text())["checks"]
    (devices,) = (each for each in found if each["name"] == "devices")
    assert not devices["ok"]
    assert "devices.json" in devices["state"]


def test_a_machine_without_a_compiler_is_told_how_to_get_the_native_runner(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def compiler(machine: str) -> native_build.Compiler:
        if machine == "aarch64":
            raise DeviceError("no C compiler; run: pip install 'edgeseq[native]', or: apt-get install a-gcc")
        return native_build.Compiler("gcc", "12.2.0")

    monkeypatch.setattr(native_build, "compiler", compiler)
    check = doctor.native_runner()
    assert not check.ok
    assert check.state.startswith("x86_64 by gcc 12.2.0, no compiler for aarch64; optional")
    assert check.remedy == "pip install 'edgeseq[native]', or: apt-get install a-gcc"
    monkeypatch.setattr(native_build, "compiler", lambda _machine: native_build.Compiler("zig", "0.17.1"))
    check = doctor.native_runner()
    assert (check.ok, check.remedy) == (True, None)
