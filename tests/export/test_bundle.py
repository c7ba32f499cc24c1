import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edgeseq_export.bundle import seal, staged_folder


def make_artifact(destination: Path, content: str) -> None:
    with staged_folder(destination) as folder:
        (folder / "model.onnx").write_text(content)
        seal(folder, {"name": "x"}, [{"format": "onnx", "file": "model.onnx"}])


def test_a_sealed_folder_lists_every_file_with_its_hash(tmp_path: Path) -> None:
    make_artifact(tmp_path / "a", "content")
    command = ["sha256sum", "-c", "SHA256SUMS"]
    check = subprocess.run(command, cwd=tmp_path / "a", capture_output=True, text=True, check=True)
    assert "manifest.json: OK" in check.stdout
    assert json.loads((tmp_path / "a/manifest.json").read_text())["models"][0]["bytes"] == len("content")


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
