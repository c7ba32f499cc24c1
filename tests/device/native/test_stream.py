"""`edgeseq-run stream`: an answer for every frame of what comes on stdin, without Python."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from processes import anonymous_bytes

from edgeseq_device.classify import probabilities
from edgeseq_device.frontend import LogMel, Standardise, front_end_from_dict
from edgeseq_device.runtimes import load_step
from edgeseq_export.state import StateTensor

Stream = Callable[..., "subprocess.Popen[bytes]"]
LABELS = ("one", "two", "three")
RAM_OF_ITS_OWN_BYTES_MAX = 3_000_000


@pytest.fixture
def stream(runner: Path, library: Path) -> Iterator[Stream]:
    """Starts it with pipes at all three ends; it is killed with the test."""
    started: list[subprocess.Popen[bytes]] = []

    pipe = subprocess.PIPE

    def start(
        artifact: Path, *arguments: str, stdin: Any = pipe, stdout: Any = pipe
    ) -> subprocess.Popen[bytes]:
        command = [str(runner), "stream", str(artifact), "--library", str(library), *arguments]
        started.append(subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=pipe))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def front_end_of(artifact: Path) -> LogMel | Standardise:
    manifest = json.loads((artifact / "manifest.json").read_text("utf-8"))
    front_end = front_end_from_dict(manifest["features"]["front_end"])
    assert isinstance(front_end, (LogMel, Standardise))
    return front_end


def answers_of_python(artifact: Path, features: np.ndarray) -> np.ndarray:
    """The logits behind each frame [T, C]."""
    step = load_step(artifact / "model.tflite", "tflite", [StateTensor("gru.h", (1, 8))])
    return np.array([step.step(frame) for frame in features])


def check_answers(lines: bytes, expected: np.ndarray) -> None:
    answers = [json.loads(line) for line in lines.splitlines()]
    assert [each["frame"] for each in answers] == list(range(len(expected)))
    for answer, logits in zip(answers, expected, strict=True):
        found = probabilities(logits)
        assert np.array(answer["logits"], np.float32).tobytes() == logits.tobytes()
        assert answer["label"] == LABELS[int(found.argmax())]
        assert answer["probability"] == pytest.approx(found.max(), rel=1e-8)


def readings_of(count: int) -> np.ndarray:
    return np.random.default_rng(count).uniform(-9, 9, (count, 6)).astype(np.float32)


def ids_of(count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 40, (count, 3)).astype(np.int32)


def sound(count: int) -> np.ndarray:
    samples: np.ndarray = (8000 * np.sin(np.arange(count) ** 1.3)).astype("<i2")
    return samples


def test_the_answers_to_a_sound_are_those_of_python_to_the_bit(
    tiny_artifact: Callable[..., Path], stream: Stream
) -> None:
    artifact, samples = tiny_artifact("sound"), sound(9000)
    features = front_end_of(artifact).features((samples / 32768).astype(np.float32))
    process = stream(artifact, "--logits", "--rate", "8000")
    assert process.stdin is not None
    content = samples.tobytes()
    for size in (1, 2, 1, 3, 77, 4000, len(content)):  # samples in two pieces too
        process.stdin.write(content[:size])
        process.stdin.flush()
        content = content[size:]
    out, err = process.communicate()
    assert process.returncode == 0
    check_answers(out, answers_of_python(artifact, features))
    assert err.decode().endswith(f"edgeseq-run: {len(features)} steps, then the input ended\n")


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("sound", ("--input", "f32le")),
        ("sound", ("--input", "features")),
        ("series", ("--rate", "50")),
        ("series", ("--input", "features")),
        ("text", ()),
    ],
    ids=("sound as floats", "features of a sound", "series", "features of a series", "text"),
)
def test_the_answers_to_every_kind_of_input_are_those_of_python_to_the_bit(
    kind: str, arguments: tuple[str, ...], tiny_artifact: Callable[..., Path], stream: Stream
) -> None:
    artifact = tiny_artifact(kind)
    given: np.ndarray = {"series": readings_of(300), "text": ids_of(300)}.get(kind, sound(9000) / 32768)
    if kind != "text":
        given = given.astype(np.float32)
    features = given if kind == "text" else front_end_of(artifact).features(given)
    if "features" in arguments:
        given = features
    out, err = stream(artifact, "--logits", *arguments).communicate(given.tobytes())
    check_answers(out, answers_of_python(artifact, features))
    assert f"edgeseq-run: {len(features)} steps, then the input ended" in err.decode()


def test_each_row_is_answered_before_the_next_one_comes(
    tiny_artifact: Callable[..., Path], stream: Stream
) -> None:
    process = stream(tiny_artifact("series"))
    assert process.stdin is not None
    assert process.stdout is not None
    for frame, row in enumerate(readings_of(5)):
        process.stdin.write(row.tobytes())
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        assert list(answer) == ["frame", "label", "probability"]
        assert answer["frame"] == frame


def test_a_line_for_every_so_many_answers(tiny_artifact: Callable[..., Path], stream: Stream) -> None:
    readings = readings_of(25).tobytes()
    artifact = tiny_artifact("series")
    all_of_them, _err = stream(artifact).communicate(readings)
    some, err = stream(artifact, "--every", "10").communicate(readings)
    assert some.splitlines() == all_of_them.splitlines()[9::10]
    assert b"25 steps" in err


def test_an_answer_below_the_threshold_is_none_of_the_classes(
    tiny_artifact: Callable[..., Path], stream: Stream
) -> None:
    artifact = tiny_artifact("series", rejection_threshold=0.999)
    out, _err = stream(artifact).communicate(readings_of(20).tobytes())
    assert {json.loads(line)["label"] for line in out.splitlines()} == {None}


def test_a_sound_shorter_than_a_frame_has_one_answer_at_its_end(
    tiny_artifact: Callable[..., Path], stream: Stream
) -> None:
    artifact, samples = tiny_artifact("sound"), sound(2)
    features = front_end_of(artifact).features((samples / 32768).astype(np.float32))
    out, _err = stream(artifact, "--logits").communicate(samples.tobytes())
    check_answers(out, answers_of_python(artifact, features))


def test_no_input_has_no_answer(tiny_artifact: Callable[..., Path], stream: Stream) -> None:
    process = stream(tiny_artifact("sound"))
    out, err = process.communicate(b"")
    assert (process.returncode, out) == (0, b"")
    assert b"edgeseq-run: 0 steps, then the input ended" in err


@pytest.mark.parametrize(
    ("kind", "content", "answers", "cause"),
    [
        (
            "series",
            readings_of(7).tobytes()[:-1],
            6,
            "ends within row 6 (from 0), after 6 answers: 23 of its 24",
        ),
        (
            "sound",
            sound(360).tobytes() + b"x",
            3,
            "ends within sample 360 (from 0), after 3 answers: 1 of its 2",
        ),
        ("series", b"RIFF", 0, "stdin: a WAV file, not raw samples; record with arecord -t raw"),
        ("sound", b"RIFF" + bytes(5000), 0, "stdin: a WAV file, not raw samples; record with arecord -t raw"),
        ("series", b"\x93NUMPY" + bytes(5000), 0, "stdin: a .npy file"),
        ("series", b"1.25,2.5,3\n" * 1000, 0, "stdin: text, not float32 values; write them little-endian"),
        ("sound", b"1.25\n2.5\n3.75\n4\n", 0, "stdin: text, not s16le values"),
        ("text", b"one two three four five six", 0, "stdin: text, not int32 values"),
        ("series", readings_of(9), 9, "row 9 (from 0), after 9 answers: it holds NaN or infinity"),
        ("sound", sound(360) / 32768, 3, "sample 360 (from 0), after 3 answers: it holds NaN or infinity"),
        ("text", ids_of(9), 9, "row 9 (from 0), after 9 answers: "),
    ],
    ids=(
        "part of a row",
        "part of a sample",
        "RIFF",
        "WAV",
        "npy",
        "CSV",
        "CSV as sound",
        "text as ids",
        "NaN in a row",
        "NaN sample",
        "negative id",
    ),
)
def test_what_is_no_input_ends_the_stream_after_the_answers_before_it(
    kind: str, content: Any, answers: int, cause: str, tiny_artifact: Callable[..., Path], stream: Stream
) -> None:
    arguments: tuple[str, ...] = ()
    if not isinstance(content, bytes):  # good values, then a row with a bad one, then good ones again
        dtype, bad = (np.int32, -1) if kind == "text" else (np.float32, np.nan)
        content = np.concatenate([content, content]).astype(dtype)
        content.reshape(-1)[content.size // 2] = bad
        content, arguments = content.tobytes(), ("--input", "f32le") if kind == "sound" else ()
    process = stream(tiny_artifact(kind), *arguments)
    out, err = process.communicate(content)
    assert process.returncode == 6
    assert out.count(b"\n") == answers
    assert cause in err.decode()


def test_text_that_comes_line_by_line_is_refused_before_an_answer(
    tiny_artifact: Callable[..., Path], stream: Stream
) -> None:
    process = stream(tiny_artifact("sound"), "--input", "s16le")
    assert process.stdin is not None
    for line in (b"0.125\n", b"0.25\n", b"0.375\n"):
        process.stdin.write(line)
        process.stdin.flush()
        time.sleep(0.05)  # a read for each, and it makes no difference
    out, err = process.communicate()
    assert (process.returncode, out) == (6, b"")
    assert b"stdin: text, not s16le values" in err


def test_readings_that_are_all_printable_are_no_text(
    tiny_artifact: Callable[..., Path], stream: Stream
) -> None:
    readings = np.full((20, 6), 0.7, np.float32)
    assert readings.tobytes().isascii()
    out, _err = stream(tiny_artifact("series")).communicate(readings.tobytes())
    assert out.count(b"\n") == 20


@pytest.mark.parametrize(
    ("kind", "arguments", "exit_code", "cause"),
    [
        (
            "backward",
            (),
            2,
            "no step form (gru reads frames to come); answer whole inputs with edgeseq-run predict",
        ),
        ("sound", ("--rate", "16000"), 6, "arecord -t raw -f S16_LE -c 1 -r 8000"),
        ("series", ("--rate", "51"), 6, "read the sensor at 50 Hz"),
        ("series", ("--input", "s16le"), 2, "takes the readings of a series: --input f32le"),
        ("series", ("--json",), 2, "there is no option --json; see: edgeseq-run stream --help"),
        ("series", ("--every", "0"), 2, "--every"),
        ("series", ("file.raw",), 2, "stream: give an artifact alone: it reads stdin"),
    ],
    ids=("no step form", "rate of a sound", "rate of a series", "input", "option", "every", "file"),
)
def test_what_cannot_be_done_is_refused_before_anything_is_read(
    kind: str,
    arguments: tuple[str, ...],
    exit_code: int,
    cause: str,
    tiny_artifact: Callable[..., Path],
    stream: Stream,
) -> None:
    process = stream(tiny_artifact(kind), *arguments)
    out, err = process.communicate()
    assert (process.returncode, out) == (exit_code, b"")
    assert cause in err.decode()


def test_a_terminal_is_no_input(tiny_artifact: Callable[..., Path], stream: Stream) -> None:
    ours, theirs = os.openpty()
    process = stream(tiny_artifact("series"), stdin=theirs)
    _out, err = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 2
    assert b"stdin is a terminal; pipe readings into it" in err


def test_a_reader_that_goes_away_ends_the_stream_in_silence(
    tiny_artifact: Callable[..., Path], stream: Stream
) -> None:
    process = stream(tiny_artifact("series"))
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdin.write(readings_of(3).tobytes())
    process.stdin.flush()
    process.stdout.readline()
    process.stdout.close()
    assert process.wait() == 0  # though the input is open and nothing comes
    assert b"edgeseq-run" not in process.stderr.read()


def test_a_socket_whose_other_end_goes_away_ends_the_stream_in_silence(
    tiny_artifact: Callable[..., Path], stream: Stream
) -> None:
    ours, theirs = socket.socketpair()
    process = stream(tiny_artifact("series"), stdout=theirs)
    theirs.close()
    assert process.stdin is not None
    assert process.stderr is not None
    process.stdin.write(readings_of(3).tobytes())
    process.stdin.flush()
    assert json.loads(ours.recv(1000).splitlines()[0])["frame"] == 0
    ours.close()
    assert process.wait() == 0  # though the input is open and nothing comes
    assert b"edgeseq-run" not in process.stderr.read()


@pytest.mark.parametrize("size", [None, 0], ids=["changed", "cut off"])
def test_a_model_that_changes_in_place_changes_no_answer_of_a_stream(
    size: int | None, tiny_artifact: Callable[..., Path], stream: Stream, tmp_path: Path
) -> None:
    artifact = shutil.copytree(tiny_artifact("text"), tmp_path / "artifact")
    ids = ids_of(40)
    expected = answers_of_python(artifact, ids)
    process = stream(artifact, "--logits")
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(ids[:1].tobytes())
    process.stdin.flush()
    first = process.stdout.readline()
    model = artifact / "model.tflite"
    with model.open("r+b") as file:  # the same file: not one renamed over it
        file.write(b"\x55" * model.stat().st_size)
        if size is not None:
            file.truncate(size)
    rest, _err = process.communicate(ids[1:].tobytes())
    assert process.returncode == 0
    check_answers(first + rest, expected)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_stream_between_two_lines(
    number: signal.Signals, tiny_artifact: Callable[..., Path], stream: Stream
) -> None:
    process = stream(tiny_artifact("series"))
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(readings_of(3).tobytes())
    process.stdin.flush()
    lines = [process.stdout.readline() for _row in range(3)]
    process.send_signal(number)
    assert process.wait() == 0
    assert process.stdout.read() == b""
    assert [json.loads(line)["frame"] for line in lines] == [0, 1, 2]
    assert process.stderr is not None
    assert b"edgeseq-run: 3 steps, then told to end" in process.stderr.read()


def test_a_signal_ends_a_stream_that_nobody_reads(
    tiny_artifact: Callable[..., Path], stream: Stream, tmp_path: Path
) -> None:
    readings_of(20_000).tofile(tmp_path / "readings")
    with (tmp_path / "readings").open("rb") as file:
        process = stream(tiny_artifact("series"), stdin=file)
    before, waiting = -1, 0
    while waiting == 0 or waiting != before:  # until the pipe is full
        time.sleep(0.02)
        before, waiting = waiting, waiting_bytes(process)
    process.terminate()
    assert process.wait() == 0


def waiting_bytes(process: subprocess.Popen[bytes]) -> int:
    assert process.stdout is not None
    return int(struct.unpack("i", fcntl.ioctl(process.stdout, termios.FIONREAD, b"\0" * 4))[0])


def test_memory_is_little_and_does_not_grow_with_the_stream(
    tiny_artifact: Callable[..., Path], stream: Stream
) -> None:
    process = stream(tiny_artifact("series"), "--every", "1000")
    assert process.stdin is not None
    assert process.stdout is not None
    readings, found = readings_of(10_000).tobytes(), []
    for piece in range(20):  # 200,000 rows
        process.stdin.write(readings)
        process.stdin.flush()
        for _line in range(10):
            answer = json.loads(process.stdout.readline())
        assert answer["frame"] == 10_000 * (piece + 1) - 1
        found.append(anonymous_bytes(process.pid))
    assert found[0] <= RAM_OF_ITS_OWN_BYTES_MAX
    assert max(found[1:]) <= found[0] + 64 * 1024
