"""A first look at a board that needs no more than its shell, and then what its own Python can tell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgeseq.devices.agent_link import AgentEndedError, OnEvent, converse
from edgeseq.devices.board import SshLink
from edgeseq.devices.cache import Progress
from edgeseq.devices.ssh.connection import Connection
from edgeseq.devices.ssh.faults import printable
from edgeseq_device.errors import DeviceError

# Each line is a key and what is known of it; nothing is written. The versions are those Debian has had.
_LOOK = """
echo "machine $(uname -m)";
echo "kernel $(uname -r)";
echo "bits $(getconf LONG_BIT 2>/dev/null)";
echo "clock $(date +%s)";
[ -w . ] && echo "writable yes";
echo "disk $(df -Pk . | tail -n 1)";
grep -E "^Mem(Total|Available):" /proc/meminfo;
for each in python3 python3.9 python3.10 python3.11 python3.12 python3.13 python3.14; do
  command -v $each >/dev/null && echo "python $each $($each --version 2>&1)";
done;
exit 0
"""
_LABELS = {"numpy": "numpy", "onnx": "ONNX Runtime", "tflite": "LiteRT"}


@dataclass(frozen=True)
class Look:
    """What a board's shell tells; None where it does not.

    bits: of its programs, which may be 32 on a 64-bit kernel. python: the version of its python3, such as
    "3.11.2", None where there is none that answers; pythons: the names of all that are there. clock_s:
    seconds since 1970 by its own clock. writable: whether its home folder is.
    """

    machine: str
    kernel: str
    bits: int | None
    python: str | None
    pythons: tuple[str, ...]
    clock_s: int | None
    disk_free_bytes: int | None
    ram_bytes: int | None
    ram_available_bytes: int | None
    writable: bool

    @property
    def python_version(self) -> tuple[int, ...]:
        """Such as (3, 11, 2); empty without one."""
        return tuple(int(part) for part in re.findall(r"\d+", self.python or "")[:3])


def look_at(connection: Connection) -> Look:
    """The first look. DeviceError when the board's shell does not do as a shell does."""
    said = connection.run(_LOOK).decode("utf-8", "replace")
    found = parse_look(said)
    if not found.machine:
        raise DeviceError(f"{connection.name}: is no Linux board: its shell answers {printable(said)!r}")
    return found


def parse_look(said: str) -> Look:
    """A `Look` from what the script printed."""
    lines = [line.partition(" ") for line in said.splitlines()]
    told = {key: value.strip() for key, _, value in lines if key != "python"}
    versions = dict(value.strip().partition(" ")[::2] for key, _, value in lines if key == "python")
    answered = {
        name: found[1]
        for name, text in versions.items()
        if (found := re.match(r"Python (\d+\.\d+\S*)", text))
    }
    # Blocks in all, used, available: the names before and after them may have blanks.
    disk = re.search(r"\s\d+\s+\d+\s+(\d+)\s+\d+%\s", told.get("disk", ""))
    return Look(
        machine=printable(told.get("machine", "")),
        kernel=printable(told.get("kernel", "")),
        bits=_number(told.get("bits")),
        python=answered.get("python3"),
        pythons=tuple(answered),
        clock_s=_number(told.get("clock")),
        disk_free_bytes=int(disk.group(1)) * 1024 if disk else None,
        ram_bytes=_kib(told.get("MemTotal:")),
        ram_available_bytes=_kib(told.get("MemAvailable:")),
        writable=told.get("writable") == "yes",
    )


def probe(link: SshLink, progress: Progress) -> dict[str, Any]:
    """What the agent there tells, see `edgeseq_device.board.probe`."""

    def on_event(event: Mapping[str, Any]) -> None:
        label = _LABELS.get(str(event.get("library")), "a library")
        progress(event.get("step", 0) / max(event.get("steps", 1), 1), f"trying whether {label} loads there")

    found = ask(link, "probe", {"root": link.root}, on_event)
    if not isinstance(found, dict):
        raise DeviceError(f"{link.connection.name}: the agent's answer is none; try again")
    return found


def ask(link: SshLink, role: str, request: Mapping[str, Any], on_event: OnEvent) -> Any:
    """What a board's agent answers in `role`. DeviceError, naming the board, when it breaks off."""
    try:
        return converse(link.agent(role), request, on_event)
    except AgentEndedError as error:
        raise DeviceError(link.explain(error)) from error


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def _kib(text: str | None) -> int | None:
    """Bytes of a figure in /proc/meminfo, such as "3884376 kB"."""
    found = None if text is None else _number(text.partition(" ")[0])
    return None if found is None else found * 1024
