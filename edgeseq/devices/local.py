"""The machine edgeseq runs on, as a device."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from edgeseq.devices.agent_link import Launch
from edgeseq.devices.cache import Progress
from edgeseq_device.system import describe_system


@dataclass(frozen=True)
class LocalDevice:
    """This computer and this Python."""

    name: str = "local"
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

    def prepare(self, progress: Progress) -> Launch:
        """Nothing to do: a measurement is another process of this Python."""
        progress(1.0, "ready")
        return Launch((sys.executable,))
