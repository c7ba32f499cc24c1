"""Put edgeseq-run and edgeseq-bench into ROOT, with LiteRT's library and what they need of Debian: no Python.

`runner.py libraries`, `runner.py compiler`, then `runner.py programs`. Nothing of the target runs here.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import packages
from finish import check_machines
from target import ROOT, Target, target

import wheels

FILES = ROOT / "opt/edgeseq"
"""What a board needs that has a system of its own: the programs, the library and its version."""

_DEBIANS = ["libc6", "libstdc++6"]
_ZIG = Path("zig")
_ZIGS_OTHER_SYSTEMS = re.compile(
    "ziglang/lib/(libcxx|libtsan|libc/(mingw|musl|wasi|freebsd|netbsd|openbsd|include/(?!generic-glibc|.*linux)))"
)
_UNUSED = ("usr/lib/*/gconv", "usr/lib/*/audit", "usr/share/lintian", "usr/share/gcc*", "usr/share/gdb")
_MACHINES = ("aarch64", "x86_64")
_PROGRAMS = ("edgeseq-run", "edgeseq-bench")
_LIBRARY = "libLiteRt.so"


def main(step: str) -> None:
    """Ends the build when something cannot be had, is not what was pinned or is for another machine."""
    wanted = target()
    if wanted.machine not in _MACHINES:
        sys.exit(f"there is no edgeseq-run for {wanted.machine}, only for {' and '.join(_MACHINES)}")
    {"libraries": _libraries, "compiler": _compiler, "programs": _programs}[step](wanted)


def _libraries(wanted: Target) -> None:
    packages.install(wanted, _DEBIANS)
    for pattern in _UNUSED:
        for path in list(ROOT.glob(pattern)):
            shutil.rmtree(path)
    site = Path("site")
    (line,) = wheels.install(wanted, ["ai-edge-litert"], site)
    FILES.mkdir(parents=True)
    shutil.copyfile(site / "ai_edge_litert" / _LIBRARY, FILES / _LIBRARY)
    version = line.partition("==")[2].split()[0]
    (FILES / "libLiteRt.version").write_text(f"{version}\n")
    shutil.rmtree(site)


def _compiler(_wanted: Target) -> None:
    """Of zig's 20,000 files the few that compile C for Linux."""
    fetched = Path("fetched")
    command = [sys.executable, "-m", "pip", "download", "--dest", str(fetched), *wheels.PIP_OPTIONS]
    done = subprocess.run([*command, "--requirement", "native/zig.txt"], check=False)
    if done.returncode:
        sys.exit(done.returncode)
    (wheel,) = fetched.iterdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(_ZIG, [name for name in archive.namelist() if not _ZIGS_OTHER_SYSTEMS.match(name)])
    (_ZIG / "ziglang/zig").chmod(0o755)
    shutil.rmtree(fetched)


def _programs(wanted: Target) -> None:
    build = [sys.executable, "native/build.py", "--compiler=zig", f"--machine={wanted.machine}"]
    build += ["--objects=objects"]
    environment = {**os.environ, "PYTHONPATH": str(_ZIG.resolve())}
    for program in _PROGRAMS:
        command = [*build, f"--program={program}", f"--output={FILES / program}"]
        done = subprocess.run(command, env=environment, check=False)
        if done.returncode:
            sys.exit(done.returncode)
    check_machines(wanted.machine)


if __name__ == "__main__":
    main(sys.argv[1])
