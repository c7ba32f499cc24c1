"""Virtual Raspberry Pis: Debian's Python and the real runtimes on an emulated Pi processor (qemu-user).

They count instructions, show the guest's RAM and compute a board's answers; they have no latency.
The first use prepares one in the cache; nothing is installed on the machine.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
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
from edgeseq.devices.commands import output_of
from edgeseq.devices.emulated import apt, apt_sources
from edgeseq.devices.emulated.emulator import build_emulator
from edgeseq.devices.emulated.guest import build_guest, compile_imports
from edgeseq.devices.emulated.plan import (
    COUNTING_PROGRAM,
    COUNTING_PYTHON,
    PROGRAM,
    PYTHON,
    Plan,
    plan_board,
)
from edgeseq.devices.emulated.rootfs import link_root, write_files
from edgeseq.devices.links import LocalLink
from edgeseq.devices.native_build import LIBRARY_IN_PACKAGES, PACKAGE, runner
from edgeseq.devices.profiles import virtual_board_names
from edgeseq.devices.wheel_tables import wheel_table
from edgeseq.devices.wheels import has_pip
from edgeseq_device.errors import DeviceError, EdgeseqError
from edgeseq_device.measuring.counting import INSTRUCTION_LOG, REGION_BEGIN, REGION_END
from edgeseq_device.measuring.native_runner import NativeRunner

NEEDED_BYTES = 600_000_000
"""Free disk space that a preparation asks for: downloads and unpacked files side by side."""

# Marks one region around a sum, as a worker does; its count goes to the instruction log.
_COUNTED_SUM = f"""
import os
def mark(region):
    try:
        os.getpgid(region)
    except ProcessLookupError:
        pass
mark({REGION_BEGIN}); sum(range(1000)); mark({REGION_END})
"""


@dataclass(frozen=True)
class PreparedBoard:
    """A virtual board that is ready.

    link: to its Python, with a counting one, and to the native runner. root: the board's file system.
    description: such as "qemu-user 7.2.22 cortex-a72".
    """

    link: LocalLink
    root: Path
    description: str


@dataclass(frozen=True)
class BoardStatus:
    """What `edgeseq doctor` tells of a virtual board.

    missing: what stands in the way, empty if nothing does; remedy: what to do next, None when ready.
    bytes_on_disk: of the board and of what it shares with others.
    """

    board: str
    ready: bool
    missing: tuple[str, ...]
    remedy: str | None
    folder: Path | None
    bytes_on_disk: int


def prepare(board: str, progress: Progress = lambda _fraction, _label: None) -> PreparedBoard:
    """The virtual `board`, built in the cache at the first use and only looked up afterwards.

    UsageError for a name that has no virtual board; DeviceError, saying what to install, where this machine
    cannot make or run one; EdgeseqError for a full disk.
    """
    plan = plan_board(board)
    if not plan.is_ready:
        _check_means(plan)
        with building_alone(
            plan.home, lambda: progress(0.0, "waiting for another edgeseq that prepares a board")
        ):
            _build_missing(plan, progress)
            plans = (plan_board(name) for name in virtual_board_names())
            remove_unused(plan.home, {folder for each in plans for folder in each.folders})
    for folder in plan.folders:
        mark_used(folder)
    progress(1.0, f"the virtual {plan.profile.board} is ready")
    return PreparedBoard(
        link=LocalLink(
            (str(plan.board / PYTHON),), (str(plan.board / COUNTING_PYTHON),), partial(_native, plan)
        ),
        root=plan.board / "root",
        description=plan.describe_emulator(),
    )


def _native(plan: Plan, progress: Progress) -> NativeRunner:
    """The native runner on a board that is ready, with the library that its Python has too."""
    program = str(runner("aarch64", progress))
    (pin,) = (each for each in wheel_table(plan.system.wheel_tag).pins if each.package == PACKAGE)
    return NativeRunner(
        command=(str(plan.board / PROGRAM), program),
        library=str(plan.guest / "site" / LIBRARY_IN_PACKAGES),
        library_version=pin.version,
        counting_command=(str(plan.board / COUNTING_PROGRAM), program),
    )


def status(board: str) -> BoardStatus:
    """Whether the virtual `board` is ready and, if not, what is missing; builds and fetches nothing.

    UsageError for a name that has no virtual board.
    """
    try:
        plan = plan_board(board)
    except DeviceError as error:
        return BoardStatus(
            board, False, (str(error),), "bench on a real board, or on Debian or Ubuntu", None, 0
        )
    on_disk = sum(size_bytes(folder) for folder in plan.folders if folder.exists())
    if plan.is_ready:
        return BoardStatus(board, True, (), None, plan.board, on_disk)
    missing = missing_packages()
    remedy = _install_command(missing) or f"edgeseq bench --device {board} prepares it at its first use"
    return BoardStatus(board, False, tuple(missing), remedy, plan.board, on_disk)


def missing_packages() -> list[str]:
    """The Debian packages, and "pip", that a preparation needs and this machine lacks."""
    missing = apt.missing_tools()
    if not apt_sources.KEYRING.is_file():
        missing.append("debian-archive-keyring")
    if shutil.which("cc") is None:
        missing += ["gcc", "libc6-dev"]
    if not has_pip():
        missing.append("pip")
    return missing


def _install_command(missing: list[str]) -> str:
    packages = [name for name in missing if name != "pip"]
    commands = [f"apt-get install {' '.join(packages)}"] if packages else []
    return " && ".join(commands + (["python -m ensurepip"] if "pip" in missing else []))


def _build_missing(plan: Plan, progress: Progress) -> None:
    """Build the folders that are not complete; the caller holds the lock."""
    builders: tuple[tuple[Path, float, float, Callable[..., None]], ...] = (
        (plan.emulator, 0.0, 0.25, partial(_build_emulator, plan)),
        (plan.guest, 0.25, 0.9, partial(_build_guest, plan)),
        (plan.board, 0.9, 1.0, partial(_build_board, plan)),
    )
    for final, begin, end, build in builders:
        if not (final / COMPLETE).is_file():
            build_folder(final, partial(build, progress=part_of(progress, begin, end)))


def _check_means(plan: Plan) -> None:
    """DeviceError unless this machine has the tools and the room for what the plan must still fetch."""
    if all((folder / COMPLETE).is_file() for folder in (plan.emulator, plan.guest)):
        return
    missing = missing_packages()
    if missing:
        names = ", ".join(missing)
        raise DeviceError(f"virtual boards need {names}, missing here; run `{_install_command(missing)}`")
    disk = next(folder for folder in (plan.home, *plan.home.parents) if folder.exists())
    if shutil.disk_usage(disk).free < NEEDED_BYTES:
        raise EdgeseqError(f"{plan.home}: a virtual board needs {NEEDED_BYTES // 10**6} MB; make room there")


def _build_emulator(plan: Plan, folder: Path, progress: Progress) -> None:
    build_emulator(folder, plan.architecture, plan.sources, plan.system, progress)


def _build_guest(plan: Plan, folder: Path, progress: Progress) -> None:
    build_guest(folder, plan.system, part_of(progress, 0.0, 0.8))
    progress(0.8, "starting the board's Python for the first time")
    files = plan.files(plan.describe_emulator())
    compile_imports(folder, plan.emulator, plan.architecture, plan.system.python, plan.qemu_cpu, files)


def _build_board(plan: Plan, folder: Path, progress: Progress) -> None:
    """Fill `folder` with root/ and the launchers, and let each launcher run once."""
    link_root(folder / "root", plan.guest / "root", f"../../{plan.guest.name}/root")
    write_files(folder / "root", plan.files(plan.describe_emulator()))
    for name, script in plan.launchers().items():
        path = folder / name
        path.write_text(script)
        path.chmod(0o755)
    progress(0.3, f"checking the virtual {plan.profile.board}")
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch) / "counts"
        python = [str(plan.guest / "root/usr/bin" / f"python{plan.system.python}"), "-S"]
        for name in plan.launchers():
            _check_launcher(folder / name, python if name in (PROGRAM, COUNTING_PROGRAM) else [], log)
        counted = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    if [each for each in counted if each.get("insns_all", 0) < 1000] or len(counted) != 2:
        raise DeviceError(
            f"the virtual {plan.profile.name} counts no instructions; clear {plan.home} and try again"
        )
    (folder / COMPLETE).write_text(json.dumps({"emulator": plan.describe_emulator()}))


def _check_launcher(script: Path, program: Sequence[str], log: Path) -> None:
    environment = {**os.environ, INSTRUCTION_LOG: str(log)}
    output_of(
        [str(script), *program, "-c", _COUNTED_SUM],
        environment,
        f"the virtual board's {script.name} does not run",
    )
