"""A distillation: two students and a comparison, repeatable, resumable; the student is the newest run."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgeseq import data
from edgeseq.distill import latency
from edgeseq.distill.distillation import Distillation
from edgeseq.distill.run import (
    check,
    check_new_names,
    distill,
    prepare_resume,
    read_unlabelled,
    resume_distillation,
)
from edgeseq.distill.teachers import RunTeacher
from edgeseq.features import prepare
from edgeseq.models.config import ModelConfig
from edgeseq.models.shapes import model_config
from edgeseq.runs import RunFolder, find_run_folder, open_run
from edgeseq.training import train as training
from edgeseq.training.checkpoint import EpochResult
from edgeseq.training.fit import Silent
from edgeseq.training.recipe import DistillConfig, QatConfig, Recipe, TrainConfig
from edgeseq_device.artifact import sha256_of
from edgeseq_device.errors import DataError, UsageError
from edgeseq_device.runtimes.onnx_runtime import OnnxModel


class Watched:
    """Notes what begins; interrupts, as Ctrl-C would, after `epochs` epochs of the run `interrupted`."""

    def __init__(self, interrupted: str = "", epochs: int = 0) -> None:
        self.trained: list[str] = []
        self.steps: set[str] = set()
        self.interrupted, self.epochs = interrupted, epochs

    def step(self, what: str, done: int, of: int) -> None:
        assert 0 <= done <= of
        self.steps.add(what)

    @contextlib.contextmanager
    def training(self, run: str) -> Iterator[Silent]:
        self.trained.append(run)
        yield StopAfter(self.epochs) if run == self.interrupted else Silent()


class StopAfter(Silent):
    def __init__(self, epoch: int) -> None:
        self.last = epoch

    def epoch(self, result: EpochResult, *, best: bool) -> None:  # noqa: ARG002
        if result.epoch == self.last:
            raise KeyboardInterrupt

    def phase(self, *_begun: object) -> None:
        if self.last == 0:
            raise KeyboardInterrupt


def weights_of(name: str) -> str:
    return sha256_of(RunFolder(Path("runs") / name).weights)


def test_teacher_twin_student_and_its_int8_files_are_compared(
    texts_to_gru: Distillation, workplace: Path
) -> None:
    check(texts_to_gru)
    watched = Watched()
    found = distill(texts_to_gru, None, watched)
    assert watched.trained == ["requests-gru-distilled-scratch", "requests-gru-distilled"]
    assert open_run(None).name == found.student.name == "requests-gru-distilled"
    kinds = [(row.role, row.form, row.precision) for row in found.rows]
    assert kinds == [
        *(("teacher", form, "fp32") for form in ("onnx", "tflite")),
        *(("scratch", form, "fp32") for form in ("onnx", "tflite")),
        *(("scratch", form, "int8") for form in ("onnx", "tflite")),
        *(("distilled", form, "fp32") for form in ("onnx", "tflite")),
        *(("distilled", form, "int8") for form in ("onnx", "tflite")),
    ]
    by_kind = dict(zip(kinds, found.rows, strict=True))
    fp32, int8 = (by_kind["distilled", "onnx", precision] for precision in ("fp32", "int8"))
    assert fp32.figures.test == found.student.metrics["test"]["accuracy"]
    assert int8.model_bytes != fp32.model_bytes
    assert fp32.parameters == found.student.parameters
    for precision, row in (("fp32", fp32), ("int8", int8)):
        scratch = by_kind["scratch", "onnx", precision]
        assert scratch.model_bytes == row.model_bytes
        assert scratch.name == "requests-gru-distilled-scratch"
    assert all(row.latency_p50_ms > 0 for row in found.rows)
    written = json.loads((found.student.path / "distill.json").read_text())
    assert written == json.loads(json.dumps(found.comparison()))
    assert found.to_dict()["distillation"] == found.comparison()
    assert (
        found.to_dict()["recipe"]["distill"]["teachers"][0]["sha256"]
        == texts_to_gru.teachers[0].source.sha256
    )


def test_the_student_from_scratch_differs_in_what_it_learns_from_alone(
    texts_to_gru: Distillation, workplace: Path
) -> None:
    found = distill(texts_to_gru, "small", Watched())
    assert found.scratch is not None
    student, scratch = found.student.recipe, found.scratch.recipe
    assert scratch.distill is not None
    assert scratch.distill.targets == "labels"
    assert scratch.training == student.training
    assert replace(student.model, dropout=0.4, embedding_dropout=0.4) == scratch.model
    assert weights_of("small") != weights_of("small-scratch")


@pytest.mark.parametrize(("run", "epochs"), [("small-scratch", 1), ("small", 0), ("small", 1)])
def test_a_resumed_distillation_ends_as_an_unbroken_one(
    texts_to_gru: Distillation, workplace: Path, run: str, epochs: int
) -> None:
    distill(texts_to_gru, "unbroken", Watched())
    with pytest.raises(KeyboardInterrupt):
        distill(texts_to_gru, "small", Watched(run, epochs))
    with pytest.raises(UsageError, match="edgeseq distill --resume small"):
        open_run("small")
    with pytest.raises(UsageError, match="go on with: edgeseq distill --resume small"):
        training.prepare_resume(find_run_folder("small"))
    reference = "small-scratch" if epochs else "small"
    found = resume_distillation(*prepare_resume(reference), Watched())
    assert found.student.name == "small"
    assert len(found.rows) == 10
    for ending in ("", "-scratch"):
        assert weights_of(f"small{ending}") == weights_of(f"unbroken{ending}")
    with pytest.raises(UsageError, match="its distillation is over already"):
        prepare_resume("small")


def test_what_ends_before_its_first_epoch_leaves_no_run(texts_to_gru: Distillation, workplace: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        distill(texts_to_gru, "small", Watched("small-scratch", 0))
    assert not list(workplace.iterdir())


def test_the_answers_are_asked_for_once_for_all_seeds(
    texts_to_gru: Distillation, workplace: Path, cache: Path
) -> None:
    recipe = texts_to_gru.recipe
    alone = replace(texts_to_gru.config, twin=None)
    distill(replace(texts_to_gru, recipe=replace(recipe, distill=alone)), "first", Watched())
    kept = {path.name: path.stat().st_mtime_ns for path in (cache / "transfer").iterdir()}
    seeded = replace(recipe, distill=alone, training=replace(recipe.training, seed=1))
    found = distill(replace(texts_to_gru, recipe=seeded), "second", Watched())
    assert found.scratch is None
    assert not Path("runs/second-scratch").exists()
    assert {path.name: path.stat().st_mtime_ns for path in (cache / "transfer").iterdir()} == kept
    assert weights_of("first") != weights_of("second")


def test_a_transformer_learns_from_the_inside_and_then_in_int8(
    texts_to_gru: Distillation, workplace: Path
) -> None:
    shape = {"hidden": 4, "heads": 2, "layers": 1, "embedding": 4}
    recipe = replace(
        texts_to_gru.recipe,
        model=model_config("transformer", shape, "text"),
        distill=replace(texts_to_gru.config, twin=None, relation_weight=1.0, hidden_weight=0.1),
        qat=QatConfig(epochs=1),
    )
    distillation = replace(texts_to_gru, recipe=recipe)
    check(distillation)
    with pytest.raises(KeyboardInterrupt):
        distill(distillation, "broken", Watched("broken", 1))
    resumed = resume_distillation(*prepare_resume("broken"), Watched())
    found = distill(distillation, "small", Watched())
    assert weights_of("broken") == weights_of("small")
    assert resumed.rows[-1].figures == found.rows[-1].figures
    assert [each["phase"] for each in map(json.loads, RunFolder(found.student.path).history.open())] == [
        *("float", "float", "qat")
    ]
    assert found.student.metrics["int8"]["test"]["n"] == 12


def test_losses_on_the_inside_need_transformers_that_read_the_same(texts_to_gru: Distillation) -> None:
    def asking(recipe: Recipe, **settings: float) -> Distillation:
        config = replace(texts_to_gru.config, **settings)  # type: ignore[arg-type]
        return replace(texts_to_gru, recipe=replace(recipe, distill=config))

    with pytest.raises(UsageError, match=r"must be runs of a transformer; .* with a gru is not that"):
        check(asking(texts_to_gru.recipe, hidden_weight=1.0))
    shape = {"hidden": 6, "heads": 1, "embedding": 4}
    recipe = replace(texts_to_gru.recipe, model=model_config("transformer", shape, "text"))
    check(asking(recipe, hidden_weight=1.0))
    with_token = replace(recipe, model=replace(recipe.model, pooling="cls"))
    with pytest.raises(UsageError, match="has pooling mean, the student cls; give --pooling mean"):
        check(asking(with_token, hidden_weight=1.0))
    with pytest.raises(UsageError, match="4 relation heads do not divide hidden 6"):
        check(asking(recipe, relation_weight=1.0, relation_heads=4))
    prepared = texts_to_gru.prepared
    other = prepare(prepared.dataset, recipe.splitting, replace(recipe.front_end, buckets=16), recipe.model)
    with pytest.raises(UsageError, match="the same options about features and tokens"):
        check(replace(asking(recipe, hidden_weight=1.0), prepared=other))
    several = (*texts_to_gru.teachers, *texts_to_gru.teachers)
    with pytest.raises(UsageError, match="give one --teacher"):
        check(replace(asking(recipe, hidden_weight=1.0), teachers=several))


def test_a_series_student_learns_from_a_teacher_of_the_same_features(
    tiny_series: Path, train_quickly: Callable[..., RunTeacher], workplace: Path
) -> None:
    teacher = train_quickly(tiny_series, epochs=8)
    recipe = Recipe(
        data=str(tiny_series),
        model=ModelConfig("lstm", hidden=3),
        training=TrainConfig(
            epochs=8, batch_size=8, learning_rate=0.05, augment=teacher.run.recipe.training.augment
        ),
        distill=DistillConfig((teacher.source,), versions=2),
    )
    prepared = prepare(data.load(recipe.data), recipe.splitting, recipe.front_end, recipe.model)
    distillation = Distillation(recipe, prepared, (teacher,))
    check(distillation)
    found = distill(distillation, "small", Watched())
    assert found.student.metrics["test"]["accuracy"] > 0.8
    assert [row.role for row in found.rows] == ["teacher"] * 2 + ["distilled"] * 4


def test_several_teachers_have_a_row_together(
    texts_to_gru: Distillation, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its latency is taken with a clock that counts how often a model is asked: no other work can move it."""
    asked: list[OnnxModel] = []
    run = OnnxModel.run

    def counted(model: OnnxModel, features: Any) -> Any:
        asked.append(model)
        return run(model, features)

    def times_asked(answer: Callable[[], object]) -> int:
        asked.clear()
        answer()
        return len(asked)

    monkeypatch.setattr(OnnxModel, "run", counted)
    monkeypatch.setattr(latency, "duration_ns", times_asked)
    alone = replace(texts_to_gru.config, twin=None)
    one = distill(replace(texts_to_gru, recipe=replace(texts_to_gru.recipe, distill=alone)), "one", Watched())
    second = RunTeacher(replace(texts_to_gru.teachers[0].source, reference="runs/one"), one.student)
    both = replace(
        texts_to_gru,
        teachers=(*texts_to_gru.teachers, second),
        recipe=replace(texts_to_gru.recipe, distill=alone),
    )
    found = distill(both, "two", Watched())
    (row,) = [each for each in found.rows if each.role == "ensemble" and each.form == "onnx"]
    members = [each for each in found.rows if each.role == "teacher" and each.form == "onnx"]
    for size in ("bytes", "model_bytes", "parameters"):
        assert getattr(row, size) == sum(getattr(each, size) for each in members)
    assert row.latency_p50_ms > max(each.latency_p50_ms for each in members)


def test_a_student_from_scratch_is_known_by_its_recipe_and_no_other_run_has_its_name(
    texts_to_gru: Distillation, workplace: Path
) -> None:
    with pytest.raises(UsageError, match='--name "small-scratch": a name that ends in -scratch'):
        check_new_names("small-scratch")
    with pytest.raises(KeyboardInterrupt):
        distill(texts_to_gru, "from-scratch", Watched("from-scratch", 1))
    folder, _ = prepare_resume("from-scratch")
    assert folder.path.name == "from-scratch"
    folder, _ = prepare_resume("from-scratch-scratch")
    assert folder.path.name == "from-scratch"
    Path("runs/from-scratch-scratch").rename("runs/renamed")
    with pytest.raises(
        UsageError, match="runs/renamed: it is a student from scratch; --resume the distilled"
    ):
        prepare_resume("renamed")


def test_both_names_of_a_distillation_must_be_free(workplace: Path) -> None:
    (workplace / "runs" / "small-scratch").mkdir(parents=True)
    with pytest.raises(UsageError, match="runs/small-scratch exists already"):
        check_new_names("small")


def test_further_texts_that_changed_since_are_refused(texts_to_gru: Distillation, tmp_path: Path) -> None:
    path = tmp_path / "more.txt"
    path.write_text("sing along\nbe quiet\n")
    config = replace(texts_to_gru.config, unlabelled=str(path), unlabelled_sha256=sha256_of(path))
    assert read_unlabelled(config, None) == ("sing along", "be quiet")
    path.write_bytes(b"sing along\n\xff\n")
    with pytest.raises(DataError, match="changed since the distillation began"):
        read_unlabelled(config, None)


def test_further_texts_that_students_are_judged_by_are_left_out_and_counted(
    texts_to_gru: Distillation, tmp_path: Path, workplace: Path
) -> None:
    judged = [str(texts_to_gru.prepared.recordings(split)[0].samples) for split in ("validation", "test")]
    config = replace(texts_to_gru.config, unlabelled="more.txt", twin=None)
    recipe = replace(texts_to_gru.recipe, distill=config)
    further = replace(texts_to_gru, recipe=recipe, unlabelled=(*judged, "sing along"))
    assert further.further_texts == ("sing along",)
    assert len(further.transfer.labels) == len(texts_to_gru.transfer.labels) + 1
    warning = "more.txt: 2 of 3 texts are in the validation or test split or out of scope; they were left out"
    assert distill(further, "further", Watched()).warnings == (warning,)


def test_a_further_text_without_a_token_is_named(texts_to_gru: Distillation, tmp_path: Path) -> None:
    path = tmp_path / "more.txt"
    path.write_text("sing along\n\u200d\ufe0f\n", "utf-8")
    config = replace(texts_to_gru.config, unlabelled=str(path), unlabelled_sha256=sha256_of(path))
    with pytest.raises(DataError, match=r"more\.txt: text 2, '\\u200d\\ufe0f', holds no token; leave it out"):
        read_unlabelled(config, None)
