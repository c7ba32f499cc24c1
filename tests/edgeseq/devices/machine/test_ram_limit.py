"""--max-ram with a real kernel: the 256 MB machine's control groups and its OOM killer."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from edgeseq.devices.agent_link import agent_archive, converse
from edgeseq.devices.machine.state import Running
from edgeseq_device.measuring.request import Limits, Request, request_to_dict

pytestmark = [pytest.mark.virtual_board, pytest.mark.xdist_group("virtual-pi")]

PEAK_RSS_BYTES_MAX = 45_000_000
FOLDER = "/home/pi/ram-limit"
AGENT = f"{FOLDER}/blobs/edgeseq.pyz"


@pytest.fixture(scope="module")
def board(machines: ModuleType, virtual_pi: Running, pristine_artifact: Path) -> Iterator[Running]:
    """The machine with the agent and an artifact in a folder of their own."""
    files = {"blobs/edgeseq.pyz": agent_archive(), "artifact": pristine_artifact}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, path in files.items():
            archive.add(path, name)
    sent = machines.attempt(virtual_pi, f"mkdir {FOLDER} && tar -C {FOLDER} -xf -", stdin=packed.getvalue())
    assert sent.returncode == 0, sent.stderr.decode()
    yield virtual_pi
    machines.on(virtual_pi, f"rm -r {FOLDER}")


def outcomes(board: Running, max_ram_bytes: int, *kinds: str) -> list[dict[str, Any]]:
    """What the workers on the machine gave, kind by kind."""
    request = Request(
        f"{FOLDER}/artifact",
        ("tflite",),
        kinds,
        limits=Limits(timeout_s=100.0),
        root=FOLDER,
        max_ram_bytes=max_ram_bytes,
    )
    heard: list[Mapping[str, Any]] = []
    command = ["ssh", "-F", str(board.ssh_config), board.name, "exec", "python3", AGENT, "serve"]
    converse(command, request_to_dict(request), heard.append)
    return [each["outcome"]["values"] for each in heard if each["event"] == "outcome"]


def groups(machines: ModuleType, board: Running) -> str:
    found: str = machines.on(board, "ls -d /sys/fs/cgroup/edgeseq/*/")
    return found


def test_a_litert_worker_peaks_at_45_mb_and_fits_64(board: Running, machines: ModuleType) -> None:
    before = groups(machines, board)
    ram, fits = outcomes(board, 64_000_000, "ram", "fits")
    assert ram["ram_peak_bytes"] <= PEAK_RSS_BYTES_MAX
    assert fits["fits_ram"] is True
    assert fits["ram_limit_peak_bytes"] <= PEAK_RSS_BYTES_MAX
    assert groups(machines, board) == before


def test_a_worker_that_the_kernel_kills_at_8_mb_does_not_fit(board: Running, machines: ModuleType) -> None:
    before = groups(machines, board)
    (fits,) = outcomes(board, 8_000_000, "fits")
    assert fits["fits_ram"] is False
    assert fits["ram_limit_peak_bytes"] <= 8_000_000
    assert groups(machines, board) == before
