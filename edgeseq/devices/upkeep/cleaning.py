"""Removing what edgeseq put on a board, which needs no more there than its shell."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgeseq.devices.board import SshDevice
from edgeseq.devices.ssh.connection import Connection
from edgeseq.devices.ssh.faults import last_words
from edgeseq_device.errors import DeviceError
from edgeseq_device.layout import DEPLOYED, FOLDER, LOCK, PYTHON

_BUSY, _FAILED = 75, 5
_CLEAN_S = 300.0

# $1: "all", or "rest" for all but what is deployed and the runtimes that it is used with. Prints the KiB
# before and after, then what is still deployed. Status 75: somebody measures, installs or deploys just now.
# Each lock of a deployment is held by one shell more, and the last of them removes; `lock` goes last of all.
_CLEAN = (
    f"[ -d {FOLDER} ] || {{ echo 0 0; exit 0; }}; cd {FOLDER} || exit 5;"
    f"exec 9>>{LOCK} || exit 5;"
    f"deployed={DEPLOYED}; python={PYTHON}; lock={LOCK};"
    """
locks=no;
command -v flock >/dev/null && locks=yes;
[ $locks = no ] || flock -n 9 || exit 75;
kept=$(ls $deployed 2>/dev/null);
[ $1 = rest ] || kept=;
remove() {
  for each in * .[a-zA-Z0-9]*; do
    [ "$each" = $lock ] && continue;
    case "$kept/$each" in ?*/$deployed|?*/$python) continue;; esac;
    rm -rf -- "$each" || exit 5;
  done;
};
locked() {
  [ $# -gt 0 ] || { remove; exit 0; };
  if [ -d "$1" ]; then
    exec 8>>"$1/$lock" || exit 5;
    flock -n 8 || exit 75;
  fi;
  shift;
  (locked "$@");
  exit $?;
};
before=$(du -sk . | cut -f 1);
if [ $locks = yes ] && [ "$kept" = "" ]; then
  (locked $deployed/*) || exit $?;
else
  (remove) || exit $?;
fi;
[ "$kept" ] || rm -f $lock;
echo $before $(du -sk . | cut -f 1);
ls $deployed 2>/dev/null;
"""
    f"cd .. && rmdir {FOLDER} 2>/dev/null; exit 0"
)


@dataclass(frozen=True)
class Cleaned:
    """removed_bytes: on the board's disk. kept: the names of deployed artifacts that are still there, with
    the runtimes for them."""

    removed_bytes: int
    kept: tuple[str, ...]


def clean(device: SshDevice, *, deployed: bool) -> Cleaned:
    """Remove ~/.edgeseq from a board; deployed artifacts, and the runtimes they are used with, only if
    `deployed`.

    DeviceError when the board cannot be reached, somebody measures on it or deploys to it, or a file
    cannot be removed.
    """
    with Connection(device.destination, device.name) as connection:
        done = connection.attempt(_CLEAN, "all" if deployed else "rest", timeout_s=_CLEAN_S)
    said = done.stderr.decode("utf-8", "replace")
    if done.returncode == _BUSY:
        raise DeviceError(
            f"{device.name}: somebody measures on it or deploys to it; nothing was removed, try again later"
        )
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    sizes = re.fullmatch(r"(\d+) (\d+)", lines[0]) if lines else None
    if done.returncode != 0 or sizes is None:
        reason = last_words(said) or f"exit status {done.returncode}"
        raise DeviceError(f"{device.name}: ~/{FOLDER} cannot be removed ({reason}); remove it there by hand")
    removed_kib = max(int(sizes.group(1)) - int(sizes.group(2)), 0)
    return Cleaned(removed_kib * 1024, tuple(lines[1:]))
