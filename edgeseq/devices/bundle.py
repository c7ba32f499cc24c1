"""Several files as one zip, by which they travel to a board: the agent's code, an artifact."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

from edgeseq_device.errors import DataError

_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


def zipped(members: Mapping[str, bytes]) -> bytes:
    """A zip whose bytes depend on the members' names and content only."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, body in members.items():
            entry = zipfile.ZipInfo(name, _ZIP_EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, body, zipfile.ZIP_DEFLATED)
    return content.getvalue()


def write_bundle(artifact: Path, folder: Path) -> Path:
    """Zip the files of the folder `artifact` into `folder`, for `edgeseq_device.bundle` to unpack.

    DataError when it is gone or holds what is no file.
    """
    path = folder / f"{artifact.name}.zip"
    try:
        path.write_bytes(zipped({file.name: file.read_bytes() for file in sorted(artifact.iterdir())}))
    except OSError as error:
        raise DataError(
            f"{artifact}: cannot be packed ({error.strerror}); export the artifact again"
        ) from error
    return path
