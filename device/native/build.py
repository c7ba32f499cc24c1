"""Compile edgeseq-run and edgeseq-bench, stripped programs for a board, out of the modules of src/.

With zig (`pip install ziglang`) it is for any glibc from 2.17 on and has the same bytes wherever it is built.
gcc makes one for the glibc of the machine that builds. Sanitizers, unit tests and fuzz targets are gcc's.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent
ZIG = "edgeseq[native]"
"""The extra of edgeseq that brings zig."""
MACHINES = ("aarch64", "x86_64")
GLIBC = "2.17"
UNFIT = 5

_VERSION_FILE = HERE.parent / "edgeseq_device/__init__.py"
_COMPILE = (
    # Not -I: that would put src/features.h in place of the C library's <features.h>.
    *("-std=c11", "-D_GNU_SOURCE", "-iquotesrc", "-fPIE"),
    *("-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wshadow", "-Wstrict-prototypes", "-Wdate-time"),
)
_LINK = ("-pie",)
_LIBRARIES = ("-ldl", "-lm")
# The sources that are linked whether anything calls them or not. That libLiteRt.so finds the getuid of uid.c
# needs no option: linkers export what a library of the program defines as well.
PROGRAMS = {
    "edgeseq-run": ("src/edgeseq_run.c", "src/litert/uid.c"),
    "edgeseq-bench": ("src/edgeseq_bench.c",),
}
"""Each with the module that is its own; of the others it gets what it uses."""


@dataclass(frozen=True)
class Compiler:
    """The beginnings of the commands that compile and that make a library of modules.

    name: "zig", "gcc" or "clang".
    """

    name: str
    command: tuple[str, ...]
    archiver: tuple[str, ...]


@dataclass(frozen=True)
class Kind:
    """How a program is made. compile, link: options in addition to those of every kind."""

    compile: tuple[str, ...]
    link: tuple[str, ...]


RELEASE = Kind(
    (
        *("-Os", "-flto", "-g0", "-ffunction-sections", "-fdata-sections"),
        *("-fno-asynchronous-unwind-tables", "-fno-unwind-tables", "-fno-stack-protector"),
    ),
    (
        "-s",
        "-Wl,--gc-sections",
        "-Wl,--as-needed",
        "-Wl,--build-id=none",
        "-Wl,--hash-style=gnu",
        "-Wl,-z,relro",
        "-Wl,-z,now",
    ),
)
_SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
SANITIZED = Kind(("-O1", "-g1", "-fno-omit-frame-pointer", *_SANITIZERS), _SANITIZERS)
LIBFUZZER = Kind((*SANITIZED.compile, "-fsanitize=fuzzer"), (*_SANITIZERS, "-fsanitize=fuzzer"))


_SMALLER = {"x86_64": ("-fomit-frame-pointer", "-fno-plt")}
"""Options by machine that make a program smaller there."""


class BuildError(Exception):
    """Nothing was built. The text is for people; exit_code is that of edgeseq's command line."""

    def __init__(self, text: str, exit_code: int = 1) -> None:
        super().__init__(text)
        self.exit_code = exit_code


def main(arguments: Sequence[str]) -> int:
    """Build what the arguments say; prints where it is, its size and its sha256."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    if not (asked.which or asked.output):
        parser.error("--output FILE is missing")
    try:
        kind, name = RELEASE, asked.compiler
        if asked.sanitize or asked.unit or asked.fuzz:
            kind, name = (LIBFUZZER if name == "clang" else SANITIZED), name or "gcc"
        compiler = find_compiler(asked.machine, name)
        if asked.which:
            print(compiler.name, _version_of(compiler))
            return 0
        own = [str(Path(each).resolve()) for each in (asked.unit, asked.fuzz) if each]
        own += ["fuzz/driver.c"] if asked.fuzz and kind is SANITIZED else []
        version = asked.version or read_version()
        output = Path(asked.output)
        own = own or list(PROGRAMS[asked.program])
        with tempfile.TemporaryDirectory() as scratch:
            build(compiler, kind, own, version, Path(asked.objects or scratch).resolve(), output)
    except BuildError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    content = output.read_bytes()
    print(f"{output}  {len(content)} bytes  sha256 {hashlib.sha256(content).hexdigest()}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", choices=PROGRAMS, default="edgeseq-run")
    parser.add_argument("--machine", choices=MACHINES, default=this_machine())
    parser.add_argument("--output", metavar="FILE")
    parser.add_argument(
        "--which", action="store_true", help="build nothing; print the compiler and its version"
    )
    parser.add_argument("--compiler", choices=("zig", "gcc", "clang"), help="default: zig, else gcc")
    parser.add_argument("--version", help="what the program calls itself (default: the checkout's)")
    parser.add_argument("--objects", metavar="FOLDER", help="keep compiled modules here for the next build")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--sanitize", action="store_true", help="with AddressSanitizer and UBSan")
    kind.add_argument("--unit", metavar="FILE", help="a test with a main of its own")
    kind.add_argument("--fuzz", metavar="FILE", help="likewise a fuzz target with its driver")
    return parser


def this_machine() -> str:
    """The name that Linux has for this machine."""
    name = platform.machine().lower()
    return {"arm64": "aarch64", "amd64": "x86_64"}.get(name, name)


def find_compiler(machine: str, name: str | None) -> Compiler:
    """The compiler for `machine`; BuildError when there is none."""
    package = importlib.util.find_spec("ziglang")
    if name in ("zig", None) and package is not None and package.origin is not None:
        zig = str(Path(package.origin).with_name("zig"))
        # What zig makes of -Os is larger than what its clang does.
        target = f"{machine}-linux-gnu.{GLIBC}"
        command = (zig, "cc", "-target", target, "-Xclang", "-Oz", *_SMALLER.get(machine, ()))
        return Compiler("zig", command, (zig, "ar"))
    own = machine == this_machine() and platform.system() == "Linux"
    prefix = "" if own else f"{machine}-linux-gnu-"
    program = "clang" if name == "clang" else f"{prefix}gcc"
    if name != "zig" and shutil.which(program):
        return Compiler("clang" if name == "clang" else "gcc", (program,), (f"{prefix}ar",))
    gcc = "gcc libc6-dev" if own else f"gcc-{machine.replace('_', '-')}-linux-gnu"
    ways = {
        "zig": f"{sys.executable} -m pip install '{ZIG}' (that brings zig)",
        "gcc": f"apt-get install {gcc}",
        "clang": "apt-get install clang",
    }
    wanted = ways[name] if name else f"{ways['zig']}, or: {ways['gcc']}"
    raise BuildError(f"no C compiler for {machine} to build edgeseq-run with; run: {wanted}", UNFIT)


def _version_of(compiler: Compiler) -> str:
    """Such as "0.15.1"."""
    ask = ("version",) if compiler.name == "zig" else ("-dumpfullversion", "-dumpversion")
    return _run([compiler.command[0], *ask]).strip()


def read_version() -> str:
    """The version of the checkout; BuildError where there is none beside these sources."""
    try:
        found = re.search(r'^__version__ = "(.*)"', _VERSION_FILE.read_text("utf-8"), re.MULTILINE)
    except OSError:
        found = None
    if found is None:
        raise BuildError(f"{_VERSION_FILE}: no version there; give --version")
    return found.group(1)


def build(
    compiler: Compiler, kind: Kind, own: Sequence[str], version: str, objects: Path, output: Path
) -> None:
    """Compile and link; `output` is replaced only by a whole program.

    own: the sources that are this program's alone, with its main. objects: a folder; what was compiled there
    before, with the same headers and options, is not compiled again. All is compiled from within this folder
    by relative names, so that no path of this machine gets into the program.
    """
    options = [*_COMPILE, *kind.compile, f'-DEDGESEQ_VERSION="{version}"', "-c"]
    modules = sorted(str(path.relative_to(HERE)) for path in (HERE / "src").rglob("*.c"))
    apart = {each for sources in PROGRAMS.values() for each in sources}
    sources = [*own, *(each for each in modules if each not in apart)]
    roots = {_root(each) for each in [*modules, *own]}
    headers = {folder: _digest(folder) for folder in roots}
    objects.mkdir(parents=True, exist_ok=True)
    output.parent.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        compile_one = partial(_compile, [*compiler.command, *options], headers, objects)
        built = list(pool.map(compile_one, sources))
    linked = [*built[: len(own)], _archive(compiler, built[len(own) :], objects)]
    with tempfile.TemporaryDirectory(dir=output.parent.resolve(), prefix=".edgeseq-run-") as scratch:
        program = Path(scratch) / "program"
        _run([*compiler.command, *_LINK, *kind.link, "-o", str(program), *linked, *_LIBRARIES])
        program.chmod(0o755)
        program.replace(output)


def _archive(compiler: Compiler, modules: list[str], objects: Path) -> str:
    """A library of the modules, so that only those are linked that are used."""
    make = [*compiler.archiver, "rcs"]
    return _kept(objects, "modules.a", "".join(modules), lambda path: _run([*make, path, *modules]))


def _root(source: str) -> Path:
    """The folder whose headers, and those of its rooms, a source may include beside its own folder's."""
    path = HERE / source
    return HERE / "src" if HERE / "src" in path.parents else path.parent


def _digest(folder: Path) -> str:
    """Of all headers there and below."""
    headers = [path.read_bytes() for path in sorted(folder.rglob("*.h"))]
    return hashlib.sha256(b"".join(hashlib.sha256(each).digest() for each in headers)).hexdigest()


def _compile(command: list[str], headers: dict[Path, str], objects: Path, source: str) -> str:
    path = HERE / source
    content = hashlib.sha256(path.read_bytes()).hexdigest()
    key = "\0".join([*command, source, content, headers[HERE / "src"], headers[_root(source)]])
    return _kept(objects, f"{path.stem}.o", key, lambda target: _run([*command, source, "-o", target]))


def _kept(objects: Path, name: str, key: str, make: Callable[[str], object]) -> str:
    """The file in `objects` that `make` has made for that key, now or before."""
    target = objects / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}-{name}"
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=objects) as scratch:
            make(f"{scratch}/{name}")
            Path(scratch, name).replace(target)
    return str(target)


def _run(command: list[str]) -> str:
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BuildError(f"{done.stderr.strip()}\nedgeseq-run does not compile ({command[0]})")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
