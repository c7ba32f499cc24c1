"""What a user may write for a board, and what is refused before ssh sees it."""

from __future__ import annotations

import pytest

from edgeseq.devices.ssh.destination import Destination, parse_destination
from edgeseq_device.errors import UsageError


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("raspberrypi.local", ("raspberrypi.local", None, None)),
        ("pi@raspberrypi.local", ("raspberrypi.local", "pi", None)),
        ("pi@192.168.1.7:2222", ("192.168.1.7", "pi", 2222)),
        ("kitchen_pi", ("kitchen_pi", None, None)),
        ("pi@[fe80::1%eth0]:22", ("fe80::1%eth0", "pi", 22)),
        ("pi@[::1]", ("::1", "pi", None)),
        ("2001:db8::7", ("2001:db8::7", None, None)),
    ],
)
def test_the_usual_forms_are_taken_apart(text: str, parts: tuple[str, str | None, int | None]) -> None:
    destination = parse_destination(text)
    assert (destination.host, destination.user, destination.port) == parts


@pytest.mark.parametrize("text", ["pi", "pi@pi4:2222", "pi@[::1]:22", "pi@fe80::1%eth0"])
def test_a_destination_is_written_as_it_was_read(text: str) -> None:
    assert str(parse_destination(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "pi@",
        "@pi4",
        "-oProxyCommand=reboot",
        "pi@-oProxyCommand=reboot",
        "-l@pi4",
        "two words",
        "pi@pi4 reboot",
        "pi4;reboot",
        "pi4$(reboot)",
        "pi4`reboot`",
        "pi'4",
        'pi"4',
        "pi4\n",
        "pi4\nreboot",
        "pi4|reboot",
        "pi4&reboot",
        "a@b@c",
        "ssh://pi@pi4",
        "%h",
        "pi4\\",
        "pi4\0",
        "\u0440i4",
        "[pi4]:22",
        "[]:22",
        "[::1",
        "[fe80::1%eth0;reboot]:22",
        "1:2:3",
    ],
)
def test_what_could_be_an_option_or_a_shells_word_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="write user@host"):
        parse_destination(text)


@pytest.mark.parametrize("port", ["0", "65536", "", "ssh", "-1", "2 2", "22;", "٢٢"])
def test_a_port_is_a_number_from_1_to_65535(port: str) -> None:
    with pytest.raises(UsageError, match="is no port from 1 to 65535"):
        parse_destination(f"pi4:{port}")


def test_the_host_is_never_an_option_of_ssh() -> None:
    words = Destination("pi4", "pi", 2222, "/home/me/ssh config").ssh_words()
    assert words == ["-F", "/home/me/ssh config", "-l", "pi", "-p", "2222", "--", "pi4"]


def test_the_command_to_try_by_hand_can_be_pasted() -> None:
    assert Destination("pi4", "pi", 22, "/a b").by_hand() == "ssh -F '/a b' -l pi -p 22 pi4"
    assert parse_destination("pi4").by_hand() == "ssh pi4"
