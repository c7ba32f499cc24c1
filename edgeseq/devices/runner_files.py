"""The native runner as a folder to copy to a board that no host reaches: its programs and their library."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgeseq.devices.cache import Progress, part_of
from edgeseq.devices.native_build import BENCH, Compiler, compiler, litert_library, program
from edgeseq.files import atomic_write_bytes
from edgeseq_device.layout import LIBRARY, LIBRARY_VERSION, RUNNER
from edgeseq_device.measuring.runners import check_machine


@dataclass(frozen=True)
class RunnerFiles:
    """What was written: sizes in bytes by name. compiler: of the programs; version: of the library."""

    sizes: dict[str, int]
    compiler: Compiler
    version: str


def write_runner_files(machine: str, folder: Path, progress: Progress) -> RunnerFiles:
    """Write edgeseq-run, edgeseq-bench, libLiteRt.so and libLiteRt.version into `folder`, made if missing.

    All four are there before the first is written, and each is written whole. DeviceError where the machine
    has no runner, there is no compiler or the library cannot be had.
    """
    check_machine(machine)
    chosen = compiler(machine)
    programs = [
        program(RUNNER, machine, chosen, part_of(progress, 0.0, 0.3)),
        program(BENCH, machine, chosen, part_of(progress, 0.3, 0.6)),
    ]
    library, version = litert_library(machine, part_of(progress, 0.6, 0.9))
    contents = {each.name: (each.read_bytes(), 0o777) for each in programs}
    contents[LIBRARY] = (library.read_bytes(), 0o666)
    contents[LIBRARY_VERSION] = (f"{version}\n".encode(), 0o666)
    progress(0.9, f"writing {folder}")
    folder.mkdir(parents=True, exist_ok=True)
    for name, (content, mode) in contents.items():
        atomic_write_bytes(folder / name, content, mode)
    return RunnerFiles({name: len(content) for name, (content, _mode) in contents.items()}, chosen, version)
