"""Runtimes for the board's own Python, unpacked from wheels that the host sent: it needs no pip, no internet.

They are in python/TAG-KEY of the board's folder, and python/TAG, a link, says which of them is used. It is
switched only when the new ones have been loaded once; until then, and on any failure, the old ones stay.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeseq_device.artifact import sha256_of
from edgeseq_device.board.libraries import LIBRARIES, tag, try_library
from edgeseq_device.conversation import Emit, answer
from edgeseq_device.durable import TEMPORARY, replace_link
from edgeseq_device.elf import elf_machine, python_machine
from edgeseq_device.errors import DataError, DeviceError, EdgeseqError
from edgeseq_device.layout import BLOBS, PYTHON
from edgeseq_device.measuring.keys import Key, texts
from edgeseq_device.measuring.protocol import check_keys
from edgeseq_device.root import Turn, locked
from edgeseq_device.unzip import unzip

_HASH, _KEY = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{16}")
_SPARE_BYTES = 4_000_000
"""Beside the unpacked files: what Python compiles of them at the first import."""


def _are_wheels(value: Any) -> bool:
    return bool(value) and all(
        isinstance(each, dict)
        and set(each) == {"sha256", "name"}
        and _HASH.fullmatch(str(each["sha256"]))
        and str(each["name"]).endswith(".whl")
        for each in value
    )


_REQUEST = {
    "root": Key((str,), check=lambda value: value.startswith("/")),
    "tag": Key((str,)),
    "key": Key((str,), check=lambda value: bool(_KEY.fullmatch(value))),
    "wheels": Key((list,), check=_are_wheels),
    "libraries": Key((list,), check=lambda value: texts(value) and set(value) <= set(LIBRARIES)),
    "host": Key((str,), check=bool),
    "lock_wait_s": Key((int, float), "s", lambda value: value >= 0),
}
"""wheels: [{sha256, name}], blobs of the board's folder; libraries: those that must load from them."""


@dataclass(frozen=True)
class _Wheel:
    path: Path
    name: str
    sha256: str


def main() -> int:
    """Install what a host asks for."""
    return answer(install)


def install(raw: Mapping[str, Any], emit: Emit) -> dict[str, Any]:
    """Unpack, try and switch to the wheels of a request; {"folder", "versions": {library: such as
    "onnxruntime 1.31.1"}}. Afterwards the wheels and older runtimes are gone.

    DataError for a wheel that changed on its way, is for another processor or points outside; DeviceError
    when a library does not load; EdgeseqError for a full disk. None of them leaves anything behind.
    """
    check_keys(raw, _REQUEST, "install")
    if raw["tag"] != tag():
        raise DataError(
            f"install: these wheels are for {raw['tag']}, this Python is {tag()}; run setup again"
        )
    root = Path(raw["root"])
    wheels = [_Wheel(root / BLOBS / each["sha256"], each["name"], each["sha256"]) for each in raw["wheels"]]
    with locked(Turn(str(root), raw["host"], raw["lock_wait_s"]), emit):
        for each in wheels:
            _check_content(each)
        final = root / PYTHON / f"{raw['tag']}-{raw['key']}"
        versions = _prepare(final, wheels, raw["libraries"], emit)
        _switch(final, raw["tag"])
        for each in wheels:
            each.path.unlink()
    return {"folder": final.name, "versions": versions}


def _check_content(wheel: _Wheel) -> None:
    try:
        found = sha256_of(wheel.path)
    except FileNotFoundError:
        raise DataError(f"{wheel.name}: not on the board; run setup again") from None
    if found != wheel.sha256:
        wheel.path.unlink()  # else it would pass for the right one when it is sent again
        raise DataError(f"{wheel.name}: changed on its way to the board (sha256 differs); run setup again")


def _prepare(final: Path, wheels: list[_Wheel], libraries: list[str], emit: Emit) -> dict[str, str]:
    """Fill a new folder, try it and give it the name `final`; the versions that were loaded."""
    final.parent.mkdir(mode=0o700, exist_ok=True)
    for leftover in final.parent.glob(f"{TEMPORARY}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    new = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=final.parent))
    try:
        _check_room(new, wheels)
        for step, each in enumerate(wheels):
            emit(
                {
                    "event": "progress",
                    "step": step,
                    "steps": len(wheels) + 1,
                    "doing": f"unpacking {each.name}",
                }
            )
            unzip(each.path, new, each.name)
        _check_machine(new, wheels)
        emit({"event": "progress", "step": len(wheels), "steps": len(wheels) + 1, "doing": "loading it once"})
        versions = {each: _loaded(each, new) for each in libraries}
        if final.exists():
            final.rename(Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=final.parent)) / "old")
        new.rename(final)
        final.chmod(0o700)
    finally:
        for leftover in final.parent.glob(f"{TEMPORARY}*"):
            shutil.rmtree(leftover, ignore_errors=True)
    return versions


def _check_room(folder: Path, wheels: Iterable[_Wheel]) -> None:
    needed = _SPARE_BYTES
    for each in wheels:
        with suppress(zipfile.BadZipFile), zipfile.ZipFile(each.path) as archive:
            needed += sum(member.file_size for member in archive.infolist())
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise EdgeseqError(
            f"the runtimes take {needed / 1e6:.0f} MB unpacked and the board's disk has {free / 1e6:.0f} MB "
            "free; make room there"
        )


def _check_machine(site: Path, wheels: list[_Wheel]) -> None:
    """DataError for a library that this Python cannot load, whatever the wheel's name says."""
    machine = python_machine()
    for path in sorted(site.rglob("*")):
        found = elf_machine(path) if path.is_file() else None
        if found not in (None, machine):
            file = path.relative_to(site)
            raise DataError(
                f"wrong architecture wheel {_owner(file, wheels)}: {file} is for {found}, the board's Python "
                f"is {machine}; the runtimes there are unchanged"
            )


def _owner(file: Path, wheels: list[_Wheel]) -> str:
    """The wheel whose package a file belongs to, by its name; all where none is."""
    top = file.parts[0].partition(".")[0]
    names = [each.name for each in wheels]
    return next((each for each in names if each.partition("-")[0] == top), ", ".join(names))


def _loaded(library: str, site: Path) -> str:
    tried = try_library(library, site=site, left_out=site.parent)
    if tried["version"] is None:
        raise DeviceError(
            f"{library}: the runtime does not load there: {tried['error']}; nothing was changed"
        )
    if not str(tried["file"]).startswith(f"{site}{os.sep}"):
        raise DataError(f"{library}: not in these wheels, {tried['file']} was loaded; nothing was changed")
    return str(tried["version"])


def _switch(final: Path, name: str) -> None:
    """Let python/TAG be `final`, in one step, and remove what it was before."""
    os.sync()  # a board may lose its power at any time: first the 2,000 files, then the name
    replace_link(final.parent / name, final.name)
    for each in final.parent.glob(f"{name}-*"):
        if each != final:
            shutil.rmtree(each, ignore_errors=True)
