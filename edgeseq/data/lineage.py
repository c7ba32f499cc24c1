"""Which data was it? A hash over the content of the files, whatever wraps them.

A folder tree, and a zip of that tree, are read through one interface; names are compared without the folders
that all files share, so that a repackaged zip and the unpacked folder count the same. The name of a single
file is left out: it counts the same once renamed.
"""

from __future__ import annotations

import hashlib
import lzma
import posixpath
import re
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edgeseq_device.errors import DataError

OUTSIDE = re.compile(r"^/|^[A-Za-z]:|\\|\0|(^|/)\.\.(/|$)")  # what no member's name may hold
ARCHIVE_FAULTS = (  # all that zipfile raises on bytes that are no sound archive
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    NotImplementedError,
    UnicodeDecodeError,
    OverflowError,
)
LARGEST_MEMBER_BYTES = 2 << 30  # unpacked: one recording or array; an hour of 16-bit stereo is 0.6 GiB
LARGEST_ARCHIVE_BYTES = 8 << 30  # unpacked: all recordings are held in memory together
Digest = tuple[str, str]  # a file's name and the sha256 of its bytes, in hexadecimal


class FileTree(Protocol):
    """Files by name: relative, with forward slashes."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all files, sorted."""

    def read(self, name: str) -> bytes:
        """The file's bytes."""


@dataclass(frozen=True)
class FolderTree:
    """The files under a folder."""

    root: Path
    names: tuple[str, ...]

    def read(self, name: str) -> bytes:
        """The file's bytes."""
        return (self.root / name).read_bytes()


@dataclass(frozen=True)
class ZipTree:
    """The files in an open zip archive, checked by `check_archive`."""

    archive: zipfile.ZipFile
    path: Path
    names: tuple[str, ...]

    def read(self, name: str) -> bytes:
        """The file's bytes. Raises DataError for a damaged member."""
        try:
            return self.archive.read(name)
        except ARCHIVE_FAULTS as error:
            raise DataError(f"{self.path}: {name}: the archive is damaged here ({error})") from error


@contextmanager
def open_tree(path: Path, suffix: str) -> Iterator[FileTree]:
    """The files with that suffix (`.wav`, any case) in a folder or a zip; hidden files are left out.

    Raises DataError when `path` is no readable zip, or one that `check_archive` refuses.
    """
    if path.is_dir():
        found = (file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
        yield FolderTree(path, _wanted(found, suffix, path))
        return
    try:
        archive = zipfile.ZipFile(path)
    except ARCHIVE_FAULTS as error:
        raise DataError(f"{path}: not a readable zip archive ({error})") from error
    with archive:
        check_archive(archive, path)
        yield ZipTree(archive, path, _wanted(archive.namelist(), suffix, path))


def _wanted(names: Iterable[str], suffix: str, path: Path) -> tuple[str, ...]:
    wanted = sorted(
        name
        for name in names
        if name.lower().endswith(suffix)
        and not any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))
    )
    for name in wanted:
        if not name.isprintable():
            raise DataError(f"{path}: the file name {name!r} is not plain text in UTF-8; rename the file")
    return tuple(wanted)


def check_archive(archive: zipfile.ZipFile, path: Path) -> None:
    """Raises DataError for a member that is no plain file inside the archive's own folder.

    That is: an absolute name, a name with `..` or a backslash or a drive, a symbolic link, an encrypted
    member, or one name twice; also one of more than `LARGEST_MEMBER_BYTES`. zipfile unpacks no more than a
    member's own `file_size`. Raises DataError for more than `LARGEST_ARCHIVE_BYTES` in all, too.
    """
    seen: set[str] = set()
    unpacked_bytes = 0
    for member in archive.infolist():
        name = member.orig_filename
        if OUTSIDE.search(name):
            raise DataError(f"{path}: the member {name!r} points outside the archive; repack it")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise DataError(f"{path}: the member {name!r} is a symbolic link; repack it with the file itself")
        if member.flag_bits & 0x1:
            raise DataError(f"{path}: the member {name!r} is encrypted; unpack it and give the folder")
        unpacked_bytes += member.file_size
        if member.file_size > LARGEST_MEMBER_BYTES or unpacked_bytes > LARGEST_ARCHIVE_BYTES:
            raise DataError(
                f"{path}: the member {name!r} unpacks to {member.file_size} bytes, with those before it to"
                f" {unpacked_bytes}; at most {LARGEST_MEMBER_BYTES} and {LARGEST_ARCHIVE_BYTES} are read;"
                " cut it into parts, or unpack it and give the folder"
            )
        if name in seen:
            raise DataError(f"{path}: the member {name!r} is there twice; repack it")
        seen.add(name)


def common_folder(names: Iterable[str]) -> str:
    """The folder that holds all these names, with a final slash; empty when there is none."""
    parents = {posixpath.dirname(name) for name in names}
    shared = posixpath.commonpath(parents) if parents else ""
    return f"{shared}/" if shared else ""


def sha256_of(content: bytes) -> str:
    """Hexadecimal sha256."""
    return hashlib.sha256(content).hexdigest()


def content_hash(files: Iterable[Digest]) -> str:
    """sha256 over lines `<sha256>  <name>` sorted by name; the folder that all names share is left out.

    A single file's own name is left out as well.
    """
    digests = list(files)
    if len(digests) == 1:
        digests = [("", digests[0][1])]
    prefix = len(common_folder(name for name, _ in digests))
    lines = sorted((name[prefix:], digest) for name, digest in digests)
    return sha256_of("".join(f"{digest}  {name}\n" for name, digest in lines).encode("utf-8"))
