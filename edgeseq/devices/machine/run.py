"""Starting and stopping the virtual Pi: a whole machine with a given RAM, reached through SSH on loopback.

It outlives the command that starts it. Its disk is never written: what it changes is gone when it stops.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edgeseq.devices.cache import (
    COMPLETE,
    Progress,
    build_folder,
    building_alone,
    mark_used,
    part_of,
    remove_unused,
    size_bytes,
)
from edgeseq.devices.emulated import virtual
from edgeseq.devices.machine import launch, state
from edgeseq.devices.machine.image import build_image
from edgeseq.devices.machine.kernel import build_kernel
from edgeseq.devices.machine.plan import NAME as NAME  # noqa: PLC0414 - callers take it from here
from edgeseq.devices.machine.plan import USER_BOARD, MachinePlan, plan_machine
from edgeseq.devices.machine.qemu import build_qemu
from edgeseq.devices.machine.state import Running
from edgeseq.settings import require
from edgeseq_device.errors import DeviceError, EdgeseqError, UsageError

LEAST_RAM_BYTES, MOST_RAM_BYTES = 128_000_000, 8_000_000_000
NEEDED_BYTES = 1_000_000_000
"""Free disk space that making the machine asks for, besides what the virtual board needs."""
BOOT_S = 300.0
"""It takes 10 s on an idle machine; emulation on a busy one is slow."""


@dataclass(frozen=True)
class MachineStatus:
    """What `edgeseq doctor` and `edgeseq device list` tell of the virtual Pi.

    ready: whether it is prepared. missing: what stands in the way of that, empty if nothing does; remedy:
    what to do next, None when ready. bytes_on_disk: of what was prepared, without the virtual board's part.
    """

    ready: bool
    missing: tuple[str, ...]
    remedy: str | None
    folder: Path | None
    bytes_on_disk: int
    running: Running | None

    @property
    def text(self) -> str:
        """One line for people."""
        if self.running is not None:
            return f"running, {self.running.description}, SSH on 127.0.0.1 port {self.running.port}"
        if self.ready:
            return f"prepared, {self.bytes_on_disk / 1e6:.0f} MB on disk"
        return f"not prepared: {', '.join(self.missing)} missing" if self.missing else "not prepared"


def start(
    ram_bytes: int,
    progress: Progress = lambda _fraction, _label: None,
    *,
    bits: int = 64,
    cores: int = 2,
) -> Running:
    """Start the virtual Pi and return when it answers over SSH; made in the cache at the first use.

    ram_bytes: boards are sold by "256 MB" and have 256 MiB, so 256 * 10**6 here gives the machine 256 MiB.
    bits: 32 gives a machine whose programs have 32 bits; its kernel always has 64. One that runs already as
    it is asked for is returned. UsageError for another than that, or for RAM outside 128 MB to 8 GB;
    DeviceError, with its console's last lines, when it does not come up.
    """
    _check_request(ram_bytes, cores, bits)
    if shutil.which("ssh") is None:
        raise DeviceError(
            f"{NAME} is reached with ssh, missing here; run `{install_command(['openssh-client'])}`"
        )
    home = state.state_home()
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DeviceError(
            f"{home}: cannot be written ({error.strerror}); name another folder in XDG_STATE_HOME"
        ) from error
    with building_alone(home, lambda: progress(0.0, f"waiting for another edgeseq that starts {NAME}")):
        found = running()
        if found is not None:
            _check_same(found, ram_bytes, cores, bits)
            _await_ssh(found, progress)
            return found
        plan = prepare(part_of(progress, 0.0, 0.9), bits)
        found = launch.launch(plan, ram_bytes, cores)
        try:
            _await_ssh(found, part_of(progress, 0.9, 1.0))
        except BaseException:
            state.end(found)
            raise
    return found


def running() -> Running | None:
    """The virtual Pi if it runs, else None; tidies up behind one that died."""
    return state.find_running()


def stop() -> bool:
    """End the virtual Pi as if its cable were pulled. False if none ran."""
    found = running()
    if found is None:
        return False
    state.end(found)
    return True


def prepare(progress: Progress = lambda _fraction, _label: None, bits: int = 64) -> MachinePlan:
    """The virtual Pi's folders, made at the first use and only looked up afterwards.

    DeviceError, saying what to install, where this machine cannot make or run it; EdgeseqError for a full
    disk.
    """
    plan = plan_machine(bits)
    if not plan.is_ready:
        _check_means(plan)
        virtual.prepare(USER_BOARD, part_of(progress, 0.0, 0.4))
        with building_alone(
            plan.home, lambda: progress(0.4, "waiting for another edgeseq that prepares a board")
        ):
            _build_missing(plan, part_of(progress, 0.4, 1.0))
            remove_unused(plan.home, {*plan.folders, *plan.user.folders})
    for folder in plan.folders:
        mark_used(folder)
    return plan


def status() -> MachineStatus:
    """Whether the virtual Pi is prepared and runs; makes and fetches nothing."""
    try:
        plan = plan_machine()
    except DeviceError as error:
        return MachineStatus(False, (str(error),), "use a real board, or Debian or Ubuntu", None, 0, None)
    on_disk = sum(size_bytes(folder) for folder in plan.folders if folder.exists())
    missing = tuple(missing_packages())
    remedy = None
    if missing:
        remedy = install_command(missing)
    elif not plan.is_ready:
        remedy = f"edgeseq device start {NAME} prepares it at its first use"
    return MachineStatus(plan.is_ready, missing, remedy, plan.image, on_disk, running())


def missing_packages() -> list[str]:
    """The Debian packages, and "pip", that making and reaching the machine needs and this host lacks."""
    missing = virtual.missing_packages()
    if shutil.which("ssh") is None or shutil.which("ssh-keygen") is None:
        missing.append("openssh-client")
    return missing


def install_command(missing: Sequence[str]) -> str:
    """What to type so that nothing of `missing` is missing."""
    packages = [name for name in missing if name != "pip"]
    commands = [f"apt-get install {' '.join(packages)}"] if packages else []
    return " && ".join(commands + (["python -m ensurepip"] if "pip" in missing else []))


def _check_request(ram_bytes: int, cores: int, bits: int) -> None:
    least, most = LEAST_RAM_BYTES // 10**6, MOST_RAM_BYTES // 10**6
    require(
        LEAST_RAM_BYTES <= ram_bytes <= MOST_RAM_BYTES,
        f"{NAME}: {ram_bytes / 1e6:g} MB of RAM is outside {least} to {most} MB; Debian's kernel and Python "
        f"do not start with less than {least} MB",
    )
    require(1 <= cores <= 8, f"{NAME}: {cores} cores is outside 1 to 8")
    require(bits in (32, 64), f"{NAME}: {bits} bits; its programs have 64 or 32")


def _check_same(found: Running, ram_bytes: int, cores: int, bits: int) -> None:
    """UsageError when the machine that runs is not the one that was asked for."""
    if (found.ram_bytes // 10**6, found.cores, found.bits) != (ram_bytes // 10**6, cores, bits):
        raise UsageError(
            f"{NAME} is running already, with {found.ram_bytes // 10**6} MB of RAM, {found.cores} cores and "
            f"{found.bits} bits; run `edgeseq device stop {NAME}` first"
        )


def _build_missing(plan: MachinePlan, progress: Progress) -> None:
    """Build the folders that are not complete; the caller holds the lock."""
    builders: tuple[tuple[Path, float, float, Callable[..., None]], ...] = (
        (plan.qemu, 0.0, 0.3, build_qemu),
        (plan.kernel, 0.3, 0.5, build_kernel),
        (plan.image, 0.5, 1.0, build_image),
    )
    for final, begin, end, build in builders:
        if not (final / COMPLETE).is_file():
            build_folder(final, partial(build, plan, progress=part_of(progress, begin, end)))


def _check_means(plan: MachinePlan) -> None:
    """DeviceError unless this machine has the tools and the room for making the virtual Pi."""
    missing = missing_packages()
    if missing:
        raise DeviceError(
            f"{NAME} needs {', '.join(missing)}, missing here; run `{install_command(missing)}`"
        )
    disk = next(folder for folder in (plan.home, *plan.home.parents) if folder.exists())
    if shutil.disk_usage(disk).free < NEEDED_BYTES:
        raise EdgeseqError(f"{plan.home}: {NAME} needs {NEEDED_BYTES // 10**6} MB; make room there")


def _await_ssh(found: Running, progress: Progress) -> None:
    """Return when the machine answers over SSH; DeviceError with its last words when it does not."""
    begun = time.monotonic()
    while not _answers(found):
        waited_s = time.monotonic() - begun
        if not state.is_alive(found):
            raise DeviceError(f"{NAME} ended while it started{_last_words(found)}")
        if waited_s > BOOT_S:
            raise DeviceError(
                f"{NAME} does not answer over SSH in {BOOT_S:.0f} s; run `edgeseq device stop {NAME}` if it "
                f"still runs, and start it again{_last_words(found)}"
            )
        progress(min(0.9, waited_s / 30), f"starting {NAME} with {found.ram_bytes // 10**6} MB of RAM")
        time.sleep(0.3)
    progress(1.0, f"{NAME} is running")


def _answers(found: Running) -> bool:
    """Whether a command can be run on it. ssh is only tried once the server has sent its greeting."""
    with suppress(OSError, subprocess.TimeoutExpired):
        with socket.create_connection(("127.0.0.1", found.port), timeout=3) as connection:
            connection.settimeout(3)
            if connection.recv(4) != b"SSH-":
                return False
        command = ["ssh", "-F", str(found.ssh_config), "-o", "ConnectTimeout=30", NAME, "true"]
        tried = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False
        )
        return tried.returncode == 0
    return False


def _last_words(found: Running) -> str:
    said = " | ".join(found.console_tail())
    return f"; its console ended with: {said}" if said else "; its console is empty"
