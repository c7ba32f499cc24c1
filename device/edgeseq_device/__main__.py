"""`python agent.pyz bench|worker`, or `python -m edgeseq_device bench|worker`."""

from __future__ import annotations

import sys

ROLES = ("bench", "worker")


def main(arguments: list[str]) -> int:
    """Start as what the only argument says; 2 for anything else."""
    if len(arguments) != 1 or arguments[0] not in ROLES:
        print(f"usage: agent.pyz {'|'.join(ROLES)} < request.json", file=sys.stderr)
        return 2
    if arguments[0] == "worker":
        from edgeseq_device.worker import main as work  # noqa: PLC0415 - a worker must not carry the agent

        return work()
    from edgeseq_device.agent import main as bench  # noqa: PLC0415

    return bench()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
