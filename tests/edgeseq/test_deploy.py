from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from processes import wait_until

from edgeseq.deploy import (
    DeployOptions,
    default_name,
    deploy,
    list_deployed,
    roll_back,
    unit_template,
    verdict,
)
from edgeseq.devices.cache import Progress
from edgeseq.devices.links import LocalLink
from edgeseq.devices.local import LocalDevice
from edgeseq.devices.pick import VirtualDevice
from edgeseq_device.artifact import open_artifact, sha256_of
from edgeseq_device.board.deployed import Deployed
from edgeseq_device.errors import DataError, DeviceError, EdgeseqError, GateError, UsageError

ROOT = Path(__file__).parents[2]
NAME = "gestures-gru-int8"
WELL = {
    "parity_error": 1e-5,
    "parity_tolerance": 1e-3,
    "parity_n": 16,
    "parity_decisions_changed": 0,
    "parity_ok": True,
}
Event = Mapping[str, Any]


@dataclass(frozen=True)
class QuickLink(LocalLink):
    """This machine, with workers that are an sh script and an agent that a prefix starts."""

    worker: tuple[str, ...] = ()
    prefix: tuple[str, ...] = ()

    @property
    def worker_command(self) -> tuple[str, ...]:
        return self.worker or self.python

    def agent(self, role: str) -> list[str]:
        return [*self.prefix, *super().agent(role)]


@dataclass(frozen=True)
class QuickDevice(LocalDevice):
    link: QuickLink = QuickLink()

    @contextmanager
    def open(self, progress: Progress) -> Iterator[QuickLink]:
        progress(1.0, "ready")
        yield self.link


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGESEQ_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def options(tmp_path: Path) -> DeployOptions:
    return DeployOptions(root=tmp_path / "board" / ".edgeseq")


@pytest.fixture
def board(options: DeployOptions) -> Deployed:
    assert options.root is not None
    return Deployed(options.root, NAME)


@pytest.fixture
def quick(tmp_path: Path) -> QuickLink:
    """A link whose workers are in parity at once."""
    script = tmp_path / "worker.sh"
    script.write_text(f"cat >/dev/null; echo '{json.dumps({'values': WELL, 'runtime': 'runtime 1.0'})}'")
    return QuickLink(worker=("/bin/sh", str(script)))


def quiet(_fraction: float, _label: str) -> None:
    return None


def ignore(_event: Event) -> None:
    return None


def another_version(folder: Path) -> Path:
    """The same artifact with a provenance of its own, which is content too."""
    (folder / "provenance.json").write_text('{"accuracy": {}}')
    reseal(folder)
    return folder


def reseal(folder: Path) -> None:
    files = sorted(each for each in folder.iterdir() if each.name != "SHA256SUMS")
    (folder / "SHA256SUMS").write_text("".join(f"{sha256_of(each)}  {each.name}\n" for each in files))


def test_an_application_needs_nothing_but_what_was_deployed(
    pristine_artifact: Path, options: DeployOptions, board: Deployed
) -> None:
    events: list[Event] = []
    result = deploy(pristine_artifact, LocalDevice(), options, quiet, events.append)
    assert (result["schema"], result["schema_version"], result["device"]) == ("edgeseq.deploy", 1, "local")
    assert (result["name"], result["switched"], verdict(result)) == (NAME, True, None)
    assert all(event["event"] == "progress" for event in events)
    script = (
        "import sys, numpy; from edgeseq_device import artifact, runtimes; print(artifact.__file__)\n"
        "opened = artifact.open_artifact('artifact'); golden = opened.golden()\n"
        "answer = runtimes.load(opened.model('tflite').path, 'tflite').run(golden.features[0])\n"
        "assert numpy.allclose(answer, golden.references['tflite'][0], atol=1e-3)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=board.folder / "current",
        env={**os.environ, "PYTHONPATH": "edgeseq_device.pyz:../../runtimes"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(
        board.version(result["key"]) / "edgeseq_device.pyz/edgeseq_device/artifact.py"
    )


def test_what_was_deployed_is_listed_and_rolled_back(
    pristine_artifact: Path, artifact_folder: Path, options: DeployOptions, quick: QuickLink
) -> None:
    device = QuickDevice(link=quick)
    first = deploy(pristine_artifact, device, options, quiet, ignore)
    second = deploy(another_version(artifact_folder), device, options, quiet, ignore)
    assert (second["previous"], second["current"]) == (first["key"], second["key"])
    (listed,) = list_deployed(device, options, quiet)["deployed"]
    assert [each["key"] for each in listed["versions"]] == [second["key"], first["key"]]
    assert listed["versions"][0]["deployed_utc"] == second["deployed_utc"]
    back = roll_back(device, options, quiet, ignore)
    assert (back["current"], back["previous"], verdict(back)) == (first["key"], None, None)
    with pytest.raises(UsageError, match="no version before"):
        roll_back(device, options, quiet, ignore)


def test_an_artifact_that_is_out_of_parity_there_fails_the_gate(
    pristine_artifact: Path, artifact_folder: Path, options: DeployOptions, quick: QuickLink, board: Deployed
) -> None:
    first = deploy(pristine_artifact, QuickDevice(link=quick), options, quiet, ignore)
    with np.load(artifact_folder / "golden.npz") as arrays:
        altered = {name: -array if name.startswith("reference") else array for name, array in arrays.items()}
    np.savez(artifact_folder / "golden.npz", **altered)
    reseal(artifact_folder)
    result = deploy(artifact_folder, LocalDevice(), options, quiet, ignore)
    fault = verdict(result)
    assert isinstance(fault, GateError)
    assert f"local: {NAME} not switched to {result['key']}: onnx is out of parity" in str(fault)
    assert f"; version {first['key']} is current; next: see what is out of parity: " in str(fault)
    assert board.current == first["key"]


def test_a_crash_on_the_board_is_an_unfit_device(
    pristine_artifact: Path, options: DeployOptions, tmp_path: Path
) -> None:
    script = tmp_path / "crash.sh"
    script.write_text("kill -SEGV $$")
    link = QuickLink(worker=("/bin/sh", str(script)))
    fault = verdict(deploy(pristine_artifact, QuickDevice(link=link), options, quiet, ignore))
    assert isinstance(fault, DeviceError)
    assert "the worker was killed by SIGSEGV" in str(fault)
    assert "; no version is current; next: edgeseq " in str(fault)


def test_a_tampered_artifact_is_refused_before_the_device_is_opened(
    artifact_folder: Path, options: DeployOptions
) -> None:
    (artifact_folder / "model.onnx").write_bytes(b"x")
    with pytest.raises(DataError, match=r"model\.onnx: its content changed"):
        deploy(artifact_folder, VirtualDevice("pi4"), options, quiet, ignore)


def test_a_virtual_board_keeps_nothing_and_says_what_to_do(
    pristine_artifact: Path, options: DeployOptions
) -> None:
    device = VirtualDevice("pi4")
    for attempt in (
        lambda: deploy(pristine_artifact, device, options, quiet, ignore),
        lambda: roll_back(device, options, quiet, ignore),
        lambda: list_deployed(device, options, quiet),
    ):
        with pytest.raises(DeviceError, match=r"edgeseq device add pi4 USER@HOST.*start virtual-pi"):
            attempt()


@pytest.mark.parametrize(
    "name", ["a b", 'a"b', "a;b", "$(reboot)", "`reboot`", "a\nb", "../a", "-a", ".a", "", "a" * 65]
)
def test_a_name_that_could_mean_something_else_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="--name"):
        DeployOptions(name=name)


@pytest.mark.parametrize("unit", ["a b", "-H", "a;b", "$(reboot)", "a\nb", "a/b", ""])
def test_a_unit_that_could_mean_something_else_is_refused(unit: str) -> None:
    with pytest.raises(UsageError, match="--unit"):
        DeployOptions(unit=unit)


def test_the_name_is_the_artifacts_without_its_target(
    artifact_folder: Path, rewrite_manifest: Callable[[Path, Callable[[dict[str, Any]], object]], None]
) -> None:
    assert default_name(open_artifact(artifact_folder)) == NAME
    rewrite_manifest(artifact_folder, lambda manifest: manifest.update(name="$(reboot)"))
    with pytest.raises(UsageError, match="give it one with --name"):
        default_name(open_artifact(artifact_folder))


def test_a_full_disk_leaves_the_board_as_it_was(
    pristine_artifact: Path, artifact_folder: Path, options: DeployOptions, quick: QuickLink, board: Deployed
) -> None:
    first = deploy(pristine_artifact, QuickDevice(link=quick), options, quiet, ignore)
    full = QuickLink(
        worker=quick.worker, prefix=("sh", "-c", 'ulimit -f 40; exec "$@"', "sh")
    )  # blocks of 512 bytes
    with pytest.raises(EdgeseqError, match="File too large") as raised:
        deploy(another_version(artifact_folder), QuickDevice(link=full), options, quiet, ignore)
    assert raised.value.exit_code == 1
    assert board.current == first["key"]
    assert [each.name for each in board.versions.iterdir()] == [first["key"]]


def test_an_agent_that_is_killed_at_any_event_leaves_a_whole_version_and_the_next_one_succeeds(
    pristine_artifact: Path,
    artifact_folder: Path,
    options: DeployOptions,
    quick: QuickLink,
    board: Deployed,
    tmp_path: Path,
) -> None:
    device = QuickDevice(link=quick)
    first = deploy(pristine_artifact, device, options, quiet, ignore)
    said: list[str] = []
    deploy(
        another_version(artifact_folder), device, options, quiet, lambda event: said.append(event["doing"])
    )
    roll_back(device, options, quiet, ignore)
    shutil.rmtree(board.version(next(key for key in board.kept() if key != first["key"])))
    pid = tmp_path / "pid"
    killable = QuickLink(worker=quick.worker, prefix=("sh", "-c", f'echo $$ >"{pid}"; exec "$@"', "sh"))
    assert said[0] == "verifying the artifact"
    assert said[-1] == "switching"
    for doing in said:

        def kill(event: Event, at: str = doing) -> None:
            if event["doing"] == at:
                os.kill(int(pid.read_text()), signal.SIGKILL)

        with pytest.raises(DeviceError, match="the version that is current there is a whole one"):
            deploy(artifact_folder, QuickDevice(link=killable), options, quiet, kill)
        assert board.current is not None
        assert board.is_whole(board.current)
    result = deploy(artifact_folder, device, options, quiet, ignore)
    assert result["current"] == result["key"]
    assert not list(board.folder.rglob(".*"))


def test_a_host_that_is_lost_behind_the_switch_does_not_stop_the_way_back(
    pristine_artifact: Path,
    artifact_folder: Path,
    options: DeployOptions,
    quick: QuickLink,
    board: Deployed,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = deploy(pristine_artifact, QuickDevice(link=quick), options, quiet, ignore)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    systemctl = tmp_path / "systemctl"  # restarts the old version in no time, the new one slowly and in vain
    systemctl.write_text(
        "#!/bin/sh\n"
        f'case "$* $(readlink "{board.folder}/current")" in\n'
        "*LoadState*) echo LoadState=loaded ;;\n"
        f"*{first['key']}) echo ActiveState=active ;;\n"
        "*) sleep 0.3; echo ActiveState=failed ;;\n"
        "esac\n"
    )
    systemctl.chmod(0o755)

    class GoneError(Exception):
        pass

    def leave(event: Event) -> None:
        if event["doing"].startswith("restarting"):
            raise GoneError

    with pytest.raises(GoneError):
        deploy(
            another_version(artifact_folder),
            QuickDevice(link=quick),
            DeployOptions(unit="app", root=options.root),
            quiet,
            leave,
        )
    wait_until(lambda: board.current == first["key"])


def test_the_unit_that_is_printed_is_what_systemd_takes(tmp_path: Path) -> None:
    text = unit_template()
    assert "WorkingDirectory=%h/.edgeseq/deployed/%i/current\n" in text
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed here")
    unit = tmp_path / "edgeseq-app@.service"
    unit.write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""


def test_the_consumer_of_the_page_answers_and_keeps_its_version_over_a_switch(
    tmp_path: Path,
    options: DeployOptions,
    pristine_artifact: Path,
    artifact_folder: Path,
    quick: QuickLink,
    board: Deployed,
    rewrite_manifest: Callable[[Path, Callable[[dict[str, Any]], object]], None],
) -> None:
    page = (ROOT / "docs" / "deploy.md").read_text("utf-8")
    match = re.search(r"cat > home/consumer\.py <<'END'\n(.*?)^END$", page, re.DOTALL | re.MULTILINE)
    assert match is not None
    (tmp_path / "consumer.py").write_text(match.group(1))
    front_end = {
        "kind": "standardise",
        "features_count": 5,
        "sample_rate_hz": 50,
        "mean": [0.0] * 5,
        "scale": [1.0] * 5,
    }
    rewrite_manifest(artifact_folder, lambda manifest: manifest["features"].update(front_end=front_end))
    device = QuickDevice(link=quick)
    deploy(artifact_folder, device, options, quiet, ignore)
    consumer = subprocess.Popen(
        [sys.executable, str(tmp_path / "consumer.py"), "artifact"],
        cwd=board.folder / "current",
        env={**os.environ, "PYTHONPATH": "edgeseq_device.pyz:../../runtimes", "HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert consumer.stdout is not None
        assert consumer.stdout.readline() == "ready: circle, line, rest\n"
        assert deploy(pristine_artifact, device, options, quiet, ignore)["switched"]
        for name, content in {
            "a.csv": "a,b,c,d,e\n1,2,3,4,5\n",
            "b.csv": "a,b\n1,2\n",
            "c.csv": "?\n?\n",
        }.items():
            (tmp_path / name).write_text(content)
            (tmp_path / name).rename(tmp_path / "recordings" / name)
        said = [consumer.stdout.readline() for _ in range(3)]
    finally:
        consumer.kill()
        consumer.communicate()
    assert re.fullmatch(r"a\.csv (circle|line|rest) \d\.\d\d\n", said[0])
    assert [each.split(":")[0] for each in said[1:]] == ["b.csv refused", "c.csv refused"]
