"""`edgeseq device` as far as it contacts nobody; see tests/edgeseq/devices for the rest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgeseq.cli import main
from edgeseq.devices.registry import ConfiguredDevice, configured_device, configured_devices


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "EDGESEQ_CACHE_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["device", *arguments])


def add(*arguments: str) -> Result:
    return run("add", *arguments, "--no-check")


def refused(done: Result, exit_code: int) -> str:
    assert done.exit_code == exit_code, done.output
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line


def test_a_name_that_is_a_boards_means_that_board() -> None:
    assert add("pi4", "pi@raspberrypi.local").exit_code == 0
    assert add("kitchen", "pi@192.168.1.7:2222", "--board", "zero2").exit_code == 0
    assert add("other", "[fe80::1%eth0]:22").exit_code == 0
    assert configured_devices() == (
        ConfiguredDevice("kitchen", "pi@192.168.1.7:2222", "zero2"),
        ConfiguredDevice("other", "[fe80::1%eth0]:22", None),
        ConfiguredDevice("pi4", "pi@raspberrypi.local", "pi4"),
    )


def test_an_ssh_config_is_remembered_wherever_the_command_runs_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config of mine").write_text("Host pi\n")
    monkeypatch.chdir(tmp_path)
    assert add("pi4", "pi", "--ssh-config", "config of mine").exit_code == 0
    found = configured_device("pi4")
    assert found is not None
    assert found.ssh_config == str(tmp_path / "config of mine")


@pytest.mark.parametrize(
    "name", ["-pi", "my pi", "pi;reboot", "$(reboot)", "pi'", 'pi"', "pi\nreboot", "../pi", "PI", "", "local"]
)
def test_a_name_that_could_be_more_than_a_name_is_refused(name: str) -> None:
    assert "edgeseq: error:" in refused(run("add", "--no-check", "--", name, "pi@host"), 2)
    assert configured_devices() == ()


@pytest.mark.parametrize(
    "destination",
    [
        "-oProxyCommand=reboot",
        "pi@host;reboot",
        "pi@$(reboot)",
        "pi@ho st",
        "pi@host'",
        "pi@host\nreboot",
        "@",
        "",
    ],
)
def test_a_destination_that_could_be_more_than_a_host_is_refused(destination: str) -> None:
    refused(run("add", "--no-check", "--", "pi4", destination), 2)
    assert configured_devices() == ()


def test_a_name_is_taken_once_and_means_one_thing() -> None:
    add("pi4", "pi@host")
    assert "edgeseq device remove pi4" in refused(add("pi4", "pi@other"), 2)
    assert "choose another name for a pi5" in refused(add("pi3", "pi@host", "--board", "pi5"), 2)
    assert "is the virtual machine" in refused(add("virtual-pi", "pi@host"), 2)
    assert 'did you mean "zero2"' in refused(add("kitchen", "pi@host", "--board", "zero"), 2)


def test_the_list_has_every_name_that_bench_takes(tmp_path: Path) -> None:
    add("pi4", "pi@raspberrypi.local")
    done = run("list", "--json", str(tmp_path / "list.json"))
    assert done.exit_code == 0, done.output
    rows = json.loads((tmp_path / "list.json").read_text())["devices"]
    kinds = [(row["name"], row["kind"]) for row in rows]
    assert kinds == [
        ("pi4", "board"),
        ("virtual-pi", "machine"),
        ("pi4", "virtual"),
        ("pi5", "virtual"),
        ("aarch64", "profile"),
        ("armv7", "profile"),
        ("pi3", "profile"),
        ("zero2", "profile"),
    ]
    assert rows[0]["where"] == "pi@raspberrypi.local"
    assert "pi4 --emulate" in done.stdout
    assert "no host yet: aarch64, armv7, pi3, zero2 (edgeseq device add NAME USER@HOST)" in done.stdout


def test_the_list_has_one_line_a_device_on_80_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add("pi4", "pi@raspberrypi.local")
    monkeypatch.setattr("edgeseq.cli.console.WIDTH_OF_A_FILE", 80)
    lines = run("list", "--json", str(tmp_path / "list.json")).stdout.splitlines()
    assert len([line for line in lines if line.startswith("│")]) == 4
    document = json.loads((tmp_path / "list.json").read_text())
    assert (document["schema"], document["schema_version"]) == ("edgeseq.devices", 1)


def test_a_name_that_is_no_boards_is_told_of_the_option_that_says_the_board() -> None:
    assert "--board" in add("kitchen", "pi@host").stdout
    assert "--board" not in add("pi4", "pi@host").stdout


def test_a_removed_device_is_gone_and_told_about_its_files() -> None:
    add("pi4", "pi@host")
    done = run("remove", "pi4")
    assert done.exit_code == 0
    assert "edgeseq device clean pi4" in done.stdout
    assert configured_devices() == ()
    refused(run("remove", "pi4"), 2)


@pytest.mark.parametrize("what", ["check", "setup", "clean"])
@pytest.mark.parametrize(
    ("name", "exit_code", "said"),
    [
        ("pi4", 5, "no host is configured for it; add one: edgeseq device add pi4 USER@HOST"),
        ("local", 2, "edgeseq doctor"),
        ("pi3", 5, "no host is configured for it; add one: edgeseq device add pi3 USER@HOST"),
        ("pi44", 2, 'did you mean "pi4"'),
        ("virtual-pi", 5, "start it: edgeseq device start virtual-pi"),
    ],
)
def test_what_is_not_reached_over_ssh_is_refused(what: str, name: str, exit_code: int, said: str) -> None:
    assert said in refused(run(what, name), exit_code)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("start", "pi4"), "only virtual-pi can be started"),
        (("stop", "virtual-pie"), 'did you mean "virtual-pi"'),
        (("start", "virtual-pi", "--ram", "much"), "write a number and B, kB, MB"),
        (("start", "virtual-pi", "--ram", "16MB"), "128"),
        (("setup", "pi4", "--runtime", "torch"), "'tflite', 'onnx', 'all'"),
    ],
)
def test_another_machine_size_or_runtime_is_refused(arguments: tuple[str, ...], said: str) -> None:
    assert said in refused(run(*arguments), 2)


def test_what_does_not_run_is_stopped_at_once() -> None:
    done = run("stop", "virtual-pi")
    assert (done.exit_code, done.stdout) == (0, "virtual-pi was not running\n")
