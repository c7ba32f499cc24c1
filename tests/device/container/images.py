"""Build the images of device/docker-bake.hcl with Docker's buildx, look into them, run them under emulation.

`images.py --artifact FOLDER --json FILE TARGET...` writes one entry for each target. It needs root and
Debian's mirrors, for Docker itself too: everything is fetched into edgeseq's cache, and no process, mount or
image outlives the run. Docker Hub's base images are replaced by file trees of the same Debian packages.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

from debian import base_image, build_image, docker_tools, emulator
from docker import Docker, enter, running_docker
from emulated import PROCESSORS, container

from edgeseq.devices.emulated.apt import host_architecture
from edgeseq.devices.emulated.board_files import board_files, read_imitation
from edgeseq.devices.profiles import profile
from edgeseq.devices.sources import virtualpi_sources
from edgeseq_device.artifact import sha256_of
from edgeseq_device.elf import elf_machine
from edgeseq_device.measuring.request import Request, request_to_dict

CHECKOUT = Path(__file__).resolve().parents[3]
ARCHITECTURES = {"linux/arm64": "arm64", "linux/arm/v7": "armhf", "linux/amd64": "amd64"}
"""Debian's name, by Docker's."""
Start = Callable[[Sequence[str]], AbstractContextManager["subprocess.Popen[bytes]"]]
"""Runs an image with these arguments."""
NO_UPDATES = "packages of Debian's release only: for a target whose security updates the mirror lacks"
_TIMEOUT_S = 900.0


def main(arguments: Sequence[str]) -> int:
    """Check every target; 0 once all could be built and looked into, whatever was found there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="+")
    parser.add_argument("--artifact", type=Path, required=True, help="a folder that anybody may read")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--no-updates", dest="updates", action="store_false", help=NO_UPDATES)
    asked = parser.parse_args(arguments)
    targets = {name: print_bake(name)["target"][name] for name in asked.targets}
    for of in map(_platform, targets.values()):
        base_image(ARCHITECTURES[of], updates=asked.updates)
        if of in PROCESSORS:
            emulator(PROCESSORS[of].qemu)
    build = build_image(updates=asked.updates).root
    code = enter(__file__, arguments)
    if code is not None:
        return code
    with running_docker() as (docker, folder):
        docker.add_base(build, _platform({}), "edgeseq-test-base:build")
        entries = {name: _check(name, target, docker, asked, folder) for name, target in targets.items()}
    asked.json.write_text(json.dumps(entries, indent=1))
    return 0


def print_bake(target: str) -> dict[str, Any]:
    """What `docker buildx bake --print` makes of the bake file; no daemon is asked."""
    with tempfile.TemporaryDirectory() as folder:
        printed = Docker(docker_tools().root, Path(folder)).bake(target, {}, CHECKOUT, "--print")
    return dict(json.loads(printed))


def _platform(target: dict[str, Any]) -> str:
    """Docker's name of what a target is for; without one, of this machine."""
    return str(target.get("platforms", [f"linux/{host_architecture()}"])[0])


def _check(
    name: str, target: dict[str, Any], docker: Docker, asked: argparse.Namespace, folder: Path
) -> dict[str, Any]:
    """Build one target and tell of its image."""
    of = _platform(target)
    base = f"edgeseq-test-base:{ARCHITECTURES[of]}"
    docker.add_base(base_image(ARCHITECTURES[of], updates=asked.updates).root, of, base)
    begun = time.monotonic()
    log = docker.bake(name, {"BASE": base, "BUILD_BASE": "edgeseq-test-base:build"}, CHECKOUT)
    built_s = time.monotonic() - begun
    described = docker.inspect(target["tags"][0])
    root = folder / f"root-{name}"
    root.mkdir()
    docker.export(target["tags"][0], of, root)
    entry = {
        "platform": of,
        "labelled": "/".join(filter(None, (described.get(key) for key in ("Os", "Architecture", "Variant")))),
        "built_s": round(built_s, 1),
        "log": log.splitlines(),
        "unpacked_bytes": described["Size"],
        "base_bytes": docker.inspect(base)["Size"],
        "config": {key: described["Config"][key] for key in ("User", "Entrypoint", "Cmd", "Env", "Labels")},
        "machines": Counter(filter(None, map(elf_machine, _files(root)))),
    }
    start: Start = partial(docker.container, target["tags"][0], asked.artifact)
    if "platforms" in target:
        start = partial(container, root, described["Config"], of, asked.artifact, _cpuinfo_file(folder))
    if target.get("target") == "runner":
        entry.update(_look_at_runner(root), **_run_runner(start))
    else:
        entry.update(_look_at_agent(root), **_run(start))
    shutil.rmtree(root)
    return entry


def _look_at_agent(root: Path) -> dict[str, Any]:
    return {
        "modules": sorted(_modules(root / "opt/edgeseq/agent.pyz")),
        "pip": [str(path.relative_to(root)) for path in root.rglob("pip") if path.is_dir()],
    }


def _look_at_runner(root: Path) -> dict[str, Any]:
    files = {path.name: path for path in (root / "opt/edgeseq").iterdir()}
    return {
        "sha256": {name: sha256_of(path) for name, path in sorted(files.items())},
        "library_version": files["libLiteRt.version"].read_text(),
        "python": [str(path.relative_to(root)) for path in root.rglob("*python*")],
    }


def _cpuinfo_file(folder: Path) -> Path:
    """What a Raspberry Pi 4 has as /proc/cpuinfo: runtimes choose their kernels by it."""
    imitation = read_imitation(virtualpi_sources() / "boards/pi4.json")
    cpuinfo = folder / "cpuinfo"
    cpuinfo.write_text(board_files(profile("pi4"), imitation, "bookworm", "")["proc/cpuinfo"])
    return cpuinfo


def _run(start: Start) -> dict[str, Any]:
    """The image's agent as `bench` for people and as `serve` for a host."""
    bench = _bench(start, ["bench", "--quick", "--json", "-"])
    formats = tuple(model["format"] for model in (bench["result"] or {"models": []})["models"])
    request = Request("/artifact", formats or ("tflite",), kinds=("parity",))
    with start(["serve"]) as process:
        events = _converse(process, request_to_dict(request))
    return {"bench": bench, "serve": events, "refused": _refused(start)}


def _run_runner(start: Start) -> dict[str, Any]:
    """edgeseq-run's own `bench`."""
    return {
        "bench": _bench(start, ["bench", "/artifact", "--quick", "--json", "-"]),
        "refused": _refused(start),
    }


def _bench(start: Start, arguments: Sequence[str]) -> dict[str, Any]:
    begun = time.monotonic()
    with start(arguments) as process:
        stdout, stderr = process.communicate(timeout=_TIMEOUT_S)
    return {
        "exit_code": process.returncode,
        "result": json.loads(stdout) if stdout.startswith(b"{") else None,
        "table": stderr.decode("utf-8", "replace").splitlines(),
        "seconds": round(time.monotonic() - begun, 1),
    }


def _refused(start: Start) -> dict[str, Any]:
    """What is said of an artifact that is not there."""
    with start(["bench", "/nowhere"]) as process:
        _, said = process.communicate(timeout=_TIMEOUT_S)
    return {"exit_code": process.returncode, "said": said.decode("utf-8", "replace")}


def _converse(process: subprocess.Popen[bytes], request: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of one request, as a host hears them, but those that only tell that the agent lives."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(request).encode() + b"\n")
    process.stdin.flush()
    events = []
    for event in map(json.loads, process.stdout):
        if event["event"] != "alive":
            events.append(event)
        if event["event"] in ("result", "error"):
            break
    return events


def _files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]


def _modules(archive: Path) -> list[str]:
    with zipfile.ZipFile(archive) as file:
        return file.namelist()


if __name__ == "__main__":
    if platform.system() != "Linux":
        sys.exit("images are checked on Linux only")
    sys.exit(main(sys.argv[1:]))
