"""The Docker images: their bake file, what is built from it for a 64-bit Raspberry Pi, and what that answers.

They are built by Docker's own buildx with a daemon that ends with the test (see container/images.py). The
Raspberry Pi's is run under emulation, where there is no latency; that of this machine by `docker run`.
`make images-check` does the same with every image.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import edgeseq_device
from edgeseq.devices.agent_link import agent_archive
from edgeseq.devices.cache import cache_root
from edgeseq.devices.emulated import virtual
from edgeseq_device.artifact import sha256_of

CONTAINER = Path(__file__).parent / "container"
DEVICE = Path(__file__).parents[2] / "device"
WHEELS = DEVICE / "wheels/cp311-aarch64.txt"


@pytest.fixture(scope="module")
def debian() -> None:
    """Docker comes out of Debian's packages."""
    if platform.system() != "Linux":
        pytest.skip("Docker's daemon runs on Linux")
    missing = [each for each in virtual.missing_packages() if each not in ("gcc", "libc6-dev", "pip")]
    if missing:
        pytest.skip(f"Docker is fetched with {', '.join(missing)}")


@pytest.fixture(scope="module")
def bake(debian: None) -> Iterator[Any]:
    """The check's own `print_bake`."""
    sys.path.insert(0, str(CONTAINER))
    try:
        import images

        yield images.print_bake
    finally:
        sys.path.remove(str(CONTAINER))


@pytest.fixture(scope="module")
def found(debian: None, pristine_artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What was found of the images `agent`, `host` and `runner`; never to be changed."""
    if os.geteuid() != 0:
        pytest.skip("a Docker daemon of its own needs root")
    if _kernel() < (6, 7):
        pytest.skip(f"programs for ARM are run by Linux 6.7 or newer, this is {platform.release()}")
    artifact = tmp_path_factory.mktemp("image") / "artifact"
    shutil.copytree(pristine_artifact, artifact)
    for each in (artifact, *artifact.iterdir()):
        each.chmod(0o755 if each.is_dir() else 0o644)
    target = artifact.with_name("found.json")
    before = _running(), _mounted()
    command = [
        sys.executable,
        str(CONTAINER / "images.py"),
        "--artifact",
        str(artifact),
        "--json",
        str(target),
    ]
    done = subprocess.run([*command, "agent", "host", "runner"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    left = [sorted(now - then) for now, then in zip((_running(), _mounted()), before, strict=True)]
    return {**json.loads(target.read_text("utf-8")), "left": left}


@pytest.fixture(scope="module")
def image(found: dict[str, Any]) -> dict[str, Any]:
    """The one for a 64-bit Raspberry Pi."""
    return dict(found["agent"])


def test_every_image_names_its_platform_runtimes_and_bases(bake: Any) -> None:
    targets = bake("images")["target"]
    assert {name: each["platforms"] for name, each in targets.items()} == {
        "agent": ["linux/arm64"],
        "agent-onnx": ["linux/arm64"],
        "agent-armv7": ["linux/arm/v7"],
        "runner": ["linux/arm64"],
    }
    assert targets["agent-onnx"]["args"]["RUNTIMES"] == "litert onnxruntime"
    assert len({each["tags"][0] for each in targets.values()}) == 4
    for each in targets.values():
        assert each["args"]["BASE"] != each["args"]["BUILD_BASE"]  # buildah takes one name for one platform
    assert "platforms" not in bake("host")["target"]["host"]


def test_the_base_images_can_be_ones_own(bake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BASE", "localhost/mine:1")
    assert bake("agent")["target"]["agent"]["args"]["BASE"] == "localhost/mine:1"


def test_every_binary_in_the_image_is_for_the_target(image: dict[str, Any]) -> None:
    assert image["labelled"] == "linux/arm64"
    assert list(image["machines"]) == ["aarch64"]
    assert image["machines"]["aarch64"] > 500


def test_the_image_is_small_and_has_no_installer(image: dict[str, Any]) -> None:
    assert image["unpacked_bytes"] <= 200_000_000
    assert image["pip"] == []


def test_the_image_starts_the_agent_as_nobody(image: dict[str, Any]) -> None:
    config = image["config"]
    assert config["Entrypoint"] == ["python3", "/opt/edgeseq/agent.pyz"]
    assert config["Cmd"] == ["bench"]
    assert config["User"] == "65532:65532"
    assert config["Labels"]["org.opencontainers.image.title"] == "edgeseq agent"


def test_the_images_agent_is_that_of_the_host(image: dict[str, Any]) -> None:
    assert image["modules"] == sorted(zipfile.ZipFile(agent_archive()).namelist())


def test_the_image_benches_the_artifact_with_a_root_it_cannot_write(image: dict[str, Any]) -> None:
    bench = image["bench"]
    assert bench["exit_code"] == 0, bench["table"]
    (model,) = bench["result"]["models"]
    assert model["format"] == "tflite"
    assert model["parity_ok"]
    assert model["step_parity_ok"]
    assert model["parity_n"] == 16
    assert bench["result"]["valid"]


def test_every_line_about_an_emulated_run_says_so(image: dict[str, Any]) -> None:
    assert image["bench"]["result"]["emulated"]
    assert image["bench"]["result"]["models"][0]["latency_p50_ms"] is None
    begin = next(index for index, line in enumerate(image["bench"]["table"]) if "tflite  emulated" in line)
    assert all("emulated" in line for line in image["bench"]["table"][begin:])
    assert any("onnx: not measured: no onnxruntime here" in line for line in image["bench"]["table"])


def test_the_image_serves_a_host(image: dict[str, Any]) -> None:
    assert [each["event"] for each in image["serve"]] == ["began", "progress", "outcome", "result"]
    assert image["serve"][2]["outcome"]["values"]["parity_ok"]


def test_the_image_refuses_a_folder_that_is_not_there(image: dict[str, Any]) -> None:
    assert image["refused"]["exit_code"] == 6
    assert "/nowhere" in image["refused"]["said"]


def test_the_runners_image_is_small_and_has_no_python(found: dict[str, Any]) -> None:
    image = found["runner"]
    assert (image["labelled"], list(image["machines"])) == ("linux/arm64", ["aarch64"])
    assert image["unpacked_bytes"] <= 16_000_000
    assert image["python"] == []
    assert list(image["sha256"]) == ["edgeseq-bench", "edgeseq-run", "libLiteRt.so", "libLiteRt.version"]
    assert f"ai-edge-litert=={image['library_version'].strip()} " in WHEELS.read_text("utf-8")
    assert image["config"]["Entrypoint"] == ["/opt/edgeseq/edgeseq-run"]
    assert image["config"]["User"] == "65532:65532"


@pytest.mark.parametrize("program", ["edgeseq-run", "edgeseq-bench"])
def test_the_runners_image_has_the_programs_as_built_here(
    found: dict[str, Any], build_runner: Callable[[str, str], Path], program: str
) -> None:
    if importlib.util.find_spec("ziglang") is None:
        pytest.skip("only zig's program has the same bytes everywhere")
    assert found["runner"]["sha256"][program] == sha256_of(build_runner("aarch64", program))


def test_the_runners_image_benches_the_artifact(found: dict[str, Any]) -> None:
    bench = found["runner"]["bench"]
    assert bench["exit_code"] == 0, bench["table"]
    (model,) = bench["result"]["models"]
    assert (model["format"], model["runner"]) == ("tflite", "native")
    assert model["parity_ok"]
    assert model["step_parity_ok"]
    assert model["runner_sha256"] == found["runner"]["sha256"]["edgeseq-run"]
    assert model["library_sha256"] == found["runner"]["sha256"]["libLiteRt.so"]
    assert found["runner"]["refused"]["exit_code"] == 6
    assert "/nowhere" in found["runner"]["refused"]["said"]


def test_docker_runs_the_image_of_this_machine_and_it_takes_latencies(found: dict[str, Any]) -> None:
    bench = found["host"]["bench"]
    assert bench["exit_code"] in (0, 5), bench[
        "table"
    ]  # 5: this machine was busy, which is not the image's fault
    assert [model["format"] for model in bench["result"]["models"]] == ["onnx", "tflite"]
    assert all(model["parity_ok"] for model in bench["result"]["models"])
    assert all(model["latency_p50_ms"] > 0 for model in bench["result"]["models"])


def test_the_check_leaves_no_process_mount_or_control_group(found: dict[str, Any]) -> None:
    assert found["left"] == [[], []]
    assert not list(Path("/sys/fs/cgroup").glob("**/edgeseq-images-*"))


@pytest.mark.parametrize(
    ("script", "environment", "said"),
    [
        ("wheels", {"TARGETARCH": "riscv64"}, "linux/riscv64: nothing is made for it"),
        ("wheels", {"TARGETARCH": "arm", "TARGETVARIANT": "v6"}, "linux/arm/v6: nothing is made for it"),
        (
            "wheels",
            {"TARGETARCH": "arm", "TARGETVARIANT": "v7", "RUNTIMES": "onnxruntime"},
            "there is no onnxruntime for armv7l, only litert",
        ),
        ("runner", {"TARGETARCH": "arm", "TARGETVARIANT": "v7"}, "there is no edgeseq-run for armv7l"),
    ],
)
def test_a_build_for_what_cannot_be_had_says_so(
    tmp_path: Path, script: str, environment: dict[str, str], said: str
) -> None:
    (tmp_path / "wheels").symlink_to(DEVICE / "wheels")
    command = [sys.executable, str(DEVICE / f"image/{script}.py"), "libraries"]
    environment = {**environment, "PYTHONPATH": str(DEVICE)}
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert said in done.stderr


def test_what_the_image_leaves_out_is_used_by_no_module_of_the_agent() -> None:
    left_out = {"numpy.f2py", "np.f2py", "numpy.distutils", "sqlite3", "ssl", "readline", "curses", "turtle"}
    for module in Path(edgeseq_device.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text("utf-8"))):
            used = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
            imported = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            imported += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not left_out & {used, *imported}, f"{module.name}: {used or imported}"


def _kernel() -> tuple[int, ...]:
    return tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2])


def _running() -> set[str]:
    """The check's own daemons, and emulators of an image's agent, by number and command.

    Whatever this machine's own Docker starts and ends meanwhile does not count: container/docker.py.
    """
    words = (b"/mnt/docker.sock", b"/mnt/exec/", b"/proc/1/ns/net\0tap0", b"/opt/edgeseq/")
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes()
        except OSError:
            continue
        if any(word in command for word in words):
            found.add(f"{path.parent.name} {command.decode('utf-8', 'replace')}")
    return found


def _mounted() -> set[str]:
    """Mounts of the check's own folders."""
    mounts = Path("/proc/self/mounts").read_text("utf-8").splitlines()
    return {line for line in mounts if str(cache_root()) in line or "edgeseq-images-" in line}
