"""Which wheels a board gets, and that they get there: fetched, sent over a real SSH server, tried."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from edgeseq.cli import main
from edgeseq.devices import wheel_tables
from edgeseq.devices.board import SshDevice
from edgeseq.devices.cache import COMPLETE, cache_root
from edgeseq.devices.registry import ConfiguredDevice, add_device
from edgeseq.devices.upkeep.setting_up import choose, fetched, set_up
from edgeseq.devices.wheels import has_pip
from edgeseq_device.elf import python_machine
from edgeseq_device.errors import DataError, DeviceError, EdgeseqError

TAG = f"cp{sys.version_info[0]}{sys.version_info[1]}"
FOREIGN = (b"\x7fELF\x02\x01\x01").ljust(18, b"\0") + (0xF3).to_bytes(2, "little")
needs_pip = pytest.mark.skipif(not has_pip(), reason="this Python has no pip")


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "EDGESEQ_CACHE_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))


@pytest.fixture
def told() -> dict[str, Any]:
    """What a Raspberry Pi 4 with Raspberry Pi OS bookworm tells."""
    found: dict[str, Any] = json.loads(Path(__file__).with_name("told_pi4.json").read_text("utf-8"))
    return found


def chosen(told: dict[str, Any], runtime: str = "all") -> tuple[list[str], tuple[str, ...], str | None]:
    found = choose("pi4", told, runtime)
    return [pin.package for pin in found.pins], found.libraries, found.own_numpy


def on_32_bits(told: dict[str, Any], own_numpy: str | None) -> dict[str, Any]:
    """The same board with a 32-bit system on its 64-bit kernel."""
    told["python"].update(machine="armv7l", bits=32)
    told["own_numpy"] = own_numpy
    told["libraries"]["numpy"] = {"version": own_numpy, "file": None, "error": own_numpy or "not installed"}
    return told


def test_a_numpy_that_fits_is_left_alone(told: dict[str, Any]) -> None:
    assert chosen(told) == (["onnxruntime", "ai-edge-litert"], ("onnx", "tflite"), "numpy 1.24.2")
    assert chosen(told, "tflite") == (["ai-edge-litert"], ("tflite",), "numpy 1.24.2")


@pytest.mark.parametrize("own", [None, "numpy 1.19.5", "numpy 1.23.1"])
def test_a_numpy_that_is_missing_or_too_old_is_sent(told: dict[str, Any], own: str | None) -> None:
    told["own_numpy"] = own
    assert chosen(told, "tflite") == (["numpy", "ai-edge-litert"], ("numpy", "tflite"), None)


def test_each_runtime_has_its_own_oldest_numpy(told: dict[str, Any]) -> None:
    told["own_numpy"] = "numpy 1.22.0"
    assert chosen(told, "onnx")[2] == "numpy 1.22.0"
    assert chosen(told, "all")[2] is None


def test_a_32_bit_system_on_a_64_bit_kernel_gets_wheels_for_32_bits(told: dict[str, Any]) -> None:
    found = choose("pi4", on_32_bits(told, "numpy 1.24.2"), "all")
    assert (found.table.machine, found.libraries) == ("armv7l", ("tflite",))
    assert [f"{pin.package} {pin.version}" for pin in found.pins] == ["tflite-runtime 2.14.0"]


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (None, "numpy does not load there .*sudo apt-get install python3-numpy; then again"),
        ("numpy 2.2.4", "its numpy 2.2.4 does not go with tflite-runtime.*below 2"),
    ],
)
def test_a_numpy_that_there_is_no_wheel_of_must_be_there(
    told: dict[str, Any], own: str | None, said: str
) -> None:
    with pytest.raises(DeviceError, match=said):
        choose("pi4", on_32_bits(told, own), "all")


def test_what_there_is_no_wheel_for_is_told_with_what_there_is(told: dict[str, Any]) -> None:
    with pytest.raises(DeviceError, match="no runtime for onnx, only for tflite"):
        choose("pi4", on_32_bits(told, "numpy 1.24.2"), "onnx")
    told["python"].update(tag="cp314", version="3.14.0", machine="aarch64")
    with pytest.raises(DeviceError, match=r"its Python 3\.14\.0 on aarch64, but for Python 3\.9, .*3\.13 on"):
        choose("pi4", told, "all")
    told["python"].update(tag="cp311", machine="armv6l")
    with pytest.raises(DeviceError, match="on armv6l, but for none on armv6l"):
        choose("pi4", told, "all")


def test_a_runtime_that_deployed_artifacts_may_use_stays_when_another_is_set_up(told: dict[str, Any]) -> None:
    told["content"]["python"] = {"cp311": "cp311-0123456789abcdef"}
    file = "/home/pi/.edgeseq/python/cp311-0123456789abcdef/ai_edge_litert/__init__.py"
    told["libraries"]["tflite"] = {"version": "ai-edge-litert 2.1", "file": file, "error": None}
    told["content"]["deployed"] = []
    assert chosen(told, "onnx")[1] == ("onnx",)
    told["content"]["deployed"] = ["digits"]
    assert chosen(told, "onnx")[:2] == (["onnxruntime", "ai-edge-litert"], ("onnx", "tflite"))
    told["libraries"]["tflite"]["file"] = "/usr/lib/python3/dist-packages/ai_edge_litert/__init__.py"
    assert chosen(told, "onnx")[1] == ("onnx",)


@pytest.mark.parametrize(("glibc", "said"), [("glibc 2.31", "its C library is glibc 2.31"), (None, "musl")])
def test_a_system_that_is_too_old_for_the_wheels_is_told(
    told: dict[str, Any], glibc: str | None, said: str
) -> None:
    told["system"]["glibc"] = glibc
    with pytest.raises(DeviceError, match=said):
        choose("pi4", told, "tflite")


def wheel(folder: Path, members: Mapping[str, str | bytes]) -> str:
    """A wheel that passes for LiteRT 9.1, in `folder`; the line that pins it."""
    path = folder / "ai_edge_litert-9.1-py3-none-any.whl"
    folder.mkdir(exist_ok=True)
    info = "ai_edge_litert-9.1.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ai_edge_litert/__init__.py", "__version__ = '9.1'\n")
        archive.writestr("ai_edge_litert/interpreter.py", "class Interpreter: pass\n")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: ai-edge-litert\nVersion: 9.1\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
        for name, content in members.items():
            archive.writestr(name, content)
    return f"ai-edge-litert==9.1 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Makes a shelf with one wheel, the only place pip may look in, and the table that pins it; cached: as if
    it had been fetched before."""
    tables, folder = tmp_path / "tables", tmp_path / "shelf"
    monkeypatch.setattr(wheel_tables, "device_sources", lambda _name: tables)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))

    def fill(members: Mapping[str, str | bytes] | None = None, *, cached: bool = False) -> Path:
        tables.mkdir(exist_ok=True)
        line = wheel(folder, members or {})
        (tables / f"{TAG}-{python_machine()}.txt").write_text(f"# glibc: 2.17\n{line}\n")
        if cached:  # pip takes a second
            sha256 = line.rpartition(":")[2]
            shutil.copytree(folder, cache_root() / "wheels" / f"ai-edge-litert-9.1-{sha256[:16]}")
            (cache_root() / "wheels" / f"ai-edge-litert-9.1-{sha256[:16]}" / COMPLETE).write_text("{}")
        return folder

    return fill


@pytest.fixture
def start_board(start_loopback: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """Starts a board whose python3 is this one."""
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin" / "python3"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)

    def start(**settings: Any) -> Any:
        return start_loopback(path=f"{python.parent}:/usr/bin:/bin", **settings)

    return start


def setup(board: Any) -> Any:
    device = SshDevice("pi4", board.destination(), "a board")
    return set_up(device, "all", lambda _fraction, _label: None)


def python_folder(board: Any) -> list[str]:
    folder = Path(board.home) / ".edgeseq" / "python"
    return sorted(each.name for each in folder.iterdir()) if folder.exists() else []


@needs_pip
def test_a_board_without_internet_and_pip_gets_its_runtime(
    start_board: Callable[..., Any], shelf: Callable[..., Path], tmp_path: Path
) -> None:
    shelf()
    board = start_board()
    add_device(ConfiguredDevice("pi4", "board", "pi4", str(board.ssh_config)))
    out = tmp_path / "setup.json"
    done = CliRunner().invoke(main, ["device", "setup", "pi4", "--json", str(out)])
    assert done.exit_code == 0, done.output
    assert "pi4 has ai-edge-litert 9.1; its own numpy" in done.output
    found = json.loads(out.read_text())
    assert found["versions"] == {"tflite": "ai-edge-litert 9.1"}
    assert python_folder(board) == [TAG, found["folder"]]
    again = CliRunner().invoke(main, ["device", "setup", "pi4"])
    assert "nothing had to be sent" in again.output, again.output


def test_a_wheel_for_another_processor_leaves_the_board_as_it_was(
    start_board: Callable[..., Any], shelf: Callable[..., Path]
) -> None:
    shelf(cached=True)
    board = start_board()
    before = [TAG, setup(board).folder]
    shelf({"ai_edge_litert/_native.so": FOREIGN}, cached=True)
    with pytest.raises(DataError, match=r"wrong architecture wheel ai_edge_litert-9\.1"):
        setup(board)
    assert python_folder(board) == before


@pytest.mark.parametrize(
    ("content", "said"), [(b"\0" * 9_000_000, "take 13 MB unpacked"), (None, "its disk has .*B free")]
)
def test_a_disk_that_is_too_small_is_told_and_keeps_nothing(
    start_board: Callable[..., Any], shelf: Callable[..., Path], content: bytes | None, said: str
) -> None:
    """Zeros are small while they are sent and large when they are unpacked."""
    noise = b"".join(hashlib.sha256(bytes([i % 256, i // 256])).digest() for i in range(40_000))
    board = start_board(disk_bytes=4_000_000 if content else 1_200_000)
    shelf({"ai_edge_litert/large": noise if content is None else content}, cached=True)
    with pytest.raises(EdgeseqError, match=said):
        setup(board)
    assert python_folder(board) == []


def test_a_cable_that_is_cut_meanwhile_costs_no_more_than_another_try(
    start_board: Callable[..., Any], shelf: Callable[..., Path], make_proxy: Callable[[int], Any]
) -> None:
    noise = b"".join(hashlib.sha256(bytes([i % 256, i // 256])).digest() for i in range(40_000))
    shelf({"ai_edge_litert/large": noise}, cached=True)
    board = start_board()
    proxy = make_proxy(board.port)
    proxy.cut_after(800_000, "up")
    device = SshDevice("pi4", board.destination(proxy.port), "a board")
    with pytest.raises(DeviceError, match="pi4: the connection broke"):
        set_up(device, "all", lambda _fraction, _label: None)
    assert python_folder(board) == []
    assert setup(board).versions == {"tflite": "ai-edge-litert 9.1"}


@needs_pip
def test_wheels_are_fetched_once_and_again_when_they_are_damaged(
    shelf: Callable[..., Path], told: dict[str, Any]
) -> None:
    told["python"].update(tag=TAG, machine=python_machine())
    folder = shelf()
    choice = choose("pi4", told, "all")
    (first,) = fetched(choice, lambda _fraction, _label: None)
    kept = (folder / first.path.name).rename(folder.parent / "kept.whl")
    assert fetched(choice, lambda _fraction, _label: None) == [first]  # the shelf is empty
    first.path.write_bytes(b"damaged")
    kept.rename(folder / first.path.name)
    assert fetched(choice, lambda _fraction, _label: None) == [first]


@needs_pip
def test_a_wheel_of_other_content_is_not_sent(shelf: Callable[..., Path], told: dict[str, Any]) -> None:
    told["python"].update(tag=TAG, machine=python_machine())
    folder = shelf()
    choice = choose("pi4", told, "all")
    wheel(folder, {"ai_edge_litert/more.py": ""})
    with pytest.raises(DeviceError, match="fetching the board's Python packages failed"):
        fetched(choice, lambda _fraction, _label: None)
