"""The errors that are meant for people. Each class is one exit code of the command line.

A message says what happened, to which file or tensor, and what to do next, in one line.
"""

from __future__ import annotations

import errno
import os


class EdgeseqError(Exception):
    """A fault with a message for the user (exit code 1)."""

    exit_code = 1


class UsageError(EdgeseqError):
    """The call itself is wrong: an unknown name, an option that does not fit (exit code 2)."""

    exit_code = 2


class BudgetError(EdgeseqError):
    """A model is larger than its size budget (exit code 3)."""

    exit_code = 3


class GateError(EdgeseqError):
    """An exported model lost too much accuracy or is out of parity (exit code 4)."""

    exit_code = 4


class DeviceError(EdgeseqError):
    """A device cannot be reached, prepared or used (exit code 5)."""

    exit_code = 5


class DataError(EdgeseqError):
    """Input data or an artifact was refused (exit code 6)."""

    exit_code = 6


_FULL = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT), "No usable temporary directory found")
"""The last is what Python makes of a full disk when it needs a temporary file."""


def board_fault(error: OSError) -> EdgeseqError:
    """What the system refused on the board, in one line."""
    reason = error.strerror or str(error) or type(error).__name__
    return EdgeseqError(f"{error.filename or 'the board'}: {reason}{room_advice(reason)}")


def room_advice(reason: str) -> str:
    """What to look at when the system's `reason` is a full disk or an exhausted quota; else nothing."""
    return "; has its disk room?" if any(each in reason for each in _FULL) else ""
