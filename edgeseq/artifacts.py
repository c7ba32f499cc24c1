"""Where artifacts are: artifacts/NAME, the newest by default."""

from __future__ import annotations

from pathlib import Path

from edgeseq.names import unknown
from edgeseq_device.errors import UsageError
from edgeseq_device.manifest import MANIFEST_FILE

ARTIFACTS = Path("artifacts")


def find_artifact(reference: str | Path | None = None) -> Path:
    """An artifact's folder by its name under ./artifacts or by its path; None is the newest.

    `edgeseq_device.artifact.open_artifact` verifies it. Raises UsageError where there is none.
    """
    known = [path for path in ARTIFACTS.glob("*") if _is_artifact(path)]
    if reference is None:
        if not known:
            raise UsageError("there is no artifact under ./artifacts; make one with: edgeseq export --int8")
        return max(known, key=lambda path: (path / MANIFEST_FILE).stat().st_mtime_ns)
    for path in (ARTIFACTS / reference, Path(reference)):
        if path.is_dir():
            return path
    raise UsageError(unknown("artifact", str(reference), [path.name for path in known]))


def _is_artifact(path: Path) -> bool:
    return not path.name.startswith(".") and (path / MANIFEST_FILE).is_file()
