"""The native runner for this board: files that a host sent, tried on the golden vectors of an artifact.

It is put into native-KEY of the board's folder, with what came of it in setup.json, and native, a link, leads
there. A runner that runs but does not pass is kept too: agents then say why Python is used. One that does not
even start changes nothing.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeseq_device import __version__
from edgeseq_device.artifact import Artifact, sha256_of
from edgeseq_device.bundle import copied
from edgeseq_device.conversation import Emit, answer
from edgeseq_device.durable import TEMPORARY, replace_link, sync, sync_tree, write_json
from edgeseq_device.elf import elf_machine, python_machine
from edgeseq_device.errors import DataError, DeviceError, EdgeseqError
from edgeseq_device.layout import BLOBS, LIBRARY, LIBRARY_VERSION, NATIVE, RUNNER, SETUP
from edgeseq_device.manifest import SUMS_FILE
from edgeseq_device.measuring.keys import Key, is_hash
from edgeseq_device.measuring.native_runner import FORMAT, NativeRunner
from edgeseq_device.measuring.native_worker import run_native
from edgeseq_device.measuring.protocol import check_keys
from edgeseq_device.measuring.runners import check_artifact, check_machine
from edgeseq_device.measuring.verdict import out_of_parity, parity_figures
from edgeseq_device.measuring.workers import last_line
from edgeseq_device.root import Turn, locked, scratch

CHECK_S = 60.0
"""For the start of the runner with its library."""
GOLDEN_S = 300.0
"""For the golden vectors of one form, on the slowest board."""

_HASHED = {"sha256": Key((str,), check=is_hash)}
_REQUEST = {
    "root": Key((str,), check=lambda value: value.startswith("/")),
    "runner": Key((dict,)),
    "library": Key((dict,)),
    "library_version": Key((str,), check=lambda value: value.isprintable() and " " not in value),
    "artifact": Key((str,), check=bool),
    "artifact_sha256": Key((str,), check=is_hash),
    "host": Key((str,), check=bool),
    "lock_wait_s": Key((int, float), "s", lambda value: value >= 0),
}
"""runner, library: {sha256}, blobs of the board's folder; library_version: "" where unknown; artifact: the
bundle of one with a TFLite model, on the board."""


@dataclass(frozen=True)
class _File:
    """A blob, and the name it gets."""

    blob: Path
    sha256: str
    name: str


def main() -> int:
    """Set up what a host asks for."""
    return answer(set_up)


def set_up(raw: Mapping[str, Any], emit: Emit) -> dict[str, Any]:
    """Put the runner of a request in its place and let it answer golden vectors; setup.json and "folder".

    "passed" says whether the answers are right, else "because" why not. DataError for a file that changed on
    its way or is for another processor, DeviceError for a runner or a library that does not start there:
    neither changes anything.
    """
    check_keys(raw, _REQUEST, "native")
    for name in ("runner", "library"):
        check_keys(raw[name], _HASHED, f"native: {name}")
    check_machine(python_machine())
    root = Path(raw["root"])
    with locked(Turn(str(root), raw["host"], raw["lock_wait_s"]), emit), scratch(str(root)) as folder:
        _remove_left(root)
        artifact = copied(raw["artifact"], raw["artifact_sha256"], folder / "artifact")
        check_artifact(artifact)
        new = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=root))
        try:
            return _fill(root, new, raw, artifact, emit)
        finally:
            _remove_left(root)


def _remove_left(root: Path) -> None:
    """What a set-up left that was ended, or has failed."""
    for left in root.glob(f"{TEMPORARY}*"):
        shutil.rmtree(left, ignore_errors=True)


def _fill(root: Path, new: Path, raw: Mapping[str, Any], artifact: Artifact, emit: Emit) -> dict[str, Any]:
    files = [
        _File(root / BLOBS / raw[name]["sha256"], raw[name]["sha256"], file)
        for name, file in (("runner", RUNNER), ("library", LIBRARY))
    ]
    for each in files:
        _take(each, new)
    (new / RUNNER).chmod(0o700)
    (new / LIBRARY_VERSION).write_text(f"{raw['library_version']}\n", "utf-8")
    runner = NativeRunner((str(new / RUNNER),), str(new / LIBRARY), raw["library_version"])
    emit({"event": "progress", "step": 0, "steps": 2, "doing": "starting it once"})
    _check_start(runner)
    emit({"event": "progress", "step": 1, "steps": 2, "doing": f"golden vectors of {artifact.name}"})
    because = _fault(runner, artifact)
    setup = {
        "edgeseq": __version__,
        "runner_sha256": raw["runner"]["sha256"],
        "library_sha256": raw["library"]["sha256"],
        "library_version": raw["library_version"],
        "passed": because is None,
        "because": because,
        "artifact": artifact.name,
        "artifact_sha256": sha256_of(artifact.path / SUMS_FILE),
    }
    write_json(new / SETUP, setup)
    final = _switch(root, new, files)
    for each in files:
        each.blob.unlink()
    return {"folder": final.name, **setup}


def _take(file: _File, folder: Path) -> None:
    """Copy a blob into the folder: what is checked is what will be used."""
    try:
        _check_room(file.blob, folder)
        shutil.copyfile(file.blob, folder / file.name)
    except FileNotFoundError:
        raise DataError(f"{file.name}: not on the board; run setup again") from None
    if sha256_of(folder / file.name) != file.sha256:
        file.blob.unlink()  # else it would pass for the right one when it is sent again
        raise DataError(f"{file.name}: changed on its way to the board (sha256 differs); run setup again")
    found, machine = elf_machine(folder / file.name), python_machine()
    if found != machine:
        kind = f"for {found}" if found else "no program"
        raise DataError(
            f"wrong architecture: {file.name} is {kind}, the board's Python is {machine}; nothing was changed"
        )


def _check_room(blob: Path, folder: Path) -> None:
    needed, free = blob.stat().st_size, shutil.disk_usage(folder).free
    if needed > free:
        raise EdgeseqError(
            f"the native runner's files take {needed / 1e6:.0f} MB and the board's disk has "
            f"{free / 1e6:.0f} MB free; make room there"
        )


def _check_start(runner: NativeRunner) -> None:
    """DeviceError unless `edgeseq-run check` finds that it and its library understand each other."""
    command = [*runner.command, "check", "--library", runner.library]
    command += ["--library-version", runner.library_version] if runner.library_version else []
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=CHECK_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise DeviceError(
            f"the native runner hung: no answer in {CHECK_S:.0f} s; nothing was changed"
        ) from None
    except OSError as error:
        raise DeviceError(
            f"the native runner does not start there: {error.strerror}; nothing was changed"
        ) from error
    if done.returncode != 0:
        said = last_line(done.stderr) or f": exit code {done.returncode}"
        raise DeviceError(f"the native runner does not start there{said}; nothing was changed")


def _fault(runner: NativeRunner, artifact: Artifact) -> str | None:
    """Why the runner must not be used: what it answers to golden vectors, in either form; None if it may."""
    model = artifact.model(FORMAT)
    for kind in ("parity", "step_parity") if model.step is not None else ("parity",):
        job = {"kind": kind, "task": artifact.task, "artifact": str(artifact.path), "threads": 1}
        outcome = run_native(runner, job, timeout_s=GOLDEN_S)
        what = f"{model.path.name}{', step form,' if kind == 'step_parity' else ''}"
        if "error" in outcome:
            return f"{artifact.name}: {kind.replace('_', ' ')}: {outcome['error']}".replace(
                f"{artifact.path}/", ""
            )
        figures = parity_figures(outcome["values"])
        if not figures["ok"]:
            return f"{artifact.name}: {out_of_parity(what, figures)}"
    return None


def _switch(root: Path, new: Path, files: list[_File]) -> Path:
    """Let native be the new folder, in one step, and remove what it was before."""
    key = hashlib.sha256(" ".join((__version__, *(each.sha256 for each in files))).encode()).hexdigest()[:16]
    final = root / f"{NATIVE}-{key}"
    sync_tree(new)
    if final.exists():
        final.rename(Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=root)) / "old")
    new.rename(final)
    sync(root)
    replace_link(root / NATIVE, final.name)
    for each in root.glob(f"{NATIVE}-*"):
        if each != final:
            shutil.rmtree(each, ignore_errors=True)
    return final
