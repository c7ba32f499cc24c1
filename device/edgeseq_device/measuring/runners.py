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
from edgeseq_device.measuring.native import FORMAT, NativeRunner
from edgeseq_device.measuring.protocol import check_keys
from edgeseq_device.measuring.request import Request

_AGAIN = "run `edgeseq device setup` with --native again"
SETUP_KEYS = {
    "edgeseq": Key((str,), check=bool),
    "runner_sha256": Key((str,), check=is_hash),
    "library_sha256": Key((str,), check=is_hash),
    "library_version": Key((str,)),
    "passed": Key((bool,)),
    "because": Key((str,), check=bool, nullable=True),
    "artifact": Key((str,), check=bool),
}
"""edgeseq: the version that set it up; because: why it did not pass; artifact: whose golden vectors were
answered."""


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

    DeviceError when one that the request names is not there.
    """
    found = _find(request)
    if found.runner is not None and not (artifact.path / NATIVE_FILE).is_file():
        because = f"{artifact.name} has no {NATIVE_FILE}: an older edgeseq made it; export it again"
        return replace(found, runner=None, because=because)
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
        because = found.because or "it was not set up here; run `edgeseq device setup` with --native"
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
