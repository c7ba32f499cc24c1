"""Unpacking a zip from elsewhere: nothing in it may reach outside the folder that it is meant for."""

from __future__ import annotations

import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath

from edgeseq_device.errors import DataError


def unzip(archive: Path, folder: Path, name: str) -> None:
    """Unpack a zip into `folder`, which may hold others already. name: of the archive, for people.

    DataError, before anything is unpacked, for what is no zip and for a member that is a link or points
    outside; DataError too for a file that is there twice. Times are those of unpacking: a zip has none before
    1980, and a board's clock may be there.
    """
    try:
        with zipfile.ZipFile(archive) as content:
            members = content.infolist()
            for member in members:
                _check_member(member, name)
            for member in members:
                target = folder / member.filename
                if member.is_dir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                with content.open(member) as source, target.open("xb") as file:
                    shutil.copyfileobj(source, file, 1 << 20)
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise DataError(f"{name}: not a zip archive ({error}); try again with a fresh copy") from error
    except FileExistsError as error:
        raise DataError(f"{name}: {error.filename} is there twice; not unpacked") from error


def _check_member(member: zipfile.ZipInfo, name: str) -> None:
    path = PurePosixPath(member.filename)
    inside = not path.is_absolute() and ".." not in path.parts and "\\" not in member.filename
    if stat.S_ISLNK(member.external_attr >> 16) or not inside:
        raise DataError(f"{name}: its member {member.filename!r} is a link or points outside; not unpacked")
