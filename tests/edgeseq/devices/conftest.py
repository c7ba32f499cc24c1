"""A board behind a real SSH server on this machine, and a cable to it that can be cut."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def _load(name: str) -> ModuleType:
    """A module beside this file: tests are no package, so that it cannot be imported by name."""
    full_name = f"edgeseq_tests_{name}"
    if full_name not in sys.modules:
        specification = importlib.util.spec_from_file_location(
            full_name, Path(__file__).with_name(f"{name}.py")
        )
        assert specification is not None
        assert specification.loader is not None
        module = importlib.util.module_from_spec(specification)
        sys.modules[full_name] = module
        specification.loader.exec_module(module)
    return sys.modules[full_name]


@pytest.fixture(scope="session")
def load_beside() -> Callable[[str], ModuleType]:
    """Loads a module beside this file by its name."""
    return _load


@pytest.fixture(scope="session")
def sshd() -> list[str]:
    """The argv prefix of an sshd, fetched into the user's cache at the first use."""
    loopback = _load("loopback")
    try:
        command: list[str] = loopback.sshd_command()
    except loopback.LoopbackError as error:
        pytest.skip(str(error))
    return command


@pytest.fixture
def start_loopback(sshd: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """Starts a board; takes the keywords of `Loopback`."""
    loopback = _load("loopback")
    started: list[Any] = []

    def start(**settings: Any) -> Any:
        board = loopback.Loopback(tmp_path_factory.mktemp("board"), sshd, **settings)
        try:
            board.start()
        except loopback.LoopbackError as error:
            pytest.skip(str(error))
        started.append(board)
        return board

    yield start
    for board in started:
        board.stop()


@pytest.fixture
def loopback_board(start_loopback: Callable[..., Any]) -> Any:
    """A running `Loopback` (loopback.py): destination(), home, processes(), stop(), start() ..."""
    return start_loopback()


@pytest.fixture
def make_proxy() -> Iterator[Callable[[int], Any]]:
    """Makes a `CuttingProxy` (cutting_proxy.py) in front of a port of this machine."""
    with ExitStack() as proxies:
        yield lambda port: proxies.enter_context(_load("cutting_proxy").CuttingProxy(port))


@pytest.fixture
def cutting_proxy(loopback_board: Any, make_proxy: Callable[[int], Any]) -> Any:
    """A `CuttingProxy` in front of the board."""
    return make_proxy(loopback_board.port)
