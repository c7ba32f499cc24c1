"""What to say of a runtime that is missing or broken: imported by a process that finds it so, by no other."""

from __future__ import annotations

import sys

from edgeseq_device.errors import DeviceError


def does_not_load(package: str, error: ImportError | OSError) -> DeviceError:
    """A runtime that is not there, or there but broken, such as by a library of its own that this system does
    not load (OSError): names the package to install."""
    advice = f"run: {sys.executable} -m pip install {package}"
    return DeviceError(f"{package} does not load ({error}); {advice}")
