"""Teachers: how they are found, in which order they answer, and whom they may not teach."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeseq import data
from edgeseq.batches import logits_of
from edgeseq.distill.answers import in_order
from edgeseq.distill.teachers import (
    RunTeacher,
    Teacher,
    check_distinct,
    check_prepared,
    check_teacher,
    open_teacher,
    reopened,
)
from edgeseq.features import prepare
from edgeseq.models.config import ModelConfig
from edgeseq.run_data import load_prepared
from edgeseq.runs import open_run
from edgeseq_device.errors import DataError, UsageError


def nobody(done: int, of: int) -> None: ...


def texts_of(path: Path) -> data.Dataset:
    return data.load(str(path / "requests.csv"))


@pytest.fixture
def place(text_teacher: Path) -> Path:
    """Where the tiny texts and the runs folder of their teacher are."""
    return text_teacher.parent.parent


def test_a_teacher_is_found_by_its_run_s_name_and_by_its_folder(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    named, folder = open_teacher("teacher"), open_teacher("runs/teacher")
    assert named.source.sha256 == folder.source.sha256
    assert named.source.reference == "teacher"
    with pytest.raises(UsageError, match="runs/teacher is the same model as --teacher teacher"):
        check_distinct((named, folder))


def test_a_teacher_that_is_not_there_is_named(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    with pytest.raises(UsageError, match=r'unknown teacher "teachr"; did you mean "teacher"\?.*Hugging Face'):
        open_teacher("teachr")


def test_a_run_answers_texts_as_it_does_its_own_features(text_teacher: Path, teacher: Teacher) -> None:
    run = open_run(text_teacher)
    validation = load_prepared(run).splits.validation
    texts = [str(r.samples) for r in data.load(run.recipe.data).recordings if r.split == "validation"]
    expected = logits_of(run.module(), validation.features)
    np.testing.assert_allclose(teacher.logits(texts, nobody), expected, atol=1e-5)


def test_answers_are_brought_into_the_order_of_the_data_s_labels() -> None:
    logits = np.array([[1.0, 2.0, 3.0]], np.float32)
    assert in_order(logits, ("on", "off", "louder"), ("louder", "off", "on")).tolist() == [[3.0, 2.0, 1.0]]


def test_a_teacher_may_teach_on_its_own_data(place: Path, teacher: Teacher) -> None:
    check_teacher(teacher, texts_of(place))
    check_prepared(
        teacher, prepare(texts_of(place), data.SplitOptions(), data.FrontEndOptions(), ModelConfig())
    )


def test_a_teacher_of_other_labels_is_refused(place: Path, teacher: Teacher, tmp_path: Path) -> None:
    text = (place / "requests.csv").read_text().replace(",louder,", ",volume,")
    (tmp_path / "requests.csv").write_text(text)
    with pytest.raises(DataError, match=r'the teacher alone has "louder"; .* alone has "volume"; take'):
        check_teacher(teacher, texts_of(tmp_path))


def test_a_teacher_of_other_data_is_refused(place: Path, teacher: Teacher, tmp_path: Path) -> None:
    text = (place / "requests.csv").read_text() + "switch the lamp off,off,train\n"
    (tmp_path / "requests.csv").write_text(text)
    with pytest.raises(DataError, match=r"was trained on other data .* train a teacher on this data"):
        check_teacher(teacher, texts_of(tmp_path))


def test_a_teacher_that_has_seen_what_is_held_out_is_refused(place: Path, teacher: Teacher) -> None:
    other = data.SplitOptions(validation_fraction=0.3, seed=5)
    with pytest.raises(DataError, match=r"other splits .* leave the options about splits out"):
        check_prepared(teacher, prepare(texts_of(place), other, data.FrontEndOptions(), ModelConfig()))


def test_a_teacher_of_another_kind_of_data_is_refused(teacher: Teacher, tiny_series: Path) -> None:
    with pytest.raises(DataError, match=r"answers text, .* holds series; take a teacher of series"):
        check_teacher(teacher, data.load(str(tiny_series)))


def test_a_teacher_that_changed_since_is_not_taken_for_the_same(
    text_teacher: Path, tmp_path: Path, teacher: Teacher
) -> None:
    copy = Path(shutil.copytree(text_teacher, tmp_path / "copy"))
    source = replace(teacher.source, reference=str(copy))
    assert reopened(source).source == source
    result = json.loads((copy / "run.json").read_text())
    result["labels"].reverse()
    (copy / "run.json").write_text(json.dumps(result))
    with pytest.raises(DataError, match="not the one that the distillation began with"):
        reopened(source)


def test_sounds_and_series_need_a_teacher_of_the_student_s_front_end(
    tiny_series: Path, workplace: Path, train_quickly: Callable[..., RunTeacher]
) -> None:
    quick = train_quickly(tiny_series)
    prepared = prepare(
        data.load(str(tiny_series)), data.SplitOptions(), data.FrontEndOptions(), ModelConfig()
    )
    check_prepared(quick, prepared)
    other = replace(prepared, front_end=replace(quick.run.front_end, sample_rate_hz=50))
    with pytest.raises(DataError, match=r"front end is another .* leave the options about features out"):
        check_prepared(quick, other)


def test_texts_that_a_run_reads_the_beginning_of_are_counted(teacher: Teacher) -> None:
    assert teacher.max_tokens is not None
    assert teacher.cut(["turn on " * teacher.max_tokens, "turn on"]) == 1
