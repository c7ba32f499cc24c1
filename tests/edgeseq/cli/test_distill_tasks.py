"""`edgeseq distill` of language models and forecasters: what is the teacher's, which options do not fit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from edgeseq.cli import main
from edgeseq.runs import open_run

OF_CLASSIFIERS = (
    ("--versions", "2"),
    ("--unlabelled", "more.txt"),
    ("--relation-weight", "1"),
    ("--relation-heads", "2"),
    ("--hidden-weight", "1"),
    ("--qat",),
    ("--fit", "1MB"),
)


def edgeseq(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def check_refused(teacher: str, task: str, *options: str, message: str = "concerns the task") -> None:
    before = sorted(Path("runs").iterdir())
    ran = edgeseq("distill", "--teacher", teacher, *options)
    assert ran.exit_code == 2, ran.stderr
    assert message in ran.stderr
    assert options[0].removeprefix("--").replace("-", " ") in ran.stderr.replace("-", " ")
    assert task in ran.stderr
    assert sorted(Path("runs").iterdir()) == before


def test_a_language_model_teaches_one_of_its_own_tokens(workplace: Path) -> None:
    Path("proverbs.txt").write_text(40 * "the more haste, the less speed; ", "utf-8")
    Path("more.txt").write_text("more haste\n", "utf-8")
    quick = ("--hidden", 4, "--embedding", 4, "--epochs", 1, "--window-tokens", 16)
    asked = ("--tokenizer", "byte", "--validation-fraction", "0.2", "--name", "big")
    ran = edgeseq("train", "--task", "lm", "--data", "proverbs.txt", *quick, *asked)
    assert ran.exit_code == 0, ran.stderr
    ran = edgeseq("distill", "--teacher", "big", "--model", "lstm", *quick, "--json", "out.json")
    assert ran.exit_code == 0, ran.stderr
    student, scratch = open_run("proverbs-lstm-distilled").recipe, open_run("proverbs-lstm-distilled-scratch")
    assert student.distill is not None
    assert (student.distill.temperature, student.distill.hard_weight) == (1.0, 0.1)
    assert scratch.recipe.model == student.model
    assert (student.model.task, student.front_end.tokenizer) == ("lm", "byte")
    assert "258 tokens in the vocabulary" in ran.stdout
    assert "losses are nats per token" in ran.stderr
    rows = json.loads(Path("out.json").read_text())["distillation"]["rows"]
    assert {row["role"] for row in rows} == {"teacher", "scratch", "distilled"}
    assert all(row["figures"]["validation"]["nats_per_token"] > 0 for row in rows)
    for options in OF_CLASSIFIERS:
        check_refused("big", "lm", *options)
    check_refused("big", "lm", "--horizon", "6", message="no setting of a gru of the task lm")
    ran = edgeseq("distill", "--teacher", "big", "--tokenizer", "char")
    assert ran.exit_code == 6
    assert "big: this teacher has another vocabulary" in ran.stderr


def test_a_forecaster_teaches_one_of_its_own_reach(workplace: Path) -> None:
    waves = np.sin(np.arange(160) * 2 * np.pi / 12)
    lines = [f"{1.4e9 + 3600 * hour:.0f},{value:.4f}" for hour, value in enumerate(waves)]
    Path("waves.csv").write_text("\n".join(["time,load", *lines]) + "\n", "utf-8")
    Path("more.txt").write_text("more haste\n", "utf-8")
    quick = ("--hidden", 4, "--epochs", 1)
    reach = ("--context", 12, "--horizon", 6)
    ran = edgeseq("train", "--task", "forecast", "--data", "waves.csv", *quick, *reach, "--name", "big")
    assert ran.exit_code == 0, ran.stderr
    ran = edgeseq("distill", "--teacher", "big", *quick, "--no-twin", "--hard-weight", 0.25)
    assert ran.exit_code == 0, ran.stderr
    student = open_run("waves-gru-distilled").recipe
    assert (student.model.context, student.model.horizon) == (12, 6)
    assert student.distill is not None
    assert student.distill.hard_weight == 0.25
    assert "linear: the linear baseline" in ran.stdout
    for options in (*OF_CLASSIFIERS, ("--temperature", "2"), ("--window-tokens", "8")):
        check_refused("big", "forecast", *options)
    ran = edgeseq("distill", "--teacher", "big", "--horizon", 12)
    assert ran.exit_code == 6
    assert "this teacher forecasts 6 moments from 12, the student 12 from 12" in ran.stderr


@pytest.mark.parametrize("option", [("--window-tokens", "8"), ("--horizon", "6"), ("--tied",)])
def test_a_classifier_s_student_has_no_options_of_the_others(
    text_teacher: Path, workplace: Path, option: tuple[str, ...]
) -> None:
    ran = edgeseq("distill", "--teacher", text_teacher, *option)
    assert ran.exit_code == 2
    assert "lm" in ran.stderr or "forecast" in ran.stderr
