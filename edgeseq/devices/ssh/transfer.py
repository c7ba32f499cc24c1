"""Files for a board, stored there by their content: sent once, resumed after a break, checked there.

A file has its final name, its SHA-256 in `~/.edgeseq/blobs`, only when the board itself has found that hash.
"""

from __future__ import annotations

import hashlib
import os
import re
import selectors
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from edgeseq.devices.cache import Progress
from edgeseq.devices.ssh.connection import Connection
from edgeseq.devices.ssh.faults import last_words, printable
from edgeseq_device.errors import DataError, DeviceError, EdgeseqError
from edgeseq_device.layout import BLOBS, FOLDER

_BLOCK_BYTES = 1 << 16
_STALL_S = 60.0
_SLOWEST_BYTES_PER_S = 500_000  # of a board that writes a file to its card and reads it once more
_ATTEMPTS = 3
_BUSY_S, _BUSY_LOOKS = 1.0, 3

_BLOBS = f"{FOLDER}/{BLOBS}"

# $1: "hash" to read what is there, too, which else counts by its size; then sha256:size of each file. The
# time of a blob is that of its last use. Both scripts end with status 5 when the board cannot write.
_ASK = (
    f"umask 077; mkdir -p {_BLOBS} && cd {_BLOBS} || exit 5;"
    """
df -Pk . | tail -n 1;
how=$1;
shift;
for blob in "$@"; do
  name=${blob%:*};
  if [ "$(stat -c %s $name 2>/dev/null)" = ${blob#*:} ]; then
    sum=$name;
    [ $how = size ] || sum=$(sha256sum < $name);
    [ "${sum%% *}" = $name ] && { touch $name 2>/dev/null; echo $name whole; continue; };
    rm -f $name;
  fi;
  echo $name $(stat -c %s $name.part 2>/dev/null || echo 0);
done
"""
)

# $1: sha256, $2: bytes that are there, $3: bytes in all, $4: "steal" to write although another process does.
# Status 3: it is incomplete, which is no damage: cat ends without an error when the connection breaks.
# Status 4: it has another hash. Status 6: another process writes it, or one of a connection that broke
# unnoticed; where the board has no flock, only the hash tells. The lock stays until the script ends.
_RECEIVE = (
    f"umask 077; cd {_BLOBS} || exit 5;"
    """
part=$1.part;
[ $2 -gt 0 ] || [ $4 = wait ] || rm -f $part;
exec 9>> $part;
flock -n 9;
[ $? -ne 1 ] || [ $4 = steal ] || exit 6;
[ $2 -gt 0 ] || true > $part || exit 5;
[ "$(stat -c %s $part)" = $2 ] || exit 3;
cat >> $part || { rm -f $part; exit 5; };
[ $(stat -c %s $part) -ge $3 ] || exit 3;
sum=$(sha256sum < $part) || exit 5;
[ "${sum%% *}" = $1 ] || { rm -f $part; exit 4; };
sync $part;
mv -f $part $1 || exit 5
"""
)
_INCOMPLETE, _DAMAGED, _BUSY = 3, 4, 6


@dataclass(frozen=True)
class Blob:
    """A file of this host by its content. sha256: 64 hexadecimal digits."""

    sha256: str
    size_bytes: int
    path: Path


def blob_of(path: Path) -> Blob:
    """The blob that a file is now; DataError when it cannot be read."""
    digest, size_bytes = hashlib.sha256(), 0
    try:
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK_BYTES):
                digest.update(block)
                size_bytes += len(block)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    return Blob(digest.hexdigest(), size_bytes, path)


def send(
    connection: Connection, blobs: Sequence[Blob], progress: Progress, *, hash_there: bool = False
) -> None:
    """Put the blobs that the board lacks into its ~/.edgeseq/blobs.

    hash_there: whether what is there is read once more, for what nobody checks when it is used.

    ConnectionLostError when the connection breaks; what has arrived stays, and the next call sends the rest.
    EdgeseqError when the board's disk is full or will be, and nothing of the blob at fault stays; DeviceError
    when the board cannot store a blob; DataError when a file changed since `blob_of`.
    """
    missing, free_bytes = _missing(connection, blobs, hash_there=hash_there)
    total = sum(blob.size_bytes - there for blob, there in missing)
    if free_bytes is not None and total > free_bytes:
        raise EdgeseqError(
            f"{connection.name}: its disk has {_size(free_bytes)} free and {_size(total)} are to be sent, "
            f"{_size(total - free_bytes)} too many; {_make_room(connection)}"
        )
    sent = 0
    for blob, there in missing:
        _send_one(connection, blob, there, _share(progress, blob, sent - there, total))
        sent += blob.size_bytes - there
    progress(1.0, "everything is on the board")


_OnSent = Callable[[int], None]
"""Called with how much of a blob the board has, in bytes."""


def _share(progress: Progress, blob: Blob, before: int, total: int) -> _OnSent:
    """One blob's part of the progress: `before` and what is there of it are sent of the `total` bytes."""
    name = printable(blob.path.name)

    def on_sent(there: int) -> None:
        fraction = min(max((before + there) / max(total, 1), 0.0), 1.0)
        progress(fraction, f"sending {name}, {there / 1e6:.1f} of {blob.size_bytes / 1e6:.1f} MB")

    return on_sent


def _missing(
    connection: Connection, blobs: Sequence[Blob], *, hash_there: bool = False
) -> tuple[list[tuple[Blob, int]], int | None]:
    """The blobs the board lacks, each with how many bytes of it are there; its free disk space in bytes."""
    wanted = {blob.sha256: blob for blob in blobs}
    words = (f"{each.sha256}:{each.size_bytes}" for each in wanted.values())
    done = connection.attempt(_ASK, "hash" if hash_there else "size", *words)
    if done.returncode != 0:
        raise _cannot_store(connection, done.returncode, done.stderr)
    disk, *lines = done.stdout.decode("ascii", "replace").splitlines() or [""]
    told = dict(line.split(" ") for line in lines if line.count(" ") == 1)
    if told.keys() != wanted.keys() or not all(re.fullmatch("whole|[0-9]+", each) for each in told.values()):
        raise DeviceError(f"{connection.name}: does not tell which files it has; are stat and df there?")
    missing = [(blob, int(told[key])) for key, blob in wanted.items() if told[key] != "whole"]
    missing = [(blob, there if there <= blob.size_bytes else 0) for blob, there in missing]
    # Blocks in all, used, available: the names before and after them may have blanks.
    free = re.search(r"\s\d+\s+\d+\s+(\d+)\s+\d+%\s", disk)
    return missing, int(free.group(1)) * 1024 if free else None


def _send_one(connection: Connection, blob: Blob, there: int, on_sent: _OnSent) -> None:
    """Send a blob from byte `there` on, and what the board then lacks if it is not what it should be."""
    attempts = looks = 0
    while attempts < _ATTEMPTS:
        status, stderr = _attempt(connection, blob, there, looks >= _BUSY_LOOKS, on_sent)
        if status == 0:
            return
        if status == _BUSY:
            time.sleep(_BUSY_S)
        elif status not in (_INCOMPLETE, _DAMAGED):
            raise _cannot_store(connection, status, stderr)
        elif blob_of(blob.path) != blob:
            raise DataError(f"{blob.path}: was changed while it was sent; run the command again")
        else:
            attempts += 1
        before = there
        missing, _ = _missing(connection, [blob])
        if not missing:
            return  # another host has sent it
        ((_, there),) = missing
        # A writer that adds nothing has lost its host.
        looks = looks + 1 if status == _BUSY and there == before else 0
    raise DeviceError(
        f"{connection.name}: {printable(blob.path.name)} arrived damaged {_ATTEMPTS} times; its disk may fail"
    )


def _attempt(
    connection: Connection, blob: Blob, there: int, steal: bool, on_sent: _OnSent
) -> tuple[int, bytes]:
    """Send a blob from byte `there` on; the exit status of _RECEIVE and what it said on stderr."""
    words = (blob.sha256, str(there), str(blob.size_bytes), "steal" if steal else "wait")
    try:
        stream = blob.path.open("rb")
    except OSError as error:
        raise DataError(f"{blob.path}: cannot be read any more ({error.strerror}); try again") from error
    with stream:
        stream.seek(there)
        return _stream(connection, connection.command(_RECEIVE, *words), stream, blob, on_sent)


def _stream(
    connection: Connection, command: Sequence[str], content: IO[bytes], blob: Blob, on_sent: _OnSent
) -> tuple[int, bytes]:
    """Feed the rest of `content` to a command on the board; its exit status and what it said on stderr."""
    with tempfile.TemporaryFile() as stderr:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=stderr)
        assert process.stdin is not None  # noqa: S101 - it is a pipe
        try:
            _feed(process.stdin, content, on_sent)
            process.stdin.close()
            process.wait(_STALL_S + blob.size_bytes / _SLOWEST_BYTES_PER_S)
        except (TimeoutError, subprocess.TimeoutExpired) as error:
            if not connection.alive:
                raise connection.lost() from error
            name = printable(blob.path.name)
            raise DeviceError(
                f"{connection.name}: stopped taking {name}; its disk may hang, try again"
            ) from error
        finally:
            process.stdin.close()
            if process.poll() is None:
                process.kill()
                process.wait()
        stderr.seek(0)
        said = stderr.read()
    if process.returncode == 255:
        raise connection.broken(said.decode("utf-8", "replace"))
    return process.returncode, said


def _feed(pipe: IO[bytes], content: IO[bytes], on_sent: _OnSent) -> None:
    """Write all of `content` from its present place on to a pipe. TimeoutError when the pipe takes nothing.

    A reader that has ended is no error here: its exit status tells why.
    """
    os.set_blocking(pipe.fileno(), False)
    with selectors.DefaultSelector() as waiting:
        waiting.register(pipe, selectors.EVENT_WRITE)
        there = content.tell()
        on_sent(there)
        while block := memoryview(content.read(_BLOCK_BYTES)):
            while block:
                if not waiting.select(_STALL_S):
                    raise TimeoutError
                try:
                    written = os.write(pipe.fileno(), block)
                except BrokenPipeError:
                    return
                block = block[written:]
                there += written
            on_sent(there)


def _cannot_store(connection: Connection, status: int, stderr: bytes) -> EdgeseqError:
    said = last_words(stderr.decode("utf-8", "replace"))
    if "No space left on device" in said or "quota exceeded" in said:
        return EdgeseqError(f"{connection.name}: its disk is full ({said}); {_make_room(connection)}")
    reason = said or f"exit status {status}"
    return DeviceError(f"{connection.name}: cannot store files in ~/{_BLOBS} ({reason})")


def _make_room(connection: Connection) -> str:
    return f"make room there (`edgeseq device clean {connection.name}` removes what edgeseq sent)"


def _size(size_bytes: int) -> str:
    """In units of a power of 10, such as "3.1 MB" or "240 kB"; no difference is told as nothing."""
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 1e6 else f"{-(-size_bytes // 1000)} kB"
