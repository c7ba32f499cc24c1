"""Fetching, from a server in memory that gives what the public address would."""

from __future__ import annotations

import dataclasses
import io
import urllib.error
import zipfile
from email.message import Message
from pathlib import Path
from typing import IO

import pytest

from edgeseq.data import load
from edgeseq.data.catalogue import CATALOGUE, NamedSet
from edgeseq.data.fetch import HttpsOnly, fetch, open_https
from edgeseq.data.lineage import content_hash, sha256_of
from edgeseq.data.load import load_path
from edgeseq_device.errors import DataError, EdgeseqError

Reports = list[tuple[int, int | None]]


class Response(io.BytesIO):
    """What urllib's openers return, as far as a download looks at it."""

    def __init__(self, content: bytes, declared: int | None) -> None:
        super().__init__(content)
        self.headers = Message()
        if declared is not None:
            self.headers["Content-Length"] = str(declared)


class Server:
    """Answers every address with the same bytes, and remembers the addresses."""

    def __init__(self, content: bytes, declared: int | None = None) -> None:
        self.content, self.declared, self.asked = content, declared, []

    def __call__(self, url: str) -> IO[bytes]:
        self.asked.append(url)
        return Response(self.content, self.declared)


def ignored(done: int, total: int | None) -> None:
    pass


@pytest.fixture
def digits(tmp_path: Path, write_wav) -> tuple[NamedSet, bytes]:
    """A small set named fsdd, and the archive in the layout that GitHub gives a repository."""
    plain = tmp_path / "plain"
    for take in range(4, 8):  # 4 is a test recording
        for digit in range(2):
            write_wav(plain / f"{digit}_anna_{take}.wav", 2 * take + digit)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("free-spoken-digit-dataset-master/README.md", "# readme")
        archive.writestr("free-spoken-digit-dataset-master/recordings/", "")
        archive.writestr("free-spoken-digit-dataset-master/elsewhere/0_anna_9.wav", "no part of it")
        for file in sorted(plain.iterdir(), reverse=True):
            archive.write(file, f"free-spoken-digit-dataset-master/recordings/{file.name}")
    known = CATALOGUE["fsdd"]
    found = load_path(plain, known.options).content_sha256
    return dataclasses.replace(known, content_sha256=found, recordings=8), content.getvalue()


def test_a_github_archive_becomes_the_plain_set(tmp_path: Path, digits: tuple[NamedSet, bytes]) -> None:
    known, archive = digits
    reports: Reports = []
    server = Server(archive, len(archive))
    path = fetch(known, tmp_path / "cache", lambda done, total: reports.append((done, total)), server)
    assert server.asked == [known.download.url]
    assert path == tmp_path / "cache/fsdd.zip"
    dataset = load_path(path, known.options)
    assert dataset.content_sha256 == known.content_sha256
    assert [recording.name for recording in dataset.recordings][:2] == ["0_anna_4.wav", "0_anna_5.wav"]
    assert reports[-1] == (len(archive), len(archive))
    assert [file.name for file in (tmp_path / "cache").iterdir()] == ["fsdd.zip"]


def test_the_same_set_is_packed_into_the_same_bytes(tmp_path: Path, digits: tuple[NamedSet, bytes]) -> None:
    known, archive = digits
    one, other = (fetch(known, tmp_path / folder, ignored, Server(archive)) for folder in "ab")
    assert one.read_bytes() == other.read_bytes()


def test_a_plain_file_is_kept_under_the_sets_own_name(tmp_path: Path) -> None:
    content = b'{"train": [["hello", "greet"]], "val": [], "test": []}'
    digest = content_hash([("data_full.json", sha256_of(content))])
    known = dataclasses.replace(CATALOGUE["clinc150"], content_sha256=digest)
    path = fetch(known, tmp_path / "cache", ignored, Server(content))
    assert path == tmp_path / "cache/clinc150.json"
    assert path.read_bytes() == content
    with pytest.raises(DataError, match="is not the clinc150 that edgeseq knows"):
        fetch(known, tmp_path / "cache", ignored, Server(content + b" "))
    assert path.read_bytes() == content
    assert [file.name for file in (tmp_path / "cache").iterdir()] == ["clinc150.json"]


def test_the_real_fsdd_survives_githubs_wrapping(tmp_path: Path, data_dir: Path) -> None:
    wrapped = io.BytesIO()
    with zipfile.ZipFile(data_dir / "fsdd.zip") as source, zipfile.ZipFile(wrapped, "w") as target:
        for name in source.namelist():
            target.writestr(f"free-spoken-digit-dataset-master/recordings/{name}", source.read(name))
    path = fetch(CATALOGUE["fsdd"], tmp_path, ignored, Server(wrapped.getvalue()))
    assert path.stat().st_size < 20_000_000


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_the_real_basicmotions_survives_its_wrapping(
    tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch, line_end: bytes
) -> None:
    wrapped = io.BytesIO()
    with zipfile.ZipFile(wrapped, "w") as target:
        target.writestr("BasicMotions_TRAIN.arff", "other formats of the same")
        for name in CATALOGUE["basicmotions"].files:
            target.writestr(name, (data_dir / name).read_bytes().replace(b"\n", line_end))
    fetch(CATALOGUE["basicmotions"], tmp_path, ignored, Server(wrapped.getvalue()))
    monkeypatch.setenv("EDGESEQ_DATA_DIR", str(tmp_path))
    assert len(load("basicmotions").recordings) == 80


def refused(
    known: NamedSet, folder: Path, server: Server, reason: str, kind: type[EdgeseqError] = DataError
) -> None:
    """The fetch fails so, leaves nothing new, and what was there as it was."""
    folder.mkdir()
    (folder / "fsdd.zip").write_bytes(b"an older one")
    with pytest.raises(kind, match=reason) as caught:
        fetch(known, folder, ignored, server)
    assert type(caught.value) is kind
    assert [(file.name, file.read_bytes()) for file in folder.iterdir()] == [("fsdd.zip", b"an older one")]


def test_an_interrupted_download_leaves_nothing(tmp_path: Path, digits: tuple[NamedSet, bytes]) -> None:
    def interrupt(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(digits[0], tmp_path / "cache", interrupt, Server(digits[1]))
    assert list((tmp_path / "cache").iterdir()) == []


def test_other_content_is_refused(tmp_path: Path, digits: tuple[NamedSet, bytes]) -> None:
    archive = digits[1]
    server = Server(archive)
    refused(
        CATALOGUE["fsdd"], tmp_path / "cache", server, "is not the fsdd that edgeseq knows .*nothing was kept"
    )


@pytest.mark.parametrize("declared", [True, False])
def test_a_download_that_breaks_off_is_refused(
    tmp_path: Path, digits: tuple[NamedSet, bytes], declared: bool
) -> None:
    known, archive = digits
    server = Server(archive[:-200], len(archive) if declared else None)
    reason, kind = ("broke off after", EdgeseqError) if declared else ("no readable zip archive", DataError)
    refused(known, tmp_path / "cache", server, reason, kind)


def test_an_archive_with_path_traversal_is_refused(tmp_path: Path, digits: tuple[NamedSet, bytes]) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("x/../../recordings/0_anna_0.wav", "out")
    refused(digits[0], tmp_path / "cache", Server(content.getvalue()), "points outside the archive")


def test_an_archive_of_something_else_is_refused(tmp_path: Path, digits: tuple[NamedSet, bytes]) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("readme.txt", "moved")
    refused(digits[0], tmp_path / "cache", Server(content.getvalue()), "none of the data set's files")


def test_no_network_says_what_to_do(tmp_path: Path, digits: tuple[NamedSet, bytes]) -> None:
    def offline(url: str) -> IO[bytes]:
        raise urllib.error.URLError("Name or service not known")

    reason = (
        r"downloaded \(Name or service not known\); .* put fsdd\.zip in a folder and set EDGESEQ_DATA_DIR"
    )
    refused(digits[0], tmp_path / "cache", offline, reason, EdgeseqError)  # type: ignore[arg-type]


@pytest.mark.parametrize("url", ["http://example.org/a.zip", "file:///etc/passwd", "ftp://example.org/a.zip"])
def test_only_https_is_opened(url: str) -> None:
    with pytest.raises(DataError, match="only https"):
        open_https(url)


def test_a_redirect_away_from_https_is_refused() -> None:
    request = urllib.request.Request("https://example.org/a.zip")
    with pytest.raises(DataError, match="only https"):
        HttpsOnly().redirect_request(request, None, 302, "Found", Message(), "http://example.org/a.zip")
    onward = HttpsOnly().redirect_request(request, None, 302, "Found", Message(), "https://example.net/b.zip")
    assert onward.full_url == "https://example.net/b.zip"


def test_a_built_in_set_is_not_fetched(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gestures is built in"):
        fetch(CATALOGUE["gestures"], tmp_path / "cache", ignored)
    assert not (tmp_path / "cache").exists()


def test_the_catalogues_patterns_name_each_file_once() -> None:
    import re

    for known in CATALOGUE.values():
        if known.download is not None and known.download.member is not None:
            assert re.compile(known.download.member).groups == 1
