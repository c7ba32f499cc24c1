"""The native runner and its library in the cache, from stand-ins that need no compiler and no network."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeseq.devices import native_build
from edgeseq.devices.cache import COMPLETE, cache_root
from edgeseq.devices.native_build import Compiler
from edgeseq_device.errors import DataError, DeviceError

# Stands in for build.py: takes its options, and keeps a list of its calls.
BUILD = """
import argparse, pathlib, sys
parser = argparse.ArgumentParser()
for each in ("program", "machine", "compiler", "version", "output"):
    parser.add_argument(f"--{each}", required=True)
asked = parser.parse_args()
here = pathlib.Path(__file__).parent
with (here / "calls").open("a") as calls:
    print(asked.machine, asked.compiler, file=calls)
with (here / "programs").open("a") as programs:
    print(asked.program, file=programs)
source = (here / "src/edgeseq_run.c").read_text()
if source.startswith("#error"):
    sys.exit("src/edgeseq_run.c:1:2: error: " + source + "\\nedgeseq-run does not compile")
pathlib.Path(asked.output).write_text(source)
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGESEQ_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "native"
    (folder / "src").mkdir(parents=True)
    (folder / "build.py").write_text(BUILD)
    (folder / "src/edgeseq_run.c").write_text("first")
    monkeypatch.setattr(native_build, "device_sources", lambda _name: folder)
    monkeypatch.setattr(native_build, "compiler", lambda _machine, name="zig": Compiler(name, "0.1"))
    return folder


def quietly(_fraction: float, _label: str) -> None:
    """Nobody watches."""


def test_the_runner_is_compiled_once_and_again_when_a_source_or_the_compiler_is_another(
    sources: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = native_build.runner("aarch64", quietly)
    assert native_build.runner("aarch64", quietly) == first
    assert (first.name, first.read_text()) == ("edgeseq-run", "first")
    (sources / "src/edgeseq_run.c").write_text("second")
    assert native_build.runner("aarch64", quietly).read_text() == "second"
    monkeypatch.setattr(native_build, "compiler", lambda _machine, _name=None: Compiler("gcc", "12"))
    native_build.runner("aarch64", quietly)
    calls = (sources / "calls").read_text().splitlines()
    assert calls == ["aarch64 zig", "aarch64 zig", "aarch64 gcc"]
    assert first.exists()


def test_the_program_that_measures_on_the_board_is_compiled_beside_the_runner(sources: Path) -> None:
    found = native_build.program(native_build.BENCH, "x86_64", Compiler("zig", "0.1"), quietly)
    assert found.name == "edgeseq-bench"
    assert native_build.runner("x86_64", quietly).name == "edgeseq-run"
    assert found.exists()
    assert (sources / "programs").read_text().split() == ["edgeseq-bench", "edgeseq-run"]


def test_what_does_not_compile_is_told_by_its_first_error_and_leaves_nothing(sources: Path) -> None:
    (sources / "src/edgeseq_run.c").write_text("#error no such board")
    with pytest.raises(
        DeviceError, match=r"does not compile with zig 0\.1: src/edgeseq_run\.c:1:2: error: #error no"
    ):
        native_build.runner("x86_64", quietly)
    assert not list((cache_root() / "native").glob("runner*"))


def test_a_machine_without_a_runner_is_sent_to_python(sources: Path) -> None:
    for ask in (native_build.runner, native_build.board_runner, native_build.litert_library):
        with pytest.raises(
            DeviceError, match=r"for armv7l, only for x86_64 and aarch64: .* take --runner python"
        ):
            ask("armv7l", quietly)


@pytest.fixture
def no_zig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This Python without its packages; the only folder on PATH."""
    python, programs = tmp_path / "python", tmp_path / "programs"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    python.chmod(0o755)
    programs.mkdir()
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setenv("PATH", str(programs))
    return programs


@pytest.mark.parametrize(("machine", "package"), [("x86_64", "gcc"), ("aarch64", "gcc")])
@pytest.mark.usefixtures("no_zig")
def test_without_a_compiler_it_is_told_what_to_install(machine: str, package: str) -> None:
    with pytest.raises(DeviceError, match=rf"for {machine} .*edgeseq\[native\].* apt-get install {package}"):
        native_build.runner(machine, quietly)


def test_what_gcc_compiles_is_not_sent_to_a_board(no_zig: Path) -> None:
    for name in ("gcc", "aarch64-linux-gnu-gcc", "x86_64-linux-gnu-gcc"):
        (no_zig / name).write_text("#!/bin/sh\necho 12.2.0\n")
        (no_zig / name).chmod(0o755)
    assert native_build.compiler("aarch64") == Compiler("gcc", "12.2.0")
    with pytest.raises(DeviceError, match=r"pip install 'edgeseq\[native\]' \(that brings zig\)$"):
        native_build.board_runner("aarch64", quietly)


@pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="zig is not installed here")
def test_zig_is_taken_before_gcc() -> None:
    assert native_build.compiler("aarch64").name == "zig"


@pytest.fixture
def pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Makes the table for cp311-aarch64 and the wheel that it pins, with one member, as fetched before."""

    def pin(member: str) -> Path:
        wheel = tmp_path / "ai_edge_litert-9.1-cp311-cp311-manylinux_2_17_aarch64.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(member, b"the library")
        sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
        tables, cached = tmp_path / "tables", cache_root() / "wheels" / f"ai-edge-litert-9.1-{sha256[:16]}"
        tables.mkdir()
        (tables / "cp311-aarch64.txt").write_text(
            f"# glibc: 2.34\nai-edge-litert==9.1 --hash=sha256:{sha256}\n"
        )
        cached.mkdir(parents=True)
        (cached / COMPLETE).write_text("{}")
        monkeypatch.setattr("edgeseq.devices.wheel_tables.device_sources", lambda _name: tables)
        return wheel.rename(cached / wheel.name)

    return pin


def test_the_library_comes_out_of_the_pinned_wheel_once(pinned: Callable[[str], Path]) -> None:
    wheel = pinned("ai_edge_litert/libLiteRt.so")
    path, version = native_build.litert_library("aarch64", quietly)
    assert (path.name, path.read_bytes(), version) == ("libLiteRt.so", b"the library", "9.1")
    wheel.unlink()
    assert native_build.litert_library("aarch64", quietly) == (path, "9.1")


def test_a_wheel_without_the_library_is_told(pinned: Callable[[str], Path]) -> None:
    pinned("ai_edge_litert/other.so")
    with pytest.raises(DataError, match=r"manylinux_2_17_aarch64\.whl: has no ai_edge_litert/libLiteRt\.so"):
        native_build.litert_library("aarch64", quietly)


def test_here_both_runners_use_the_installed_library(
    sources: Path, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native_build, "python_machine", lambda: "x86_64")
    found = native_build.local_runner(quietly)
    assert Path(found.command[0]).read_text() == "first"
    assert found.library == str(library)
    assert found.library_version == importlib.metadata.version("ai-edge-litert")
    assert found.counting_command is None


def test_an_installed_library_that_is_too_old_or_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda _name: "2.1.5")
    with pytest.raises(DeviceError, match=r"ai-edge-litert 2\.1\.5 is too old .*'ai-edge-litert>=2\.1\.6'"):
        native_build.installed_library()

    def no_package(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", no_package)
    with pytest.raises(DeviceError, match=r"ai_edge_litert: of an unknown version, .*run: .*pip install"):
        native_build.installed_library()
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(DeviceError, match=r"not installed; run: .*'ai-edge-litert>=2\.1\.6'"):
        native_build.installed_library()


def test_a_computer_that_is_no_64_bit_linux_has_no_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_build, "python_machine", lambda: "i686")
    with pytest.raises(DeviceError, match=r"for i686, only .* take --runner python"):
        native_build.local_runner(quietly)
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    with pytest.raises(DeviceError, match="needs Linux, this is Darwin; take --runner python"):
        native_build.local_runner(quietly)
