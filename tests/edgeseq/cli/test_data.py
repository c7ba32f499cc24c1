"""`edgeseq data list|info|fetch`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from edgeseq.cli import main


@pytest.fixture
def nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No mirror and an empty cache."""
    monkeypatch.delenv("EDGESEQ_DATA_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def data_dir() -> Path:
    """The local mirror; the test is skipped, by name, where it does not hold fsdd."""
    folder = os.environ.get("EDGESEQ_DATA_DIR")
    if folder is None or not (Path(folder) / "fsdd.zip").is_file():
        pytest.skip("EDGESEQ_DATA_DIR does not hold fsdd.zip")
    return Path(folder)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["data", *arguments])


def refused(result: Result, exit_code: int) -> str:
    """The one line of a refusal."""
    assert result.exit_code == exit_code, result.output
    assert "Traceback" not in result.output
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


def written(path: Path) -> Path:
    samples = np.random.default_rng(0).normal(size=(40, 5, 2))
    labels = np.array(["walk", "run"] * 20)
    groups = np.array([f"p{i // 8}" for i in range(40)])
    np.savez(path, samples=samples, labels=labels, groups=groups, sample_rate_hz=50)
    return path


def test_list_names_every_set_its_licence_and_whether_it_is_here(nothing_here: Path) -> None:
    result = run("list", "--json", str(nothing_here / "out.json"))
    assert result.exit_code == 0
    for word in ("gestures", "built in", "fsdd", "CC BY-SA 4.0", "basicmotions", "not fetched"):
        assert word in result.stdout
    rows = json.loads((nothing_here / "out.json").read_text())["data_sets"]
    by_task = {row["name"]: row["task"] for row in rows}
    assert {name for name, task in by_task.items() if task == "classify"} == {
        *("gestures", "fsdd", "basicmotions", "clinc150")
    }
    assert (by_task["tinyshakespeare"], by_task["etth1"]) == ("lm", "forecast")
    assert all(len(row["content_sha256"]) == 64 for row in rows)


def test_info_says_at_which_rate_features_are_taken(tmp_path: Path) -> None:
    for label in ("low", "high"):
        (tmp_path / "tones" / label).mkdir(parents=True)
        for take in range(3):
            sound = np.full(4410, 0.1, np.float32)
            soundfile.write(tmp_path / "tones" / label / f"{take}.wav", sound, 44100)
    result = run("info", str(tmp_path / "tones"))
    assert "44100 Hz, features at 16000 Hz" in result.stdout
    result = run("info", str(tmp_path / "tones"), "--sample-rate", "22050")
    assert "22050 Hz, features at 22050 Hz" in result.stdout


def test_info_counts_classes_and_splits(tmp_path: Path) -> None:
    result = run("info", str(written(tmp_path / "a.npz")), "--json", str(tmp_path / "out.json"))
    assert result.exit_code == 0, result.output
    facts = json.loads((tmp_path / "out.json").read_text())
    assert facts["split"] == {
        "origin": "test drawn by class, validation drawn by class",
        "train": 26,
        "validation": 6,
        "test": 8,
    }
    assert facts["classes"]["run"] == {"train": 13, "validation": 3, "test": 4}
    assert (facts["recordings"], facts["groups"], facts["sample_rate_hz"]) == (40, 5, 50)
    assert facts["samples"] == {"least": 5, "median": 5, "most": 5}
    assert facts["content_sha256"] in result.stdout


def test_info_takes_the_options_of_training(tmp_path: Path) -> None:
    arguments = ["--by-group", "--test-fraction", "0.4", "--split-seed", "3", "--sample-rate", "20"]
    result = run("info", str(written(tmp_path / "a.npz")), *arguments, "--json", str(tmp_path / "out.json"))
    assert result.exit_code == 0, result.output
    facts = json.loads((tmp_path / "out.json").read_text())
    assert facts["split"]["origin"] == "test drawn by group, validation drawn by group"
    assert facts["split"]["test"] == 16
    assert facts["sample_rate_hz"] == 20


def test_info_of_texts_counts_words_and_what_is_out_of_scope(tmp_path: Path) -> None:
    lines = ["text,label,split"]
    for side, count in (("train", 4), ("validation", 2), ("test", 2)):
        lines += [
            f"{word} number {i},{word},{side}" for word in ("go", "stop", "other") for i in range(count)
        ]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    arguments = ["--out-of-scope-label", "other", "--json", str(tmp_path / "out.json")]
    result = run("info", str(tmp_path / "a.csv"), *arguments)
    assert result.exit_code == 0, result.output
    facts = json.loads((tmp_path / "out.json").read_text())
    assert (facts["kind"], facts["recordings"], sorted(facts["classes"])) == ("text", 16, ["go", "stop"])
    assert facts["out_of_scope"] == {"train": 4, "validation": 2, "test": 2}
    assert facts["words"] == {"least": 3, "median": 3, "most": 3}
    assert facts["columns"] == {"text": "text", "label": "label", "split": "split"}
    assert facts["first_text"] == {"name": "line 2", "text": "go number 0", "label": "go"}
    assert "characters in a text" in result.stdout
    assert "(out of scope)" in result.stdout
    assert "sample rate" not in result.stdout


def test_info_says_which_of_two_usual_columns_was_read(tmp_path: Path) -> None:
    lines = ["Comment,message,label", *(f"aside,say {i},{'ab'[i % 2]}" for i in range(8))]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    result = run("info", str(tmp_path / "a.csv"))
    assert result.exit_code == 0, result.output
    assert 'text "message", label "label"' in result.stdout
    assert '"say 0" is a' in result.stdout


def test_info_of_fsdd_shows_where_it_comes_from(data_dir: Path) -> None:
    result = run("info", "fsdd", "--by-group")
    assert result.exit_code == 0
    for word in ("3000", "8000 Hz", "1148 to 18262", "github.com/Jakobovski", "CC BY-SA 4.0", "1801eae0"):
        assert word in result.stdout
    assert "edgeseq: warning: the test split given by the data shares 6 groups" in result.stderr


def test_an_unknown_name_exits_2_with_the_nearest() -> None:
    assert 'did you mean "fsdd"' in refused(run("info", "fsd"), 2)
    assert 'did you mean "gestures"' in refused(run("fetch", "gesture"), 2)


def test_a_set_that_is_not_here_exits_6(nothing_here: Path) -> None:
    assert "edgeseq data fetch basicmotions" in refused(run("info", "basicmotions"), 6)


def test_refused_data_exits_6_and_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    message = refused(run("info", str(tmp_path / "empty"), "--json", str(tmp_path / "out.json")), 6)
    assert "empty: the folder holds no .wav" in message
    assert not (tmp_path / "out.json").exists()


def test_fetch_leaves_what_is_here_alone(data_dir: Path, tmp_path: Path) -> None:
    result = run("fetch", "fsdd", "gestures", "fsdd", "--json", str(tmp_path / "out.json"))
    assert result.exit_code == 0
    rows = json.loads((tmp_path / "out.json").read_text())["data_sets"]
    assert [(row["name"], row["state"]) for row in rows] == [
        ("fsdd", "already here"),
        ("gestures", "built in"),
    ]


def test_info_of_a_text_counts_characters_and_what_training_lacks(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("ab\n" * 300 + "?" * 100)
    result = run("info", str(tmp_path / "a.txt"), "--task", "lm", "--json", str(tmp_path / "out.json"))
    assert result.exit_code == 0, result.output
    facts = json.loads((tmp_path / "out.json").read_text())
    assert (facts["task"], facts["documents"], facts["characters"]) == ("lm", 1, 1000)
    assert (facts["distinct_characters"], facts["unknown_characters"]) == (4, 100)
    assert (facts["split"]["train"], facts["split"]["validation"], facts["split"]["test"]) == (900, 100, 0)
    assert "train 900, validation 100: the first characters train" in result.stdout
    assert 'begins                  "ab\\nab' in result.stdout


def test_info_of_a_series_to_forecast_shows_its_time_and_rows(tmp_path: Path) -> None:
    lines = ["time,load", *(f"{1_400_000_000 + 3600 * hour},{hour % 7}" for hour in range(100))]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    arguments = ["--task", "forecast", "--split-rows", "60,20,20", "--json", str(tmp_path / "out.json")]
    result = run("info", str(tmp_path / "a.csv"), *arguments)
    assert result.exit_code == 0, result.output
    facts = json.loads((tmp_path / "out.json").read_text())
    assert (facts["rows"], facts["channels"], facts["interval_s"]) == (100, ["load"], 3600)
    assert facts["first_time"] == "2014-05-13T16:53:20"
    assert "train 60, validation 20, test 20" in result.stdout


def test_info_warns_of_a_channel_that_training_would_refuse(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("\n".join(["load,oil", *(f"{row % 7},5" for row in range(1500))]))
    result = run("info", str(tmp_path / "a.csv"), "--task", "forecast")
    assert result.exit_code == 0, result.output
    assert "warning: training refuses this as it is" in result.stderr
    assert "nothing ever changes in oil; leave that out with --drop-column oil" in result.stderr
    assert "1,050 rows train" in result.stdout


def test_the_result_of_info_cannot_take_the_place_of_the_data(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("to be kept " * 500)
    done = CliRunner().invoke(main, ["data", "info", str(file), "--task", "lm", "--json", str(file)])
    assert (done.exit_code, "is the input; name another file" in done.stderr) == (2, True), done.output
    assert file.read_text() == "to be kept " * 500
