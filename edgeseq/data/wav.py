"""One WAV file's bytes -> samples. The chunk lengths are checked before the decoder sees them."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeseq_device.errors import DataError

RATES_HZ = (1_000, 768_000)  # from below a telephone's to twice the fastest studio recorder's
LENGTH_UNKNOWN = 0xFFFFFFFF  # what a program writes that streams into a pipe and cannot go back


@dataclass(frozen=True, eq=False)
class Audio:
    """samples: [n] float32 mono; PCM is scaled to [-1, 1]."""

    samples: NDArray[np.float32]
    sample_rate_hz: int


def decode_wav(content: bytes, name: str) -> Audio:
    """8/16/24/32-bit PCM or float at a rate within `RATES_HZ`; several channels are averaged.

    Raises DataError naming the file when it is no WAV, truncated, without samples, of another rate, or holds
    NaN or infinity.
    """
    import soundfile  # noqa: PLC0415 - a host extra that series data does not need

    check_chunks(content, name)
    try:
        samples, sample_rate_hz = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise DataError(f"{name}: this WAV cannot be decoded ({error.error_string})") from error
    if not RATES_HZ[0] <= sample_rate_hz <= RATES_HZ[1]:
        raise DataError(
            f"{name}: its header says {sample_rate_hz} Hz; {RATES_HZ[0]} to {RATES_HZ[1]} Hz are read;"
            " save it again at its true rate"
        )
    if len(samples) == 0:
        raise DataError(f"{name}: the WAV has zero samples")
    mono: NDArray[np.float32] = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1)
    if not np.isfinite(mono).all():
        raise DataError(f"{name}: NaN or infinity at sample {int(np.argmin(np.isfinite(mono)))}")
    return Audio(np.ascontiguousarray(mono), int(sample_rate_hz))


def check_chunks(content: bytes, name: str) -> None:
    """Raises DataError unless the RIFF chunks fit the file and one of them holds samples.

    Layout: Microsoft & IBM, Multimedia Programming Interface and Data Specifications 1.0 (1991), chapter 2.
    """
    if not content:
        raise DataError(f"{name}: the file is empty")
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise DataError(f"{name}: not a WAV file (no RIFF/WAVE header)")
    declared = int.from_bytes(content[4:8], "little")
    if declared == LENGTH_UNKNOWN:
        raise DataError(f"{name}: the WAV was streamed and does not know its length; save it again")
    data_bytes = _walk(content, name)
    if data_bytes is None:
        raise DataError(f"{name}: truncated WAV: it ends before its data chunk")
    if data_bytes == 0:
        raise DataError(f"{name}: the WAV has zero samples")
    if declared + 8 > len(content) + len(content) % 2:
        raise DataError(
            f"{name}: truncated WAV: the header says {declared + 8} bytes, there are {len(content)}"
        )


def _walk(content: bytes, name: str) -> int | None:
    """The data chunk's length in bytes; None when there is none."""
    found = None
    at = 12
    while at + 8 <= len(content):
        chunk, length = content[at : at + 4], int.from_bytes(content[at + 4 : at + 8], "little")
        if chunk == b"data" and at + 8 + length > len(content):
            there = len(content) - at - 8
            raise DataError(f"{name}: truncated WAV: the data chunk says {length} bytes, there are {there}")
        if chunk == b"data":
            found = length
        at += 8 + length + length % 2
    return found
