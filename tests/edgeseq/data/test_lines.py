"""Lines of text files: decoded one at a time, refused by number."""

from __future__ import annotations

import hashlib
import io
import tracemalloc
from pathlib import Path

import pytest

from edgeseq.data.lines import LONGEST_LINE_BYTES, Lines
from edgeseq_device.errors import DataError

PATH = Path("a.txt")


def lines_of(content: bytes) -> Lines:
    return Lines(io.BytesIO(content), PATH)


def test_lines_keep_their_ends_and_a_byte_order_mark_is_left_out() -> None:
    content = b"\xef\xbb\xbfone\r\ntwo\xef\xbb\xbf\nthree"
    lines = lines_of(content)
    assert list(lines) == ["one\r\n", "two\ufeff\n", "three"]
    assert lines.number == 3
    assert lines.sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"ok\nab\xe9cd\n", r"a\.txt: line 2: byte 3 \(0xe9\) is not UTF-8: invalid continuation byte"),
        (b"ok\n\n\xff\n", r"a\.txt: line 3: byte 1 \(0xff\) is not UTF-8: invalid start byte"),
        (b"ok\nab\xc3", r"a\.txt: line 2: byte 3 \(0xc3\) is not UTF-8: unexpected end of data"),
        (b"ok\nab\0\n", r"a\.txt: line 2: byte 3 is a NUL; is this UTF-16\?"),
        ("hello".encode("utf-16"), r"line 1: byte \d is a NUL; is this UTF-16\?"),
    ],
)
def test_what_is_no_text_is_refused_by_line_and_byte(content: bytes, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        list(lines_of(content))


def test_a_line_may_be_as_long_as_the_limit() -> None:
    assert [len(line) for line in lines_of(b"a" * (LONGEST_LINE_BYTES - 1) + b"\nb")] == [
        LONGEST_LINE_BYTES,
        1,
    ]


def test_a_line_of_10_megabytes_is_refused_without_reading_it_whole(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_bytes(b"short\n" + b"a" * 10_000_000)
    tracemalloc.start()
    with (
        path.open("rb") as file,
        pytest.raises(DataError, match=r"long\.txt: line 2: the line is longer than"),
    ):
        list(Lines(file, path))
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 4 * LONGEST_LINE_BYTES
