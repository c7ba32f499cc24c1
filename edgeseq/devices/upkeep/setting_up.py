"""Runtimes for a board that has neither internet nor pip: fetched here, sent, unpacked and tried there."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgeseq.devices.agent_link import OnEvent
from edgeseq.devices.board import SshDevice, SshLink
from edgeseq.devices.cache import Progress, content_key, part_of
from edgeseq.devices.ssh.faults import printable
from edgeseq.devices.ssh.transfer import Blob, blob_of, send
from edgeseq.devices.upkeep.fitness import pythons_with_wheels, table_for
from edgeseq.devices.upkeep.probing import ask, probe
from edgeseq.devices.wheel_cache import cached_wheels
from edgeseq.devices.wheel_tables import Pin, WheelTable
from edgeseq_device.errors import DeviceError
from edgeseq_device.layout import LOCK_WAIT_S, PYTHON

RUNTIMES = ("tflite", "onnx", "all")

_NUMPY = "numpy"
# Which numpy the runtimes take, as their METADATA says: from (inclusive), below (exclusive, None for any).
_NUMPY_FROM = {"onnxruntime": (1, 21, 6), "ai-edge-litert": (1, 23, 2), "tflite-runtime": (1, 23, 2)}
_NUMPY_BELOW = {"tflite-runtime": (2,)}  # its METADATA does not say it: it was built against numpy 1


@dataclass(frozen=True)
class SetUp:
    """What a board has now. versions: by model format, such as "onnxruntime 1.31.1", and by "numpy" where
    that was sent too; own_numpy: the board's, which was left alone, None where one was sent. sent_bytes: of
    wheels, 0 where all was there."""

    name: str
    folder: str
    versions: Mapping[str, str]
    own_numpy: str | None
    sent_bytes: int


@dataclass(frozen=True)
class Choice:
    """The wheels for a board and the libraries that must load from them."""

    table: WheelTable
    pins: tuple[Pin, ...]
    libraries: tuple[str, ...]
    own_numpy: str | None

    @property
    def key(self) -> str:
        """Of the folder they are unpacked to: equal wheels have an equal one."""
        return content_key(*(pin.sha256 for pin in self.pins))


def set_up(device: SshDevice, runtime: str, progress: Progress) -> SetUp:
    """Give a board the runtimes of `runtime`, one of RUNTIMES; those that it had from here are replaced, but
    for what deployed artifacts are used with: that comes along.

    DeviceError when there are none for its Python and processor or they do not load there, DataError for a
    wheel that is for another processor, EdgeseqError for a full disk; the board then has what it had.
    """
    with device.open(part_of(progress, 0.0, 0.1)) as link:
        if not isinstance(link, SshLink):  # a container has its own
            raise DeviceError(f"{device.name}: is not reached over SSH")
        told = probe(link, part_of(progress, 0.1, 0.2))
        choice = choose(device.name, told, runtime)
        folder = f"{told['python']['tag']}-{choice.key}"
        if told["content"]["python"].get(told["python"]["tag"]) == folder:
            loads = {each: told["libraries"][each]["version"] for each in choice.libraries}
            if all(loads.values()):
                progress(1.0, "everything was there")
                return SetUp(device.name, folder, loads, choice.own_numpy, 0)
        wheels = fetched(choice, part_of(progress, 0.2, 0.5))
        send(link.connection, wheels, part_of(progress, 0.5, 0.8))
        versions = _install(link, told["python"]["tag"], choice, wheels, part_of(progress, 0.8, 1.0))
    sent_bytes = sum(each.size_bytes for each in wheels)
    return SetUp(device.name, folder, versions, choice.own_numpy, sent_bytes)


def choose(name: str, told: Mapping[str, Any], runtime: str) -> Choice:
    """The wheels for a board, of which its agent told `told`.

    A numpy that it has and that the runtimes take is left alone. Where artifacts are deployed, the runtimes
    that are there from an earlier setup are chosen too. DeviceError where there is no wheel for its
    Python, processor, C library or numpy.
    """
    table = table_for(told)
    if table is None:
        python = f"its Python {told['python']['version']} on {told['python']['machine']}"
        raise DeviceError(f"{name}: there are no runtimes for {python}, but for {pythons_with_wheels(told)}")
    check_glibc(name, table, str(told["system"]["glibc"]))
    formats = table.formats if runtime == "all" else (runtime,)
    formats += tuple(each for each in table.formats if each in _in_use(told).difference(formats))
    pins = table.pins_for(formats)
    own = told["own_numpy"]
    if own is not None and _numpy_fits(own, pins):
        pins = tuple(pin for pin in pins if pin.package != _NUMPY)
    elif not any(pin.package == _NUMPY for pin in pins):
        raise _no_numpy(name, own, told["libraries"][_NUMPY]["error"])
    else:
        own = None
    sends_numpy = any(pin.package == _NUMPY for pin in pins)
    return Choice(table, pins, (*((_NUMPY,) if sends_numpy else ()), *formats), own)


def _in_use(told: Mapping[str, Any]) -> set[str]:
    """The formats whose runtimes an earlier setup sent and deployed artifacts may be used with."""
    content = told["content"]
    ours = f"/{PYTHON}/{content['python'].get(told['python']['tag'])}/"
    files = {name: str(found["file"]) for name, found in told["libraries"].items() if name != _NUMPY}
    return {name for name, file in files.items() if content["deployed"] and ours in file}


def fetched(choice: Choice, progress: Progress) -> list[Blob]:
    """The chosen wheels, from the cache or fetched into it by pip; DeviceError when one cannot be had."""
    return [blob_of(path) for path in cached_wheels(choice.pins, choice.table, progress)]


def _install(
    link: SshLink, tag: str, choice: Choice, wheels: Sequence[Blob], progress: Progress
) -> dict[str, str]:
    """Let the board unpack and try the wheels; what was loaded."""
    request = {
        "root": link.root,
        "tag": tag,
        "key": choice.key,
        "wheels": [{"sha256": each.sha256, "name": each.path.name} for each in wheels],
        "libraries": list(choice.libraries),
        "host": platform.node() or "a host without a name",
        "lock_wait_s": LOCK_WAIT_S,
    }
    versions: dict[str, str] = ask(link, "install", request, show_steps(link.connection.name, progress))[
        "versions"
    ]
    progress(1.0, "the runtimes are there")
    return versions


def show_steps(name: str, progress: Progress) -> OnEvent:
    """Shows what an agent that sets something up on the board `name` says that it is doing."""

    def on_event(event: Mapping[str, Any]) -> None:
        if event["event"] == "waiting":
            progress(0.0, printable(f"waiting: {event['for']}"))
        elif event["event"] == "progress":
            progress(event["step"] / event["steps"], printable(f"{event['doing']} on {name}"))

    return on_event


def check_glibc(name: str, table: WheelTable, glibc: str) -> None:
    """DeviceError for a board whose C library is too old for the wheels of a table, or another's."""
    found = re.fullmatch(r"glibc (\d+)\.(\d+)", glibc)
    has = (int(found.group(1)), int(found.group(2))) if found else None
    if has is None or has < table.glibc:
        needed = ".".join(map(str, table.glibc))
        known = glibc if found else "none that is known (musl?)"
        raise DeviceError(
            f"{name}: the runtimes need glibc {needed}, its C library is {known}; upgrade its system, "
            "Raspberry Pi OS bookworm has glibc 2.36"
        )


def _numpy_fits(own: str, pins: Sequence[Pin]) -> bool:
    """Whether the runtimes among `pins` take the numpy `own`, such as "numpy 1.24.2"."""
    version = tuple(int(part) for part in re.findall(r"\d+", own)[:3])
    runtimes = [pin.package for pin in pins if pin.package != _NUMPY]
    return all(
        version >= _NUMPY_FROM[each] and version < _NUMPY_BELOW.get(each, (version[0] + 1,))
        for each in runtimes
    )


def _no_numpy(name: str, own: str | None, error: str | None) -> DeviceError:
    """Where there is no wheel of numpy, as for 32-bit ARM, the board's system must have one that fits."""
    if own is not None:
        return DeviceError(
            f"{name}: its {own} does not go with tflite-runtime, the only runtime for it, which needs numpy "
            "1.23 or later and below 2; use Raspberry Pi OS bookworm, whose python3-numpy is 1.24"
        )
    return DeviceError(
        f"{name}: numpy does not load there ({error}), and there is no wheel of it for this processor; run "
        f"there: sudo apt-get install python3-numpy; then again: edgeseq device setup {name}"
    )
