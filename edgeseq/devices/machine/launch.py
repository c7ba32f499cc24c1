"""Starting qemu-system, detached, with a machine's RAM, disk and one forwarded port."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from edgeseq.devices.commands import fault
from edgeseq.devices.machine import image, qmp, state
from edgeseq.devices.machine.kernel import INITRD, KERNEL
from edgeseq.devices.machine.plan import NAME, MachinePlan
from edgeseq.devices.machine.qemu import QEMU, argv
from edgeseq.devices.machine.state import CONSOLE, KEY, KNOWN_HOSTS, PID, Running
from edgeseq.files import atomic_write_text
from edgeseq_device.errors import DeviceError

_KERNEL_WORDS = "console=ttyAMA0 quiet loglevel=3 panic=1 cma=0 mitigations=off random.trust_bootloader=on"
_TRANSLATED_MB = 256  # of the host's RAM for translated code; qemu-system's own choice would be 1 GB
_START_S = 60.0


def launch(plan: MachinePlan, ram_bytes: int, cores: int) -> Running:
    """Start the machine in a new state folder and return at once; it may take seconds to answer.

    The caller holds the lock and has made sure that none runs. DeviceError, with qemu-system's own word, when
    it does not start.
    """
    folder = state.machine_folder()
    state.remove(folder)
    _check_name(folder)
    folder.mkdir(mode=0o700)
    try:
        _run(_command(plan, folder, ram_bytes, cores), folder)
        found = Running(
            pid=int((folder / PID).read_text()),
            port=_port(folder),
            ram_bytes=ram_bytes,
            cores=cores,
            bits=plan.bits,
            emulator=plan.describe_emulator(),
            folder=folder,
        )
        _write_ssh_config(plan.image, found)
        state.write_state(found)
    except BaseException:
        _abandon(folder)
        raise
    return found


def _check_name(folder: Path) -> None:
    """DeviceError for a folder that an ssh_config cannot name."""
    if any(character in str(folder) for character in '"\\\n') or "${" in str(folder):
        raise DeviceError(f"{folder}: ssh cannot use a folder with this name; name another in XDG_STATE_HOME")


def _abandon(folder: Path) -> None:
    """End what was started in `folder` although its record is not complete."""
    written = (folder / PID).read_text() if (folder / PID).exists() else ""
    if written.strip().isdigit():
        state.end_process(folder, int(written))
    state.remove(folder)


def _command(plan: MachinePlan, folder: Path, ram_bytes: int, cores: int) -> list[str]:
    """qemu-system's argv. Names without a folder are in the state folder, where it is started."""
    disk = f"file={plan.image / image.DISK},format=raw,if=none,id=disk,snapshot=on"
    network = "user,id=net,restrict=on,ipv6=off,hostfwd=tcp:127.0.0.1:0-:22"
    return [
        *argv(plan.qemu / "root", plan.user.architecture, QEMU),
        *("-nodefaults", "-no-user-config", "-display", "none", "-daemonize", "-pidfile", str(folder / PID)),
        *("-M", "virt,gic-version=2", "-cpu", plan.system.qemu_cpu, "-smp", str(cores)),
        *("-m", str(ram_bytes // 10**6), "-accel", f"tcg,thread=multi,tb-size={_TRANSLATED_MB}"),
        *("-serial", f"file:{CONSOLE}", "-qmp", f"unix:{qmp.SOCKET},server=on,wait=off"),
        *("-kernel", str(plan.kernel / KERNEL), "-initrd", str(plan.kernel / INITRD)),
        *("-append", _KERNEL_WORDS, "-drive", disk, "-device", "virtio-blk-device,drive=disk"),
        *("-netdev", network, "-device", "virtio-net-device,netdev=net", "-device", "virtio-rng-device"),
    ]


def _run(command: list[str], folder: Path) -> None:
    """Run qemu-system until it has started the machine and detached itself."""
    environment = {"PATH": os.defpath, "TMPDIR": str(folder)}  # what the disk's snapshot grows in
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_START_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DeviceError(f"{NAME}: qemu-system does not start ({error})") from error
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise fault(f"{NAME}: qemu-system does not start", reason)


def _port(folder: Path) -> int:
    """The port of 127.0.0.1 that qemu-system was given by the kernel for the machine's SSH."""
    try:
        answer = str(qmp.execute(folder, "human-monitor-command", **{"command-line": "info usernet"}))
    except (OSError, ValueError) as error:
        raise DeviceError(f"{NAME}: qemu-system does not answer ({error}); try again") from error
    found = re.search(r"HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)", answer)
    if found is None:
        raise DeviceError(f"{NAME}: qemu-system forwards no port: {answer!r:.200}")
    return int(found.group(1))


def _write_ssh_config(prepared: Path, found: Running) -> None:
    """What `ssh -F` needs to reach the machine and no other: its own keys, and no question asked."""
    folder = found.folder
    key, known = folder / KEY, folder / KNOWN_HOSTS
    key.touch(mode=0o600)
    key.write_bytes((prepared / image.USER_KEY).read_bytes())
    host_key = " ".join((prepared / f"{image.HOST_KEY}.pub").read_text().split()[:2])
    atomic_write_text(known, f"{NAME} {host_key}\n")
    settings = {
        "HostName": "127.0.0.1",
        "Port": str(found.port),
        "HostKeyAlias": NAME,
        "User": "pi",
        "IdentityFile": _quoted(key),
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "UserKnownHostsFile": _quoted(known),
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "PreferredAuthentications": "publickey",
    }
    lines = [f"Host {NAME}", *(f"  {name} {value}" for name, value in settings.items())]
    atomic_write_text(found.ssh_config, "\n".join(lines) + "\n")


def _quoted(path: Path) -> str:
    """A path as ssh_config takes it: spaces inside quotation marks, its own signs doubled."""
    return '"{}"'.format(str(path).replace("%", "%%"))
