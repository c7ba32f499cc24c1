"""The connection to a board, against a real SSH server: commands, breaks and what stays."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from processes import wait_until

from edgeseq.devices.ssh.connection import Connection
from edgeseq.devices.ssh.destination import parse_destination
from edgeseq.devices.ssh.faults import ConnectionLostError
from edgeseq_device.errors import DeviceError, UsageError


def socket_of(connection: Connection) -> Path:
    command = connection.command("true")
    return Path(command[command.index("-S") + 1])


def processes_with(text: str) -> list[str]:
    """The command lines on this machine that contain `text`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if text in line:
            found.append(line)
    return found


def test_a_command_runs_in_the_home_folder_with_its_words_and_stdin(loopback_board: Any) -> None:
    with Connection(loopback_board.destination(), "pi4") as connection:
        said = connection.run('pwd; echo "$HOME"; echo $0 $# $2; cat', "a", "b=c", stdin=b"in\n")
    home = str(loopback_board.home)
    assert said.decode().splitlines() == [home, home, "edgeseq 2 b=c", "in"]


def test_many_commands_share_one_connection(loopback_board: Any, cutting_proxy: Any) -> None:
    with Connection(loopback_board.destination(cutting_proxy.port)) as connection:
        assert [connection.run("echo $1", str(number)) for number in range(8)] == [
            b"%d\n" % number for number in range(8)
        ]
    assert cutting_proxy.connections == 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "tcsh", "ksh"])
def test_the_login_shell_does_not_matter(start_loopback: Callable[..., Any], shell: str) -> None:
    path = shutil.which(shell)
    if path is None:
        pytest.skip(f"{shell} is not installed here")
    script = """
        for word in "$@"; do
          echo "<${word%b}> $(echo `echo "a  b"`)";
        done;
        exit 5
    """
    with Connection(start_loopback(login_shell=path).destination()) as connection:
        done = connection.attempt(script, "=ls", "ab", "@x:/,+-")
    assert (done.returncode, done.stdout) == (5, b"<=ls> a b\n<a> a b\n<@x:/,+-> a b\n")


@pytest.mark.parametrize(
    "word", ["", "a b", "'", '"', ";", "$(reboot)", "`reboot`", "a\n", "*", "~", "ä", "\\"]
)
def test_a_word_that_a_shell_could_read_is_refused(word: str) -> None:
    connection = Connection(parse_destination("pi4"))
    with pytest.raises(UsageError, match="cannot be part of a command"):
        connection.command("echo $1", word)


@pytest.mark.parametrize("script", ["echo 'a'", "echo \\$1", "! true"])
def test_a_script_that_login_shells_read_differently_is_refused(script: str) -> None:
    with pytest.raises(ValueError, match="a script for a board has"):
        Connection(parse_destination("pi4")).command(script)


def test_a_failure_tells_the_boards_last_words_without_control_characters(loopback_board: Any) -> None:
    with (
        Connection(loopback_board.destination(), "pi4") as connection,
        pytest.raises(DeviceError, match=r"^pi4: \[2Jno such thing$"),
    ):
        connection.run("cat >&2; exit 3", stdin=b"first\n\x1b[2Jno such thing\r\n\n")


def test_a_command_that_ends_with_255_or_is_killed_is_no_broken_connection(loopback_board: Any) -> None:
    with Connection(loopback_board.destination()) as connection:
        assert connection.attempt("exit 255").returncode == 254
        assert connection.attempt("exec sh", stdin=b"kill -KILL $$\n").returncode == 128 + signal.SIGKILL
        assert connection.alive


def test_a_board_that_does_not_answer_in_time_is_told_apart_from_a_lost_one(loopback_board: Any) -> None:
    with Connection(loopback_board.destination(), "pi4") as connection:
        with pytest.raises(DeviceError, match="pi4: no answer within 1 s") as slow:
            connection.run("sleep 60", timeout_s=1)
        assert not isinstance(slow.value, ConnectionLostError)
        assert connection.run("echo still here") == b"still here\n"


def test_a_connection_that_is_cut_under_a_command_is_lost(loopback_board: Any, cutting_proxy: Any) -> None:
    with Connection(loopback_board.destination(cutting_proxy.port), "pi4") as connection:
        cutting_proxy.cut_after(20_000, "down")
        with pytest.raises(
            ConnectionLostError, match=r"^pi4: the connection broke \([^)]*\); .*power and network"
        ):
            connection.run("while true; do echo a long long line; done")
        assert loopback_board.banner not in str(connection.lost())
        assert not connection.alive
        with pytest.raises(ConnectionLostError):
            connection.run("true")


def test_a_pulled_cable_is_noticed(loopback_board: Any, cutting_proxy: Any) -> None:
    destination = loopback_board.destination(cutting_proxy.port)
    with Connection(destination, "pi4", alive_interval_s=1) as connection:
        cutting_proxy.freeze()
        with pytest.raises(
            ConnectionLostError, match=r"pi4: the connection broke \(Timeout, server .*not resp"
        ):
            connection.run("true")


def test_after_a_reboot_the_connection_can_be_opened_again(loopback_board: Any) -> None:
    with Connection(loopback_board.destination(), "pi4") as connection:
        loopback_board.stop()
        with pytest.raises(ConnectionLostError):
            connection.run("true")
        with pytest.raises(DeviceError, match="pi4: nothing answers SSH there"):
            connection.open()
        loopback_board.start()
        connection.open()
        assert connection.run("echo back") == b"back\n"


def test_nothing_stays_after_a_connection_even_if_an_error_flies(loopback_board: Any) -> None:
    with pytest.raises(KeyError), Connection(loopback_board.destination()) as connection:  # noqa: PT012
        socket_path = socket_of(connection)
        assert socket_path.is_socket()
        assert socket_path.parent.stat().st_mode & 0o777 == 0o700
        assert len(processes_with(str(socket_path))) == 1
        raise KeyError
    assert not socket_path.parent.exists()
    assert processes_with(str(socket_path)) == []
    wait_until(lambda: loopback_board.processes() == [])
    with pytest.raises(ConnectionLostError, match="not connected"):
        connection.run("true")


def test_a_command_that_still_runs_ends_with_the_connection(loopback_board: Any) -> None:
    with Connection(loopback_board.destination()) as connection:
        command = connection.command("echo started; exec cat")
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
    assert process.wait() == 255
    process.communicate()
    wait_until(lambda: loopback_board.processes() == [])


def test_the_connection_ends_with_its_process_even_when_that_is_killed(loopback_board: Any) -> None:
    code = (
        "import sys, time\n"
        "from edgeseq.devices.ssh.destination import Destination\n"
        "from edgeseq.devices.ssh.connection import Connection\n"
        "connection = Connection(Destination('board', ssh_config=sys.argv[1]))\n"
        "connection.open()\n"
        "print(connection.command('true')[5], flush=True)\n"
        "time.sleep(600)\n"
    )
    host = subprocess.Popen(
        [sys.executable, "-c", code, str(loopback_board.ssh_config)], stdout=subprocess.PIPE, text=True
    )
    assert host.stdout is not None
    path = Path(host.stdout.readline().strip())
    assert processes_with(f"-S {path}") != []
    host.kill()
    host.communicate()
    wait_until(lambda: processes_with(f"-S {path}") == [] and loopback_board.processes() == [])
    shutil.rmtree(path.parent)
