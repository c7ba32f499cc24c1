"""Runtimes that a host sends: unpacked, tried and switched by a real agent, from the folder it runs in."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from edgeseq.devices.agent_link import agent_archive, converse
from edgeseq_device.board import install
from edgeseq_device.errors import DataError, DeviceError, EdgeseqError

TAG = f"cp{sys.version_info[0]}{sys.version_info[1]}"
FOREIGN = (b"\x7fELF\x02\x01\x01").ljust(18, b"\0") + (0xF3).to_bytes(2, "little") + b"a RISC-V library"
NAME = "ai_edge_litert-9.1-py3-none-any.whl"


def asked(root: Path, wheels: list[dict[str, str]]) -> dict[str, Any]:
    """A request for this Python."""
    settings = {"libraries": ["tflite"], "host": "laptop", "lock_wait_s": 0}
    return {"root": str(root), "tag": TAG, "key": "a" * 16, "wheels": wheels, **settings}


class BoardFolder:
    """A board's ~/.edgeseq with the agent in it."""

    def __init__(self, path: Path, python: str = sys.executable, tag: str = TAG) -> None:
        self.path, self.python, self.tag = path, python, tag
        self.agent = path / "blobs" / hashlib.sha256(agent_archive().read_bytes()).hexdigest()
        self.agent.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(agent_archive(), self.agent)

    def ask(self, role: str, request: Mapping[str, Any], before: Sequence[str] = ()) -> Any:
        command = [*before, self.python, str(self.agent), role]
        return converse(command, request, lambda _event: None)

    def wheel(self, members: Mapping[str, str | bytes], name: str = NAME) -> dict[str, str]:
        """Put a wheel among the blobs; what a request says of it."""
        path = self.path / "new.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for member, content in members.items():
                archive.writestr(member, content)
        return self.sent(path, name)

    def sent(self, path: Path, name: str = NAME) -> dict[str, str]:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        path.rename(self.path / "blobs" / digest)
        return {"sha256": digest, "name": name}

    def install(
        self, wheels: list[dict[str, str]], key: str = "a" * 16, before: Sequence[str] = (), **other: Any
    ) -> dict[str, Any]:
        request = asked(self.path, wheels) | {"tag": self.tag, "key": key} | other
        found: dict[str, Any] = self.ask("install", request, before)
        return found

    def runtime(self) -> str:
        """The version of LiteRT that agents there get."""
        code = (self.path / "python" / self.tag / "ai_edge_litert" / "__init__.py").read_text()
        return code.splitlines()[0]

    def loaded(self) -> str:
        """The LiteRT that an agent there loads."""
        return str(self.ask("probe", {"root": str(self.path)})["libraries"]["tflite"]["version"])

    def python_folder(self) -> list[str]:
        return sorted(each.name for each in (self.path / "python").iterdir())


def runtime(version: str, extra: str = "") -> dict[str, str | bytes]:
    """The members of a wheel that passes for LiteRT."""
    return {
        "ai_edge_litert/__init__.py": f"__version__ = {version!r}\n{extra}",
        "ai_edge_litert/interpreter.py": "class Interpreter: pass\n",
        "ai_edge_litert-9.1.dist-info/METADATA": "Metadata-Version: 2.1\nName: ai-edge-litert\n",
    }


@pytest.fixture
def board(tmp_path: Path) -> BoardFolder:
    return BoardFolder(tmp_path / "it's a home" / ".edgeseq")


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with version 9.1, never to be changed."""
    board = BoardFolder(tmp_path_factory.mktemp("home") / ".edgeseq")
    board.install([board.wheel(runtime("9.1"))])
    return board.path


@pytest.fixture
def board_with_9_1(pristine: Path, tmp_path: Path) -> BoardFolder:
    return BoardFolder(Path(shutil.copytree(pristine, tmp_path / "its; home" / ".edgeseq", symlinks=True)))


def test_a_runtime_is_unpacked_tried_and_found_by_every_later_agent(board: BoardFolder) -> None:
    done = board.install([board.wheel(runtime("9.1"))])
    assert done == {"folder": f"{TAG}-{'a' * 16}", "versions": {"tflite": "ai-edge-litert 9.1"}}
    assert (board.path / "python" / TAG).readlink() == Path(f"{TAG}-{'a' * 16}")
    assert board.loaded() == "ai-edge-litert 9.1"
    assert list((board.path / "blobs").iterdir()) == [board.agent]


def test_workers_find_it_and_an_agent_from_elsewhere_does_not(board_with_9_1: BoardFolder) -> None:
    folder = board_with_9_1.path / "python" / TAG
    code = f"import sys; sys.path.insert(0, {str(board_with_9_1.agent)!r})\n"
    code += (
        "import edgeseq_device.__main__ as m; m._find_runtimes(); import os; print(os.environ['PYTHONPATH'])"
    )
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(folder.resolve())  # not the link, which setup may switch meanwhile
    elsewhere = converse(
        [sys.executable, str(agent_archive()), "probe"],
        {"root": str(board_with_9_1.path)},
        lambda _event: None,
    )
    assert elsewhere["libraries"]["tflite"]["version"] != "ai-edge-litert 9.1"


def test_the_next_version_replaces_the_one_before(board_with_9_1: BoardFolder) -> None:
    board = board_with_9_1
    board.install([board.wheel(runtime("9.2"))], "b" * 16)
    assert board.runtime() == "__version__ = '9.2'"
    assert board.python_folder() == [TAG, f"{TAG}-{'b' * 16}"]
    board.install([board.wheel(runtime("9.2"))], "b" * 16)
    assert board.python_folder() == [TAG, f"{TAG}-{'b' * 16}"]


def refused(
    board: BoardFolder, wheels: list[dict[str, str]], kind: type[EdgeseqError], said: str, **other: Any
) -> None:
    """The request fails, and the board has what it had."""
    with pytest.raises(kind, match=said):
        board.install(wheels, "c" * 16, **other)
    assert board.runtime() == "__version__ = '9.1'"
    assert board.python_folder() == [TAG, f"{TAG}-{'a' * 16}"]


def test_a_wheel_for_another_processor_is_refused(board_with_9_1: BoardFolder) -> None:
    wheel = board_with_9_1.wheel({**runtime("9.2"), "ai_edge_litert/native.so": FOREIGN})
    refused(
        board_with_9_1,
        [wheel],
        DataError,
        f"wrong architecture wheel {NAME}: .*native.so is for class 2, e_m",
    )


def test_a_wheel_that_changed_on_its_way_is_refused_and_forgotten(board_with_9_1: BoardFolder) -> None:
    wheel = board_with_9_1.wheel(runtime("9.2"))
    path = board_with_9_1.path / "blobs" / wheel["sha256"]
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    refused(board_with_9_1, [wheel], DataError, "changed on its way to the board")
    assert not path.exists()  # else it would pass for sent
    refused(board_with_9_1, [wheel], DataError, "not on the board; run setup again")


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ("raise ImportError('GLIBC_2.99 not found')", "does not load there: .*GLIBC_2.99 not found"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "killed by SIGSEGV"),
    ],
)
def test_a_runtime_that_does_not_load_is_not_switched_to(
    board_with_9_1: BoardFolder, extra: str, said: str
) -> None:
    wheel = board_with_9_1.wheel(runtime("9.2", extra))
    refused(board_with_9_1, [wheel], DeviceError, f"{said}.*nothing was changed")


def test_a_runtime_that_is_not_in_the_wheels_is_no_success(board_with_9_1: BoardFolder) -> None:
    wheel = board_with_9_1.wheel({"other.py": ""})
    refused(board_with_9_1, [wheel], DataError, "tflite: not in these wheels")


@pytest.mark.parametrize("member", ["../out.py", "/abs.py", "a/../../out.py", "a\\..\\out.py"])
def test_a_member_that_would_land_outside_is_refused(board_with_9_1: BoardFolder, member: str) -> None:
    wheel = board_with_9_1.wheel({**runtime("9.2"), member: "x"})
    refused(board_with_9_1, [wheel], DataError, "is a link or points outside")


def test_a_link_and_what_is_no_wheel_are_refused(board_with_9_1: BoardFolder) -> None:
    path = board_with_9_1.path / "new.whl"
    link = zipfile.ZipInfo("ai_edge_litert/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    refused(board_with_9_1, [board_with_9_1.sent(path)], DataError, "is a link")
    path.write_bytes(b"not a zip")
    refused(board_with_9_1, [board_with_9_1.sent(path)], DataError, "not a zip")


def test_a_disk_that_takes_no_more_leaves_what_was_there(board_with_9_1: BoardFolder) -> None:
    wheel = board_with_9_1.wheel({**runtime("9.2"), "ai_edge_litert/large.bin": b"x" * 3_000_000})
    limited = ("/bin/sh", "-c", 'ulimit -f 2000; exec "$@"', "sh")  # blocks of 512 bytes
    refused(board_with_9_1, [wheel], EdgeseqError, "File too large", before=limited)
    board_with_9_1.install([wheel], "b" * 16)
    assert board_with_9_1.runtime() == "__version__ = '9.2'"


def test_the_files_are_on_the_disk_before_the_name_leads_to_them(
    board_with_9_1: BoardFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = board_with_9_1.path / "python" / f"{TAG}-{'b' * 16}"
    new.mkdir()
    led_to: list[str] = []
    link = board_with_9_1.path / "python" / TAG
    monkeypatch.setattr(install.os, "sync", lambda: led_to.append(str(link.readlink())))
    install._switch(new, TAG)
    assert led_to == [f"{TAG}-{'a' * 16}"]
    assert str(link.readlink()) == new.name


def test_what_killed_agents_left_is_removed(board_with_9_1: BoardFolder) -> None:
    (board_with_9_1.path / "python" / ".new-killed").mkdir()
    board_with_9_1.install([board_with_9_1.wheel(runtime("9.2"))], "b" * 16)
    assert board_with_9_1.python_folder() == [TAG, f"{TAG}-{'b' * 16}"]


def test_a_board_that_is_measured_on_is_left_alone(board_with_9_1: BoardFolder) -> None:
    wheel = board_with_9_1.wheel(runtime("9.2"))
    with (board_with_9_1.path / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused(board_with_9_1, [wheel], DeviceError, "in use")


@pytest.mark.parametrize(
    "other",
    [
        {"root": "relative"},
        {"key": "../../../etc"},
        {"tag": "cp27"},
        {"wheels": []},
        {"wheels": [{"sha256": "../../secret", "name": NAME}]},
        {"wheels": [{"sha256": "0" * 64, "name": NAME, "path": "/etc"}]},
        {"libraries": ["os"]},
        {"more": 1},
    ],
)
def test_another_request_is_refused(board: BoardFolder, other: dict[str, Any]) -> None:
    request = asked(board.path, [{"sha256": "0" * 64, "name": NAME}]) | other
    with pytest.raises(DataError, match="install"):
        board.ask("install", request)
    assert {each.name for each in board.path.iterdir()} <= {"blobs", "agents"}


def test_python_3_9_installs_too(tmp_path: Path, old_python: str) -> None:
    board = BoardFolder(tmp_path / "root", old_python, "cp39")
    board.install([board.wheel(runtime("9.1"))])
    assert board.loaded() == "ai-edge-litert 9.1"
