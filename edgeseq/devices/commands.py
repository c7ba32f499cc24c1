"""Running another program: its output line by line, or all of it; its failure as our error."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence

from edgeseq_device.errors import DeviceError, EdgeseqError


def follow(
    command: Sequence[str], environment: Mapping[str, str], on_line: Callable[[str], None]
) -> tuple[int, list[str]]:
    """Run `command`, calling `on_line` with each line it prints; its exit status and all lines."""
    said: list[str] = []
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        for line in process.stdout or ():
            said.append(line.strip())
            on_line(said[-1])
    return process.returncode, said


def output_of(command: Sequence[str], environment: Mapping[str, str], what_failed: str) -> str:
    """What `command` prints. Raises `fault` with its last line when it fails."""
    try:
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise DeviceError(f"{what_failed}: {command[0]}: {error.strerror}") from error
    if done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise fault(what_failed, words[-1] if words else f"exit status {done.returncode}")
    return done.stdout


def fault(what_failed: str, reason: str, advice: str = "try again") -> EdgeseqError:
    """A program's failure as our error: a full disk is no fault of the device, all else is a DeviceError."""
    if "No space left on device" in reason:
        return EdgeseqError(f"{what_failed}: {reason}; free some space on that disk and try again")
    return DeviceError(f"{what_failed}: {reason}; {advice}")
