"""Building edgeseq-run: what the program needs on a board, and that its bytes depend on its sources alone."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeseq_device import __version__
from edgeseq_device.artifact import sha256_of
from edgeseq_device.elf import elf_machine

NATIVE = Path(__file__).parents[3] / "device/native"
MACHINES = ("x86_64", "aarch64")
PROGRAMS = ("edgeseq-run", "edgeseq-bench")
SIZE_BYTES_MAX = 80_000
LIBRARIES = {"libc.so.6", "libm.so.6", "libdl.so.2"}
GLIBC_MAX = (2, 17)


def readelf(option: str, program: Path) -> str:
    command = ["readelf", "--wide", option, str(program)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def build(folder: Path, *options: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs the build.py of a folder; it knows no version but the one given."""
    command = [sys.executable, str(folder / "build.py"), "--version", __version__, *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(params=[(machine, program) for machine in MACHINES for program in PROGRAMS], ids="-".join)
def shipped(request: pytest.FixtureRequest, build_runner: Callable[..., Path]) -> tuple[str, Path]:
    """The machine and the program for it, as zig makes it."""
    if importlib.util.find_spec("ziglang") is None:
        pytest.skip("only zig makes programs for older systems: pip install 'edgeseq[native]'")
    machine, program = request.param
    return machine, build_runner(machine, program)


def test_the_program_is_small_and_for_its_machine(shipped: tuple[str, Path]) -> None:
    machine, program = shipped
    assert elf_machine(program) == machine
    assert program.stat().st_size <= SIZE_BYTES_MAX


def test_the_program_needs_the_c_library_alone_and_an_old_one_does(shipped: tuple[str, Path]) -> None:
    dynamic = readelf("--dynamic", shipped[1])
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic))
    assert "libc.so.6" in needed
    assert {name for name in needed if not name.startswith("ld-linux")} <= LIBRARIES
    assert "PATH" not in dynamic
    versions = re.findall(r"GLIBC_([0-9.]+)", readelf("--version-info", shipped[1]))
    assert max(tuple(int(part) for part in each.split(".")) for each in versions) <= GLIBC_MAX


def test_libraries_find_the_runners_getuid_and_nothing_else(shipped: tuple[str, Path]) -> None:
    symbols = [line.split() for line in readelf("--dyn-syms", shipped[1]).splitlines()]
    exported = [each[7] for each in symbols if len(each) == 8 and each[3] == "FUNC" and each[6] != "UND"]
    assert exported == (["getuid"] if shipped[1].name == "edgeseq-run" else [])


def test_the_program_is_hardened_and_names_no_folder(shipped: tuple[str, Path]) -> None:
    assert re.search(r"Type: +DYN ", readelf("--file-header", shipped[1]))
    assert "GNU_RELRO" in readelf("--program-headers", shipped[1])
    assert "BIND_NOW" in readelf("--dynamic", shipped[1])
    content = shipped[1].read_bytes()
    assert str(NATIVE.parent).encode() not in content
    assert b"/tmp" not in content


def test_the_program_tells_its_version(runner: Path) -> None:
    said = subprocess.run([runner, "--version"], capture_output=True, text=True, check=True).stdout
    assert said == f"edgeseq-run {__version__}\n"


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A folder with build.py and three modules: quick to compile."""
    if shutil.which("gcc") is None:
        pytest.skip("there is no gcc on PATH")
    folder = tmp_path / "tiny"
    (folder / "src/litert").mkdir(parents=True)
    shutil.copy(NATIVE / "build.py", folder)
    (folder / "src/litert/uid.c").write_text("extern int unused;\n")
    (folder / "src/answer.h").write_text("int answer(void);\n")
    (folder / "src/answer.c").write_text('#include "answer.h"\n\nint answer(void) {\n    return 7;\n}\n')
    (folder / "src/edgeseq_run.c").write_text(
        '#include "answer.h"\n\nint main(void) {\n    return answer();\n}\n'
    )
    return folder


@pytest.mark.parametrize("machine", MACHINES)
def test_the_same_sources_elsewhere_give_the_same_bytes(machine: str, tiny: Path, tmp_path: Path) -> None:
    """Of the whole program this is seen in test_docker.py."""
    (tiny / "src/answer.c").write_text(
        '#include "answer.h"\n#include <assert.h>\n\n'
        "int answer(void) {\n    assert(EDGESEQ_VERSION[0]);\n    return 7;\n}\n"
    )
    elsewhere = shutil.copytree(tiny, tmp_path / "another/folder")
    said = []
    for folder in (tiny, elsewhere):
        output = folder / "program"
        done = build(folder, "--compiler", "zig", "--machine", machine, "--output", output)
        if done.returncode == 5:
            pytest.skip(done.stderr.strip())
        assert done.returncode == 0, done.stderr
        assert sha256_of(output) in done.stdout
        said.append(done.stdout.split()[1:])
    assert said[0] == said[1]


def test_gcc_builds_where_there_is_no_zig(tiny: Path) -> None:
    output = tiny / "bin/program"
    command = [sys.executable, "-S", tiny / "build.py", "--version", "1", "--output", output]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert subprocess.run([output], check=False).returncode == 7
    assert [path.name for path in output.parent.iterdir()] == ["program"]


def test_modules_are_compiled_anew_only_when_something_has_changed(tiny: Path) -> None:
    def objects() -> set[str]:
        done = build(tiny, "--compiler", "gcc", "--objects", tiny / "objects", "--output", tiny / "program")
        assert done.returncode == 0, done.stderr
        return {f"{path.name} {path.stat().st_mtime_ns}" for path in (tiny / "objects").iterdir()}

    first = objects()
    assert len(first) == 4  # with a library of modules
    assert objects() == first
    (tiny / "src/answer.c").write_text('#include "answer.h"\nint answer(void) { return 8; }\n')
    assert len(objects() - first) == 2
    (tiny / "src/answer.h").write_text("int answer(void);\nint other(void);\n")
    assert len(objects() - first) == 6
    assert subprocess.run([tiny / "program"], check=False).returncode == 8


def test_a_date_does_not_get_into_the_program(tiny: Path) -> None:
    (tiny / "src/answer.c").write_text('#include "answer.h"\nint answer(void) { return __DATE__[0]; }\n')
    done = build(tiny, "--compiler", "gcc", "--output", tiny / "program")
    assert done.returncode == 1
    assert "date-time" in done.stderr


def test_what_does_not_compile_leaves_the_last_program_alone(tiny: Path) -> None:
    (tiny / "program").write_text("the last one")
    (tiny / "src/answer.c").write_text('#include "answer.h"\n\nint answer(void) {\n    int left;\n}\n')
    done = build(tiny, "--compiler", "gcc", "--output", tiny / "program")
    assert done.returncode == 1
    assert "src/answer.c:4" in done.stderr
    assert "unused variable" in done.stderr
    assert (tiny / "program").read_text() == "the last one"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "pip install 'edgeseq[native]'"),
        (("--compiler", "zig"), "pip install 'edgeseq[native]'"),
        (("--machine", "aarch64", "--compiler", "gcc"), "apt-get install gcc"),
        (("--sanitize",), "apt-get install gcc"),
    ],
)
def test_without_a_compiler_it_says_what_to_install(
    options: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    command = [
        sys.executable,
        "-S",
        str(NATIVE / "build.py"),
        "--output",
        str(tmp_path / "program"),
        *options,
    ]
    done = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert done.returncode == 5
    assert done.stderr.count("\n") == 1
    assert said in done.stderr
    assert not list(tmp_path.iterdir())


def test_it_tells_which_compiler_it_would_take(tmp_path: Path) -> None:
    gcc = tmp_path / "gcc"
    gcc.write_text("#!/bin/sh\necho 12.3\n")
    gcc.chmod(0o755)
    command = [sys.executable, str(NATIVE / "build.py"), "--which", "--compiler", "gcc"]
    environment = {"PATH": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "gcc 12.3\n"), done.stderr


def test_one_version_of_zig_is_pinned_everywhere() -> None:
    for name in ("pyproject.toml", "constraints.txt", "device/native/zig.txt"):
        text = (NATIVE.parents[1] / name).read_text("utf-8")
        assert set(re.findall(r"ziglang==[\w.]+", text)) == {"ziglang==0.17.1"}
