"""`edgeseq train --task lm`: from a text to a run; what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgeseq.cli import main
from edgeseq.runs import open_run

QUICK = ["--task", "lm", "--hidden", "4", "--embedding", "4", "--epochs", "2", "--threads", "1"]


def edgeseq(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_a_run_is_trained_reported_and_kept(tiny_corpus: Path, workplace: Path) -> None:
    ran = edgeseq("train", "--data", tiny_corpus, *QUICK, "--json", "out.json")
    assert ran.exit_code == 0, ran.stderr
    assert "runs/plays-gru: gru 4+1x4" in ran.stdout
    assert "tokens in the vocabulary" in ran.stdout
    assert "nats per token" in ran.stdout
    assert "test" not in ran.stdout
    shown = ran.stderr.splitlines()
    assert shown[1] == "losses are nats per token"
    assert shown[2].split() == ["epoch", "training", "loss", "validation", "loss"]
    assert [line.split()[0] for line in shown[3:5]] == ["1/2", "2/2"]
    assert shown[5].startswith("measuring all ")
    assert "%" not in ran.stderr
    result = json.loads(Path("out.json").read_text())
    assert result["metrics"] == open_run("plays-gru").metrics
    assert result["splits"]["unit"] == "tokens"
    assert result["recipe"]["reading"]["task"] == result["recipe"]["model"]["task"] == "lm"
    assert set(result["metrics"]["validation"]) == {
        *("tokens", "characters", "nats_per_token", "bits_per_character", "accuracy")
    }


def test_every_option_of_a_language_model_reaches_the_recipe(tiny_corpus: Path, workplace: Path) -> None:
    options = (
        "--task lm --model transformer --hidden 8 --layers 1 --heads 2 --window 9 --tied --dropout 0.3"
        " --embedding-dropout 0.2 --epochs 1 --window-tokens 16 --batch-size 3 --ema 0.9 --weight-decay 0.1"
        " --warm-up 0.2"
        " --threads 2 --tokenizer bpe --vocabulary 300 --validation-fraction 0.2 --test-fraction 0.1 --name x"
    )
    ran = edgeseq("train", "--data", tiny_corpus, *options.split())
    assert ran.exit_code == 0, ran.stderr
    recipe = open_run("x").recipe
    model, training, front_end = recipe.model, recipe.training, recipe.front_end
    assert (model.task, model.window, model.tied, model.embedding) == ("lm", 9, True, 8)
    assert (model.dropout, model.embedding_dropout) == (0.3, 0.2)
    assert (training.window_tokens, training.batch_size, training.ema) == (16, 3, 0.9)
    assert (training.weight_decay, training.warm_up, training.threads) == (0.1, 0.2, 2)
    assert (front_end.tokenizer, front_end.vocabulary, front_end.lowercase) == ("bpe", 300, False)
    assert set(open_run("x").metrics) >= {"train", "validation", "test"}


def test_a_run_goes_on_from_its_weights(tiny_corpus: Path, workplace: Path) -> None:
    assert edgeseq("train", "--data", tiny_corpus, *QUICK, "--name", "first").exit_code == 0
    ran = edgeseq("train", "--from", "first", "--epochs", 2)
    assert ran.exit_code == 0, ran.stderr
    assert "fine-tuning: 2 epochs from validation loss" in ran.stderr
    before, after = (open_run(name).metrics["validation"] for name in ("first", "plays-gru-tuned"))
    assert after["nats_per_token"] < before["nats_per_token"]
    assert "--qat concerns the task classify" in edgeseq("train", "--from", "first", "--qat").stderr


@pytest.mark.parametrize(
    ("options", "exit_code", "message"),
    [
        ("", 6, "a text without labels; add --task lm"),
        ("--task lm --qat", 2, "--qat concerns the task classify, and this one is lm"),
        ("--task lm --fit 1MB", 2, "--fit concerns the task classify"),
        ("--task lm --no-augment", 2, "--no-augment concerns the task classify"),
        ("--task lm --model bag", 2, "bag is no model of the task lm"),
        ("--task lm --horizon 3", 2, "--horizon is no setting of a gru of the task lm"),
        ("--task lm --mels 20", 2, "--mels concerns audio"),
        ("--task lm --label-pattern x", 2, "--label-pattern does not concern this data"),
        ("--task lm --window-tokens 100000", 6, "give --window-tokens 4"),
        ("--task lm --validation-fraction 0.001", 6, "or a larger --validation-fraction"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line_and_leaves_nothing(
    tiny_corpus: Path, workplace: Path, options: str, exit_code: int, message: str
) -> None:
    ran = edgeseq("train", "--data", tiny_corpus, *options.split())
    assert ran.exit_code == exit_code, ran.output
    assert len(ran.stderr.strip().splitlines()) == 1
    assert message in ran.stderr
    assert not Path("runs").exists()
    assert (
        "--window-tokens concerns the task lm"
        in edgeseq("train", "--data", "gestures", "--window-tokens", 3).stderr
    )
