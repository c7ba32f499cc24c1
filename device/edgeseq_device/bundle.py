"""An artifact on its way to a board: one zip of its folder, unpacked and checked where it is used."""

from __future__ import annotations

import shutil
import zipfile
from contextlib import suppress
from pathlib import Path

from edgeseq_device.artifact import Artifact, open_artifact, sha256_of
from edgeseq_device.errors import DataError, EdgeseqError, room_advice
from edgeseq_device.manifest import plain_name
from edgeseq_device.unzip import unzip


def copied(artifact: str, sha256: str | None, copy: Path) -> Artifact:
    """A verified copy of an artifact in a new folder `copy`: what is loaded is what was checked, whatever
    becomes of the original meanwhile. DataError when it was tampered with.

    artifact: a folder, or with its sha256 the bundle of one.
    """
    if sha256 is not None:
        unpack_bundle(Path(artifact), sha256, copy)
        return open_artifact(copy)
    open_artifact(artifact)  # refuses links and strangers under the name the user knows
    try:
        return open_artifact(shutil.copytree(artifact, copy, symlinks=True))
    except shutil.Error as error:
        reason = error.args[0][0][2]
        raise EdgeseqError(
            f"{artifact}: cannot be copied to {copy.parent} ({reason}){room_advice(reason)}"
        ) from error


def unpack_bundle(bundle: Path, sha256: str, folder: Path) -> None:
    """Unpack the artifact in `bundle` into a new `folder`. DataError, before anything is unpacked, when its
    content is not that of `sha256`, and for a member that is no plain file of the folder itself."""
    try:
        found = sha256_of(bundle)
        if found != sha256:
            with suppress(OSError):
                bundle.unlink()  # what is there is not sent again
            raise DataError(f"{bundle}: changed on its way to the board (sha256 differs); send it again")
        with zipfile.ZipFile(bundle) as archive:
            for name in archive.namelist():
                plain_name(name, str(bundle))
        folder.mkdir(mode=0o700)
        unzip(bundle, folder, str(bundle))
    except FileNotFoundError:
        raise DataError(f"{bundle}: not there; send the artifact again") from None
    except zipfile.BadZipFile as error:
        raise DataError(f"{bundle}: not a bundle ({error}); send the artifact again") from error
