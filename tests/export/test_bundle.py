import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeseq_export import Format, SeqSpec, write_model
from edgeseq_export.bundle import (
    manifest_bytes,
    model_entry,
    model_files,
    seal,
    staged_folder,
    step_file,
)
from edgeseq_export.spec import quantize_spec
from edgeseq_export.state import why_no_step

MANIFEST = {
    "name": "x",
    "labels": ["a", "b"],
    "features": {"count": 4},
    "golden": {"file": "golden.npz", "count": 1},
    "parity": {"tolerance": 1e-3},
}


def make_artifact(destination: Path, content: str) -> None:
    with staged_folder(destination) as folder:
        (folder / "model.onnx").write_text(content)
        seal(folder, {"name": "x"}, [{"format": "onnx", "file": "model.onnx"}])


def test_a_sealed_folder_lists_every_file_with_its_hash(tmp_path: Path) -> None:
    make_artifact(tmp_path / "a", "content")
    command = ["sha256sum", "-c", "SHA256SUMS"]
    check = subprocess.run(command, cwd=tmp_path / "a", capture_output=True, text=True, check=True)
    assert "manifest.json: OK" in check.stdout
    assert len(check.stdout.splitlines()) == len(list((tmp_path / "a").iterdir())) - 1


def test_a_manifest_has_a_key_on_each_line_and_no_other_blank(tmp_path: Path) -> None:
    content = manifest_bytes({"name": "größe", "labels": ["a b", "c"]}, [{"format": "onnx"}])
    assert content.decode().splitlines() == [
        *("{", '"manifest_version":1,', '"name":"größe",', '"labels":["a b","c"],'),
        *('"models":[{"format":"onnx"}]', "}"),
    ]
    assert json.loads(content)["labels"] == ["a b", "c"]


@pytest.mark.parametrize(("model_format", "apart"), [("onnx", True), ("tflite", False)])
def test_a_step_form_is_sealed_under_the_name_of_the_file_it_is_in(
    tmp_path: Path, make_spec: Callable[..., SeqSpec], model_format: Format, apart: bool
) -> None:
    model = write_model(quantize_spec(make_spec()), model_format, "unit")
    assert model.step is not None
    files = model_files(model)
    name = f"model.step.{model_format}" if apart else f"model.{model_format}"
    assert set(files) == {f"model.{model_format}", name}
    with staged_folder(tmp_path / "a") as folder:
        for each, content in files.items():
            (folder / each).write_bytes(content)
        seal(folder, MANIFEST, [model_entry(model, 1)])
    (entry,) = json.loads((tmp_path / "a/manifest.json").read_text())["models"]
    step = entry["step"]
    assert step["file"] == step_file(model) == name
    assert f"{hashlib.sha256(files[name]).hexdigest()}  {name}" in (tmp_path / "a/SHA256SUMS").read_text()
    assert step["signature"] == (None if apart else "step")
    assert step["states"] == [{"name": "gru0.h", "shape": [1, 24], "initial": 0.0}]
    assert entry["step_reason"] is None


def test_a_model_without_a_step_form_says_why_in_the_manifest(make_spec: Callable[..., SeqSpec]) -> None:
    spec = make_spec(bidirectional=True)
    model = write_model(spec, "onnx", "unit")
    entry = model_entry(model, 1, why_no_step(spec))
    assert entry["step"] is None
    assert entry["step_reason"] == "gru0 reads frames to come"
    assert set(model_files(model)) == {"model.onnx"}


def test_a_new_artifact_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    make_artifact(tmp_path / "a", "old")
    make_artifact(tmp_path / "a", "new")
    assert (tmp_path / "a/model.onnx").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_failure_leaves_the_older_artifact_and_nothing_else(tmp_path: Path) -> None:
    make_artifact(tmp_path / "a", "old")
    with pytest.raises(FileNotFoundError), staged_folder(tmp_path / "a") as folder:
        (folder / "missing" / "model.onnx").write_text("half")
    assert (tmp_path / "a/model.onnx").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_folder_that_is_no_artifact_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/thesis.txt").write_text("mine")
    with pytest.raises(FileExistsError):
        make_artifact(tmp_path / "a", "new")
    assert (tmp_path / "a/thesis.txt").read_text() == "mine"


def test_what_a_killed_export_left_is_removed_by_the_next(tmp_path: Path) -> None:
    script = (
        "import pathlib, sys, time\n"
        "from edgeseq_export.bundle import staged_folder\n"
        "with staged_folder(pathlib.Path(sys.argv[1])) as folder:\n"
        "    (folder / 'model.onnx').write_text('half')\n"
        "    print('staged', flush=True)\n"
        "    time.sleep(600)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, tmp_path / "a"], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "staged\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert not (tmp_path / "a").exists()
    assert len(list(tmp_path.iterdir())) == 1
    make_artifact(tmp_path / "a", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
