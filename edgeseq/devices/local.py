"""The machine edgeseq runs on, as a device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from edgeseq.devices.cache import Progress
from edgeseq.devices.links import Link, LocalLink
from edgeseq.devices.names import LOCAL
from edgeseq_device.system import describe_system


@dataclass(frozen=True)
class LocalDevice:
    """This computer and this Python."""

    name: str = LOCAL
    cores: None = None

    @property
    def emulated(self) -> bool:
        """False, unless edgeseq itself runs in an emulator."""
        return bool(describe_system()["emulated"])

    @property
    def description(self) -> str:
        """Its processor and operating system."""
        system = describe_system()
        return f"{system['cpu_model'] or system['machine']}, {system['os'] or 'unknown system'}"

    @contextmanager
    def open(self, progress: Progress) -> Iterator[Link]:
        """Nothing to do: a measurement is another process of this Python."""
        progress(1.0, "ready")
        yield LocalLink()
