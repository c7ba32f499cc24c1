"""`edgeseq device` on the virtual Pi as a Pi is that comes out of its box: no runtime, no numpy, no clock."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner, Result

from edgeseq.cli import main
from edgeseq.devices.machine.image import RUNTIMES_PTH, SITE
from edgeseq.devices.machine.state import Running

pytestmark = pytest.mark.virtual_board

PTH = "/" + RUNTIMES_PTH.format(python="3.11")
OWN = "/opt/python3-numpy"
"""Where a numpy of the board's own is found; a second one, sent to an emulated processor, takes a minute."""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["device", *arguments])


@pytest.fixture(scope="module")
def on(machines: ModuleType, virtual_pi: Running) -> Iterator[Callable[..., str]]:
    """Runs a shell script on the machine, as pi or as `user`; what it prints. Nothing stays on it."""
    yield lambda script, user="pi": machines.on(virtual_pi, script, user)
    machines.on(virtual_pi, "rm -rf .edgeseq")


@pytest.fixture
def stock_pi(on: Callable[..., str]) -> Iterator[None]:
    """The machine without runtimes, and its clock in 1971; as it was afterwards."""
    on(f"mv {PTH} /root/ && date -s '1971-03-01 00:00:00'", "root")
    try:
        yield
    finally:
        on(f"mv /root/{Path(PTH).name} {PTH}; rm -rf {OWN}; date -s @{time.time():.0f}", "root")


def test_a_stock_pi_is_set_up_and_cleaned(on: Callable[..., str], stock_pi: None, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    run("check", "virtual-pi", "--json", str(out))
    found = json.loads(out.read_text())
    assert not found["fit"]
    said = [each["what"] for each in found["problems"]]
    assert said[0] == "numpy is not installed"
    assert any("its clock says 1971-03-01" in each for each in said)
    on(f"mkdir {OWN}; ln -s /{SITE}/numpy* {OWN}; echo {OWN} > {PTH}", "root")
    done = run("setup", "virtual-pi", "--runtime", "tflite", "--json", str(out))
    assert done.exit_code == 0, done.output
    found = json.loads(out.read_text())
    assert set(found["versions"]) == {"tflite"}  # it has loaded it
    assert found["own_numpy"].startswith("numpy ")
    done = run("clean", "virtual-pi")
    assert done.exit_code == 0, done.output
    assert ".edgeseq" not in on("ls -A").splitlines()
