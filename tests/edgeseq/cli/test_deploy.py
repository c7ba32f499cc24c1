from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from edgeseq.cli import main
from edgeseq_device.artifact import sha256_of


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for the local board."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("EDGESEQ_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["deploy", *map(str, arguments)])


def test_deploying_listing_and_a_bad_artifact_that_changes_nothing(
    home: Path, artifact_folder: Path, tmp_path: Path
) -> None:
    done = run(artifact_folder, "--device", "local", "--json", tmp_path / "out.json")
    assert done.exit_code == 0, done.stderr
    result = json.loads((tmp_path / "out.json").read_text("utf-8"))
    current = home / ".edgeseq/deployed/gestures-gru-int8/current"
    assert (result["switched"], result["path"]) == (True, str(current))
    assert "gestures-gru-int8 on local: health check" in done.stdout
    assert f"version {result['key']} is current now" in done.stdout
    with np.load(artifact_folder / "golden.npz") as arrays:
        altered = {name: -array if name.startswith("reference") else array for name, array in arrays.items()}
    np.savez(artifact_folder / "golden.npz", **altered)
    files = sorted(each for each in artifact_folder.iterdir() if each.name != "SHA256SUMS")
    (artifact_folder / "SHA256SUMS").write_text(
        "".join(f"{sha256_of(each)}  {each.name}\n" for each in files)
    )
    bad = run(artifact_folder, "--device", "local", "--json", tmp_path / "bad.json")
    assert bad.exit_code == 4
    assert "FAILED" in bad.stdout
    assert "not reached" in bad.stdout
    assert "none" not in bad.stdout
    assert "is current now" not in bad.stdout
    assert f"version {result['key']} is current" in bad.stderr
    refused = json.loads((tmp_path / "bad.json").read_text("utf-8"))
    assert (refused["current"], refused["deployed_utc"]) == (result["key"], None)
    assert result["deployed_utc"]
    listed = run("--list", "--device", "local")
    assert listed.exit_code == 0
    assert listed.stdout.count(result["key"]) == 1
    assert "gestures-gru-int8-generic" in listed.stdout
    back = run("--rollback", "--device", "local")
    assert (back.exit_code, back.stdout) == (2, "")
    assert "no version before the current one" in back.stderr
    assert (current / "artifact").is_dir()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--device", "pi4"), 5, "edgeseq device add pi4 USER@HOST"),
        (("--device", "pi3"), 5, "no host is configured for it; add one: edgeseq device add pi3 USER@HOST"),
        (("--device", "pi44"), 2, "pi4"),
        (("--device", "local", "--name", "$(reboot)"), 2, "--name '$(reboot)'"),
        (("--device", "local", "--unit", "a;b"), 2, "--unit 'a;b'"),
        (("--device", "local", "--unit", "no-such-unit-of-edgeseq"), 5, "no-such-unit-of-edgeseq.service"),
        (("--device", "local", "--keep", "1"), 2, "x>=2"),
        (("--device", "local", "--rollback"), 2, "one thing at a time"),
        ((), 2, "--device"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(
    home: Path, pristine_artifact: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = run(pristine_artifact, *arguments)
    assert done.exit_code == code, done.output
    assert said in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("edgeseq: error: ")
    assert not (home / ".edgeseq" / "deployed").exists()


def test_nothing_deployed_is_an_answer_too(home: Path) -> None:
    done = run("--list", "--device", "local")
    assert (done.exit_code, done.stdout) == (0, "nothing is deployed on local\n")
    back = run("--rollback", "--device", "local")
    assert (back.exit_code, back.stdout) == (2, "")
    assert "nothing is deployed on this board" in back.stderr
    assert list(home.iterdir()) == []  # to look leaves no trace


def test_the_unit_template_is_printed_without_a_device() -> None:
    done = run("--unit-template")
    assert done.exit_code == 0
    assert done.stdout.startswith("# An application")
    assert "ExecStart=" in done.stdout
