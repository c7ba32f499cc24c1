"""What is evaluated: a text run and its artifact, on their own texts and on others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from edgeseq.cli import main
from edgeseq.data import DataOptions
from edgeseq.eval_subject import choose, open_subject
from edgeseq_device.errors import DataError, UsageError

LINES = [
    *("turn the light on,on", "switch it on,on", "light on please,on", "make it bright,on"),
    *("turn the light off,off", "switch it off,off", "lights off please,off", "make it dark,off"),
]


def edgeseq(*arguments: object) -> None:
    ran = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert ran.exit_code == 0, ran.stderr


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with runs/lights and artifacts/lights, of texts cut to 6 tokens; never to be changed."""
    folder = tmp_path_factory.mktemp("lights")
    (folder / "lights.csv").write_text("\n".join(["text,label", *LINES, *LINES, *LINES]))
    shape = ("--model", "bag", "--hidden", 4, "--embedding", 4, "--epochs", 1, "--name", "lights")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        edgeseq("train", "--data", "lights.csv", *shape, "--buckets", 32, "--max-tokens", 6)
        edgeseq("export", "lights", "--int8", "--max-drop", 100, "--name", "lights")
    return folder


@pytest.fixture
def workplace(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(trained)
    return trained


@pytest.mark.parametrize("reference", ["runs/lights", "artifacts/lights"])
def test_texts_from_elsewhere_are_read_with_the_tokenizer_of_training(
    reference: str, workplace: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.csv"
    other.write_text("text,label\nswitch the light on for me please,on\nlight off,off\n")
    subject = open_subject(reference)
    chosen = choose(subject, str(other), None)
    assert [each.shape[0] for each in chosen.recordings.features] == [6, 2]
    assert (
        "texts cut to their first 6 tokens: 1 of 2 in all; the longest has 7 (--max-tokens 7 reads all)"
        in chosen.warnings
    )
    forms = {name: form(chosen.recordings, lambda *_: None) for name, form in subject.forms.items()}
    assert {found.n for found in forms.values()} == {2}
    assert set(forms) == ({"torch"} if reference == "runs/lights" else {"onnx", "tflite"})


@pytest.mark.parametrize("reference", ["runs/lights", "artifacts/lights"])
def test_the_columns_of_other_data_can_be_named(reference: str, workplace: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("said,kind\nlight on,on\nlight off,off\nwhat a day,oos\n")
    subject = open_subject(reference)
    with pytest.raises(DataError, match="name it with --text-column"):
        choose(subject, str(other), None)
    columns = DataOptions(text_column="said", label_column="kind")
    with pytest.raises(
        DataError, match=r'"oos" is unknown to the model .*; remove .* --out-of-scope-label oos'
    ):
        choose(subject, str(other), None, columns)
    chosen = choose(subject, str(other), None, replace(columns, out_of_scope_label="oos"))
    assert (len(chosen.recordings), len(chosen.outside)) == (2, 1)
    with pytest.raises(UsageError, match="about --data"):
        choose(subject, None, None, columns)


def test_data_without_what_the_recipe_names_is_read_all_the_same(workplace: Path, tmp_path: Path) -> None:
    """The recipe names columns and a label, which data from elsewhere has under usual names or not at all."""
    subject = open_subject("runs/lights")
    reading = DataOptions(text_column="said", split_column="fold", out_of_scope_label="oos")
    trained = replace(subject, recipe=replace(subject.recipe, reading=reading))
    other = tmp_path / "other.csv"
    other.write_text("text,label\nlight on,on\nlight off,off\n")
    unknown = (
        'unknown --text-column "said".*; runs/lights was trained on data that has it: .* with --text-column'
    )
    with pytest.raises(DataError, match=unknown):
        choose(trained, str(other), None)
    with pytest.raises(DataError, match=r'unknown --text-column "sad".*text$'):
        choose(trained, str(other), None, DataOptions(text_column="sad"))
    assert len(choose(trained, str(other), None, DataOptions(text_column="text")).recordings) == 2
    other.write_text("said,label,fold\nlight on,on,test\nlight off,off,test\nwhat a day,oos,test\n")
    chosen = choose(trained, str(other), None)
    assert (len(chosen.recordings), len(chosen.outside)) == (2, 1)


def test_a_model_of_text_does_not_take_readings(workplace: Path) -> None:
    with pytest.raises(DataError, match=r"gestures: it holds series, .*lights was trained on text"):
        choose(open_subject("artifacts/lights"), "gestures", None)


def test_an_artifact_whose_tokenizer_was_changed_is_refused(workplace: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in (workplace / "artifacts/lights").iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    (copy / "tokenizer.json").write_bytes((copy / "tokenizer.json").read_bytes() + b" ")
    with pytest.raises(DataError, match=r"tokenizer\.json: its content changed after the export"):
        open_subject(str(copy))
