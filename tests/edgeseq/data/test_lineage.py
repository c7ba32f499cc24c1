"""Content hashes, and archives that are refused before anything is read from them."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edgeseq.data.lineage import common_folder, content_hash, open_tree, sha256_of
from edgeseq_device.errors import DataError

NAMES = st.lists(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map("/".join),
    min_size=1,
    max_size=6,
    unique=True,
)


def archive_with(path: Path, *members: zipfile.ZipInfo | str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for member in members:
            archive.writestr(member, b"content")
    return path


@given(names=NAMES, prefix=st.sampled_from(["", "top/", "a/", "deep/er/"]), seed=st.randoms())
def test_order_and_wrapping_folders_do_not_count(names: list[str], prefix: str, seed) -> None:
    files = [(name, sha256_of(name.encode())) for name in names]
    wrapped = [(prefix + name, digest) for name, digest in files]
    seed.shuffle(wrapped)
    assert content_hash(wrapped) == content_hash(files)


@given(names=NAMES)
def test_names_and_contents_count(names: list[str]) -> None:
    assume(len(names) > 1)
    files = [(name, sha256_of(name.encode())) for name in names]
    changed = [*files[1:], (files[0][0], sha256_of(b"other"))]
    renamed = [*files[1:], (files[0][0] + "x", files[0][1])]
    assert len({content_hash(files), content_hash(changed), content_hash(renamed)}) == 3


def test_a_single_file_counts_the_same_under_another_name() -> None:
    one, other = sha256_of(b"1"), sha256_of(b"2")
    assert content_hash([("a.csv", one)]) == content_hash([("moved/b.csv", one)])
    assert content_hash([("a.csv", one)]) != content_hash([("a.csv", other)])


def test_the_hash_is_the_documented_one() -> None:
    lines = f"{sha256_of(b'1')}  a.wav\n{sha256_of(b'2')}  b.wav\n"
    assert content_hash([("x/b.wav", sha256_of(b"2")), ("x/a.wav", sha256_of(b"1"))]) == sha256_of(
        lines.encode()
    )


@pytest.mark.parametrize(
    ("names", "folder"),
    [
        (["a/b/c.wav", "a/b/d.wav"], "a/b/"),
        (["a/b/c.wav", "a/x/d.wav"], "a/"),
        (["ab/c.wav", "a/d.wav"], ""),
        (["a/c.wav", "d.wav"], ""),
        (["d.wav"], ""),
        ([], ""),
    ],
)
def test_the_common_folder(names: list[str], folder: str) -> None:
    assert common_folder(names) == folder


@pytest.mark.parametrize(
    "name", ["../a.wav", "x/../../a.wav", "/etc/a.wav", "C:/a.wav", "C:a.wav", "x\\..\\a.wav", "x/.."]
)
def test_a_member_that_points_outside_is_refused(tmp_path: Path, name: str) -> None:
    path = archive_with(tmp_path / "w.zip", "yes/a.wav", name)
    with (
        pytest.raises(DataError, match=r"w\.zip: the member .* points outside the archive"),
        open_tree(path, ".wav"),
    ):
        pass
    assert sorted(tmp_path.iterdir()) == [path]


def test_dots_inside_a_name_are_harmless(tmp_path: Path) -> None:
    with open_tree(archive_with(tmp_path / "w.zip", "a..b/10:30.wav", "a../c.wav"), ".wav") as tree:
        assert tree.names == ("a../c.wav", "a..b/10:30.wav")
        assert tree.read("a../c.wav") == b"content"


def test_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("yes/a.wav")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with (
        pytest.raises(DataError, match="symbolic link"),
        open_tree(archive_with(tmp_path / "w.zip", link), ".wav"),
    ):
        pass


def test_one_name_twice_is_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        path = archive_with(tmp_path / "w.zip", "a.wav", "a.wav")
    with pytest.raises(DataError, match=r"a\.wav' is there twice"), open_tree(path, ".wav"):
        pass


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = archive_with(tmp_path / "w.zip", "a.wav")
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="encrypted"), open_tree(path, ".wav"):
        pass


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\3\4"])
def test_a_file_that_is_no_zip_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.zip").write_bytes(content)
    with (
        pytest.raises(DataError, match=r"w\.zip: not a readable zip"),
        open_tree(tmp_path / "w.zip", ".wav"),
    ):
        pass


def test_a_damaged_member_is_refused_by_name(tmp_path: Path) -> None:
    path = archive_with(tmp_path / "w.zip", "yes/a.wav")
    content = path.read_bytes().replace(b"content", b"c0ntent")
    path.write_bytes(content)
    with (
        pytest.raises(DataError, match=r"w\.zip: yes/a\.wav: the archive is damaged"),
        open_tree(path, ".wav") as tree,
    ):
        tree.read("yes/a.wav")


def claiming(path: Path, *sizes: int) -> Path:
    """An archive whose directory says that its members unpack to so many bytes."""
    archive_with(path, *(f"{i}.wav" for i in range(len(sizes))))
    content = bytearray(path.read_bytes())
    at = 0
    for size in sizes:
        at = content.index(b"PK\1\2", at) + 4
        content[at + 20 : at + 24] = size.to_bytes(4, "little")
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("sizes", [[2**31 + 1], [2**31] * 5])
def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path, sizes: list[int]) -> None:
    with (
        pytest.raises(DataError, match=rf"w\.zip: the member '{len(sizes) - 1}\.wav' unpacks to"),
        open_tree(claiming(tmp_path / "w.zip", *sizes), ".wav"),
    ):
        pass


def test_a_large_archive_is_read(tmp_path: Path) -> None:
    with open_tree(claiming(tmp_path / "w.zip", *[2**31] * 4), ".wav") as tree:
        assert len(tree.names) == 4
