"""The virtual Pi that runs, and the tools for looking at it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from edgeseq.devices.machine.state import Running


def _load(name: str) -> ModuleType:
    """A module beside this folder: tests are no package, so that it cannot be imported by name."""
    full_name = f"edgeseq_tests_{name}"
    if full_name not in sys.modules:
        path = Path(__file__).parents[1] / f"{name}.py"
        specification = importlib.util.spec_from_file_location(full_name, path)
        assert specification is not None
        assert specification.loader is not None
        module = importlib.util.module_from_spec(specification)
        sys.modules[full_name] = module
        specification.loader.exec_module(module)
    return sys.modules[full_name]


@pytest.fixture(scope="session")
def machines() -> ModuleType:
    """The functions of machine_fixture.py."""
    return _load("machine_fixture")


@pytest.fixture(scope="session")
def virtual_pi(machines: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A virtual Pi with 256 MB that runs until the session ends. Tests leave it as they found it."""
    with machines.virtual_pi(tmp_path_factory.mktemp("machine")) as found:
        yield found
