"""The tables of wheels that boards and images get: device/wheels/PYTHONTAG-MACHINE.txt.

Each is a requirement file for pip, pinned by content. Comments of the form `# name: value` say what else the
board must have: `glibc`, the oldest that the libraries in the wheels load with, and `system-packages`, the
Debian packages for what there is no wheel of.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeseq.devices.sources import device_sources
from edgeseq_device.errors import DeviceError

_FORMATS = {"onnxruntime": ("onnx",), "ai-edge-litert": ("tflite",), "tflite-runtime": ("tflite",)}
"""The model formats that a package runs; numpy, which is not here, is needed for all."""

_GLIBC = (36, 34, 31, 30, 28, 27, 17)
"""Minor versions of glibc 2 that wheels are made for."""

_TAG = re.compile(r"cp3(\d+)-([a-z0-9_]+)")
_PIN = re.compile(r"([a-z-]+)==([0-9.]+) --hash=sha256:([0-9a-f]{64})")
_NOTE = re.compile(r"# (glibc|system-packages): (.+)")


@dataclass(frozen=True)
class Pin:
    """One wheel: a package's name and version, and the hash of its content."""

    package: str
    version: str
    sha256: str

    @property
    def line(self) -> str:
        """As pip reads it."""
        return f"{self.package}=={self.version} --hash=sha256:{self.sha256}"


@dataclass(frozen=True)
class WheelTable:
    """What Python `python` (such as "3.11") on a `machine` (as `uname -m` names it) gets.

    glibc: such as (2, 34). system_packages: Debian's, which the board must have itself.
    """

    path: Path
    python: str
    machine: str
    glibc: tuple[int, int]
    system_packages: tuple[str, ...]
    pins: tuple[Pin, ...]

    @property
    def platforms(self) -> tuple[str, ...]:
        """The platform tags for pip, which does not know that an older glibc's wheel runs with a newer."""
        return (*(f"manylinux_2_{minor}_{self.machine}" for minor in _GLIBC), f"manylinux2014_{self.machine}")

    @property
    def formats(self) -> tuple[str, ...]:
        """The model formats that there is a runtime for: "onnx", "tflite"."""
        return tuple(form for pin in self.pins for form in _FORMATS.get(pin.package, ()))

    def pins_for(self, formats: Sequence[str]) -> tuple[Pin, ...]:
        """The wheels that models of these formats need, numpy among them.

        DeviceError for a format that there is no runtime for.
        """
        for each in formats:
            if each not in self.formats:
                board, known = f"Python {self.python} on {self.machine}", ", ".join(self.formats)
                raise DeviceError(f"{board}: there is no runtime for {each}, only for {known}")
        return tuple(
            pin for pin in self.pins if set(_FORMATS.get(pin.package, formats)).intersection(formats)
        )


def wheel_tags() -> tuple[str, ...]:
    """The tables there are, such as "cp311-aarch64"."""
    return tuple(sorted(path.stem for path in device_sources("wheels").glob("*.txt")))


def wheel_table(tag: str) -> WheelTable:
    """The table of a Python and machine, such as "cp311-aarch64"; DeviceError where there is none."""
    if tag not in wheel_tags():
        raise DeviceError(f"there is no runtime for a board's {tag}; there is for: {', '.join(wheel_tags())}")
    return read_wheel_table(device_sources("wheels") / f"{tag}.txt")


def read_wheel_table(path: Path) -> WheelTable:
    """The table in a file; DeviceError for a line that is neither a pinned wheel nor a comment."""
    lines = [line for line in path.read_text("utf-8").splitlines() if line.strip()]
    notes = {found[1]: found[2] for found in map(_NOTE.fullmatch, lines) if found}
    pins = []
    for line in lines:
        found = _PIN.fullmatch(line)
        if found:
            pins.append(Pin(*found.groups()))
        elif not line.startswith("#"):
            raise DeviceError(f"{path}: {line!r} is not NAME==VERSION --hash=sha256:HASH; reinstall edgeseq")
    tag = _TAG.fullmatch(path.stem)
    glibc = re.fullmatch(r"(\d+)\.(\d+)", notes.get("glibc", ""))
    if tag is None or glibc is None:
        raise DeviceError(f"{path}: not a table of wheels, or without its glibc; reinstall edgeseq")
    return WheelTable(
        path,
        f"3.{tag[1]}",
        tag[2],
        (int(glibc[1]), int(glibc[2])),
        tuple(notes.get("system-packages", "").split()),
        tuple(pins),
    )
