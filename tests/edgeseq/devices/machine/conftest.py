"""The virtual Pi that runs, and the tools for looking at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

from edgeseq.devices.machine.state import Running


@pytest.fixture(scope="session")
def machines(load_beside: Callable[[str], ModuleType]) -> ModuleType:
    """The functions of machine_fixture.py."""
    return load_beside("machine_fixture")


@pytest.fixture(scope="session")
def virtual_pi(machines: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A virtual Pi with 256 MB that runs until the session ends. Tests leave it as they found it."""
    with machines.virtual_pi(tmp_path_factory.mktemp("machine")) as found:
        yield found
