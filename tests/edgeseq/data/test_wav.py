"""Every usual WAV encoding is read; one that is cut off or empty is refused by name."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseq.data.wav import decode_wav
from edgeseq_device.errors import DataError

RAMP = np.linspace(-1, 1, 201)[:-1]


def encoded(samples: np.ndarray, subtype: str, rate_hz: int = 8000) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format="WAV", subtype=subtype)
    return file.getvalue()


def by_hand(bits: int, payload: bytes, channels: int = 1, extra: bytes = b"", tag: int = 1) -> bytes:
    """A WAV as the specification lays it out, without any library."""
    block = channels * bits // 8
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, tag, channels, 8000, 8000 * block, block, bits)
    body = b"WAVE" + form + extra + struct.pack("<4sI", b"data", len(payload)) + payload
    return struct.pack("<4sI", b"RIFF", len(body)) + body


@pytest.mark.parametrize(
    ("subtype", "step"),
    [("PCM_U8", 2**-7), ("PCM_16", 2**-15), ("PCM_24", 2**-23), ("PCM_32", 2**-24), ("FLOAT", 2**-24)],
)
def test_every_depth_is_read_to_within_its_step(subtype: str, step: float) -> None:
    audio = decode_wav(encoded(RAMP, subtype), "ramp.wav")
    assert audio.samples.dtype == np.float32
    assert np.abs(audio.samples - RAMP).max() <= step
    assert audio.sample_rate_hz == 8000


@pytest.mark.parametrize(
    ("bits", "payload", "expected"),
    [
        (8, bytes([0, 128, 192]), [-1, 0, 0.5]),
        (16, struct.pack("<3h", -32768, 0, 16384), [-1, 0, 0.5]),
        (24, b"\x00\x00\x80\x00\x00\x00\x00\x00\x40", [-1, 0, 0.5]),
        (32, struct.pack("<3i", -(2**31), 0, 2**30), [-1, 0, 0.5]),
    ],
)
def test_full_scale_is_one_in_files_written_by_hand(bits: int, payload: bytes, expected: list[float]) -> None:
    assert decode_wav(by_hand(bits, payload), "hand.wav").samples.tolist() == expected


def test_stereo_is_averaged() -> None:
    payload = struct.pack("<4h", 16384, 0, -16384, -16384)
    assert decode_wav(by_hand(16, payload, channels=2), "stereo.wav").samples.tolist() == [0.25, -0.5]


@pytest.mark.parametrize("rate_hz", [4000, 11025, 44100, 192000])
def test_any_rate_is_reported(rate_hz: int) -> None:
    assert decode_wav(encoded(RAMP, "PCM_16", rate_hz), "a.wav").sample_rate_hz == rate_hz


def test_other_chunks_are_passed_over_with_their_padding_byte() -> None:
    extra = struct.pack("<4sI", b"LIST", 3) + b"abc\0"
    audio = decode_wav(by_hand(16, struct.pack("<2h", 0, 16384), extra=extra), "list.wav")
    assert audio.samples.tolist() == [0, 0.5]


def test_an_odd_data_chunk_may_lack_its_padding_byte() -> None:
    assert len(decode_wav(by_hand(8, bytes([1, 2, 3])), "odd.wav").samples) == 3


@settings(max_examples=60)
@given(st.integers(0, 443))
def test_every_truncation_is_refused_by_name(kept: int) -> None:
    whole = encoded(RAMP, "PCM_16")
    assert len(whole) == 444
    with pytest.raises(DataError, match=r"^cut\.wav: "):
        decode_wav(whole[:kept], "cut.wav")


def test_a_truncation_says_how_much_is_there() -> None:
    with pytest.raises(DataError, match="truncated WAV: the data chunk says 400 bytes, there are 100"):
        decode_wav(encoded(RAMP, "PCM_16")[:144], "cut.wav")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"ID3\x03 this is an mp3 with another name", "not a WAV file"),
        (by_hand(16, b""), "zero samples"),
        (by_hand(16, b"\0\0")[:36], "truncated"),
        (by_hand(16, b"\0\0", tag=0x1234), "cannot be decoded"),
        (b"RIFF\xff\xff\xff\xff" + by_hand(16, b"\0\0")[8:], "does not know its length"),
        (by_hand(32, struct.pack("<3f", 0, np.nan, 0), tag=3), "NaN or infinity at sample 1"),
        (by_hand(32, struct.pack("<3f", 0, 0, np.inf), tag=3), "NaN or infinity at sample 2"),
    ],
    ids=["empty", "mp3", "no-samples", "no-data-chunk", "encoding", "streamed", "nan", "inf"],
)
def test_a_file_that_holds_no_audio_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(DataError, match=f"^bad.wav: .*{reason}"):
        decode_wav(content, "bad.wav")


@pytest.mark.parametrize("rate_hz", [1, 999, 768_001, 2**31 - 1])
def test_a_rate_that_no_recorder_has_is_refused(rate_hz: int) -> None:
    content = bytearray(by_hand(16, struct.pack("<2h", 0, 16384)))
    content[24:28] = struct.pack("<I", rate_hz)
    with pytest.raises(DataError, match=rf"^wild\.wav: its header says {rate_hz} Hz; 1000 to 768000 Hz"):
        decode_wav(bytes(content), "wild.wav")
