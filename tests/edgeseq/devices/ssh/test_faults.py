"""Logins that fail: what the user is told, and that nothing loosens the checks."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgeseq.devices.ssh.connection import Connection
from edgeseq.devices.ssh.destination import Destination, parse_destination
from edgeseq.devices.ssh.faults import ConnectionLostError, login_fault, printable
from edgeseq.devices.ssh.master import MASTER_OPTIONS
from edgeseq_device.errors import DeviceError


def failed_login(board: Any, destination: Destination | None = None, **settings: Any) -> str:
    """What the user is told."""
    connection = Connection(destination or board.destination(), "pi4", **settings)
    with pytest.raises(DeviceError) as refused:
        connection.open()
    assert not isinstance(refused.value, ConnectionLostError)
    assert not connection.alive
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_an_unknown_host_key_is_refused_with_what_to_compare(loopback_board: Any) -> None:
    loopback_board.known_hosts.write_text("")
    said = failed_login(loopback_board)
    assert said.startswith("pi4: its host key is not known here yet; run `ssh -F ")
    assert "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub" in said
    assert loopback_board.known_hosts.read_text() == ""


def test_a_changed_host_key_is_refused_and_forgotten_only_by_the_command_that_is_told(
    loopback_board: Any,
) -> None:
    loopback_board.stop()
    loopback_board.renew_host_key()
    loopback_board.start()
    trusted = loopback_board.known_hosts.read_text()
    said = failed_login(loopback_board)
    assert said.startswith("pi4: HOST KEY CHANGED: board shows another key than before")
    assert f"line 1 of {loopback_board.known_hosts}" in said
    assert loopback_board.known_hosts.read_text() == trusted
    forget = re.search("`(ssh-keygen -f [^`]*)`", said)
    assert forget is not None
    subprocess.run(shlex.split(forget.group(1)), check=True, capture_output=True)
    assert "not known here yet" in failed_login(loopback_board)


def test_the_users_configuration_counts_but_cannot_loosen_the_checks(loopback_board: Any) -> None:
    settings = {
        "StrictHostKeyChecking": "accept-new",
        "StdinNull": "yes",
        "SessionType": "none",
        "ForkAfterAuthentication": "yes",
        "BatchMode": "no",
        "RemoteCommand": "echo mine",
        "RequestTTY": "force",
        "ForwardAgent": "yes",
        "ForwardX11": "yes",
        "LocalForward": "127.0.0.1:1 127.0.0.1:1",
        "PermitLocalCommand": "yes",
        "LocalCommand": f"touch {loopback_board.folder}/local",
        "ControlMaster": "auto",
        "ControlPath": f"{loopback_board.folder}/control",
        "ControlPersist": "yes",
        "LogLevel": "QUIET",
    }
    with loopback_board.ssh_config.open("a") as configuration:
        configuration.writelines(f"  {key} {value}\n" for key, value in settings.items())
    with Connection(loopback_board.destination()) as connection:
        assert connection.run('echo "[$SSH_AUTH_SOCK$DISPLAY$SSH_TTY]"') == b"[]\n"
    assert not (loopback_board.folder / "local").exists()
    assert not (loopback_board.folder / "control").exists()
    loopback_board.known_hosts.write_text("")
    assert "not known here yet" in failed_login(loopback_board)


def test_the_host_key_of_this_machine_itself_is_checked_too(loopback_board: Any) -> None:
    """ssh would trust any key of 127.0.0.1 where the user says so, and a tunnel to a board ends there."""
    text = loopback_board.ssh_config.read_text().replace("  HostKeyAlias board\n", "")
    loopback_board.ssh_config.write_text(f"{text}  NoHostAuthenticationForLocalhost yes\n")
    assert "not known here yet" in failed_login(loopback_board)


def test_no_host_key_is_believed_because_a_name_server_says_so(loopback_board: Any) -> None:
    with loopback_board.ssh_config.open("a") as configuration:
        configuration.write("  VerifyHostKeyDNS yes\n")
    words = ["-F", str(loopback_board.ssh_config), *(f"-o{each}" for each in MASTER_OPTIONS), "board"]
    told = subprocess.run(
        ["ssh", "-G", *words], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert "verifyhostkeydns false" in told


def test_a_board_that_takes_no_key_of_the_user_is_told_how_to_get_one(loopback_board: Any) -> None:
    (loopback_board.folder / "authorized_keys").write_text("")
    said = failed_login(loopback_board)
    assert "lets none of your SSH keys in (Permission denied" in said
    assert f"`ssh-copy-id -F {loopback_board.ssh_config} board`" in said


def test_a_port_where_nothing_listens_is_told(loopback_board: Any) -> None:
    loopback_board.stop()
    assert "pi4: nothing answers SSH there (Connection refused)" in failed_login(loopback_board)


def test_a_name_that_leads_nowhere_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RES_OPTIONS", "timeout:1 attempts:1")  # where no name server answers at all
    (tmp_path / "config").write_text("")
    destination = parse_destination("pi@edgeseq-test.invalid", str(tmp_path / "config"))
    assert "the name edgeseq-test.invalid leads to no machine" in failed_login(None, destination)


def test_a_port_that_accepts_and_says_nothing_is_told(loopback_board: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        destination = loopback_board.destination(silent.getsockname()[1])
        said = failed_login(loopback_board, destination, connect_timeout_s=1)
    assert "cannot be reached (Connection timed out" in said or "timed out); is the board on" in said


def test_a_configuration_that_ssh_cannot_read_is_named(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host pi4\n  Prot 22\n")
    said = failed_login(None, parse_destination("pi4", str(config)))
    assert f"ssh refuses its own configuration: {config}: line 2: Bad configuration option: prot" in said
    assert "Can't open user config file" in failed_login(None, parse_destination("pi4", f"{config}x"))


def test_a_machine_without_ssh_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "apt-get install openssh-client" in failed_login(None, parse_destination("pi4"))


@pytest.mark.skipif(
    os.geteuid() != 0, reason="only root's board has a login shell with start-up files of its own"
)
def test_a_login_shell_that_prints_is_refused_before_it_garbles_anything(
    start_loopback: Callable[..., Any],
) -> None:
    board = start_loopback(login_shell="/bin/bash")
    (board.home / ".bashrc").write_text("echo Welcome home\n")
    assert "login shell there prints 'Welcome home' before every command" in failed_login(board)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's board has login shells of its own")
def test_an_account_that_may_not_log_in_is_told_in_the_boards_words(
    start_loopback: Callable[..., Any],
) -> None:
    board = start_loopback(login_shell="/usr/sbin/nologin")
    assert "ssh cannot log in: This account is currently not available." in failed_login(board)


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("ssh: connect to host pi4 port 22: No route to host\n", "cannot be reached (No route to host)"),
        (
            "ssh: connect to host pi4 port 22: Connection timed out\n",
            "cannot be reached (Connection timed out)",
        ),
        ("Connection to 10.0.0.7 port 22 timed out\n", "cannot be reached (Connection to 10.0.0.7 port 22"),
        ("@ WARNING: REVOKED HOST KEY DETECTED! @\n", "marks as revoked"),
        ("Received disconnect: Too many authentication failures\n", "lets none of your SSH keys in"),
        ("Host key verification failed.\n", "its host key is not known here yet"),
        (
            "Bad owner or permissions on /home/me/.ssh/config\n",
            "Bad owner or permissions on /home/me/.ssh/config",
        ),
        (
            "kex: no match\nnothing \x1b[31mknown\r\n",
            "cannot log in: nothing  [31mknown; try `ssh -l pi pi4` by hand",
        ),
        ("", "cannot log in: it said nothing"),
    ],
)
def test_what_ssh_says_becomes_one_line_with_the_next_step(log: str, said: str) -> None:
    message = str(login_fault("pi4", parse_destination("pi@pi4"), log))
    assert message.startswith("pi4: ")
    assert said in message
    assert message.isprintable()


def test_text_from_elsewhere_is_short_and_plain() -> None:
    assert printable("\x1b]0;title\x07 ok\u202e\n") == "]0;title  ok"
    assert len(printable("x" * 1000)) == 200
