"""What a device is to the rest: a link over which agents are started and files are sent."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from edgeseq.devices.agent_link import AgentEndedError, agent_archive
from edgeseq.devices.cache import Progress
from edgeseq.devices.native_build import local_runner
from edgeseq_device.measuring.native_runner import NativeRunner


@dataclass(frozen=True)
class Sent:
    """A file or folder of the host as an agent finds it. sha256: of the bundle that a folder became, or of
    the file; None where the agent reads the host's own."""

    path: str
    sha256: str | None = None


class Link(Protocol):
    """An open way to a device."""

    @property
    def worker_command(self) -> tuple[str, ...] | None:
        """The argv prefix that starts a fresh Python there; None for the agent's own."""

    @property
    def counting_worker_command(self) -> tuple[str, ...] | None:
        """The same with its instructions counted; None where they cannot be."""

    @property
    def root(self) -> str | None:
        """The folder of edgeseq on the device; None where it shares the host's /tmp."""

    @property
    def default_runners(self) -> tuple[str, ...]:
        """Those that an artifact is measured with unless others are asked for; () where the agent knows."""

    def native(self, progress: Progress) -> NativeRunner | None:
        """The native runner there, made ready; None where the agent finds the one that `device setup` sent.
        DeviceError where there can be none."""

    def agent(self, role: str) -> list[str]:
        """The command, on this host, whose stdin and stdout are those of the device's agent in `role`."""

    def send(self, path: Path, progress: Progress) -> Sent:
        """Make a file, or the folder of an artifact, available there. DeviceError when it cannot be."""

    def reopen(self) -> None:
        """After an agent was lost: reach the device again. DeviceError when it stays away."""

    def explain(self, error: AgentEndedError) -> str:
        """What to tell of an agent that ended without a result."""


class Device(Protocol):
    """A machine that artifacts are measured on."""

    @property
    def name(self) -> str:
        """As --device names it."""

    @property
    def emulated(self) -> bool | None:
        """Whether no latency can be had there; None where only the agent can tell."""

    @property
    def description(self) -> str:
        """One line for people; known in full once it is open."""

    @property
    def cores(self) -> int | None:
        """How many the board has, None where the agent finds out."""

    def open(self, progress: Progress) -> AbstractContextManager[Link]:
        """Make the device ready, which may take minutes the first time. DeviceError when it cannot be."""


@dataclass(frozen=True)
class LocalLink:
    """A Python on this machine, which may be a virtual board's: it reads the host's files.

    python, counting_python: argv prefixes; the second counts instructions into the file that the environment
    variable INSTRUCTION_LOG names. find_native: makes the native runner for that machine ready.
    """

    python: tuple[str, ...] = (sys.executable,)
    counting_python: tuple[str, ...] | None = None
    find_native: Callable[[Progress], NativeRunner] = field(default=local_runner, compare=False)
    root: None = None
    default_runners: tuple[str, ...] = ("python",)

    @property
    def worker_command(self) -> tuple[str, ...]:
        """The same Python."""
        return self.python

    @property
    def counting_worker_command(self) -> tuple[str, ...] | None:
        """That which counts."""
        return self.counting_python

    def native(self, progress: Progress) -> NativeRunner:
        """Compiled at the first use."""
        return self.find_native(progress)

    def agent(self, role: str) -> list[str]:
        """The agent's archive in this Python."""
        return [*self.python, str(agent_archive()), role]

    def send(self, path: Path, progress: Progress) -> Sent:
        """Nothing to send."""
        progress(1.0, "ready")
        return Sent(str(path.resolve()))

    def reopen(self) -> None:
        """A process that ended is not a connection that broke; there is nothing to open again."""

    def explain(self, error: AgentEndedError) -> str:
        """Its own words."""
        return str(error)
