"""The errors that are meant for people. Each class is one exit code of the command line.

A message says what happened, to which file or tensor, and what to do next, in one line.
"""

from __future__ import annotations


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
