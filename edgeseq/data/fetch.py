"""Downloads a named data set into the cache, in the form that a local mirror has too.

A public archive wraps its files in folders of its own; only the members that the catalogue wants are kept,
under their base names. What is downloaded is kept only when its content hash is the catalogue's.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from edgeseq.data.catalogue import DATA_DIR_VARIABLE, Download, NamedSet
from edgeseq.data.lineage import ARCHIVE_FAULTS, check_archive, content_hash, sha256_of
from edgeseq_device.errors import DataError, EdgeseqError

CHUNK_BYTES = 1 << 16
TIMEOUT_S = 30
LARGEST_BYTES = 2_000_000_000  # no set of the catalogue comes near it
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)

Progress = Callable[[int, "int | None"], None]  # bytes so far, bytes in all where the server says
OpenUrl = Callable[[str], IO[bytes]]


class HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only to another https address."""

    def redirect_request(  # type: ignore[no-untyped-def]
        self, req, fp, code, msg, headers, newurl
    ) -> urllib.request.Request | None:
        """Raises DataError when the server leads away from https."""
        check_https(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def check_https(url: str) -> None:
    """Raises DataError for an address that is not https."""
    if urlsplit(url).scheme != "https":
        raise DataError(f"{url}: only https addresses are downloaded from")


def open_https(url: str) -> IO[bytes]:
    """The response of an https address."""
    check_https(url)
    request = urllib.request.Request(url, headers={"User-Agent": "edgeseq"})  # noqa: S310 - checked above
    response: IO[bytes] = urllib.request.build_opener(HttpsOnly).open(request, timeout=TIMEOUT_S)
    return response


def fetch(known: NamedSet, folder: Path, progress: Progress, open_url: OpenUrl = open_https) -> Path:
    """Download `known` into `folder`; returns its first file there.

    Nothing appears under its final name before its content is known to be right. Raises EdgeseqError when
    the download fails, DataError when its content is not the catalogue's.
    """
    if known.download is None:
        raise DataError(f"{known.name} is built in; there is nothing to fetch")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{known.name}-") as temporary:
        downloaded = Path(temporary) / "download"
        _download(known, downloaded, progress, open_url)
        unwrapped = Path(temporary) / "content"
        unwrapped.mkdir()
        if known.download.member is None:
            downloaded.replace(unwrapped / known.files[0])
        else:
            unwrap(downloaded, known.download, unwrapped)
        _check_content(known, unwrapped)
        for file in _packed(known, unwrapped):
            file.replace(folder / file.name)
    return folder / known.files[0]


def _download(known: NamedSet, destination: Path, progress: Progress, open_url: OpenUrl) -> None:
    assert known.download is not None  # noqa: S101 - the caller's check
    url = known.download.url
    advice = f"put {' and '.join(known.files)} in a folder and set {DATA_DIR_VARIABLE} to it"
    try:
        with open_url(url) as response, destination.open("wb") as file:
            total = _length(response)
            received = 0
            while chunk := response.read(CHUNK_BYTES):
                received += len(chunk)
                if received > LARGEST_BYTES:
                    raise DataError(f"{url}: the download is larger than any data set of ours; stopped")
                file.write(chunk)
                progress(received, total)
    except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", None) or error
        raise EdgeseqError(f"{url}: cannot be downloaded ({reason}); try again later, or {advice}") from error
    if total is not None and received != total:
        raise EdgeseqError(f"{url}: the download broke off after {received} of {total} bytes; try again")


def _length(response: IO[bytes]) -> int | None:
    headers = getattr(response, "headers", None)
    text = headers.get("Content-Length") if headers is not None else None
    return int(text) if text is not None and re.fullmatch(r"[0-9]{1,18}", text) else None


def unwrap(archive: Path, download: Download, destination: Path) -> None:
    """Write the wanted members of a public archive into the folder `destination`, under their base names.

    Lines of a text format (`.ts`) end in a line feed afterwards. Raises DataError for no readable zip,
    an unsafe member, or no wanted member.
    """
    for name, content in _members(archive, download):
        text = name.endswith(".ts")
        (destination / name).write_bytes(content.replace(b"\r\n", b"\n") if text else content)
    if not any(destination.iterdir()):
        raise DataError(f"{download.url}: the archive holds none of the data set's files")


def _members(archive: Path, download: Download) -> Iterator[tuple[str, bytes]]:
    """Final name and content of each wanted member."""
    wanted = re.compile(download.member or "")
    try:
        with zipfile.ZipFile(archive) as opened:
            check_archive(opened, archive)
            matches = [match for name in opened.namelist() if (match := wanted.search(name))]
            for match in matches:
                yield match.group(1), opened.read(match.string)
    except ARCHIVE_FAULTS as error:
        raise DataError(f"{download.url}: the download is no readable zip archive ({error})") from error


def _check_content(known: NamedSet, folder: Path) -> None:
    assert known.download is not None  # noqa: S101 - the caller's check
    found = content_hash((file.name, sha256_of(file.read_bytes())) for file in folder.iterdir())
    if found != known.content_sha256:
        raise DataError(
            f"{known.download.url}: the content ({found[:12]}) is not the {known.name} that edgeseq knows"
            f" ({known.content_sha256[:12]}); nothing was kept"
        )


def _packed(known: NamedSet, folder: Path) -> list[Path]:
    """The set's files as a mirror has them: one zip of everything, or the files themselves."""
    if not known.files[0].endswith(".zip"):
        return [folder / name for name in known.files]
    packed = folder.parent / known.files[0]
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            member = zipfile.ZipInfo(file.name, ZIP_EPOCH)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = 0o644 << 16
            with archive.open(member, "w") as target, file.open("rb") as source:
                shutil.copyfileobj(source, target)
    return [packed]
