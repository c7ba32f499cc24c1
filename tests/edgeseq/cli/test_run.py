"""`edgeseq run`: texts, sounds and series in, answers out."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from edgeseq.artifacts import read_provenance
from edgeseq.cli import main

TEXT = "please turn off the lamp"


def edgeseq(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, arguments, input=stdin)


def write_requests(path: Path) -> Path:
    """Two intents, and requests of neither under the label `other`, in three splits."""
    wishes = ("please", "would you", "i want you to", "now")
    things = ("the lamp", "my alarm", "that song", "the radio", "the heating", "a timer")
    splits = ("train", "train", "validation", "train", "train", "test")
    rows = []
    for label, verb in (("off", "turn off"), ("on", "switch on"), ("other", "who invented")):
        for number, thing in enumerate(things):
            rows += [(f"{wish} {verb} {thing}", label, splits[number]) for wish in wishes]
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("text", "label", "split"), *rows])
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with artifacts of three kinds; that of texts is the newest."""
    folder, before = tmp_path_factory.mktemp("answers"), Path.cwd()
    os.chdir(folder)
    try:
        ramps = (
            np.linspace(-1, 1, 12, dtype=np.float32)[None, :, None] * np.array([1, -1] * 20)[:, None, None]
        )
        np.savez("ramps.npz", samples=np.repeat(ramps, 2, axis=2), labels=np.array(["rise", "fall"] * 20))
        time = np.arange(1600) / 8000
        for number in range(20):
            for label, pitch in (("low", 300), ("high", 1500)):
                Path("sounds", label).mkdir(parents=True, exist_ok=True)
                wave = 0.5 * np.sin(2 * np.pi * (pitch + 5 * number) * time)
                soundfile.write(f"sounds/{label}/{number}.wav", wave, 8000)
        write_requests(folder / "requests.csv")
        for data, options in (
            ("ramps.npz", ("--model", "gru", "--epochs", "4")),
            ("sounds", ("--model", "gru", "--epochs", "4")),
            ("requests.csv", ("--model", "bag", "--epochs", "20", "--buckets", "64")),
        ):
            out = ("--out-of-scope-label", "other", "--max-tokens", "6") if data == "requests.csv" else ()
            name = Path(data).stem
            done = edgeseq("train", "--data", data, "--hidden", "12", "--name", name, *options, *out)
            assert done.exit_code == 0, done.output
            done = edgeseq("export", name, "--name", name, "--max-drop", "100", "--json", f"{name}.json")
            assert done.exit_code == 0, done.output
    finally:
        os.chdir(before)
    return folder


@pytest.fixture(autouse=True)
def there(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)


def answers(*arguments: str, stdin: bytes | None = None) -> dict[str, Any]:
    done = edgeseq("run", *arguments, "--json", "answers.json", stdin=stdin)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(Path("answers.json").read_text("utf-8"))
    return found


def test_a_text_is_answered_by_the_newest_artifact() -> None:
    done = edgeseq("run", TEXT)
    assert done.exit_code == 0, done.output
    assert "artifacts/requests, " in done.stdout
    assert any(TEXT in line and " off " in line for line in done.stdout.splitlines())


@pytest.mark.parametrize("model_format", ["onnx", "tflite"])
def test_each_format_answers_and_the_result_file_says_which(model_format: str) -> None:
    found = answers(TEXT, "now switch on the radio", "--format", model_format, "--top", "2")
    assert (found["format"], found["artifact"]) == (model_format, "artifacts/requests")
    first, second = found["answers"]
    assert (first["label"], second["label"]) == ("off", "on")
    assert [each["label"] for each in first["nearest"]] == ["off", "on"]
    assert first["nearest"][0]["probability"] == first["probability"]
    assert sum(each["probability"] for each in first["nearest"]) == pytest.approx(1)


def test_a_question_of_no_class_is_rejected_by_the_threshold_that_the_export_chose() -> None:
    report = json.loads(Path("requests.json").read_text("utf-8"))["out_of_scope"]
    assert report == read_provenance(Path("artifacts/requests"))["out_of_scope"]
    found = answers("now who invented the lamp", TEXT, "--format", "tflite")
    assert found["rejection_threshold"] == report["tflite"]["threshold"] > 0
    assert [each["label"] for each in found["answers"]] == [None, "off"]
    assert report["tflite"]["test"]["recall"] == 1.0
    assert "(none of the classes)" in edgeseq("run", "now who invented the lamp").stdout


def test_train_and_eval_say_what_is_rejected_too() -> None:
    run = json.loads(Path("runs/requests/run.json").read_text("utf-8"))
    assert run["metrics"]["out_of_scope"]["test"]["recall"] == 1.0
    for model in ("requests", "runs/requests"):
        done = edgeseq("eval", model, "--json", "eval.json")
        assert done.exit_code == 0, done.output
        assert "Out of scope" in done.stdout
        for form in json.loads(Path("eval.json").read_text("utf-8"))["forms"].values():
            assert form["out_of_scope"]["test"]["outside"] == 4
            assert form["out_of_scope"]["test"]["recall"] == 1.0
    assert edgeseq("eval", "ramps", "--json", "eval.json").exit_code == 0
    assert json.loads(Path("eval.json").read_text("utf-8"))["forms"]["onnx"]["out_of_scope"] is None


def test_a_cut_text_is_warned_about_on_the_screen_and_in_the_result() -> None:
    done = edgeseq("run", "i want you to turn off the lamp", "--json", "answers.json")
    warning = "2 tokens were cut: the model reads the first 6"
    assert f"edgeseq: warning: i want you to turn off the lamp: {warning}" in done.stderr
    assert json.loads(Path("answers.json").read_text("utf-8"))["answers"][0]["warnings"] == [warning]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_texts_come_from_stdin_one_on_a_line(line_end: str) -> None:
    texts = [TEXT, "now switch on the radio"]
    found = answers("requests", "-", stdin="".join(f"{each}{line_end}" for each in texts).encode())
    assert [each["label"] for each in found["answers"]] == ["off", "on"]
    assert [each["input"] for each in found["answers"]] == texts


def test_a_text_longer_than_a_file_s_name_is_answered() -> None:
    long = " ".join([TEXT] * 20)
    assert answers(long)["answers"][0]["input"] == long


TAKEN = "it was taken for a text, which artifacts/requests answers;"


@pytest.mark.parametrize(
    ("words", "warning"),
    [
        (("plan", TEXT), f'"plan" is a run, no artifact; {TAKEN} make one with: edgeseq export plan'),
        (("request", TEXT), f'"request" is no artifact; {TAKEN} did you mean "requests"?'),
        (("requests.csv",), '"requests.csv" is a file; its name was taken for a text, and it was not read'),
    ],
)
def test_a_word_that_may_be_meant_otherwise_is_warned_about(words: tuple[str, ...], warning: str) -> None:
    Path("runs/plan").mkdir(exist_ok=True)
    Path("runs/plan/recipe.json").write_text("{}")
    done = edgeseq("run", *words, "--json", "answers.json")
    assert done.exit_code == 0, done.output
    assert f"edgeseq: warning: {warning}" in done.stderr
    found = json.loads(Path("answers.json").read_text("utf-8"))
    assert warning in found["warnings"]
    assert [each["input"] for each in found["answers"]] == list(words)


def test_a_usual_text_is_answered_without_a_warning() -> None:
    assert answers(TEXT)["warnings"] == []


def test_a_text_that_begins_as_an_option_goes_behind_two_dashes() -> None:
    done = edgeseq("run", "-1 degrees")
    assert done.exit_code == 2
    assert "an INPUT that begins with - goes behind --" in done.stderr
    done = edgeseq("run", "--top", "2", "--", "-1 degrees")
    assert done.exit_code == 0, done.output
    assert "-1 degrees" in done.stdout


def test_the_threshold_can_be_left_out() -> None:
    found = answers("now who invented the lamp", "--no-reject")
    assert found["rejection_threshold"] is None
    assert found["answers"][0]["label"] in ("off", "on")


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("qwx", ["its only token is not known to the model"]),
        ("qwx zyv", ["none of its 2 tokens is known to the model"]),
        ("qwx zyv lamp", ["2 of its 3 tokens are not known to the model"]),
        ("qwx lamp", []),
    ],
)
def test_tokens_that_the_model_does_not_know_are_counted(text: str, warning: list[str]) -> None:
    assert answers(text)["answers"][0]["warnings"] == warning


def slim(name: str, folder: Path) -> Path:
    """What a board needs of an artifact's TFLite form."""
    (folder / name).mkdir()
    for file in ("model.tflite", "manifest.json", "SHA256SUMS", "tokenizer.json"):
        if (path := Path("artifacts", name, file)).exists():
            shutil.copy(path, folder / name)
    return folder / name


@pytest.mark.parametrize(
    ("name", "given", "label"),
    [
        ("requests", TEXT, "off"),
        ("sounds", "sounds/low/3.wav", "low"),
        ("ramps", "up.csv", "rise"),
    ],
)
def test_a_board_s_folder_of_one_format_answers(tmp_path: Path, name: str, given: str, label: str) -> None:
    rising = np.linspace(-1, 1, 12)
    np.savetxt("up.csv", np.stack([rising, rising], axis=1), delimiter=",", header="x,y", comments="")
    found = answers(str(slim(name, tmp_path)), given, "--format", "tflite")
    assert [each["label"] for each in found["answers"]] == [label]


def test_a_file_as_in_training_needs_the_provenance_that_says_how_it_was_read(tmp_path: Path) -> None:
    done = edgeseq("run", str(slim("ramps", tmp_path)), "ramps.npz", "--format", "tflite")
    assert done.exit_code == 6
    assert "provenance.json: missing; take the whole folder" in done.stderr


@pytest.mark.parametrize(
    ("name", "file", "given"),
    [("ramps", "provenance.json", "ramps.npz"), ("requests", "tokenizer.json", TEXT)],
)
@pytest.mark.parametrize("only", [(), ("--format", "tflite")])
def test_a_file_that_was_tampered_with_is_refused_before_it_is_read(
    tmp_path: Path, name: str, file: str, given: str, only: tuple[str, ...]
) -> None:
    folder = Path(shutil.copytree(Path("artifacts", name), tmp_path / name))
    content = (folder / file).read_text("utf-8")
    (folder / file).write_text(f"{content}\n", "utf-8")
    done = edgeseq("run", str(folder), given, *only)
    assert done.exit_code == 6
    assert f"{folder / file}: its content changed after the export" in done.stderr


@pytest.mark.parametrize(
    ("stdin", "cause"),
    [
        (b"turn\nl\xffmp\n", "stdin: line 2: byte 2 (0xff) is not UTF-8"),
        (b"", "stdin: there is no text in it"),
    ],
)
def test_a_line_that_is_no_text_is_refused_with_its_number(stdin: bytes, cause: str) -> None:
    done = edgeseq("run", "-", stdin=stdin)
    assert done.exit_code == 6
    assert cause in done.stderr


def test_sounds_are_read_at_their_own_rate() -> None:
    time = np.arange(6400) / 32_000
    soundfile.write("fast.wav", 0.5 * np.sin(2 * np.pi * 1500 * time), 32_000)
    found = answers("sounds", "fast.wav", "sounds/low/3.wav")
    assert [each["label"] for each in found["answers"]] == ["high", "low"]


def test_a_table_of_the_channels_alone_is_one_recording() -> None:
    ramp = np.linspace(-1, 1, 12)
    np.savetxt("one.csv", np.stack([ramp, ramp], axis=1), delimiter=",", header="x,y", comments="")
    assert [each["label"] for each in answers("ramps", "one.csv")["answers"]] == ["rise"]


def test_a_file_as_in_training_gives_each_of_its_recordings() -> None:
    found = answers("ramps", "ramps.npz")["answers"]
    assert [each["label"] for each in found] == ["rise", "fall"] * 20
    assert len({each["input"] for each in found}) == 40


@pytest.mark.parametrize(
    ("arguments", "code", "cause"),
    [
        ((), 2, "give an INPUT"),
        (("requests",), 2, "requests is an artifact; give an INPUT after it"),
        (("sounds", "turn it off"), 2, "turn it off: no such file; this model takes WAV files"),
        (
            ("sound", "sounds/low/3.wav", "--prompt", "x"),
            2,
            'unknown artifact "sound"; did you mean "sounds"?',
        ),
        (("sounds/low", "--prompt", "x"), 2, "sounds/low: a folder without manifest.json is no artifact"),
        (
            ("ramps", "timed.csv"),
            6,
            "2 channels: channel_0, channel_1; this file has 3 columns: time, x, y; leave out: time",
        ),
        ((TEXT, "--json", "-"), 2, "--json -: name a file"),
        ((TEXT, "--json", ""), 2, '--json "": name a file'),
        (("",), 6, "the text holds no token"),
        (("ramps", "broken.csv"), 6, 'broken.csv: line 3, column "y": "four" is not a number'),
        (("sounds", "broken.csv"), 6, "not a WAV file"),
    ],
)
def test_a_call_that_does_not_fit_says_what_would(arguments: tuple[str, ...], code: int, cause: str) -> None:
    Path("broken.csv").write_text("x,y\n1,2\n3,four\n")
    Path("timed.csv").write_text("time,x,y\n1,2,3\n")
    done = edgeseq("run", *arguments)
    assert (done.exit_code, cause in done.stderr) == (code, True), done.output
    assert done.stdout == ""
