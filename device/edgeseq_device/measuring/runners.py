"""Which runner measures a model here: Python, or the native one where it is there and can be trusted.

`edgeseq device setup --native` has put the native runner into native/ of the board's folder, with setup.json,
which says whether it gave the right answers there. What was changed since then is not used.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgeseq_device import __version__
from edgeseq_device.artifact import Artifact, sha256_of
from edgeseq_device.errors import DataError, DeviceError, UsageError
from edgeseq_device.layout import LIBRARY, NATIVE, RUNNER, SETUP
from edgeseq_device.manifest import NATIVE_FILE
from edgeseq_device.measuring.keys import Key, is_hash
from edgeseq_device.measuring.native_runner import FORMAT, NativeRunner
from edgeseq_device.measuring.protocol import check_keys
from edgeseq_device.measuring.request import Request

MACHINES = ("x86_64", "aarch64")
"""Those that the native runner is made for, as `uname -m` names them."""

BOARD = "BOARD"
"""What an agent, which does not know its board's name, writes in its place: see `with_board`."""
_SETUP = f"run `edgeseq device setup {BOARD} --native`"
_AGAIN = f"{_SETUP} again"
SETUP_KEYS = {
    "edgeseq": Key((str,), check=bool),
    "runner_sha256": Key((str,), check=is_hash),
    "library_sha256": Key((str,), check=is_hash),
    "library_version": Key((str,)),
    "passed": Key((bool,)),
    "because": Key((str,), check=bool, nullable=True),
    "artifact": Key((str,), check=bool),
    "artifact_sha256": Key((str,), check=is_hash),
}
"""edgeseq: the version that set it up; because: why it did not pass; artifact: whose golden vectors were
answered; artifact_sha256: of its SHA256SUMS, and so of all of it."""


@dataclass(frozen=True)
class Found:
    """The native runner of a machine. runner: None where it must not be used, and then `because` says why, or
    is None too where there is none at all."""

    runner: NativeRunner | None = None
    because: str | None = None
    runner_sha256: str | None = None
    library_sha256: str | None = None

    def told(self) -> dict[str, Any]:
        """What an agent says of it when it begins."""
        return {
            "because": self.because,
            "runner_sha256": self.runner_sha256,
            "library_sha256": self.library_sha256,
        }


def with_board(text: str, board: str) -> str:
    """An agent's words, its advice naming the board as the host does."""
    return text.replace(f"device setup {BOARD} ", f"device setup {board} ")


def check_machine(machine: str) -> None:
    """DeviceError unless there is a native runner for a machine, as `python_machine` names it."""
    if machine not in MACHINES:
        raise DeviceError(
            f"there is no native runner for {machine}, only for {' and '.join(MACHINES)}: elsewhere LiteRT "
            "has no library with a C interface; take --runner python (a 32-bit system needs an export with "
            "--target armv7)"
        )


def check_artifact(artifact: Artifact) -> None:
    """DataError unless the native runner can read an artifact: it has a TFLite model and a sheet of it."""
    artifact.model(FORMAT)
    if not (artifact.path / NATIVE_FILE).is_file():
        raise DataError(
            f"{artifact.name} has no {NATIVE_FILE}: exported by an edgeseq that knew no native runner; "
            "export it again"
        )


def read_setup(root: Path) -> dict[str, Any] | None:
    """setup.json of the native runner in a board's folder; None where none is set up. DataError when it is
    damaged."""
    path = root / NATIVE / SETUP
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        if (root / NATIVE).is_symlink():
            raise DataError(f"{path}: missing; {_AGAIN}") from None
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: cannot be read ({error}); {_AGAIN}") from error
    check_keys(content, SETUP_KEYS, str(path))
    setup: dict[str, Any] = content
    return setup


def find_native(request: Request, artifact: Artifact) -> Found:
    """The native runner that the request names, else that of the board's folder; its files are hashed.

    DeviceError when one that the request names is not there, DataError when the native runner is asked for
    and cannot read the artifact.
    """
    found = _find(request)
    try:
        if FORMAT in request.formats:
            check_artifact(artifact)
    except DataError as error:
        if "native" in request.runners:
            raise
        return found if found.runner is None else replace(found, runner=None, because=str(error))
    return found


def _find(request: Request) -> Found:
    if request.native is not None:
        named = request.native
        return Found(named, None, *(_hash(Path(each)) for each in (named.program, named.library)))
    if request.root is None:
        return Found()
    try:
        return _set_up(Path(request.root))
    except (DataError, DeviceError) as error:
        return Found(None, str(error))


def _set_up(root: Path) -> Found:
    setup = read_setup(root)
    if setup is None:
        return Found()
    folder = (root / NATIVE).resolve()  # not the link to it, which setup may switch
    program, library = folder / RUNNER, folder / LIBRARY
    hashes = _hash(program), _hash(library)
    for path, found, expected in zip((program, library), hashes, _hashes(setup)):
        if found != expected:
            return Found(None, f"{path}: changed since it was set up (sha256 differs); {_AGAIN}")
    if setup["edgeseq"] != __version__:
        because = f"it was set up by edgeseq {setup['edgeseq']}, this is {__version__}; {_AGAIN}"
        return Found(None, because, *hashes)
    if not setup["passed"]:
        return Found(None, f"it did not pass its set-up: {setup['because']}", *hashes)
    return Found(NativeRunner((str(program),), str(library), setup["library_version"]), None, *hashes)


def _hashes(setup: Mapping[str, Any]) -> tuple[str, str]:
    return setup["runner_sha256"], setup["library_sha256"]


def _hash(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        raise DeviceError(f"{path}: cannot be read ({error.strerror}); {_AGAIN}") from error


def choose_runners(request: Request, found: Found) -> dict[str, list[str]]:
    """The runners of each format that is asked for. A runner that the host itself names is none by default.

    DeviceError when the native one is asked for and cannot be used, UsageError when nothing that is asked for
    runs a format.
    """
    default = ("python",) if request.native or found.runner is None else ("native",)
    if "native" in request.runners and FORMAT in request.formats and found.runner is None:
        because = found.because or f"it was not set up here; {_SETUP}"
        raise DeviceError(f"--runner {_asked(request)}: the native runner cannot be used: {because}")
    runners = {}
    for each in request.formats:
        if each == FORMAT:
            runners[each] = list(request.runners or default)
        elif "python" in (request.runners or ("python",)):
            runners[each] = ["python"]
        else:
            raise UsageError(
                f"--runner native: it runs no {each}, only {FORMAT}; add --format {FORMAT} or --runner both"
            )
    return runners


def _asked(request: Request) -> str:
    return "both" if len(request.runners) > 1 else request.runners[0]
