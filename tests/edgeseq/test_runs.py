"""Run folders: found by name, by path or as the newest, and refused where damaged."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from edgeseq import data
from edgeseq.data import FrontEndOptions
from edgeseq.features import prepare
from edgeseq.models.config import ModelConfig
from edgeseq.run_data import load_prepared
from edgeseq.runs import RunFolder, check_new_name, keep_tokenizer, open_run
from edgeseq.tokenizer_training import trained_tokens
from edgeseq.training.recipe import Recipe, TrainConfig
from edgeseq.training.train import train
from edgeseq_device.errors import DataError, UsageError
from edgeseq_device.frontend import Tokens


@pytest.fixture
def text_run(tmp_path: Path, workplace: Path) -> Path:
    rooms = ("kitchen", "hall", "office")
    lines = [
        f"{verb} the {room} light {side},{side}"
        for verb in ("turn", "switch", "put", "get")
        for room in rooms
        for side in ("on", "off")
    ]
    (tmp_path / "lights.csv").write_text("\n".join(["text,label", *lines]))
    recipe = Recipe(
        data=str(tmp_path / "lights.csv"),
        front_end=FrontEndOptions(subwords=2, buckets=16),
        model=ModelConfig("bag", hidden=3, embedding=2, pooling="mean"),
        training=TrainConfig(epochs=1, batch_size=16),
    )
    prepared = prepare(data.load(recipe.data), recipe.splitting, recipe.front_end, recipe.model)
    return train(recipe, prepared, "lights").path


def test_the_newest_finished_run_is_the_default(run_path: Path) -> None:
    shutil.copytree(run_path, "runs/older")
    shutil.copytree(run_path, "runs/unfinished")
    RunFolder(Path("runs/unfinished")).result.unlink()
    os.utime("runs/older/run.json", (1, 1))
    assert open_run().name == "one"


def test_a_run_opens_by_name_and_by_path(run_path: Path, tmp_path: Path) -> None:
    elsewhere = shutil.copytree(run_path, tmp_path / "elsewhere")
    assert open_run("one").path == run_path
    assert open_run(elsewhere).path == elsewhere


def test_an_unknown_run_names_the_nearest(run_path: Path) -> None:
    with pytest.raises(UsageError, match='unknown run "onne"; did you mean "one"'):
        open_run("onne")


def test_of_many_runs_some_are_named_or_the_nearest_alone(workplace: Path) -> None:
    for number in range(20):
        RunFolder(Path(f"runs/take-{number:02}")).path.mkdir(parents=True)
        RunFolder(Path(f"runs/take-{number:02}")).recipe.touch()
    with pytest.raises(UsageError) as refusal:
        open_run("xyz")
    known = "take-00, take-01, take-02, take-03, take-04 and 15 more"
    assert str(refusal.value) == f'unknown run "xyz". Known: {known}'
    with pytest.raises(UsageError) as refusal:
        open_run("take-7")
    assert str(refusal.value) == 'unknown run "take-7"; did you mean "take-17"?'


def test_a_taken_name_says_how_the_command_at_hand_goes_on(run_path: Path) -> None:
    with pytest.raises(UsageError, match=r"remove it, or train it on with: edgeseq train --from one$"):
        check_new_name("one")
    with pytest.raises(UsageError, match=r"runs/one exists already; choose another --name, or remove it$"):
        check_new_name("one", "distill")
    RunFolder(run_path).result.unlink()
    for command in ("train", "distill"):
        with pytest.raises(UsageError, match=r"or go on with: edgeseq train --resume one$"):
            check_new_name("one", command)
    Path("runs/mine").mkdir()
    with pytest.raises(UsageError, match=r"choose another --name, or remove it$"):
        check_new_name("mine")


def test_no_run_says_how_to_make_one(workplace: Path) -> None:
    with pytest.raises(UsageError, match="edgeseq train --data gestures"):
        open_run()


def test_damaged_weights_are_refused_by_name(run_path: Path) -> None:
    weights = RunFolder(run_path).weights
    weights.write_bytes(weights.read_bytes()[:-9])
    with pytest.raises(DataError, match=r"runs/one/model.safetensors: not a whole safetensors file"):
        open_run("one").module()
    weights.unlink()
    with pytest.raises(DataError, match=r"runs/one/model.safetensors is missing"):
        open_run("one").module()


def test_weights_of_another_shape_are_refused_by_name(run_path: Path) -> None:
    recipe = json.loads(RunFolder(run_path).recipe.read_text())
    recipe["model"]["hidden"] = 4
    RunFolder(run_path).recipe.write_text(json.dumps(recipe))
    with pytest.raises(DataError, match=r"runs/one/model.safetensors: does not fit its recipe"):
        open_run("one").module()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "runs/one/run.json: not JSON"),
        ("[]", "runs/one/run.json: not a JSON object"),
        ('{"run_version": 7}', "runs/one/run.json: run version 7 is not known here"),
        ('{"run_version": 1}', "runs/one/run.json: incomplete"),
    ],
)
def test_a_damaged_result_is_refused_by_name(run_path: Path, content: str, message: str) -> None:
    RunFolder(run_path).result.write_text(content)
    with pytest.raises(DataError, match=message):
        open_run("one")


def test_a_run_of_text_has_the_tokenizer_it_was_trained_with(text_run: Path) -> None:
    front_end = open_run("lights").front_end
    assert isinstance(front_end, Tokens)
    assert (text_run / "tokenizer.json").read_bytes() == front_end.content
    splits = load_prepared(open_run("lights")).splits
    assert splits.test.features[0].shape[1] == front_end.features_count
    assert splits.sizes() == {"train": 16, "validation": 4, "test": 4}


def test_a_run_with_another_tokenizer_is_refused(text_run: Path) -> None:
    path = text_run / "tokenizer.json"
    path.write_bytes(path.read_bytes().replace(b'"light"', b'"laser"'))
    with pytest.raises(DataError, match=r"runs/lights: tokenizer.json: .* does not match the model"):
        open_run("lights")
    path.unlink()
    with pytest.raises(DataError, match=r"runs/lights/tokenizer.json: cannot be read"):
        open_run("lights")


def test_a_training_does_not_go_on_with_another_tokenizer(text_run: Path) -> None:
    other = trained_tokens(["light light"], FrontEndOptions())
    with pytest.raises(DataError, match="give another tokenizer here than when training began"):
        keep_tokenizer(RunFolder(text_run), other)
    keep_tokenizer(RunFolder(text_run), open_run("lights").front_end)
