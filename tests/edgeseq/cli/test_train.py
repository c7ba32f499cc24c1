"""`edgeseq train`: a run folder, a table, JSON; nothing on the disk where call or data is refused."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result
from rich.console import Console

from edgeseq.cli import main
from edgeseq.cli.training_progress import TrainingDisplay
from edgeseq.runs import open_run
from edgeseq.training.checkpoint import EpochResult

QUICK = ["--hidden", "4", "--epochs", "2"]


def edgeseq(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_a_run_is_trained_reported_and_kept(tiny_series: Path, workplace: Path) -> None:
    ran = edgeseq("train", "--data", tiny_series, *QUICK, "--json", "out.json")
    assert ran.exit_code == 0, ran.stderr
    assert "runs/ramps-gru: gru 1x4" in ran.stdout
    shown = ran.stderr.splitlines()
    assert shown[1].split() == ["epoch", "training", "loss", "accuracy", "validation", "loss", "accuracy"]
    assert [line.split()[0] for line in shown[2:4]] == ["1/2", "2/2"]
    assert shown[4] == "measuring accuracy on all 48 recordings"
    result = json.loads(Path("out.json").read_text())
    run = open_run("ramps-gru")
    assert result["name"] == "ramps-gru"
    assert result["metrics"] == run.metrics
    assert result["recipe"] == run.recipe.to_dict()
    assert result["splits"]["unit"] == "recordings"
    assert {name: result["metrics"][name]["n"] for name in ("train", "validation", "test")} == {
        name: result["splits"][name] for name in ("train", "validation", "test")
    }


def test_every_option_reaches_the_recipe(tiny_series: Path, workplace: Path) -> None:
    options = (
        "--model lstm --hidden 3 --layers 2 --bidirectional --pooling max --dropout 0.3 --conv-kernel 3"
        " --epochs 1 --seed 5 --ema 0.9"
        " --batch-size 7 --learning-rate 0.002 --weight-decay 0.1 --label-smoothing 0.2 --patience 4"
        " --threads 2 --no-augment --validation-fraction 0.25 --split-seed 9 --sample-rate 40 --name mine"
    )
    ran = edgeseq("train", "--data", tiny_series, *options.split())
    assert ran.exit_code == 0, ran.stderr
    recipe = open_run("mine").recipe.to_dict()
    assert recipe["model"] == {
        "family": "lstm",
        "hidden": 3,
        "layers": 2,
        "bidirectional": True,
        "pooling": "max",
        "dropout": 0.3,
        "conv_kernel": 3,
        "heads": 4,
        "feedforward": 2,
        "positions": "rotary",
        "max_frames": 512,
        "causal": False,
        "window": 64,
        "embedding": 0,
        "embedding_dropout": 0.0,
        "task": "classify",
        "tied": False,
        "context": 336,
        "horizon": 96,
        "segment": 24,
    }
    training = recipe["training"]
    assert not any(training.pop("augment").values())
    assert (training["epochs"], training["seed"], training["batch_size"], training["patience"]) == (
        1,
        5,
        7,
        4,
    )
    assert (training["learning_rate"], training["weight_decay"]) == (0.002, 0.1)
    assert (training["label_smoothing"], training["threads"], training["ema"]) == (0.2, 2, 0.9)
    assert (recipe["splitting"]["validation_fraction"], recipe["splitting"]["seed"]) == (0.25, 9)
    assert recipe["reading"]["sample_rate_hz"] == 40


def test_every_option_of_a_model_of_text_reaches_the_recipe(tiny_texts: Path, workplace: Path) -> None:
    options = "--model gru --size tiny --hidden 6 --no-bidirectional --embedding 5 --embedding-dropout 0.2"
    ran = edgeseq("train", "--data", tiny_texts, *options.split(), "--epochs", 1, "--name", "all")
    assert ran.exit_code == 0, ran.stderr
    assert "runs/all: gru 5+1x6," in ran.stdout
    wanted = {"hidden": 6, "bidirectional": False, "pooling": "max", "embedding": 5, "embedding_dropout": 0.2}
    recipe = open_run("all").recipe.to_dict()
    assert wanted.items() <= recipe["model"].items()
    settled = {"tokenizer": "word", "ngrams": 2, "subwords": 16, "buckets": 8192, "max_tokens": 64}
    assert settled.items() <= recipe["front_end"].items(), "a later default would make another model of it"


def test_a_size_is_a_shape_for_the_data_s_kind(tiny_series: Path, tiny_texts: Path, workplace: Path) -> None:
    for data, shape in ((tiny_texts, "gru 32+1x32 bidirectional"), (tiny_series, "gru 1x32")):
        ran = edgeseq("train", "--data", data, "--size", "tiny", "--epochs", 1, "--name", data.stem)
        assert ran.exit_code == 0, ran.stderr
        assert f"runs/{data.stem}: {shape}," in ran.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "bag", "--conv-kernel", "3"], "a bag of tokens has no --conv-kernel"),
        (["--model", "bag", "--pooling", "last"], "give --pooling mean or max"),
        (["--model", "bag", "--bidirectional"], "a bag of tokens has no --bidirectional"),
        (["--embedding", "0"], "--embedding"),
        (["--size", "bse"], "--size"),
        (["--mels", "40"], "holds text; --mels concerns audio"),
        (["--frame-ms", "25"], "holds text; --frame-ms concerns audio"),
    ],
)
def test_a_call_that_does_not_fit_text_writes_nothing(
    tiny_texts: Path, workplace: Path, options: list[str], message: str
) -> None:
    ran = edgeseq("train", "--data", tiny_texts, *options)
    assert ran.exit_code == 2
    assert message in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert not list(workplace.iterdir())


def test_with_texts_out_of_scope_it_is_said_which_accuracy_holds(tiny_texts: Path, workplace: Path) -> None:
    shape = ["--model", "bag", "--hidden", 4, "--embedding", 4, "--buckets", 32, "--epochs", 1]
    ran = edgeseq("train", "--data", tiny_texts, *shape, "--out-of-scope-label", "louder")
    assert ran.exit_code == 0, ran.stderr
    shown = ran.stdout.split("Out of scope")[1].replace("\n", " ")
    assert 'rejects answers below the threshold has "right and not rejected" as its accuracy' in shown


def test_the_options_are_listed_under_what_they_are_about() -> None:
    for command in ("train", "distill"):
        shown = edgeseq(command, "--help").stdout
        groups = {part.split(":\n")[0]: part for part in shown.split("\n\n") if ":\n" in part}
        for option, heading in (
            ("--data NAME|PATH", "Options"),
            ("--json", "Options"),
            ("--hidden", "Model"),
            ("--fit SIZE", "Model"),
            ("--epochs", "Training"),
            ("--target TARGET", "Quantization-aware training"),
            ("--label-column", "Data"),
            ("--mels", "Audio and series"),
            ("--tokenizer", "Text"),
        ):
            assert f"\n  {option} " in groups[heading], (command, option)
            assert sum(f"\n  {option} " in part for part in groups.values()) == 1


def test_every_option_of_a_transformer_reaches_the_recipe(tiny_series: Path, workplace: Path) -> None:
    options = (
        "--model transformer --hidden 8 --layers 1 --pooling cls --heads 2 --feedforward 3"
        " --positions learned --max-frames 40 --epochs 1 --name all"
    )
    ran = edgeseq("train", "--data", tiny_series, *options.split())
    assert ran.exit_code == 0, ran.stderr
    assert "runs/all: transformer 1x8," in ran.stdout
    wanted = {"hidden": 8, "layers": 1, "pooling": "cls", "heads": 2, "feedforward": 3}
    wanted |= {"positions": "learned", "max_frames": 40}
    assert wanted.items() <= open_run("all").recipe.to_dict()["model"].items()


def test_a_causal_transformer_trains_to_the_same_bits_twice(tiny_series: Path, workplace: Path) -> None:
    options = ["--model", "transformer", "--hidden", "8", "--causal", "--window", "5", "--epochs", "2"]
    for name in ("once", "again"):
        ran = edgeseq("train", "--data", tiny_series, *options, "--name", name)
        assert ran.exit_code == 0, ran.stderr
        assert f"runs/{name}: transformer 2x8 causal 5," in ran.stdout
    model = open_run("once").recipe.model
    assert (model.causal, model.window, model.layers, model.pooling) == (True, 5, 2, "mean")
    weights = [Path("runs", name, "model.safetensors").read_bytes() for name in ("once", "again")]
    assert weights[0] == weights[1]


def test_a_recording_longer_than_the_learned_positions_ends_in_one_line(
    tiny_series: Path, workplace: Path
) -> None:
    options = ["--model", "transformer", "--positions", "learned", "--max-frames", "7"]
    ran = edgeseq("train", "--data", tiny_series, *QUICK, *options, "--no-augment")
    assert ran.exit_code == 2
    assert "--max-frames 7 positions would be learned: give --max-frames" in ran.stderr


@pytest.mark.parametrize(
    ("options", "exit_code", "message"),
    [
        (["--heads", "4"], 2, "--heads is a setting of a transformer; a gru has none"),
        (["--model", "lstm", "--causal"], 2, "causal is a setting of a transformer; a lstm has none"),
        (["--pooling", "cls"], 2, "pooling cls is a transformer's"),
        (["--model", "transformer", "--heads", "5"], 2, "--hidden 64 does not divide by --heads 5"),
        (["--model", "transformer", "--bidirectional"], 2, "leave --bidirectional out"),
        (["--model", "transformer", "--window", "9"], 2, "--window is a causal transformer's"),
        (["--embedding", "8"], 2, "embedding is a setting for text; leave it out"),
        (["--model", "bag"], 2, "a bag is a model of text; take gru, lstm or transformer"),
        (["--model", "grue"], 2, 'unknown model "grue"; did you mean "gru"'),
        (["--hidden", "0"], 2, "--hidden"),
        (["--name", "a/b"], 2, '--name "a/b": use letters'),
        (["--json", "no/such/out.json"], 2, "the folder no/such does not exist"),
        (["--validation-fraction", "1.5"], 2, "--validation-fraction"),
        (["--label-column", "kind"], 2, "--label-column does not concern this data"),
        (["--by-group"], 2, "no group"),
        (["--test-pattern", "("], 2, "--test-pattern does not concern this data"),
        (["--epochs", "abc"], 2, "'abc' is not a whole number in the range x>=1"),
        (["--dropout", "abc"], 2, "'abc' is not a number in the range 0<=x<1"),
        (["--seed", str(2**63)], 2, "--seed"),
        (["--split-seed", str(2**63)], 2, "--split-seed"),
        (["--sample-rate", "100000000"], 2, "is not in the range 1<=x<=768000"),
        (["--hop-ms", "10"], 2, "holds series; --hop-ms concerns audio"),
        (["--tokenizer", "word"], 2, "holds series; --tokenizer concerns text"),
        (["--lowercase"], 2, "holds series; --lowercase concerns text"),
        (["--mels", "100000000"], 2, "is not in the range 1<=x<=1024"),
    ],
)
def test_a_call_that_does_not_fit_writes_nothing(
    tiny_series: Path, workplace: Path, options: list[str], exit_code: int, message: str
) -> None:
    ran = edgeseq("train", "--data", tiny_series, *options)
    assert ran.exit_code == exit_code
    assert message in ran.stderr
    assert ran.stderr.startswith("edgeseq: error: ")
    assert ran.stderr.count("\n") == 1
    assert not list(workplace.iterdir())


def test_refused_data_writes_nothing(tiny_series: Path, workplace: Path) -> None:
    arrays = dict(np.load(tiny_series))
    arrays["samples"][3, 2, 1] = np.nan
    np.savez(tiny_series, **arrays)
    ran = edgeseq("train", "--data", tiny_series)
    assert ran.exit_code == 6
    assert ran.stderr.count("\n") == 1
    assert str(tiny_series) in ran.stderr
    assert not list(workplace.iterdir())


def test_a_test_pattern_that_matches_nothing_writes_nothing(tmp_path: Path, workplace: Path) -> None:
    folder = tmp_path / "tones"
    for label in ("low", "high"):
        (folder / label).mkdir(parents=True)
        for take in range(3):
            soundfile.write(folder / label / f"{take}.wav", np.full(400, 0.1, np.float32), 8000)
    ran = edgeseq("train", "--data", folder, "--test-pattern", "zz", "--epochs", "1")
    assert ran.exit_code == 6
    assert ran.stderr.startswith(
        f"edgeseq: error: {folder}: --test-pattern 'zz' matches none of 6 recordings"
    )
    assert not list(workplace.iterdir())


def test_the_largest_seeds_train(tiny_series: Path, workplace: Path) -> None:
    seeds = ["--seed", 2**63 - 1, "--split-seed", 2**63 - 1]
    assert edgeseq("train", "--data", tiny_series, *QUICK, *seeds).exit_code == 0


def test_epoch_lines_fit_80_columns_and_the_mark_is_explained() -> None:
    written = io.StringIO()
    display = TrainingDisplay(Console(file=written, width=200))
    display.began(250, ())
    for number in (249, 250):
        display.epoch(EpochResult(number, 12.34567, 1.0, 123.4567, 1.0, 0.1, 59.0), best=True)
    explained, header, first, last = written.getvalue().splitlines()
    assert explained.startswith("* marks the best epoch")
    assert "100.00 %*  ETA" in first
    assert "ETA" not in last
    assert max(map(len, (explained, header, first, last))) <= 79
    assert [first.index(text) + len(text) for text in ("12.346", "%  ", "123.457", "%*")] == [
        header.index("training loss") + len("training loss"),
        header.index("accuracy") + len("accuracy") + 2,
        header.index("validation loss") + len("validation loss"),
        len(header) + 1,
    ]


def test_a_single_class_writes_nothing(
    tmp_path: Path, workplace: Path, write_series: Callable[..., Path]
) -> None:
    ran = edgeseq("train", "--data", write_series(tmp_path / "one.npz", labels=("same",)))
    assert ran.exit_code == 6
    assert "two classes" in ran.stderr
    assert not list(workplace.iterdir())


def test_no_data_says_what_to_give(workplace: Path) -> None:
    ran = edgeseq("train")
    assert ran.exit_code == 2
    assert "give --data" in ran.stderr


def test_a_taken_name_is_refused_before_the_data_is_read(tiny_series: Path, workplace: Path) -> None:
    assert edgeseq("train", "--data", tiny_series, *QUICK, "--name", "mine").exit_code == 0
    before = {path: path.read_bytes() for path in Path("runs/mine").iterdir()}
    ran = edgeseq("train", "--data", "no/such/file.npz", "--name", "mine")
    assert ran.exit_code == 2
    assert "runs/mine exists already" in ran.stderr
    assert {path: path.read_bytes() for path in Path("runs/mine").iterdir()} == before


def test_resume_takes_its_settings_from_the_run(tiny_series: Path, workplace: Path) -> None:
    assert edgeseq("train", "--data", tiny_series, *QUICK).exit_code == 0
    ran = edgeseq("train", "--resume", "ramps-gru", "--hidden", "8")
    assert ran.exit_code == 2
    assert "leave out --hidden" in ran.stderr
    ran = edgeseq("train", "--resume", "ramps-gru")
    assert ran.exit_code == 2
    assert "training is over already" in ran.stderr


def test_a_disk_that_fills_up_ends_in_one_line_and_no_half_run(tiny_series: Path, workplace: Path) -> None:
    """A file-size limit of 4 KB: the recipe fits, the first checkpoint does not."""
    script = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "from edgeseq.cli import main\n"
        "main(sys.argv[1:])\n"
    )
    command = [sys.executable, "-B", "-c", script, "train", "--data", tiny_series, "--epochs", "1"]
    ran = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1].startswith("edgeseq: error: runs/ramps-gru/checkpoint.safetensors: ")
    assert not list(workplace.iterdir())


def test_a_folder_that_cannot_be_written_is_refused_before_training(
    tiny_series: Path, workplace: Path
) -> None:
    """Not even root makes a file in /proc."""
    ran = edgeseq("train", "--data", tiny_series, "--json", "/proc/out.json")
    assert ran.exit_code == 2
    message = "--json /proc/out.json: the folder /proc cannot be written to; name another"
    assert ran.stderr == f"edgeseq: error: {message}\n"
    assert not list(workplace.iterdir())
