"""A board over SSH, or a virtual one that is a whole machine; all that is ours is in one folder there."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgeseq.devices.agent_link import AgentEndedError, agent_archive
from edgeseq.devices.bundle import write_bundle
from edgeseq.devices.cache import Progress, part_of
from edgeseq.devices.links import Link, Sent
from edgeseq.devices.plain import printable
from edgeseq.devices.ssh.connection import Connection
from edgeseq.devices.ssh.destination import Destination
from edgeseq.devices.ssh.faults import ConnectionLostError, UnreachableError
from edgeseq.devices.ssh.transfer import Blob, blob_of, send
from edgeseq_device.errors import DeviceError
from edgeseq_device.layout import BLOBS, FOLDER, SCRATCH
from edgeseq_device.measuring.native_runner import NativeRunner

REOPEN_S = 180.0
"""As long as a board may take to reboot."""
PYTHON_MIN = (3, 9)

_REOPEN_PAUSE_S = 2.0
_SSH_FAILED = 255
_MAKE_FOLDERS = f"umask 077; mkdir -p {FOLDER}/{BLOBS} {FOLDER}/{SCRATCH}"
# Prints the folder and the Python; neither is part of any later command.
_FIRST_LOOK = f"{_MAKE_FOLDERS} && cd {FOLDER} && pwd -P && {{ python3 --version 2>&1 || true; }}"


@dataclass
class SshDevice:
    """A board that answers to SSH. cores: those of its profile, None where only the agent can tell; so with
    emulated, which is True for a virtual machine."""

    name: str
    destination: Destination
    description: str
    cores: int | None = None
    image: str | None = None
    """The container that the agent runs in, in place of the board's own Python."""
    emulated: bool | None = None

    @contextmanager
    def open(self, progress: Progress) -> Iterator[Link]:
        """Log in and bring the agent there; the connection ends with the context. DeviceError where the board
        cannot be reached or has no Python for the agent."""
        progress(0.0, f"connecting to {self.destination}")
        with (
            tempfile.TemporaryDirectory(prefix="edgeseq-") as bundles,
            Connection(self.destination, self.name) as connection,
        ):
            link = SshLink(connection, Path(bundles))
            if self.image is not None:
                link = ContainerLink(connection, Path(bundles), self.image)
            link.begin(part_of(progress, 0.1, 0.3))
            yield link


class SshLink:
    """An open connection to a board, with the agent there.

    bundles: a folder of this host for the artifacts that are sent, None where only the agent is; a board that
    comes back without what it had is sent it again.
    """

    worker_command: tuple[str, ...] | None = None
    counting_worker_command: tuple[str, ...] | None = None
    default_runners: tuple[str, ...] = ()

    def __init__(self, connection: Connection, bundles: Path | None = None) -> None:
        self.connection = connection
        self.root: str | None = None
        self._bundles = bundles
        self._sent: list[Blob] = []

    def begin(self, progress: Progress) -> None:
        """Make the folder on the board and send the agent, if it is not there."""
        said = self.connection.run(_FIRST_LOOK).decode("utf-8", "replace").splitlines()
        self.root, self._python = said[0], " ".join(said[1:])
        self._check_python()
        self._agent = blob_of(agent_archive())
        # Nothing on the board checks what Python runs: a rotten agent is found here, and sent again.
        send(self.connection, [self._agent], progress, hash_there=True)

    def native(self, progress: Progress) -> NativeRunner | None:
        """The agent knows whether `device setup --native` sent one."""
        progress(1.0, "ready")
        return None

    def agent(self, role: str) -> list[str]:
        """The agent, by the board's Python."""
        return self.connection.command(f"exec python3 {FOLDER}/{BLOBS}/$1 $2", self._agent.sha256, role)

    def send(self, path: Path, progress: Progress) -> Sent:
        """Send a file, or a folder as one bundle, unless the board has that content."""
        if not path.is_file():
            assert self._bundles is not None  # noqa: S101 - `SshDevice.open` makes one
            path = write_bundle(path, self._bundles)
        blob = blob_of(path)
        send(self.connection, [blob], progress)
        self._sent.append(blob)
        return Sent(f"{self.root}/{BLOBS}/{blob.sha256}", blob.sha256)

    def reopen(self) -> None:
        """Log in again, which after a reboot takes a while. DeviceError when it stays away, and at once when
        waiting cannot help, as with a host key that has changed."""
        deadline = time.monotonic() + REOPEN_S
        while not self.connection.alive:
            try:
                self.connection.open()
                self.begin(_quietly)
                send(self.connection, self._sent, _quietly)
            except (ConnectionLostError, UnreachableError):
                if time.monotonic() >= deadline:
                    raise
                time.sleep(_REOPEN_PAUSE_S)

    def explain(self, error: AgentEndedError) -> str:
        """Why an agent ended: what it said itself, or that the connection broke."""
        if error.status == _SSH_FAILED:
            return str(self.connection.broken(error.said))
        return f"{self.connection.name}: {error}"

    def _check_python(self) -> None:
        found = re.search(r"Python (\d+)\.(\d+)", self._python)
        board = self.connection.name
        if found is None:
            raise DeviceError(f"{board}: no python3 there; run on it: sudo apt-get install python3")
        version = int(found.group(1)), int(found.group(2))
        if version < PYTHON_MIN:
            raise DeviceError(f"{board}: {printable(self._python)} is too old; 3.9 is the first that works")


class ContainerLink(SshLink):
    """The agent in a container of the board's Docker, which sees the same folder. image: its name there."""

    default_runners = ("python",)

    def __init__(self, connection: Connection, bundles: Path, image: str) -> None:
        super().__init__(connection, bundles)
        self.image = image

    def native(self, progress: Progress) -> NativeRunner | None:  # noqa: ARG002 - `Link`'s
        """The image has the agent and its Python only."""
        raise DeviceError(
            f"{self.connection.name}: the container has no native runner; leave out --via docker, or take "
            "--runner python"
        )

    def agent(self, role: str) -> list[str]:
        """The agent of the image, with no network and nothing to write to but edgeseq's folder."""
        script = (
            "exec docker run --rm -i --network none --read-only --tmpfs /tmp "
            f'--user "$(id -u):$(id -g)" --mount "type=bind,source=$HOME/{FOLDER},target=/edgeseq" "$1" "$2"'
        )
        return self.connection.command(script, self.image, role)

    def begin(self, progress: Progress) -> None:
        """As over SSH alone, but the board needs no Python and the agent is in the image."""
        self.connection.run(_MAKE_FOLDERS)
        self.root = "/edgeseq"
        progress(1.0, "ready")


def _quietly(_fraction: float, _label: str) -> None:
    """Nobody watches a connection come back."""
