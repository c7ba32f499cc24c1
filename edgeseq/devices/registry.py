"""The user's own devices: a small file in their configuration folder, which only `edgeseq device` writes."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgeseq.devices.names import LOCAL, VIRTUAL_PI
from edgeseq.devices.profiles import profile_names
from edgeseq.devices.ssh.destination import parse_destination
from edgeseq.files import atomic_write_json
from edgeseq.names import unknown
from edgeseq.settings import settings_from_dict
from edgeseq_device.errors import DataError, EdgeseqError, UsageError

VERSION = 1
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True)
class ConfiguredDevice:
    """A board that the user reaches over SSH.

    destination: as `parse_destination` takes it. board: its profile, None where no profile fits. ssh_config:
    the absolute path of a file in place of the user's own, None for that.
    """

    name: str
    destination: str
    board: str | None = None
    ssh_config: str | None = None


@dataclass(frozen=True)
class _Registry:
    version: int
    devices: tuple[ConfiguredDevice, ...]


def registry_path() -> Path:
    """devices.json in the user's configuration folder (XDG_CONFIG_HOME); it need not exist."""
    import platformdirs  # noqa: PLC0415 - what names no device starts sooner without it

    return platformdirs.user_config_path("edgeseq") / "devices.json"


def configured_devices() -> tuple[ConfiguredDevice, ...]:
    """The devices in the order of their names; none where nothing was added yet.

    DataError, naming the file and the key, when the file is malformed or of a later edgeseq.
    """
    path = registry_path()
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{path}: is no JSON ({error}); mend it, or remove it and add your devices anew"
        ) from error
    return _checked(content, path)


def configured_device(name: str) -> ConfiguredDevice | None:
    """The device called `name`; None when the user has added none of that name."""
    return next((each for each in configured_devices() if each.name == name), None)


def add_device(device: ConfiguredDevice) -> None:
    """Remember a device. UsageError when its name is taken or cannot be one, or another part is wrong."""
    _check(device)
    known = configured_devices()
    taken = next((each for each in known if each.name == device.name), None)
    if taken is not None:
        raise UsageError(
            f"{device.name} is configured already, as {taken.destination}; remove it first: "
            f"edgeseq device remove {device.name}"
        )
    _write((*known, device))


def remove_device(name: str) -> None:
    """Forget a device. UsageError, naming the nearest, when none has that name."""
    known = configured_devices()
    kept = tuple(each for each in known if each.name != name)
    if len(kept) == len(known):
        raise UsageError(unknown("device", name, (each.name for each in known)))
    _write(kept)


def _check(device: ConfiguredDevice) -> None:
    """UsageError unless every part of a device can be used."""
    if device.name == LOCAL:
        raise UsageError(f"{LOCAL} is this machine; choose another name")
    if device.name == VIRTUAL_PI:
        raise UsageError(f"{VIRTUAL_PI} is the virtual machine; choose another name for a board")
    if not _NAME.fullmatch(device.name):
        raise UsageError(
            f'name {device.name!r:.80}: use up to 64 lower-case letters, digits, ".", "_" and "-", '
            "a letter or digit first"
        )
    parse_destination(device.destination)
    if device.board is not None and device.board not in profile_names():
        raise UsageError(unknown("board", device.board, profile_names()))
    if device.ssh_config is not None and not Path(device.ssh_config).is_absolute():
        raise UsageError(f"ssh_config {device.ssh_config!r:.200}: is no absolute path")


def _checked(content: Any, path: Path) -> tuple[ConfiguredDevice, ...]:
    """The devices in a file's content; DataError naming its path and key."""
    version = content.get("version") if isinstance(content, dict) else None
    if isinstance(version, int) and version > VERSION:
        raise DataError(f"{path}: version {version} is of a later edgeseq; upgrade this one")
    devices = settings_from_dict(_Registry, content, str(path)).devices
    if version != VERSION:
        raise DataError(f"{path}: version: {version!r} is not {VERSION}")
    names: set[str] = set()
    for index, device in enumerate(devices):
        try:
            _check(device)
        except UsageError as error:
            raise DataError(f"{path}: devices[{index}]: {error}") from error
        if device.name in names:
            raise DataError(f"{path}: devices[{index}]: name: {device.name} is there twice")
        names.add(device.name)
    return devices


def _write(devices: tuple[ConfiguredDevice, ...]) -> None:
    """Replace the file; only the user may read it, as with ~/.ssh/config."""
    path = registry_path()
    registry = _Registry(VERSION, tuple(sorted(devices, key=lambda device: device.name)))
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        atomic_write_json(path, asdict(registry))
        path.chmod(0o600)
    except OSError as error:
        raise EdgeseqError(f"{path}: cannot be written ({error.strerror}); is its folder yours?") from error
