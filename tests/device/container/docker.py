"""A Docker daemon of its own, in mount, process and network namespaces that end with it.

`enter()` puts the calling script into such namespaces; `Docker` is the daemon in there. When the script ends,
however that happens, the kernel ends the daemon and undoes its mounts and its network, which reaches the
outside through a user's sockets (slirp4netns), without a rule or an interface on the host.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from debian import docker_tools

_INSIDE = "EDGESEQ_IMAGES_INSIDE"
_NAME = "edgeseq-images-"
_START_S = 60.0
_BRIDGE = "edgeseq0"
_CGROUPS = Path("/sys/fs/cgroup")


def enter(script: str, arguments: Sequence[str]) -> int | None:
    """None inside the namespaces; else run the script once more in there and return its exit code."""
    if os.environ.get(_INSIDE):
        return None
    _remove_what_was_left()
    network = os.open("/proc/self/ns/net", os.O_RDONLY)
    command = [
        *("setpriv", "--pdeathsig=KILL", "unshare", "--mount", "--net", "--pid", "--fork", "--kill-child"),
        *("--mount-proc", "--propagation=private", sys.executable, script, *arguments),
    ]
    name = f"{_NAME}{os.getpid()}"
    try:
        with tempfile.TemporaryDirectory(prefix=f"{name}-") as folder:
            inside = json.dumps({"folder": folder, "group": name, "network": network})
            environment = {**os.environ, _INSIDE: inside}
            return subprocess.run(command, env=environment, pass_fds=[network], check=False).returncode
    finally:
        os.close(network)
        _remove_groups(name)


def _remove_what_was_left() -> None:
    """The folders and control groups of checks that were killed: their names have the process in them."""
    for folder in [*Path(tempfile.gettempdir()).glob(f"{_NAME}*"), *_CGROUPS.glob(f"**/{_NAME}*")]:
        name = _NAME + folder.name[len(_NAME) :].partition("-")[0]
        if Path("/proc", name[len(_NAME) :]).exists():
            continue
        if folder.is_relative_to(_CGROUPS):
            _remove_groups(name)
        else:
            shutil.rmtree(folder)


def _remove_groups(name: str) -> None:
    """The control groups that containers were put in; by now they are empty."""
    for top in (_CGROUPS, *_CGROUPS.glob("*")):
        for folder in sorted((top / name).rglob("*"), reverse=True):
            if folder.is_dir():
                folder.rmdir()
        if (top / name).is_dir():
            (top / name).rmdir()


class Docker:
    """The daemon and its two commands. folder: a short path, for a socket's name must be short."""

    def __init__(self, tools: Path, folder: Path) -> None:
        self._tools = tools
        self._folder = folder
        self._environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("DOCKER_", "BUILD"))},
            "DOCKER_HOST": f"unix://{folder}/docker.sock",
            "DOCKER_CONFIG": str(folder / "config"),
            "BUILDX_CONFIG": str(folder / "buildx"),
        }

    def docker(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
        """Run `docker`; CalledProcessError with what it said when it fails."""
        return run([*self._program("usr/bin/docker"), *arguments], self._environment, **options)

    def bake(self, target: str, variables: Mapping[str, str], checkout: Path, *options: str) -> str:
        """What `docker buildx bake` of the checkout's own bake file printed, with --print the definition."""
        buildx = self._program("usr/libexec/docker/cli-plugins/docker-buildx")
        command = [*buildx, "bake", "--progress=plain", *options, "-f", "device/docker-bake.hcl", target]
        environment = {**self._environment, **variables}
        done = run(command, environment, cwd=checkout)
        return (done.stdout or done.stderr).decode("utf-8", "replace")

    def add_base(self, root: Path, platform: str, name: str) -> None:
        """Make a base image of a file tree."""
        pack = ["tar", "--numeric-owner", "--owner=0", "--group=0", "-C", str(root), "-c", "."]
        with subprocess.Popen(pack, stdout=subprocess.PIPE) as tar:
            self.docker("import", "--platform", platform, "-", name, stdin=tar.stdout)

    def inspect(self, image: str) -> dict[str, Any]:
        """What `docker image inspect` tells."""
        return dict(json.loads(self.docker("image", "inspect", image).stdout)[0])

    @contextmanager
    def container(
        self, image: str, artifact: Path, arguments: Sequence[str]
    ) -> Iterator[subprocess.Popen[bytes]]:
        """`docker run` of an image for this machine's own processor, with a root that cannot be written."""
        copy = self._folder / "artifact"  # the daemon sees no other folder of the host's
        shutil.copytree(artifact, copy, dirs_exist_ok=True)
        command = [
            *(*self._program("usr/bin/docker"), "run", "-i", "--rm", "--read-only", "--tmpfs", "/tmp"),  # noqa: S108
            *("--network", "none", "-v", "/mnt/artifact:/artifact:ro", image, *arguments),
        ]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, env=self._environment, stdin=pipe, stdout=pipe, stderr=pipe)
        try:
            yield process
        finally:
            process.terminate()
            process.wait()

    def export(self, image: str, platform: str, folder: Path) -> None:
        """Unpack an image's file tree, as a container would see it, with its owners."""
        name = f"export-{folder.name}"
        self.docker("create", "--platform", platform, "--network", "none", "--name", name, image)
        command = [*self._program("usr/bin/docker"), "export", name]
        with subprocess.Popen(command, env=self._environment, stdout=subprocess.PIPE) as exporting:
            run(["tar", "-C", str(folder), "-xp", "--numeric-owner"], stdin=exporting.stdout)
        self.docker("rm", name)

    def _program(self, path: str) -> list[str]:
        """A program of the tools by their own loader: their Debian is newer than most hosts."""
        loaders = sorted((self._tools / "lib64").glob("ld-linux*")) or sorted(
            (self._tools / "lib").glob("ld-*")
        )
        libraries = next((self._tools / "usr/lib").glob("*-linux-gnu"))
        return [str(loaders[0]), "--library-path", str(libraries), str(self._tools / path)]


@contextmanager
def running_docker() -> Iterator[tuple[Docker, Path]]:
    """A daemon and the folder that it keeps all in, both gone afterwards. Only inside `enter`."""
    inside = json.loads(os.environ[_INSIDE])
    tools, folder = docker_tools().root, Path(inside["folder"])
    _mount_into(tools, folder)
    _connect(tools, inside["network"], folder / "network.log")
    command = [
        *("chroot", str(tools), "/usr/sbin/dockerd", "--host=unix:///mnt/docker.sock", "--pidfile=/mnt/pid"),
        *("--data-root=/mnt/data", "--exec-root=/mnt/exec", "--iptables=false", "--ip6tables=false"),
        *(
            f"--bridge={_BRIDGE}",
            "--fixed-cidr=10.0.2.128/25",
            "--default-gateway=10.0.2.2",
            "--dns=10.0.2.3",
        ),
        f"--cgroup-parent=/{inside['group']}",
    ]
    environment = {"PATH": "/usr/sbin:/usr/bin", "HOME": "/root", "TMPDIR": "/tmp"}  # noqa: S108 - a tmpfs
    with (folder / "dockerd.log").open("wb") as log:
        daemon = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        docker = Docker(tools, folder)
        _wait(docker, daemon, folder / "dockerd.log")
        yield docker, folder
    finally:
        daemon.terminate()
        daemon.wait(30)


def run(
    command: Sequence[str], environment: Mapping[str, str] | None = None, **options: Any
) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end; RuntimeError with its last lines when it fails."""
    done = subprocess.run(command, env=environment, capture_output=True, check=False, **options)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).decode("utf-8", "replace").strip().splitlines()
        raise RuntimeError(f"{' '.join(command[-4:])}: exit code {done.returncode}\n" + "\n".join(said[-40:]))
    return done


def _mount_into(tools: Path, folder: Path) -> None:
    """The tools' tree as a root to start a daemon in: this namespace's /proc, /sys and /dev, and `folder`."""
    run(["mount", "--bind", str(tools), str(tools)])
    for name in ("proc", "sys", "dev"):
        run(["mount", "--rbind", f"/{name}", f"{tools}/{name}"])
    for name in ("run", "tmp"):
        run(["mount", "-t", "tmpfs", "tmpfs", f"{tools}/{name}"])
    run(["mount", "--bind", str(folder), f"{tools}/mnt"])
    run(["mount", "--bind", "/etc/resolv.conf", f"{tools}/etc/resolv.conf"])


def _connect(tools: Path, network: int, log: Path) -> None:
    """A bridge for the builds' containers, with a way out through sockets opened in the host's network."""
    inside = ["chroot", str(tools), "ip"]
    for words in (
        "link set lo up",
        f"link add {_BRIDGE} type bridge",
        f"addr add 10.0.2.100/24 dev {_BRIDGE}",
    ):
        run([*inside, *words.split()])
    ready, told = os.pipe()
    command = [
        *("nsenter", f"--net=/proc/self/fd/{network}", "chroot", str(tools), "slirp4netns"),
        *("--disable-host-loopback", f"--ready-fd={told}", "--netns-type=path", "/proc/1/ns/net", "tap0"),
    ]
    with log.open("wb") as written:
        subprocess.Popen(command, pass_fds=[network, told], stdout=written, stderr=written)
    os.close(told)
    with os.fdopen(ready, "rb") as waiting:
        if waiting.read(1) != b"1":
            raise RuntimeError(f"slirp4netns did not start: {log.read_text('utf-8', 'replace')}")
    for words in (f"link set tap0 master {_BRIDGE}", "link set tap0 up", f"link set {_BRIDGE} up"):
        run([*inside, *words.split()])


def _wait(docker: Docker, daemon: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and daemon.poll() is None:
        try:
            docker.docker("version")
            return
        except RuntimeError:
            time.sleep(0.2)
    said = "\n".join(log.read_text("utf-8", "replace").splitlines()[-10:])
    raise RuntimeError(f"dockerd did not start:\n{said}")
