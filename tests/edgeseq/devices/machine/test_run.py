"""Starting the virtual Pi where that cannot be done says why, at once, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgeseq.devices.machine import run, state
from edgeseq_device.errors import DeviceError, UsageError


@pytest.fixture(autouse=True)
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No cache and no state."""
    monkeypatch.setenv("EDGESEQ_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ram_bytes": 127_000_000}, "127 MB of RAM is outside 128 to 8000 MB"),
        ({"ram_bytes": 0}, "0 MB of RAM"),
        ({"ram_bytes": 256_000_000, "cores": 0}, "0 cores"),
        ({"ram_bytes": 256_000_000, "cores": 9}, "9 cores"),
        ({"ram_bytes": 256_000_000, "bits": 16}, "16 bits"),
    ],
)
def test_a_machine_that_cannot_be_is_refused(empty: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run.start(**settings)
    assert list(empty.iterdir()) == []


def test_without_ssh_the_error_says_what_to_install(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(empty))
    with pytest.raises(DeviceError, match="apt-get install openssh-client"):
        run.start(256_000_000)


def test_a_state_folder_that_cannot_be_made_is_named(empty: Path) -> None:
    (empty / "state").write_text("a file")
    with pytest.raises(DeviceError, match="XDG_STATE_HOME"):
        run.start(256_000_000)


def test_a_machine_that_is_not_prepared_says_how_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "missing_packages", list)
    found = run.status()
    assert (found.ready, found.running, found.text) == (False, None, "not prepared")
    assert found.remedy == "edgeseq device start virtual-pi prepares it at its first use"


def test_what_a_preparation_lacks_is_told_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run, "missing_packages", lambda: ["gcc", "openssh-client", "pip"])
    found = run.status()
    assert found.text == "not prepared: gcc, openssh-client, pip missing"
    assert found.remedy == "apt-get install gcc openssh-client && python -m ensurepip"
    with pytest.raises(DeviceError, match="apt-get install gcc openssh-client"):
        run.start(256_000_000)


def test_where_none_runs_there_is_none_to_stop() -> None:
    assert run.running() is None
    assert run.stop() is False
    assert not state.machine_folder().exists()
