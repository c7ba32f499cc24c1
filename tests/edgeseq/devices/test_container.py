"""`--via docker`: the agent in a container of a board that has Docker and no Python.

The board's `docker` is a script that keeps the arguments it gets and does what those that matter say: the
board's folder at the place that the mount names, no network, process 1, nobody's environment.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from processes import wait_until

from edgeseq.bench.run import BenchOptions, bench
from edgeseq.devices.agent_link import agent_archive
from edgeseq.devices.pick import IMAGE, pick_device
from edgeseq.devices.registry import ConfiguredDevice, add_device
from edgeseq_device.errors import DeviceError
from edgeseq_device.measuring.request import QUICK

NAMESPACES = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child"]
if os.geteuid() != 0:
    NAMESPACES.append("--map-root-user")

# A script; what is in braces is filled in below.
DOCKER = """#!/bin/sh
PATH=/usr/sbin:/usr/bin:/sbin:/bin
printf '%s\\n' "$@" > {arguments}
for word; do
  case $word in type=bind,source=*) mount=${{word#type=bind,source=}} ;; esac
  image=$role role=$word
done
[ "$image" = {image} ] || {{ echo "Unable to find image '$image' locally" >&2; exit 125; }}
exec {namespaces} /bin/sh {inside} "${{mount%,target=*}}" "${{mount##*,target=}}" "$role"
"""
# $1: the board's folder. $2: where the agent sees it. $3: the agent's role.
INSIDE = """
set -e
root={root}
mount -t tmpfs container "$root"
for each in /*; do
  if [ -L "$each" ]; then cp -P "$each" "$root/"
  elif [ "$each" != /proc ] && [ -d "$each" ]; then mkdir "$root$each"; mount --rbind "$each" "$root$each"
    [ "$each" = /tmp ] || mount -o remount,ro,bind "$root$each" || true
  fi
done
mkdir "$root/proc" "$root$2"
mount -t proc proc "$root/proc"
mount --bind "$1" "$root$2"
cp {agent} "$root/edgeseq-agent.pyz"
mount -o remount,ro,bind "$root"
cd /
exec env -i PATH="$PATH" HOME=/ PYTHONDONTWRITEBYTECODE=1 chroot "$root" {python} /edgeseq-agent.pyz "$3"
"""


@pytest.fixture
def arguments(tmp_path: Path) -> Path:
    """The file with what `docker` on the board was last given, a line each."""
    return tmp_path / "arguments"


@pytest.fixture
def board(
    start_loopback: Callable[..., Any], tmp_path: Path, arguments: Path, monkeypatch: pytest.MonkeyPatch
) -> Any:
    """A board with a `docker` and with no Python, known as pi9."""
    if subprocess.run([*NAMESPACES, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no namespaces can be made here, which a container is of")
    monkeypatch.setenv("EDGESEQ_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    programs, inside, root = (tmp_path / name for name in ("programs", "inside", "root"))
    programs.mkdir()
    root.mkdir()
    words = {
        "agent": agent_archive(),
        "arguments": arguments,
        "image": IMAGE,
        "inside": inside,
        "python": sys.executable,
        "root": root,
    }
    quoted = {name: shlex.quote(str(word)) for name, word in words.items()}
    inside.write_text(INSIDE.format(**quoted))
    (programs / "docker").write_text(DOCKER.format(namespaces=shlex.join(NAMESPACES), **quoted))
    (programs / "python3").write_text("#!/bin/sh\nexit 127\n")
    for each in programs.iterdir():
        each.chmod(0o755)
    found = start_loopback(path=f"{programs}:/usr/bin:/bin")
    add_device(ConfiguredDevice("pi9", "board", None, str(found.ssh_config)))
    return found


def measure(artifact: Path, image: str) -> dict[str, Any]:
    options = BenchOptions(formats=("tflite",), limits=replace(QUICK, power_s=0.1))
    device = pick_device("pi9", image=image)
    return bench(artifact, device, options, lambda _fraction, _label: None, lambda _event: None)


def test_a_board_is_measured_in_a_container_that_has_its_folder_and_nothing_else(
    board: Any, arguments: Path, pristine_artifact: Path
) -> None:
    left = board.home / ".edgeseq/scratch/1-left"  # by an agent that was killed; each is process 1 there
    left.mkdir(parents=True)
    result = measure(pristine_artifact, IMAGE)
    assert result["valid"], result["invalid_because"]
    assert (result["board"], result["emulated"]) == ("pi9", False)
    (model,) = result["models"]
    assert model["parity_ok"]
    assert model["host_error"] == 0.0
    assert model["latency_p50_ms"] > 0
    assert arguments.read_text().splitlines() == [
        *("run", "--rm", "-i", "--network", "none", "--read-only", "--tmpfs", "/tmp"),  # noqa: S108 - the container's
        *("--user", f"{os.getuid()}:{os.getgid()}"),
        *("--mount", f"type=bind,source={board.home}/.edgeseq,target=/edgeseq"),
        *(IMAGE, "serve"),
    ]
    assert [each.name for each in board.home.iterdir()] == [".edgeseq"]
    assert list((board.home / ".edgeseq/scratch").iterdir()) == []
    assert len(list((board.home / ".edgeseq/blobs").iterdir())) == 1, "the agent is in the image"
    wait_until(lambda: board.processes() == [])


def test_an_image_that_the_board_lacks_is_told_in_dockers_words(board: Any, pristine_artifact: Path) -> None:
    with pytest.raises(DeviceError, match=r"pi9: .*Unable to find image 'edgeseq-agent:other' locally"):
        measure(pristine_artifact, "edgeseq-agent:other")
