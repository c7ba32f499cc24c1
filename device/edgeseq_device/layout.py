"""The names in the folder that holds everything of edgeseq on a board, and how long one waits for its lock.

    ~/.edgeseq/
      blobs/SHA256         a file by its content; SHA256.part while it arrives
      agents/SHA256/       the agent of that blob, unpacked where it first ran
      python/TAG -> TAG-KEY   runtimes that `device setup` sent for the board's Python
      deployed/NAME/       see `edgeseq_device.board.deployed`
      native -> native-KEY   the native runner that `device setup --native` sent, with its library
      scratch/             working folders of running agents
      lock                 held by who measures or installs

It imports nothing: every worker imports it, whose RAM is measured.
"""

from __future__ import annotations

FOLDER = ".edgeseq"
"""In the home folder of the board's user."""

BLOBS, AGENTS, PYTHON, DEPLOYED, SCRATCH, LOCK = "blobs", "agents", "python", "deployed", "scratch", "lock"

NATIVE, RUNNER, LIBRARY, LIBRARY_VERSION = "native", "edgeseq-run", "libLiteRt.so", "libLiteRt.version"
SETUP = "setup.json"
"""In the native runner's folder: what its set-up found (see `edgeseq_device.measuring.runners`)."""

LOCK_WAIT_S = 600.0
"""How long a host waits for another that measures, unless it is told otherwise."""
