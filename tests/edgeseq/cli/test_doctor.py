from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from edgeseq.cli import main
from edgeseq.doctor import examine


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGESEQ_CACHE_DIR", str(tmp_path / "cache"))


def test_the_doctor_tells_what_is_ready_and_how_to_mend_the_rest(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["doctor", "--json", str(tmp_path / "doctor.json")])
    assert done.exit_code == 0, done.output
    checks = json.loads((tmp_path / "doctor.json").read_text("utf-8"))["checks"]
    by_name = {check["name"]: check for check in checks}
    assert by_name["onnxruntime"]["state"].endswith("loads")
    assert by_name["ai-edge-litert"]["ok"]
    board = by_name["virtual pi4"]
    assert not board["ok"]
    assert board["remedy"] in done.output
    assert {"virtual pi4", "virtual pi5", "torch", "numpy", "cache", "tokenizers"} <= set(by_name)


def test_a_runtime_that_does_not_load_is_told_with_its_cure_and_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "packages" / "onnxruntime"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('GLIBC_2.34 not found')")
    monkeypatch.setenv("PYTHONPATH", str(broken.parent), prepend=":")
    done = CliRunner().invoke(main, ["doctor"])
    assert done.exit_code == 0, done.output
    assert "GLIBC_2.34 not found" in done.output.replace("\n", " ") or "GLIBC_2.34" in done.output
    assert "-m pip install onnxruntime" in done.output


def test_what_few_need_is_optional_and_told_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.metadata.version

    def version(name: str) -> str:
        if name == "transformers":
            raise importlib.metadata.PackageNotFoundError(name)
        return found(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    (check,) = [each for each in examine() if each.name == "transformers"]
    assert not check.ok
    assert check.state == "not installed; optional, for: edgeseq distill from a Hugging Face model"
    assert str(check.remedy).endswith("-m pip install 'edgeseq[huggingface]'")


def test_looking_prepares_nothing(tmp_path: Path) -> None:
    CliRunner().invoke(main, ["doctor"])
    assert not (tmp_path / "cache").exists()
