"""Writing a cpio archive in the "newc" format, the one that the kernel unpacks as its first file system."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass

_MAGIC = b"070701"
_TRAILER = "TRAILER!!!"


@dataclass(frozen=True)
class Entry:
    """A file of an archive. mode: type and permissions, as in st_mode. content: of a link, its target."""

    name: str
    mode: int
    content: bytes = b""


def folder(name: str) -> Entry:
    """A folder that everybody may read."""
    return Entry(name, stat.S_IFDIR | 0o755)


def program(name: str, content: bytes) -> Entry:
    """A file that may be run."""
    return Entry(name, stat.S_IFREG | 0o755, content)


def link(name: str, target: str) -> Entry:
    """A symbolic link to `target`."""
    return Entry(name, stat.S_IFLNK | 0o777, target.encode())


def archive(entries: Iterable[Entry]) -> bytes:
    """The archive of `entries`, in their order (a folder comes before what is in it); all belong to root."""
    packed = bytearray()
    for number, entry in enumerate([*entries, Entry(_TRAILER, 0)], start=1):
        packed += _packed(number, entry)
    return bytes(packed)


def _packed(number: int, entry: Entry) -> bytes:
    name = entry.name.encode() + b"\0"
    # inode, mode, uid, gid, links, mtime, size, two devices of two numbers each, the name's size, a check sum
    fields = (number, entry.mode, 0, 0, 1, 0, len(entry.content), 0, 0, 0, 0, len(name), 0)
    header = _MAGIC + b"".join(b"%08x" % field for field in fields)
    return _padded(header + name) + _padded(entry.content)


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % 4)
