"""Writing a folder's files as an ext4 disk image, as any user and without mounting anything."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edgeseq.devices.commands import fault, follow, output_of
from edgeseq.devices.machine.qemu import DEBUGFS, MKE2FS, argv
from edgeseq_device.errors import DeviceError

_INODES = 65536
_JOURNAL_MB = 4
_OVERHEAD_BYTES = 64_000_000


@dataclass(frozen=True)
class Tools:
    """e2fsprogs, unpacked under `root` for hosts of `architecture`."""

    root: Path
    architecture: str

    def argv(self, program: str) -> list[str]:
        """The command that runs one of them."""
        return argv(self.root, self.architecture, program)


@dataclass(frozen=True)
class Attributes:
    """Whose a file in the image is, and its permission bits."""

    uid: int
    mode: int


def write_ext4(
    source: Path, image: Path, size_bytes: int, attributes: Callable[[Path], Attributes], tools: Tools
) -> None:
    """Write the files under `source` to a new, sparse `image` of about `size_bytes`.

    attributes: of the file at a path relative to `source`; the host's owners and permissions do not matter.
    """
    image.touch(0o600)  # it may hold private keys
    with image.open("wb") as file:
        file.truncate((size_bytes + _OVERHEAD_BYTES) // 2**20 * 2**20)
    options = ["-q", "-F", "-t", "ext4", "-O", "^metadata_csum", "-J", f"size={_JOURNAL_MB}", "-m", "0"]
    options += ["-N", str(_INODES), "-E", "root_owner=0:0,lazy_itable_init=0", "-d", str(source)]
    output_of([*tools.argv(MKE2FS), *options, str(image)], os.environ, f"{image.name} cannot be written")
    commands = image.with_name("debugfs.txt")
    commands.write_text("".join(f"{line}\n" for line in _changes(source, attributes)), "utf-8")
    command = [*tools.argv(DEBUGFS), "-w", "-f", str(commands), str(image)]
    _, said = follow(command, os.environ, lambda _line: None)
    commands.unlink()
    # debugfs ends with 0 whatever happened. It says its version, echoes each command, and complains.
    complaints = [line for line in said if line and not line.startswith("debugfs")]
    if complaints:
        raise fault(f"{image.name} cannot be changed", complaints[0])


def _changes(source: Path, attributes: Callable[[Path], Attributes]) -> Iterator[str]:
    """debugfs commands for all that mke2fs takes over from the host's files and that shall be otherwise."""
    for parent, folders, names in os.walk(source):
        for name in sorted(folders + names):
            path = Path(parent) / name
            relative, found = path.relative_to(source), path.lstat()
            if '"' in str(relative) or "\n" in str(relative):
                raise DeviceError(f"{relative}: a name with a quotation mark cannot be put on the disk")
            wanted = attributes(relative)
            yield from (
                f'set_inode_field "/{relative}" {field} {value}' for field, value in _different(found, wanted)
            )


def _different(found: os.stat_result, wanted: Attributes) -> Iterator[tuple[str, str]]:
    if found.st_uid != wanted.uid:
        yield "uid", str(wanted.uid)
    if found.st_gid != wanted.uid:
        yield "gid", str(wanted.uid)
    if not stat.S_ISLNK(found.st_mode) and stat.S_IMODE(found.st_mode) != wanted.mode:
        yield "mode", f"0{stat.S_IFMT(found.st_mode) | wanted.mode:o}"
