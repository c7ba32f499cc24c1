"""What is evaluated: a text run and its artifact, on their own texts and on others."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from edgeseq.cli import main
from edgeseq.eval_subject import choose, open_subject
from edgeseq_device.errors import DataError

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
