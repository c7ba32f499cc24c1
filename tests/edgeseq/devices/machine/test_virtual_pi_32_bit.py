"""The virtual Pi with programs of 32 bits on its kernel of 64, as a Pi with the 32-bit system has them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import ModuleType

import pytest

from edgeseq.devices.machine import run
from edgeseq.devices.machine.state import Running
from edgeseq_device.errors import DeviceError, UsageError

pytestmark = pytest.mark.virtual_board

LOOK = """
import json, os, struct, sys, platform, numpy, tflite_runtime.interpreter
names = [name for name, module in sys.modules.items()
         if getattr(module, "__cached__", None) and not os.path.exists(module.__cached__)]
print(json.dumps([struct.calcsize("P") * 8, platform.machine(), numpy.__version__, names]))
"""


@pytest.fixture(scope="module")
def pi_32_bit(machines: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    missing = run.missing_packages()
    if missing:
        pytest.skip(f"not installed here: {', '.join(missing)}")
    try:
        run.prepare(bits=32)
    except DeviceError as error:
        if "armhf" not in str(error):
            raise
        pytest.skip(f"Debian's mirror has no packages for 32-bit ARM at the moment: {error}")
    with machines.virtual_pi(tmp_path_factory.mktemp("machine"), bits=32) as found:
        yield found


def test_its_python_has_32_bits_and_the_runtime_that_there_is_for_it(
    machines: ModuleType, pi_32_bit: Running
) -> None:
    script = "dpkg --print-architecture; getconf LONG_BIT; python3 -"
    done = machines.attempt(pi_32_bit, script, stdin=LOOK.encode())
    assert done.returncode == 0, done.stderr.decode()
    architecture, long_bits, told = done.stdout.decode().splitlines()
    assert (architecture, long_bits) == ("armhf", "32")
    bits, machine, numpy_version, uncompiled = json.loads(told)
    assert (bits, machine) == (32, "aarch64"), "the kernel has 64 bits and says so"
    assert numpy_version.startswith("1."), "tflite-runtime needs numpy 1"
    assert set(uncompiled) <= {"sitecustomize"}


def test_a_machine_with_other_bits_than_the_one_that_runs_is_refused(pi_32_bit: Running) -> None:
    assert "32-bit" in pi_32_bit.description
    with pytest.raises(UsageError, match="32 bits"):
        run.start(pi_32_bit.ram_bytes)
