"""`edgeseq device runner`, with programs compiled for this run and the library that is installed."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edgeseq.cli import main
from edgeseq.devices import runner_files
from edgeseq.devices.native_build import Compiler
from edgeseq_device.errors import DeviceError

FILES = ["edgeseq-bench", "edgeseq-run", "libLiteRt.so", "libLiteRt.version"]
Take = Callable[..., None]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["device", "runner", *arguments])


@pytest.fixture
def have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Take:
    """Gives the command what it would compile and fetch; the working folder is `tmp_path`."""
    monkeypatch.chdir(tmp_path)

    def take(programs: dict[str, Path], library: Path, compiler: str = "zig") -> None:
        monkeypatch.setattr(runner_files, "compiler", lambda _machine: Compiler(compiler, "0.1"))
        monkeypatch.setattr(runner_files, "program", lambda name, *_others: programs[name])
        monkeypatch.setattr(runner_files, "litert_library", lambda *_all: (library, "9.9"))

    return take


@pytest.fixture
def stand_ins(tmp_path: Path) -> dict[str, Path]:
    found = {name: tmp_path / "made" / name for name in FILES[:3]}
    (tmp_path / "made").mkdir()
    for name, path in found.items():
        path.write_text(name)
    return found


def test_the_folder_for_this_machine_works_as_it_is(
    runner: Path, bench_program: Path, library: Path, have: Take, tmp_path: Path
) -> None:
    have({"edgeseq-run": runner, "edgeseq-bench": bench_program}, library)
    done = run()
    assert done.exit_code == 0, done.output
    name = f"runner-{platform.machine()}"
    folder = tmp_path / name
    assert sorted(each.name for each in folder.iterdir()) == FILES
    assert f"{name}/libLiteRt.so  {library.stat().st_size:,} bytes\n" in done.stdout
    assert done.stdout.endswith(f"to try it: {name}/edgeseq-run check\n")
    check = subprocess.run([folder / "edgeseq-run", "check"], capture_output=True, text=True, check=True)
    assert "opens (ai-edge-litert 9.9)" in check.stdout
    subprocess.run([folder / "edgeseq-bench", "--help"], capture_output=True, check=True)


def test_a_folder_for_another_machine_is_tried_there(
    stand_ins: dict[str, Path], have: Take, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeseq_device.elf.python_machine", lambda: "x86_64")
    have(stand_ins, stand_ins["libLiteRt.so"], compiler="gcc")
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/edgeseq-run").write_text("an older one")
    done = run("--machine", "aarch64", "--output", "a/b")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "a/b/edgeseq-run").read_text() == "edgeseq-run"
    assert (tmp_path / "a/b/edgeseq-run").stat().st_mode & 0o111
    assert (tmp_path / "a/b/libLiteRt.version").read_text() == "9.9\n"
    assert "a C library as new as this machine's" in done.stdout
    assert done.stdout.endswith("copy a/b to the board; to try it there: b/edgeseq-run check\n")


def test_nothing_is_written_where_a_file_cannot_be_had(
    stand_ins: dict[str, Path], have: Take, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    have(stand_ins, stand_ins["libLiteRt.so"])

    def offline(*_all: Any) -> Any:
        raise DeviceError("no wheel")

    monkeypatch.setattr(runner_files, "litert_library", offline)
    done = run("--machine", "aarch64", "--output", "new")
    assert (done.exit_code, "no wheel" in done.stderr) == (5, True)
    assert not (tmp_path / "new").exists()


def test_an_output_that_is_a_file_and_an_unknown_machine_are_refused(
    stand_ins: dict[str, Path], have: Take
) -> None:
    have(stand_ins, stand_ins["libLiteRt.so"])
    assert run("--output", str(stand_ins["edgeseq-run"])).exit_code == 2
    assert run("--machine", "armv7l").exit_code == 2
