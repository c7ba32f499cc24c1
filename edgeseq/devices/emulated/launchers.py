"""The commands that start a virtual board's programs: small shell scripts in the board's folder."""

from __future__ import annotations

import shlex

from edgeseq.devices.emulated.emulator import PLUGIN, qemu_argv
from edgeseq_device.measuring.counting import INSTRUCTION_LOG


def launcher(
    guest: str, emulator: str, architecture: str, python: str | None, qemu_cpu: str, *, counting: bool = False
) -> str:
    """A shell script that runs the guest's Python with the script's arguments; without a `python`, the guest
    program that they begin with.

    It stands in the board's folder, beside root/; guest and emulator are the names of the folders beside that
    one. It passes nothing of its caller's environment on but TMPDIR. A guest program can run it too:
    qemu-user hands programs of the host to the host.
    """
    assignments = [f"{key}={shlex.quote(value)}" for key, value in python_environment().items()]
    assignments += ['TMPDIR="${TMPDIR:-/tmp}"', 'QEMU_LD_PREFIX="$here/root"', f"QEMU_CPU={qemu_cpu}"]
    assignments += [f'PYTHONPATH="$here/../{guest}/site"']
    if counting:
        check = f"log=${{{INSTRUCTION_LOG}:?names no file for the counts}}\n"
        assignments += [f'QEMU_PLUGIN="file=$here/../{emulator}/{PLUGIN},out=$log"']
    command = [f'"{word}"' for word in qemu_argv(f"$here/../{emulator}/root", architecture)]
    if python is not None:
        command += [f'"$here/../{guest}/root/usr/bin/python{python}"', "-S"]
    what = "a program" if python is None else "Python"
    return (
        f"#!/bin/sh\n# Written by edgeseq: {what} on the virtual board.\n"
        'here=$(CDPATH= cd -- "${0%/*}" && pwd -P) || exit 127\n'
        f"{check if counting else ''}"
        f'exec env -i {" ".join([*assignments, *command])} "$@"\n'
    )


def python_environment() -> dict[str, str]:
    """The same on every host, so that counts repeat; the guest has no locale files."""
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "PYTHONUTF8": "1",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONHASHSEED": "0",
        "PYTHONNOUSERSITE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
