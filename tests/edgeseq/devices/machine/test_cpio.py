"""The archive is one that the kernel can unpack."""

from __future__ import annotations

import stat

from edgeseq.devices.machine import cpio


def read(packed: bytes) -> list[tuple[str, int, bytes]]:
    """Name, mode and content of each file, by the format's description in the kernel's documentation."""
    found: list[tuple[str, int, bytes]] = []
    offset = 0
    while True:
        assert packed[offset : offset + 6] == b"070701"
        assert offset % 4 == 0
        fields = [int(packed[at : at + 8], 16) for at in range(offset + 6, offset + 110, 8)]
        mode, size, name_size = fields[1], fields[6], fields[11]
        name = packed[offset + 110 : offset + 110 + name_size - 1].decode()
        assert packed[offset + 110 + name_size - 1] == 0
        begin = (offset + 110 + name_size + 3) // 4 * 4
        offset = (begin + size + 3) // 4 * 4
        if name == "TRAILER!!!":
            assert offset == len(packed)
            return found
        found.append((name, mode, packed[begin : begin + size]))


def test_folders_programs_and_links_are_read_back() -> None:
    entries = [cpio.folder("bin"), cpio.program("bin/tool", b"#!x"), cpio.link("bin/sh", "tool")]
    assert read(cpio.archive(entries)) == [
        ("bin", stat.S_IFDIR | 0o755, b""),
        ("bin/tool", stat.S_IFREG | 0o755, b"#!x"),
        ("bin/sh", stat.S_IFLNK | 0o777, b"tool"),
    ]


def test_names_and_contents_of_every_length_are_padded_right() -> None:
    entries = [cpio.program("n" * (1 + size), b"c" * size) for size in range(9)]
    assert [(name, content) for name, _, content in read(cpio.archive(entries))] == [
        (each.name, each.content) for each in entries
    ]


def test_every_file_has_an_inode_of_its_own() -> None:
    packed = cpio.archive([cpio.program("a", b""), cpio.program("b", b"")])
    first, second = packed[6:14], packed[112 + 6 : 112 + 14]
    assert first != second
