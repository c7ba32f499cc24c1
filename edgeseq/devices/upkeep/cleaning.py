"""Removing what edgeseq put on a board, which needs no more there than its shell."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgeseq.devices.board import SshDevice
from edgeseq.devices.ssh.connection import Connection
from edgeseq.devices.ssh.faults import last_words
from edgeseq_device.errors import DeviceError

_BUSY, _FAILED = 75, 5
_CLEAN_S = 300.0

# $1: the name of what stays. Prints the KiB before and after, then what is still there. Status 75: somebody
# measures, or installs, just now.
_CLEAN = """
[ -d .edgeseq ] || { echo 0 0; exit 0; };
cd .edgeseq || exit 5;
exec 9>>lock || exit 5;
if command -v flock >/dev/null; then flock -n 9 || exit 75; fi;
before=$(du -sk . | cut -f 1);
for each in * .[a-zA-Z0-9]*; do
  [ "$each" = "$1" ] || rm -rf -- "$each" || exit 5;
done;
echo $before $(du -sk . | cut -f 1);
cd .. && rmdir .edgeseq 2>/dev/null;
ls .edgeseq/deployed 2>/dev/null;
exit 0
"""


@dataclass(frozen=True)
class Cleaned:
    """removed_bytes: on the board's disk. kept: the names of deployed artifacts that are still there."""

    removed_bytes: int
    kept: tuple[str, ...]


def clean(device: SshDevice, *, deployed: bool) -> Cleaned:
    """Remove ~/.edgeseq from a board; deployed artifacts only if `deployed`.

    DeviceError when the board cannot be reached, somebody measures on it or a file cannot be removed.
    """
    with Connection(device.destination, device.name) as connection:
        done = connection.attempt(_CLEAN, "-" if deployed else "deployed", timeout_s=_CLEAN_S)
    said = done.stderr.decode("utf-8", "replace")
    if done.returncode == _BUSY:
        raise DeviceError(f"{device.name}: somebody measures on it; nothing was removed, try again later")
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    sizes = re.fullmatch(r"(\d+) (\d+)", lines[0]) if lines else None
    if done.returncode != 0 or sizes is None:
        reason = last_words(said) or f"exit status {done.returncode}"
        raise DeviceError(f"{device.name}: ~/.edgeseq cannot be removed ({reason}); remove it there by hand")
    removed_kib = max(int(sizes.group(1)) - int(sizes.group(2)), 0)
    return Cleaned(removed_kib * 1024, tuple(lines[1:]))
