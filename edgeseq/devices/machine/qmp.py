"""Talking to a running qemu-system over its control socket (QMP: JSON lines)."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

SOCKET = "qmp.sock"
"""The socket's name in a machine's state folder."""
_TIMEOUT_S = 10.0


def execute(folder: Path, command: str, **arguments: object) -> Any:
    """What the machine whose state folder is `folder` answers to `command`.

    OSError when nothing listens there, answers in 10 s or understands the command.
    """
    # A socket's address has 108 characters at most, which a folder's name can exceed.
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_TIMEOUT_S)
            connection.connect(f"/proc/self/fd/{descriptor}/{SOCKET}")
            with connection.makefile("rwb") as stream:
                _read(stream, "QMP")
                _ask(stream, {"execute": "qmp_capabilities"})
                return _ask(stream, {"execute": command, "arguments": arguments})
    finally:
        os.close(descriptor)


def _ask(stream: Any, request: dict[str, object]) -> Any:
    stream.write(json.dumps(request).encode() + b"\n")
    stream.flush()
    return _read(stream, "return")


def _read(stream: Any, wanted: str) -> Any:
    """The value of the next message with the key `wanted`; events in between are left out."""
    for line in stream:
        message = json.loads(line)
        if wanted in message:
            return message[wanted]
        if "error" in message:
            raise OSError(f"qemu-system refused a command: {message['error'].get('desc')}")
    raise OSError("qemu-system closed its control socket")
