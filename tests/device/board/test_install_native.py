"""Setting up the native runner: files that a host sent are tried by a real agent's code.

A script stands in for edgeseq-run, and so what tells programs of other machines must take it for one.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import edgeseq_device
from edgeseq.devices.agent_link import converse
from edgeseq.devices.bundle import write_bundle
from edgeseq_device.artifact import open_artifact, sha256_of
from edgeseq_device.board import install_native
from edgeseq_device.board.probe import content
from edgeseq_device.elf import elf_machine, python_machine
from edgeseq_device.errors import DataError, DeviceError, EdgeseqError
from edgeseq_device.measuring.request import Request
from edgeseq_device.measuring.runners import find_native

Fake = Any
"""A FakeRunner of conftest.py."""


class BoardFolder:
    """A board's folder, and what a host has sent there."""

    def __init__(self, root: Path, artifact: Path) -> None:
        self.root, self.artifact = root, artifact
        (root / "blobs").mkdir(parents=True)
        self.events: list[Mapping[str, Any]] = []

    def sent(self, path: Path) -> dict[str, str]:
        """Put a file among the blobs; what a request says of it."""
        digest = sha256_of(path)
        (self.root / "blobs" / digest).write_bytes(path.read_bytes())
        return {"sha256": digest}

    def request(self, runner: Path, library: Path) -> dict[str, Any]:
        bundle = write_bundle(self.artifact, self.root)
        return {
            "root": str(self.root),
            "runner": self.sent(runner),
            "library": self.sent(library),
            "library_version": "2.3.0",
            "artifact": str(bundle),
            "artifact_sha256": sha256_of(bundle),
            "host": "laptop",
            "lock_wait_s": 0,
        }

    def set_up(self, fake: Fake, **other: Any) -> dict[str, Any]:
        request = self.request(Path(fake.runner.program), Path(fake.runner.library)) | other
        return install_native.set_up(request, self.events.append)

    def folders(self) -> list[str]:
        """Of the native runner, finished or not; the link too."""
        names = (each.name for each in self.root.iterdir())
        return sorted(each for each in names if each.startswith(("native", ".new-")))

    def setup(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.root / "native/setup.json").read_text())
        return found


@pytest.fixture
def board(tmp_path: Path, pristine_artifact: Path, monkeypatch: pytest.MonkeyPatch) -> BoardFolder:
    monkeypatch.setattr(tempfile, "tempdir", None)  # an agent's own temporary folder is this process's too
    monkeypatch.setenv("TMPDIR", os.environ.get("TMPDIR", tempfile.gettempdir()))
    return BoardFolder(tmp_path / "it's a home" / ".edgeseq", pristine_artifact)


@pytest.fixture
def scripts_are_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install_native, "elf_machine", lambda _path: python_machine())


@pytest.mark.usefixtures("scripts_are_programs")
def test_a_runner_that_answers_rightly_is_in_its_place_and_every_agent_finds_it(
    board: BoardFolder, fake: Fake, pristine_artifact: Path
) -> None:
    done = board.set_up(fake)
    link, folder = board.root / "native", board.root / done["folder"]
    assert link.readlink() == Path(done["folder"])
    assert board.folders() == ["native", done["folder"]]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert os.access(folder / "edgeseq-run", os.X_OK)
    assert (folder / "libLiteRt.version").read_text() == "2.3.0\n"
    assert board.setup() == {key: value for key, value in done.items() if key != "folder"}
    assert board.setup() == {
        "edgeseq": edgeseq_device.__version__,
        "runner_sha256": sha256_of(Path(fake.runner.program)),
        "library_sha256": sha256_of(Path(fake.runner.library)),
        "library_version": "2.3.0",
        "passed": True,
        "because": None,
        "artifact": "gestures-gru-int8-generic",
        "artifact_sha256": sha256_of(pristine_artifact / "SHA256SUMS"),
    }
    assert list((board.root / "blobs").iterdir()) == []
    assert content(board.root)["native"] == board.setup()
    request = Request(str(pristine_artifact), ("tflite",), root=str(board.root))
    found = find_native(request, open_artifact(pristine_artifact))
    assert found.runner is not None
    assert found.runner.program == str(folder.resolve() / "edgeseq-run")
    assert [each["doing"] for each in board.events] == [
        "starting it once", "golden vectors of gestures-gru-int8-generic"
    ]  # fmt: skip


@pytest.mark.usefixtures("scripts_are_programs")
def test_the_next_one_replaces_it_and_the_same_one_may_come_again(board: BoardFolder, fake: Fake) -> None:
    first = board.set_up(fake)["folder"]
    assert board.set_up(fake)["folder"] == first
    Path(fake.runner.library).write_bytes(b"a later library")
    second = board.set_up(fake)["folder"]
    assert second != first
    assert board.folders() == ["native", second]


@pytest.mark.usefixtures("scripts_are_programs")
@pytest.mark.parametrize("kind", ["parity", "step_parity"])
@pytest.mark.parametrize(
    ("outcome", "because"),
    [
        (None, "out of parity: error 1.0e-05 of 1.0e-03, decisions changed: 0 of 16"),
        ("edgeseq-outcome 1\nerror 6 model.tflite: refused\nend\n", "parity: model.tflite: refused"),
        ("", "parity: the worker ended without an outcome"),
    ],
)
def test_one_that_answers_wrongly_is_kept_and_says_why_it_is_not_used(
    board: BoardFolder,
    fake: Fake,
    outcomes: dict[str, str],
    kind: str,
    outcome: str | None,
    because: str,
    pristine_artifact: Path,
) -> None:
    wrong = outcomes[kind].replace("value parity_ok true", "value parity_ok false")
    fake.says(kind, wrong if outcome is None else outcome)
    done = board.set_up(fake)
    assert done["passed"] is False
    assert because in done["because"]
    assert done["because"].startswith("gestures-gru-int8-generic: ")
    assert ("step" in done["because"]) == (kind == "step_parity")
    assert board.setup()["passed"] is False
    assert board.folders() == ["native", done["folder"]]
    request = Request(str(pristine_artifact), ("tflite",), root=str(board.root))
    told = find_native(request, open_artifact(pristine_artifact)).told()
    assert told["because"] == f"it did not pass its set-up: {done['because']}"


@pytest.fixture
def with_one(board: BoardFolder, fake: Fake, scripts_are_programs: None) -> BoardFolder:
    """A board on which one has been set up."""
    del scripts_are_programs
    board.set_up(fake)
    return board


def refused(board: BoardFolder, fake: Fake, kind: type[EdgeseqError], said: str, **other: Any) -> None:
    """The set-up fails, and the board has what it had."""
    before, folders = board.setup(), board.folders()
    with pytest.raises(kind, match=said):
        board.set_up(fake, **other)
    assert (board.setup(), board.folders()) == (before, folders)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            "echo 'edgeseq-run: libLiteRt.so: no LiteRtX' >&2; exit 5",
            "there: edgeseq-run: libL.* LiteRtX; not",
        ),
        ("exit 1", "does not start there: exit code 1; nothing was changed"),
        ("kill -ILL $$", "does not start there: exit code -4; nothing was changed"),
    ],
)
def test_one_that_does_not_start_changes_nothing(
    with_one: BoardFolder, fake: Fake, code: str, said: str
) -> None:
    fake.does(code)
    refused(with_one, fake, DeviceError, said)


def test_what_is_no_program_of_this_machine_is_refused(
    with_one: BoardFolder, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install_native, "elf_machine", elf_machine)
    refused(with_one, fake, DataError, "wrong architecture: edgeseq-run is no program, the board's Python is")
    Path(fake.runner.program).write_bytes(b"\x7fELF\x02\x01\x01".ljust(18, b"\0") + b"\xf3\0")
    refused(with_one, fake, DataError, "edgeseq-run is for class 2, e_machine 0xf3, .*; nothing was changed")


def test_a_file_that_changed_on_its_way_is_refused_and_forgotten(with_one: BoardFolder, fake: Fake) -> None:
    request = with_one.request(Path(fake.runner.program), Path(fake.runner.library))
    blob = with_one.root / "blobs" / request["library"]["sha256"]
    blob.write_bytes(b"another")
    for said in (
        "libLiteRt.so: changed on its way to the board",
        "libLiteRt.so: not on the board; run setup",
    ):
        with pytest.raises(DataError, match=said):
            install_native.set_up(request, with_one.events.append)
        assert not blob.exists()
    assert len(with_one.folders()) == 2


def test_a_32_bit_board_is_told_what_it_has_instead(
    with_one: BoardFolder, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install_native, "python_machine", lambda: "armv7l")
    refused(with_one, fake, DeviceError, "no native runner for armv7l, .*runner python .*--target armv7")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"root": "here"}, "native: root is 'here'"),
        ({"runner": {"sha256": "0"}}, "native: runner: sha256 is '0'"),
        ({"library_version": "2.3 --threads"}, "native: library_version"),
        ({"key": "0"}, 'native: unknown key "key"'),
    ],
)
def test_a_request_that_is_not_understood_is_refused(
    with_one: BoardFolder, fake: Fake, change: dict[str, Any], said: str
) -> None:
    refused(with_one, fake, DataError, said, **change)


def test_an_artifact_that_the_runner_cannot_read_is_refused(
    with_one: BoardFolder, fake: Fake, artifact_folder: Path
) -> None:
    sums = artifact_folder / "SHA256SUMS"
    (artifact_folder / "native.txt").unlink()
    kept = [line for line in sums.read_text().splitlines(keepends=True) if "native.txt" not in line]
    sums.write_text("".join(kept))
    with_one.artifact = artifact_folder
    refused(with_one, fake, DataError, r"has no native\.txt: exported by .*; export it again")


@pytest.mark.parametrize("left", ["", "x"])
def test_what_a_set_up_left_that_was_killed_goes_with_the_next(
    with_one: BoardFolder, fake: Fake, left: str
) -> None:
    (with_one.root / f".new-{left}").mkdir()
    (with_one.root / "native" / "setup.json").unlink()
    told = content(with_one.root)["native"]
    assert (told["passed"], told["edgeseq"]) == (False, None)
    assert "setup.json: missing; run `edgeseq device setup BOARD --native` again" in told["because"]
    done = with_one.set_up(fake)
    assert with_one.folders() == ["native", done["folder"]]
    assert with_one.setup()["passed"] is True


def test_a_real_agent_sets_up_the_real_runner(board: BoardFolder, runner: Path, library: Path) -> None:
    command = [sys.executable, "-m", "edgeseq_device", "native"]
    done = converse(command, board.request(runner, library), board.events.append)
    assert (done["passed"], done["because"]) == (True, None)


def test_a_library_that_is_none_is_refused_by_the_real_runner(board: BoardFolder, runner: Path) -> None:
    with pytest.raises(DeviceError, match=r"the native runner does not start there: .*; nothing was changed"):
        install_native.set_up(board.request(runner, runner), board.events.append)
    assert board.folders() == []
