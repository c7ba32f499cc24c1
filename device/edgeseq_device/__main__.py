"""`python agent.pyz ROLE`, or `python -m edgeseq_device ROLE`."""

from __future__ import annotations

import importlib
import os
import sys

from edgeseq_device.layout import AGENTS, BLOBS, PYTHON

ROLES = {
    "serve": "edgeseq_device.measuring.agent",
    "worker": "edgeseq_device.measuring.worker",
    "bench": "edgeseq_device.measuring.bench_command",
    "probe": "edgeseq_device.board.probe",
    "install": "edgeseq_device.board.install",
    "native": "edgeseq_device.board.install_native",
    "deploy": "edgeseq_device.board.deploy",
}
"""The module whose main() each role is. `bench` is for people and takes arguments; others talk to a host."""


def main(arguments: list[str]) -> int:
    """Start as what the first argument says, with only that role's code; 2 for anything else but --help."""
    role = arguments[0] if arguments else None
    if role not in ROLES or (len(arguments) > 1 and role != "bench"):
        asked = arguments in (["--help"], ["-h"])
        usage = f"usage: agent.pyz {'|'.join(ROLES)}; `agent.pyz bench --help` is for people"
        print(usage, file=sys.stdout if asked else sys.stderr)
        return 0 if asked else 2
    _find_runtimes()
    module = importlib.import_module(ROLES[role])
    code = module.main(arguments[1:]) if role == "bench" else module.main()
    return int(code)


def _find_runtimes() -> None:
    """In a board's folder: the runtimes that `device setup` has put there come first, here and in workers.

    The folder itself, not the link to it: setup may switch that meanwhile.
    """
    archive = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - workers count RAM
    root, folder = os.path.split(os.path.dirname(archive))  # noqa: PTH120
    if folder not in (BLOBS, AGENTS):
        return
    site = os.path.realpath(f"{root}/{PYTHON}/cp{sys.version_info[0]}{sys.version_info[1]}")
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if os.path.isdir(site) and site not in inherited:  # noqa: PTH112
        sys.path.insert(0, site)
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [site, *inherited]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
