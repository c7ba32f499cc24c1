"""The sources of the virtual boards."""

from __future__ import annotations

import re

from edgeseq.devices.sources import read_system, virtualpi_sources


def test_every_wheel_is_pinned_by_its_content() -> None:
    lines = [
        line
        for line in (virtualpi_sources() / "wheels.txt").read_text().splitlines()
        if not line.startswith("#")
    ]
    assert {line.partition("==")[0] for line in lines} == {"numpy", "onnxruntime", "ai-edge-litert"}
    for line in lines:
        assert re.fullmatch(r"[a-z-]+==[0-9.]+ --hash=sha256:[0-9a-f]{64}", line)


def test_the_guest_is_raspberry_pi_os_bookworms_python() -> None:
    system = read_system(virtualpi_sources())
    assert (system.suite, system.python) == ("bookworm", "3.11")
    assert "python3.11-minimal" in system.guest_packages
