"""Running an image's program for a foreign processor as its configuration says: root, user, environment.

Programs of the target are started by qemu-user through a binfmt_misc that belongs to a user namespace (Linux
6.7 or newer): nothing is registered for the machine, and the end of the process is the end of it.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from debian import emulator

_IDS = "0 0 65536\n"

# From here on it is one argv after the other; "$@" is what the container is to run.
_SETUP = """
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
printf %s {registration} > /proc/sys/fs/binfmt_misc/register
mount --bind {root} {root}
for name in proc sys dev; do mount --rbind /$name {root}/$name; done
mount --bind {cpuinfo} {root}/proc/cpuinfo
mount -t tmpfs -o mode=1777 tmpfs {root}/tmp
mount --bind {artifact} {root}/artifact
mount -o remount,bind,ro {root}/artifact
mount -o remount,bind,ro {root}
cd {root}
exec env -i {environment} QEMU_CPU={cpu} chroot --userspec={user} {root} "$@"
"""


@dataclass(frozen=True)
class Processor:
    """How qemu imitates a target: its name of the machine, the core, e_machine and class of its programs."""

    qemu: str
    cpu: str
    elf_machine: int
    elf_class: int

    def registration(self) -> str:
        """The line for binfmt_misc, flags: open the program, take its rights, keep the emulator open."""
        magic = bytes([0x7F, 0x45, 0x4C, 0x46, self.elf_class, 1, 1, *[0] * 9, 2, 0, self.elf_machine, 0])
        mask = bytes([*[255] * 7, 0, *[255] * 8, 0xFE, 255, 255, 255])
        magic_text, mask_text = ("".join(f"\\x{byte:02x}" for byte in each) for each in (magic, mask))
        return f":edgeseq:M::{magic_text}:{mask_text}:{emulator(self.qemu)}:OCF"


PROCESSORS = {
    "linux/arm64": Processor("aarch64", "cortex-a72", 0xB7, 2),
    "linux/arm/v7": Processor("arm", "cortex-a7", 0x28, 1),
}


@contextmanager
def container(
    root: Path, config: dict[str, Any], platform: str, artifact: Path, cpuinfo: Path, arguments: Sequence[str]
) -> Iterator[subprocess.Popen[bytes]]:
    """What `docker run -i --read-only --tmpfs /tmp -v ARTIFACT:/artifact:ro IMAGE ARGUMENTS` starts.

    root: the image's file tree; config: its configuration, as `docker inspect` tells it; cpuinfo: the file in
    place of this machine's /proc/cpuinfo. The artifact must be readable by anybody. The caller is root in a
    mount namespace of its own.
    """
    for name in ("artifact", "tmp"):
        (root / name).mkdir(exist_ok=True)
    processor = PROCESSORS[platform]
    setup = _SETUP.format(
        registration=shlex.quote(processor.registration()),
        root=shlex.quote(str(root)),
        cpuinfo=shlex.quote(str(cpuinfo)),
        artifact=shlex.quote(str(artifact)),
        environment=" ".join(shlex.quote(each) for each in config["Env"]),
        cpu=processor.cpu,
        user=config["User"],
    )
    command = [*config["Entrypoint"], *(arguments or config["Cmd"])]
    process = subprocess.Popen(
        ["unshare", "--user", "--mount", "sh", "-c", f"echo; read -r _; set -e\n{setup}", "sh", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()  # the namespaces are there; who is root in them is said from outside
        for name in ("uid_map", "gid_map"):
            Path(f"/proc/{process.pid}/{name}").write_text(_IDS)
        process.stdin.write(b"\n")
        process.stdin.flush()
        yield process
    finally:
        process.kill()
        process.wait()
