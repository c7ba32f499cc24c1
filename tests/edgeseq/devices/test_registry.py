"""The user's configured devices: what is remembered, and what a damaged file is told."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from edgeseq.devices.registry import (
    ConfiguredDevice,
    add_device,
    configured_device,
    configured_devices,
    registry_path,
    remove_device,
)
from edgeseq_device.errors import DataError, EdgeseqError, UsageError

PI = ConfiguredDevice("kitchen", "pi@kitchen.local:2222", "pi4")


@pytest.fixture(autouse=True)
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))
    return tmp_path / "configuration"


def write(content: Any) -> None:
    registry_path().parent.mkdir(parents=True, exist_ok=True)
    registry_path().write_text(content if isinstance(content, str) else json.dumps(content))


def entry(**changes: Any) -> dict[str, Any]:
    return {"version": 1, "devices": [{"name": "kitchen", "destination": "pi@kitchen", **changes}]}


def test_nothing_is_configured_at_first_and_looking_makes_no_file(configuration: Path) -> None:
    assert configured_devices() == ()
    assert configured_device("kitchen") is None
    assert not configuration.exists()


def test_devices_are_remembered_in_the_order_of_their_names(configuration: Path) -> None:
    add_device(PI)
    add_device(ConfiguredDevice("attic", "pi@[fe80::1%eth0]:22", None, "/home/me/ssh config"))
    assert [device.name for device in configured_devices()] == ["attic", "kitchen"]
    assert configured_device("kitchen") == PI
    assert registry_path() == configuration / "edgeseq/devices.json"


def test_only_the_user_may_read_the_file() -> None:
    add_device(PI)
    assert stat.S_IMODE(registry_path().stat().st_mode) == 0o600
    assert stat.S_IMODE(registry_path().parent.stat().st_mode) == 0o700


def test_a_removed_device_is_forgotten() -> None:
    add_device(PI)
    remove_device("kitchen")
    assert configured_devices() == ()


def test_removing_what_is_not_there_names_the_nearest() -> None:
    add_device(PI)
    with pytest.raises(UsageError, match='unknown device "kitchn"; did you mean "kitchen"'):
        remove_device("kitchn")


def test_a_name_that_is_taken_is_refused_with_what_to_do() -> None:
    add_device(PI)
    with pytest.raises(UsageError, match=r"as pi@kitchen\.local:2222; .*edgeseq device remove kitchen"):
        add_device(ConfiguredDevice("kitchen", "pi@other"))
    assert configured_devices() == (PI,)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "local",
        "virtual-pi",
        "Kitchen",
        "-rf",
        "../pi",
        ".pi",
        "my pi",
        "pi;reboot",
        "$(reboot)",
        "pi\n",
        "a" * 65,
    ],
)
def test_a_name_that_is_no_plain_word_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        add_device(ConfiguredDevice(name, "pi@kitchen"))
    assert not registry_path().exists()


@pytest.mark.parametrize(
    ("device", "said"),
    [
        (ConfiguredDevice("kitchen", "-oProxyCommand=reboot"), "cannot be a host"),
        (ConfiguredDevice("kitchen", "pi@kitchen", "pi44"), 'unknown board "pi44"; did you mean "pi4"'),
        (ConfiguredDevice("kitchen", "pi@kitchen", None, "ssh_config"), "no absolute path"),
    ],
)
def test_a_device_that_could_not_be_reached_is_not_remembered(device: ConfiguredDevice, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        add_device(device)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is no JSON"),
        ("[]", "is not an object"),
        ({}, 'the key "version" is missing'),
        ({"version": 1}, 'the key "devices" is missing'),
        ({"version": 2, "devises": []}, "version 2 is of a later edgeseq; upgrade"),
        ({"version": 0, "devices": []}, "version: 0 is not 1"),
        ({"version": 1, "devises": []}, 'unknown key "devises"; did you mean "devices"'),
        (entry(destinatoin="pi"), r'devices\[0\]: unknown key "destinatoin"; did you mean "destination"'),
        (entry(destination=7), r"devices\[0\]: destination: 7 is not a text"),
        (entry(destination="pi;reboot"), r"devices\[0\]: 'pi;reboot': .* cannot be a host"),
        (entry(name="local"), r"devices\[0\]: local is this machine"),
        (entry(name="virtual-pi"), r"devices\[0\]: virtual-pi is the virtual machine"),
        (entry(board="pi44"), r'devices\[0\]: unknown board "pi44"'),
        ({"version": 1, "devices": entry()["devices"] * 2}, r"devices\[1\]: name: kitchen is there twice"),
    ],
)
def test_a_damaged_file_is_refused_by_its_path_and_key(content: Any, said: str) -> None:
    write(content)
    with pytest.raises(DataError, match=said) as refused:
        configured_devices()
    assert str(registry_path()) in str(refused.value)


def test_a_damaged_file_is_not_overwritten() -> None:
    write("{")
    with pytest.raises(DataError):
        add_device(PI)
    assert registry_path().read_text() == "{"


def test_a_folder_that_cannot_be_made_is_named(configuration: Path) -> None:
    configuration.write_text("a file")
    with pytest.raises(EdgeseqError, match=r"devices\.json: cannot be (read|written)"):
        add_device(PI)
