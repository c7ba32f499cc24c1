"""The native runner for a board: compiled here, sent with its library, tried there on golden vectors."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edgeseq import __version__
from edgeseq.devices.board import SshDevice, SshLink
from edgeseq.devices.cache import Progress, part_of
from edgeseq.devices.native_build import board_runner, library_table, litert_library
from edgeseq.devices.ssh.connection import Connection
from edgeseq.devices.ssh.faults import printable
from edgeseq.devices.ssh.transfer import Blob, blob_of, send
from edgeseq.devices.upkeep.probing import ask
from edgeseq.devices.upkeep.setting_up import check_glibc, show_steps
from edgeseq_device.artifact import Artifact, sha256_of
from edgeseq_device.errors import DeviceError
from edgeseq_device.layout import FOLDER, LIBRARY, LOCK_WAIT_S, NATIVE, RUNNER, SETUP
from edgeseq_device.manifest import SUMS_FILE
from edgeseq_device.measuring.runners import check_artifact, check_machine

# Each line is a key and what is known of it; what follows "setup" is a file.
_LOOK = f"""
echo "machine $(uname -m)";
echo "bits $(getconf LONG_BIT 2>/dev/null)";
echo "glibc $(getconf GNU_LIBC_VERSION 2>/dev/null)";
cd {FOLDER}/{NATIVE} 2>/dev/null || exit 0;
echo "runner $(sha256sum < {RUNNER})";
echo "library $(sha256sum < {LIBRARY})";
echo "setup";
cat {SETUP};
exit 0
"""


@dataclass(frozen=True)
class NativeSetUp:
    """What a board has now. passed: whether the runner gave the right answers there to the golden vectors of
    `artifact`; because: why not, and then Python is used. sent_bytes: of runner and library, 0 where both
    were there."""

    name: str
    library_version: str
    artifact: str
    passed: bool
    because: str | None
    runner_bytes: int
    library_bytes: int
    sent_bytes: int


@dataclass(frozen=True)
class NativeLook:
    """What the shell of a board tells that matters to the runner; empty where it does not.

    setup: setup.json of the runner that is there, empty without one; hashes: of runner and library, as they
    are now.
    """

    machine: str
    bits: str
    glibc: str
    hashes: tuple[str, str] = ("", "")
    setup: Mapping[str, Any] = field(default_factory=dict)

    def has(self, artifact: Artifact, program: Blob, library: Blob) -> bool:
        """Whether these files are there, and have passed with this artifact and this edgeseq."""
        tried = {"artifact": artifact.name, "artifact_sha256": sha256_of(artifact.path / SUMS_FILE)}
        passed = {"passed": True, "edgeseq": __version__, **tried}
        return passed.items() <= self.setup.items() and self.hashes == (program.sha256, library.sha256)


def look_for_native(connection: Connection) -> NativeLook:
    """A look at a board, which needs no more than its shell and writes nothing."""
    said = connection.run(_LOOK).decode("utf-8", "replace")
    lines, _, file = said.partition("\nsetup\n")
    told = {key: printable(value) for key, _, value in (line.partition(" ") for line in lines.splitlines())}
    runner_sha256, library_sha256 = (told.get(each, "").partition(" ")[0] for each in ("runner", "library"))
    try:
        setup = json.loads(file)
    except ValueError:  # none is there, or it is damaged
        setup = None
    return NativeLook(
        told.get("machine", ""),
        told.get("bits", ""),
        told.get("glibc", ""),
        (runner_sha256, library_sha256),
        setup if isinstance(setup, dict) else {},
    )


def set_up_native(device: SshDevice, artifact: Artifact, progress: Progress) -> NativeSetUp:
    """Give a board the native runner, in place of one it has; it answers the golden vectors of `artifact`.

    DataError for an artifact that it cannot run. DeviceError, and the board has what it had, where there can
    be no runner or it does not start there.
    """
    check_artifact(artifact)
    with device.open(part_of(progress, 0.0, 0.1)) as link:
        if not isinstance(link, SshLink):  # a container has none
            raise DeviceError(f"{device.name}: is not reached over SSH")
        look = look_for_native(link.connection)
        machine = machine_of(device.name, look)
        program = blob_of(board_runner(machine, part_of(progress, 0.1, 0.4)))
        path, version = litert_library(machine, part_of(progress, 0.4, 0.6))
        library = blob_of(path)
        sizes = program.size_bytes, library.size_bytes
        if look.has(artifact, program, library):
            progress(1.0, "everything was there")
            return NativeSetUp(device.name, version, artifact.name, True, None, *sizes, 0)
        send(link.connection, [program, library], part_of(progress, 0.6, 0.8))
        found = _set_up(link, artifact, program, library, version, part_of(progress, 0.8, 1.0))
    came_of_it = found["passed"], found["because"]
    return NativeSetUp(device.name, version, artifact.name, *came_of_it, *sizes, sum(sizes))


def machine_of(name: str, look: NativeLook) -> str:
    """The processor of a board as `uname -m` names it; DeviceError where no runner runs on it."""
    machine = f"a 32-bit system (kernel: {look.machine})" if look.bits == "32" else look.machine
    try:
        check_machine(machine)
    except DeviceError as error:
        raise DeviceError(f"{name}: {error}") from error
    check_glibc(name, library_table(look.machine), look.glibc)
    return look.machine


def _set_up(
    link: SshLink, artifact: Artifact, program: Blob, library: Blob, version: str, progress: Progress
) -> Mapping[str, Any]:
    """Let the board put the blobs in their place and try them; its setup.json."""
    sent = link.send(artifact.path, part_of(progress, 0.0, 0.1))
    request = {
        "root": link.root,
        "runner": {"sha256": program.sha256},
        "library": {"sha256": library.sha256},
        "library_version": version,
        "artifact": sent.path,
        "artifact_sha256": sent.sha256,
        "host": platform.node() or "a host without a name",
        "lock_wait_s": LOCK_WAIT_S,
    }
    on_event = show_steps(link.connection.name, part_of(progress, 0.1, 1.0))
    found: Mapping[str, Any] = ask(link, "native", request, on_event)
    progress(1.0, "the native runner is there")
    return found
