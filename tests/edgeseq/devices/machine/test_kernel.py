"""The kernel's modules are loaded in an order in which each finds what it needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeseq.devices.machine.kernel import kernel_package, loading_order
from edgeseq_device.errors import DeviceError


def modules(folder: Path, **depends: str) -> dict[str, Path]:
    """Files with the entry of a module's .modinfo that names what it depends on."""
    found = {name: folder / f"{name}.ko" for name in depends}
    for name, path in found.items():
        path.write_bytes(b"ELF\0license=GPL\0depends=" + depends[name].encode() + b"\0name=x\0")
    return found


def test_a_module_comes_after_all_that_it_depends_on(tmp_path: Path) -> None:
    known = modules(tmp_path, disk="bus", bus="ring,core", ring="", core="ring")
    assert loading_order(["disk"], known) == ["ring", "core", "bus", "disk"]


def test_a_module_that_several_need_is_loaded_once(tmp_path: Path) -> None:
    known = modules(tmp_path, disk="bus", net="fail-over,bus", fail_over="", bus="")
    assert loading_order(["disk", "net", "bus"], known) == ["bus", "disk", "fail_over", "net"]


def test_a_module_that_the_kernel_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="no module ring"):
        loading_order(["bus"], modules(tmp_path, bus="ring"))


def test_the_kernels_version_is_that_of_the_package_that_was_fetched() -> None:
    debs = [
        Path("dash_0.5_arm64.deb"),
        Path("linux-image-6.1.0-50-cloud-arm64_6.1.176-1_arm64.deb"),
        Path("linux-image-cloud-arm64_6.1.176-1_arm64.deb"),
    ]
    assert kernel_package(debs) == (debs[1], "6.1.0-50-cloud-arm64")


def test_no_kernel_among_the_packages_is_an_error_and_so_are_two() -> None:
    two = [Path(f"linux-image-6.1.0-{number}-cloud-arm64_6.1_arm64.deb") for number in (50, 51)]
    with pytest.raises(DeviceError, match="none"):
        kernel_package([Path("dash_0.5_arm64.deb")])
    with pytest.raises(DeviceError, match=r"6\.1\.0-51"):
        kernel_package(two)
