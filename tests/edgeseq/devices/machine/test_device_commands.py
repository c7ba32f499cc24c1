"""`edgeseq device` on the virtual Pi as a Pi is that comes out of its box: no runtime, no numpy, no clock."""

from __future__ import annotations

import hashlib
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner, Result

from edgeseq.cli import main
from edgeseq.devices.machine.image import RUNTIMES_PTH
from edgeseq.devices.machine.state import Running
from edgeseq.devices.pick import pick_device
from edgeseq.devices.upkeep.probing import ask
from edgeseq_device.errors import DataError

pytestmark = pytest.mark.virtual_board

X86 = (b"\x7fELF\x02\x01\x01").ljust(18, b"\0") + (0x3E).to_bytes(2, "little")


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
    pth = "/" + RUNTIMES_PTH.format(python="3.11")
    on(f"mv {pth} /root/ && date -s '1971-03-01 00:00:00'", "root")
    try:
        yield
    finally:
        on(f"mv /root/{Path(pth).name} {pth}; date -s @{time.time():.0f}", "root")


def test_a_wheel_for_x86_is_refused_and_nothing_of_it_stays(
    on: Callable[..., str], virtual_pi: Running, tmp_path: Path
) -> None:
    wheel = tmp_path / "ai_edge_litert-9.1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("ai_edge_litert/_native.so", X86)
    request = {
        "tag": "cp311",
        "key": "a" * 16,
        "wheels": [{"sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(), "name": wheel.name}],
        "libraries": ["tflite"],
        "host": "laptop",
        "lock_wait_s": 0,
    }
    with pick_device("virtual-pi").open(lambda _fraction, _label: None) as link:
        link.send(wheel, lambda _fraction, _label: None)
        with pytest.raises(DataError, match=r"_native\.so is for x86_64, the board's Python is aarch64"):
            ask(link, "install", {"root": link.root, **request}, lambda _event: None)
    assert on("ls -A .edgeseq/python") == ""


def test_a_stock_pi_is_set_up_and_cleaned(on: Callable[..., str], stock_pi: None, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    run("check", "virtual-pi", "--json", str(out))
    found = json.loads(out.read_text())
    assert not found["fit"]
    said = [each["what"] for each in found["problems"]]
    assert said[0] == "numpy is not installed"
    assert any("its clock says 1971-03-01" in each for each in said)
    done = run("setup", "virtual-pi", "--runtime", "tflite", "--json", str(out))
    assert done.exit_code == 0, done.output
    assert set(json.loads(out.read_text())["versions"]) == {"numpy", "tflite"}  # it has loaded both
    done = run("clean", "virtual-pi")
    assert done.exit_code == 0, done.output
    assert ".edgeseq" not in on("ls -A").splitlines()
