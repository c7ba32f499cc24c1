"""Language models that teach one: the loss, the carried state, the table, resuming to the bit."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from edgeseq import data, models
from edgeseq.data import DataOptions, FrontEndOptions
from edgeseq.distill.distillation import Distillation
from edgeseq.distill.lm import SoftTokens, Together, lessons, together
from edgeseq.distill.run import Watching, check, distill, prepare_resume, resume_distillation
from edgeseq.distill.teachers import Teacher, open_teacher, task_of
from edgeseq.features import Prepared, prepare
from edgeseq.models.config import inputs_of
from edgeseq.models.model import LanguageModel
from edgeseq.models.shapes import model_config
from edgeseq.runs import RunFolder
from edgeseq.training.lm import NextToken, TokenBatch
from edgeseq.training.recipe import DistillConfig, Recipe, TeacherSource, TrainConfig
from edgeseq.training.train import train
from edgeseq_device.errors import DataError, UsageError

SHORT = TrainConfig(
    epochs=2, batch_size=4, learning_rate=0.02, label_smoothing=0.0, ema=0.5, window_tokens=16
)
SOURCE = TeacherSource("big", "run", "0")
PROVERB = "the more haste, the less speed; "


def settings(path: Path, family: str = "gru", hidden: int = 8, tokenizer: str = "char") -> Recipe:
    heads = {"heads": 2, "layers": 1, "window": 8} if family == "transformer" else {}
    model = model_config(family, {"hidden": hidden, "embedding": 4, **heads}, task="lm")
    front_end = FrontEndOptions(tokenizer=tokenizer)
    reading = DataOptions(task="lm")
    return Recipe(str(path), reading, front_end=front_end, model=model, training=SHORT)


def prepared_for(recipe: Recipe) -> Prepared:
    dataset = data.load(recipe.data, recipe.reading)
    return prepare(dataset, recipe.splitting, recipe.front_end, recipe.model)


def taught(recipe: Recipe, name: str) -> Teacher:
    train(recipe, prepared_for(recipe), name)
    return open_teacher(name)


@pytest.fixture
def text(workplace: Path) -> Path:
    """Two kilobytes of proverbs, in which vowels get lost."""
    lost = np.random.default_rng(0).random(64 * len(PROVERB)) < 0.1
    letters = [" " if gone and one in "aeo" else one for one, gone in zip(64 * PROVERB, lost, strict=True)]
    path = workplace / "proverbs.txt"
    path.write_text("".join(letters), "utf-8")
    return path


def distillation(text: Path, *teachers: Teacher, **config: float) -> Distillation:
    recipe = settings(text, hidden=4)
    sources = tuple(each.source for each in teachers)
    asked = DistillConfig(sources, versions=1, twin=recipe.model, **config)  # type: ignore[arg-type]
    recipe = replace(recipe, distill=asked)
    return Distillation(recipe, prepared_for(recipe), teachers)


def untrained(text: Path, family: str, hidden: int = 8) -> LanguageModel:
    recipe = settings(text, family, hidden)
    prepared = prepared_for(recipe)
    made = models.build(recipe.model, inputs_of(prepared.front_end), prepared.labels).eval()
    assert isinstance(made, LanguageModel)
    return made


def windows(ids: Tensor, size: int) -> list[TokenBatch]:
    """ids: [B, N + 1] -> their windows, in order."""
    return [
        TokenBatch(
            ids[:, start : start + size, None],
            torch.full((len(ids),), size),
            ids[:, start + 1 : start + size + 1],
            first=start == 0,
        )
        for start in range(0, ids.shape[1] - 1, size)
    ]


@pytest.fixture
def streams() -> Tensor:
    """Three streams of 24 tokens and the one behind."""
    return torch.from_numpy(np.random.default_rng(1).integers(2, 12, (3, 25)))


def test_the_loss_is_the_divergence_at_a_temperature_and_a_part_of_the_true_token_s(
    text: Path, streams: Tensor
) -> None:
    """And teachers remember the windows before, as if they had read the streams as a whole."""
    teacher, student = untrained(text, "transformer"), untrained(text, "gru", 4)
    config = DistillConfig((SOURCE,), temperature=2.0, hard_weight=0.3)
    objective = SoftTokens(teacher, config, label_smoothing=0.0)
    found = [objective(student, each) for each in windows(streams, 8)]
    with torch.no_grad():
        own, its = (each(streams[:, :-1, None])[0].double() for each in (student, teacher))
    for number, (loss, logits) in enumerate(found):
        part = slice(8 * number, 8 * number + 8)
        p = (its[:, part] / 2).softmax(2)
        soft = (p * (p.log() - (own[:, part] / 2).log_softmax(2))).sum(2).mean() * 4
        wanted = streams[:, 1:][:, part, None]
        hard = -own[:, part].log_softmax(2).gather(2, wanted).mean()
        assert loss.item() == pytest.approx((0.7 * soft + 0.3 * hard).item(), rel=1e-5)
        assert torch.allclose(logits.detach().double(), own[:, part].flatten(0, 1), atol=1e-5)


def test_teachers_forget_where_an_epoch_begins(text: Path, streams: Tensor) -> None:
    teacher, student = untrained(text, "gru"), untrained(text, "gru", 4)
    objective = SoftTokens(teacher, DistillConfig((SOURCE,)), label_smoothing=0.0)
    epochs = [[objective(student, each)[0].item() for each in windows(streams, 8)] for _ in range(2)]
    assert epochs[0] == epochs[1]


def test_the_truth_alone_is_what_a_training_lowers_and_teachers_are_not_trained(
    text: Path, streams: Tensor
) -> None:
    teacher, student = untrained(text, "gru"), untrained(text, "gru", 4)
    objective = SoftTokens(teacher, DistillConfig((SOURCE,), hard_weight=1.0), label_smoothing=0.1)
    (window, *_) = windows(streams, 8)
    loss, _ = objective(student, window)
    assert loss.item() == NextToken(0.1)(student, window)[0].item()
    loss.backward()  # type: ignore[no-untyped-call]
    assert not list(objective.parameters())
    assert not objective.state_dict()
    assert all(each.grad is None for each in teacher.parameters())


def test_several_are_the_mean_of_their_log_probabilities_chunk_by_chunk(text: Path, streams: Tensor) -> None:
    members = [untrained(text, family) for family in ("lstm", "transformer", "gru")]
    both = Together(members)
    ids = streams[:, :, None]
    with torch.no_grad():
        whole, _ = both(ids)
        first, state = both(ids[:, :10])
        second, _ = both(ids[:, 10:], state)
        wanted = sum(functional.log_softmax(each(ids)[0], 2) for each in members) / 3
    assert torch.allclose(whole, wanted, atol=1e-6)
    assert torch.allclose(torch.cat([first, second], 1), whole, atol=1e-5)
    with pytest.raises(TypeError, match="not exported"):
        both.to_spec()


def test_teachers_twin_student_and_their_files_are_compared(text: Path, quiet: Watching) -> None:
    teachers = (taught(settings(text), "big"), taught(settings(text, "transformer"), "other"))
    asked = distillation(text, *teachers)
    check(asked)
    found = distill(asked, None, quiet)
    assert found.student.name == "proverbs-gru-distilled"
    forms = [(form, precision) for precision in ("fp32", "int8") for form in ("onnx", "tflite")]
    assert [(row.role, row.form, row.precision) for row in found.rows] == [
        *(("teacher", *form) for form in [*forms, *forms]),
        *(("ensemble", *form) for form in forms[:2]),
        *(("scratch", *form) for form in forms),
        *(("distilled", *form) for form in forms),
    ]
    reached = found.student.metrics["validation"]
    for row in found.rows[-4:]:
        own = json.loads(json.dumps(row.figures))["validation"]
        assert own["tokens"] == reached["tokens"] // 16 * 16
        assert own["nats_per_token"] == pytest.approx(reached["nats_per_token"], abs=0.02)
        assert own["bits_per_character"] == pytest.approx(own["nats_per_token"] / np.log(2), rel=1e-6)
    assert all(row.latency_p50_ms > 0 for row in found.rows)
    written = json.loads((found.student.path / "distill.json").read_text())
    assert written == json.loads(json.dumps(found.comparison()))


def test_a_resumed_distillation_ends_as_an_unbroken_one_and_its_twin_as_a_training(
    text: Path, quiet: Watching, interrupting: Callable[[str, int], Watching]
) -> None:
    asked = distillation(text, taught(settings(text, "lstm"), "big"))
    distill(asked, "unbroken", quiet)
    with pytest.raises(KeyboardInterrupt):
        distill(asked, "small", interrupting("small-scratch", 1))
    with pytest.raises(KeyboardInterrupt):
        resume_distillation(*prepare_resume("small"), interrupting("small", 1))
    resume_distillation(*prepare_resume("small"), quiet)
    recipe = settings(text, hidden=4)
    train(recipe, prepared_for(recipe), "alone")
    names = ("unbroken", "small", "unbroken-scratch", "small-scratch", "alone")
    student, resumed, *scratch = (RunFolder(Path("runs") / name).weights.read_bytes() for name in names)
    assert student == resumed
    assert scratch[0] == scratch[1] == scratch[2] != student


def test_a_teacher_of_other_tokens_is_refused(text: Path, workplace: Path) -> None:
    other = taught(settings(text, tokenizer="byte"), "bytes")
    with pytest.raises(DataError, match=r"bytes: this teacher has another vocabulary .* leave the options"):
        check(distillation(text, other))


def test_a_classifier_and_a_language_model_cannot_teach_together(text: Path, teacher: Teacher) -> None:
    own = taught(settings(text), "big")
    assert task_of([own]) == "lm"
    with pytest.raises(UsageError, match=r"big is a language model, .* is a classifier: they cannot"):
        task_of([own, teacher])


def test_a_single_teacher_is_asked_as_it_is(text: Path) -> None:
    own = taught(settings(text), "big")
    assert together([own]) is own.module
    made = lessons(distillation(text, own), lambda *_told: None)
    assert made.student.examples is made.scratch.examples
