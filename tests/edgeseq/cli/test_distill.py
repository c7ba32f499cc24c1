"""`edgeseq distill`: two runs, a table, JSON; nothing on the disk where the call or a teacher is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgeseq.cli import main
from edgeseq.runs import open_run
from edgeseq.training.augment import TEXT, AugmentConfig

SHAPE = ["--hidden", "4", "--embedding", "4", "--buckets", "32", "--subwords", "2"]
QUICK = [*SHAPE, "--epochs", "1", "--versions", "2"]


def edgeseq(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGESEQ_CACHE_DIR", str(tmp_path / "cache"))


def test_a_student_is_distilled_compared_and_kept(text_teacher: Path, workplace: Path) -> None:
    ran = edgeseq("distill", "--teacher", text_teacher, *QUICK, "--seed", 3, "--json", "out.json")
    assert ran.exit_code == 0, ran.stderr
    assert "runs/requests-gru-distilled: gru 4+1x4 bidirectional," in ran.stdout
    for words in ("teacher", "scratch", "distilled", "onnx int8"):
        assert words in ran.stdout
    assert "training runs/requests-gru-distilled-scratch" in ran.stderr
    result = json.loads(Path("out.json").read_text())
    run = open_run(None)
    assert run.path == Path("runs/requests-gru-distilled")
    assert result["recipe"] == json.loads(json.dumps(run.recipe.to_dict()))
    assert result["distillation"]["scratch"] == "requests-gru-distilled-scratch"
    assert {row["precision"] for row in result["distillation"]["rows"]} == {"fp32", "int8"}
    assert result["distillation"]["latency"]["emulated"] is False


def test_what_is_not_said_of_data_and_splits_is_the_teacher_s(text_teacher: Path, workplace: Path) -> None:
    options = (
        "--no-twin --name small --temperature 4 --hard-weight 0.3 --qat --qat-epochs 1 --dropout 0.2"
        " --embedding 6"
    )
    ran = edgeseq("distill", "--teacher", text_teacher, *QUICK, *options.split())
    assert ran.exit_code == 0, ran.stderr
    recipe, teacher = open_run("small").recipe, open_run(text_teacher).recipe
    assert (recipe.data, recipe.splitting) == (teacher.data, teacher.splitting)
    assert recipe.distill is not None
    assert recipe.distill.twin is None
    assert (recipe.distill.temperature, recipe.distill.hard_weight, recipe.distill.versions) == (4, 0.3, 2)
    assert recipe.qat is not None
    assert (recipe.model.dropout, recipe.model.embedding_dropout, recipe.model.embedding) == (0.2, 0.1, 6)
    assert not Path("runs/small-scratch").exists()


def test_the_student_from_scratch_has_the_dropout_of_a_training(text_teacher: Path, workplace: Path) -> None:
    ran = edgeseq("distill", "--teacher", text_teacher, *QUICK, "--name", "small")
    assert ran.exit_code == 0, ran.stderr
    student, scratch = open_run("small").recipe.model, open_run("small-scratch").recipe.model
    assert (student.dropout, student.embedding_dropout) == (0.1, 0.1)
    assert scratch.dropout > student.dropout
    assert (scratch.hidden, scratch.embedding) == (student.hidden, student.embedding)
    assert open_run("small").recipe.training.augment == AugmentConfig(token_unknown=TEXT.token_unknown)
    ran = edgeseq("train", "--from", "small", "--qat", "--qat-epochs", "1", "--name", "tuned")
    assert ran.exit_code == 0, ran.stderr
    assert open_run("tuned").recipe.distill is None
    ran = edgeseq("distill", "--resume", "small")
    assert ran.exit_code == 2
    assert "its distillation is over already" in ran.stderr
    ran = edgeseq("train", "--resume", "small")
    assert ran.exit_code == 2
    assert "training is over already" in ran.stderr


def test_a_budget_chooses_the_student_s_shape(text_teacher: Path, workplace: Path) -> None:
    options = ["--model", "bag", "--fit", "40kB", "--epochs", "1", "--versions", "2", "--name", "fitted"]
    ran = edgeseq("distill", "--teacher", text_teacher, *options)
    assert ran.exit_code == 0, ran.stderr
    student, scratch = open_run("fitted").recipe, open_run("fitted-scratch").recipe
    assert student.fit is not None
    assert student.fit.max_bytes == 40_000
    assert (scratch.model.hidden, scratch.fit) == (student.model.hidden, student.fit)


@pytest.mark.parametrize(
    ("options", "exit_code", "message"),
    [
        (["--hidden", "0"], 2, "--hidden"),
        (["--temperature", "0"], 2, "--temperature"),
        (["--hard-weight", "1.5"], 2, "--hard-weight"),
        (["--name", "a/b"], 2, '--name "a/b": use letters'),
        (["--name", "b-scratch"], 2, '--name "b-scratch": a name that ends in -scratch'),
        (["--relation-heads", "2"], 2, "give --relation-weight, or leave it out"),
        (["--json", "no/such/out.json"], 2, "the folder no/such does not exist"),
        (["--teacher", "nobody"], 2, 'unknown teacher "nobody"'),
        (["--relation-weight", "1"], 2, "must be runs of a transformer"),
        (["--target", "pi5"], 2, "--target is about quantization-aware training; add --qat"),
        (["--unlabelled", "no/such.txt"], 2, "no/such.txt"),
        (["--split-seed", "9", "--validation-fraction", "0.3"], 6, "trained on other splits"),
        (["--data", "gestures"], 6, "this teacher answers text, gestures holds series"),
        (["--fit", "1kB"], 3, "bytes"),
        (["--resume", "small"], 2, "leave out --teacher"),
    ],
)
def test_a_call_that_does_not_fit_writes_nothing(
    text_teacher: Path, workplace: Path, options: list[str], exit_code: int, message: str
) -> None:
    ran = edgeseq("distill", "--teacher", text_teacher, *options)
    assert ran.exit_code == exit_code, ran.stderr
    assert message in ran.stderr
    assert ran.stderr.splitlines()[-1].startswith("edgeseq: error: ")
    assert not list(workplace.iterdir())


def test_without_a_teacher_it_says_what_to_give(workplace: Path) -> None:
    ran = edgeseq("distill", "--data", "gestures")
    assert ran.exit_code == 2
    assert "give --teacher RUN" in ran.stderr


def test_a_teacher_given_twice_is_refused(text_teacher: Path, workplace: Path) -> None:
    ran = edgeseq("distill", "--teacher", text_teacher, "--teacher", text_teacher)
    assert ran.exit_code == 2
    assert "is the same model as" in ran.stderr


def test_a_plain_run_is_no_distillation_to_resume(text_teacher: Path, workplace: Path) -> None:
    ran = edgeseq("distill", "--resume", text_teacher)
    assert ran.exit_code == 2
    assert "it is no distillation" in ran.stderr
