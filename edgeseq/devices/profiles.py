"""The boards edgeseq knows: what their processors can do, and which of them can be emulated."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from edgeseq.names import unknown
from edgeseq.settings import settings_from_dict
from edgeseq_device.errors import UsageError

_BOARDS = Path(__file__).resolve().parent / "boards"


@dataclass(frozen=True)
class Profile:
    """A board, or a kind of boards, of which cpu, cores and RAM are then None.

    machine: as `uname -m` names it with the system that suits it; docker_platform: of its images; target:
    what `edgeseq export --target` chooses forms by for it. features: as its /proc/cpuinfo lists them; asimddp
    is the int8 dot product. ram_bytes: of the smallest one sold. wheel_tags: PYTHON-MACHINE pairs that
    runtimes have wheels for. qemu_cpu: the emulator's name of its core, or None where there is no virtual
    board.
    """

    name: str
    board: str
    machine: str
    docker_platform: str
    target: str
    cpu: str | None
    cores: int | None
    features: tuple[str, ...]
    ram_bytes: int | None
    wheel_tags: tuple[str, ...]
    qemu_cpu: str | None

    @property
    def has_dot_product(self) -> bool:
        """Whether int8 products are summed in one instruction (Armv8.2 dotprod)."""
        return "asimddp" in self.features


def profile_names() -> tuple[str, ...]:
    """Every board's name, sorted."""
    return tuple(sorted(path.stem for path in _BOARDS.glob("*.json")))


def virtual_board_names() -> tuple[str, ...]:
    """The boards that `edgeseq.devices.emulated.virtual` can imitate, sorted."""
    return tuple(name for name in profile_names() if profile(name).qemu_cpu is not None)


def profile(name: str) -> Profile:
    """The board called `name`; UsageError, naming the nearest one, when there is none."""
    if name not in profile_names():
        raise UsageError(unknown("device", name, profile_names()))
    path = _BOARDS / f"{name}.json"
    return settings_from_dict(Profile, {"name": name, **json.loads(path.read_text("utf-8"))}, f"{path.name}")
