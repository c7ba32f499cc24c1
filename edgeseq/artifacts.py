"""Where artifacts are: artifacts/NAME, the newest by default; and what only the host reads of them."""

from __future__ import annotations

import difflib
import json
import os
from pathlib import Path
from typing import Any

from edgeseq.names import unknown
from edgeseq_device.errors import DataError, UsageError
from edgeseq_device.manifest import MANIFEST_FILE

ARTIFACTS = Path("artifacts")
PROVENANCE_FILE = "provenance.json"
"""How an artifact came about: recipe, data, forms, accuracy, versions. No board needs it."""
_NEAR = 0.8  # of difflib: one letter in five is another


def find_artifact(reference: str | Path | None = None) -> Path:
    """An artifact's folder by its name under ./artifacts or by its path; None is the newest.

    `edgeseq_device.artifact.open_artifact` verifies it. Raises UsageError where there is none.
    """
    known = _known()
    if reference is None:
        if not known:
            raise UsageError("there is no artifact under ./artifacts; make one with: edgeseq export --int8")
        return max(known, key=lambda path: (path / MANIFEST_FILE).stat().st_mtime_ns)
    for path in (ARTIFACTS / reference, Path(reference)):
        if os.path.isdir(path):  # noqa: PTH112 - pathlib's own raises where a name is too long for a file's
            return path
    raise UsageError(unknown("artifact", str(reference), [path.name for path in known]))


def names_artifact(word: str) -> bool:
    """Whether a word is an artifact's name or folder. No word is refused."""
    return any(is_file(folder / MANIFEST_FILE) for folder in (ARTIFACTS / word, Path(word)))


def nearest_artifact(word: str) -> str | None:
    """The artifact that a word which names none may mean: a name that goes on behind it, or is spelled
    much like it.
    """
    known = sorted(path.name for path in _known())
    longer = [name for name in known if name.startswith(f"{word}-")]
    near = longer or difflib.get_close_matches(word, known, 1, _NEAR)
    return near[0] if near else None


def is_file(path: Path) -> bool:
    """Whether there is such a file; False for what can be no file's name, where pathlib's own raises."""
    return os.path.isfile(path)  # noqa: PTH113


def read_provenance(folder: Path) -> dict[str, Any]:
    """The provenance of a verified artifact. Raises DataError where it is not there or not JSON."""
    path = folder / PROVENANCE_FILE
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise DataError(f"{path}: missing; take the whole folder that was exported") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({error}); export the artifact again") from error
    if not isinstance(found, dict):
        raise DataError(f"{path}: holds no JSON object; export the artifact again")
    return found


def _known() -> list[Path]:
    return [path for path in ARTIFACTS.glob("*") if _is_artifact(path)]


def _is_artifact(path: Path) -> bool:
    return not path.name.startswith(".") and (path / MANIFEST_FILE).is_file()
