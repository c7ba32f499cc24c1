"""The names of devices that nobody adds: they are always there to be named."""

from __future__ import annotations

LOCAL = "local"
"""This machine."""

VIRTUAL_PI = "virtual-pi"
"""The virtual machine that `edgeseq device start` starts; its host name too."""
