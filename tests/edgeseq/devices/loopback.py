"""A board for tests: a real OpenSSH server on 127.0.0.1 with its own keys, ssh_config and home folder.

The server is Debian's, fetched into the cache and run out of it; nothing is installed. As root it runs in a
private mount namespace with a passwd of its own, for the user that sshd wants and the board's home; as
another user, who can only log in as himself, a wrapper gives the session its home.
"""

from __future__ import annotations

import getpass
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from edgeseq.devices.cache import COMPLETE, build_folder, building_alone, cache_root, content_key
from edgeseq.devices.emulated import apt
from edgeseq.devices.emulated.apt_sources import KEYRING, sources_list
from edgeseq.devices.emulated.emulator import LOADERS
from edgeseq.devices.emulated.rootfs import make_root, unpack
from edgeseq.devices.ssh.destination import Destination

SUITE = "bookworm"
"""Its sshd 9.2 is one program; later ones start others by a fixed path."""

HOST = "board"
"""The Host of the ssh_config."""

_SYSTEM_SSHD = "/usr/sbin/sshd"
_START_S = 20.0

# $1: a passwd with the user sshd. $2: the home folder. $3: the size of its disk, empty for the host's disk.
_NAMESPACE = """
set -e
passwd=$1 home=$2 size=$3
shift 3
mount --bind "$passwd" /etc/passwd
[ -d /run/sshd ] || { mount -t tmpfs -o mode=755 tmpfs /run; mkdir /run/sshd; }
[ -z "$size" ] || mount -t tmpfs -o "size=$size,mode=700" tmpfs "$home"
exec "$@"
"""


class LoopbackError(Exception):
    """There can be no server here, and why."""


def sshd_command() -> list[str]:
    """The argv prefix of an sshd, fetched at the first use. LoopbackError where none can be had."""
    if shutil.which("ssh") is None or shutil.which("ssh-keygen") is None:
        raise LoopbackError("ssh and ssh-keygen are not installed here")
    if apt.missing_tools() or not KEYRING.is_file() or apt.host_architecture() not in LOADERS:
        if Path(_SYSTEM_SSHD).exists():
            return [_SYSTEM_SSHD]
        raise LoopbackError(
            "no sshd is installed here, and none can be fetched without Debian's apt and keys"
        )
    architecture = apt.host_architecture()
    sources = sources_list(SUITE, architecture)
    home = cache_root() / "tests"
    folder = home / f"sshd-{content_key(sources)}"
    with building_alone(home, lambda: None):
        if not (folder / COMPLETE).is_file():
            build_folder(folder, lambda new: _build(new, architecture, sources))
    loader, libraries = LOADERS[architecture]
    root = folder / "root"
    # -r: it would otherwise start itself anew, with the host's loader.
    return [
        f"{root}/{loader}",
        "--inhibit-cache",
        "--library-path",
        f"{root}/{libraries}",
        f"{root}/usr/sbin/sshd",
        "-r",
    ]


def _build(folder: Path, architecture: str, sources: str) -> None:
    fetched, root = folder / "fetched", folder / "root"
    debs = apt.fetch(["openssh-server"], architecture, sources, fetched, _quiet)
    make_root(root)
    wanted = [
        deb
        for deb in debs
        if deb.name.startswith(("lib", "zlib", "openssh-server")) and "perl" not in deb.name
    ]
    unpack(wanted, root, _quiet)
    shutil.rmtree(fetched)
    (folder / COMPLETE).write_text(json.dumps({"packages": [deb.stem for deb in wanted]}))


def _quiet(_fraction: float, _label: str) -> None:
    """No progress wanted."""


class Loopback:
    """A board on 127.0.0.1. `home` is the $HOME of every session and ~ of the board; its name needs quoting.

    ssh_config: the file that knows it as HOST. disk_bytes: the size of its disk, which only root can make.
    path: where its sessions look for programs, None for the server's own choice.
    """

    def __init__(
        self,
        folder: Path,
        sshd: list[str],
        disk_bytes: int | None = None,
        login_shell: str = "/bin/sh",
        path: str | None = None,
    ) -> None:
        self.folder = folder
        self.ssh_config = folder / "ssh_config"
        self.known_hosts = folder / "known_hosts"
        self.banner = "Welcome to the board"
        self.port = 0
        self._home = folder / "the board's home"
        self._sshd = sshd
        self._disk_bytes = disk_bytes
        self._shell = login_shell
        self._path = path
        self._server: subprocess.Popen[bytes] | None = None
        self._home.mkdir(parents=True)
        self._make_key("client_key")
        shutil.copy(folder / "client_key.pub", folder / "authorized_keys")
        self.renew_host_key()
        self.trust_host_key()
        self._write_wrapper()

    @property
    def home(self) -> Path:
        """The board's home folder as this process sees it."""
        if self._disk_bytes is None:
            return self._home
        assert self._server is not None
        return Path(f"/proc/{self._server.pid}/root{self._home}")

    def destination(self, port: int | None = None) -> Destination:
        """The board, or what forwards to it from another port."""
        return Destination(HOST, None, port, str(self.ssh_config))

    def renew_host_key(self) -> None:
        """A new host key, as a reinstalled board or somebody in between has; counts from the next start."""
        for name in ("host_key", "host_key.pub"):
            (self.folder / name).unlink(missing_ok=True)
        self._make_key("host_key")

    def trust_host_key(self) -> None:
        """Know the present host key."""
        self.known_hosts.write_text(f"{HOST} {(self.folder / 'host_key.pub').read_text()}")

    def start(self) -> None:
        """Start the server; after `stop` on the same port. LoopbackError when it does not start."""
        for _ in range(5):  # another process may take the port first
            port = self.port or _free_port()
            self._write_configuration(port)
            if self._try_start(port):
                self.port = port
                return
        raise LoopbackError(f"sshd does not start: {self.log()[-500:]}")

    def stop(self) -> None:
        """End the server and all that runs on the board, as a power cut does."""
        for pid in [*self._server_pids(), *self._session_pids()]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self._server is not None:
            self._server.wait()
            self._server = None

    def log(self) -> str:
        """What sshd said."""
        path = self.folder / "log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def processes(self) -> list[str]:
        """The command lines of what runs on the board, sshd itself apart."""
        return [
            _read(Path(f"/proc/{pid}/cmdline")).replace("\0", " ").strip() for pid in self._session_pids()
        ]

    def _session_pids(self) -> list[int]:
        """Every process that has the board's home as $HOME, orphans too."""
        mark = f"\0HOME={self._home}\0"
        pids = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
        return [pid for pid in pids if mark in "\0" + _read(Path(f"/proc/{pid}/environ"))]

    def _server_pids(self) -> Iterator[int]:
        if self._server is not None:
            yield from reversed(list(_descendants(self._server.pid)))

    def _make_key(self, name: str) -> None:
        path = str(self.folder / name)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path], check=True)

    def _write_wrapper(self) -> None:
        """What an ordinary user's sshd runs in place of the command: it gives the session home and shell."""
        home = shlex.quote(str(self._home))
        (self.folder / "wrapper").write_text(
            f'HOME={home}\nexport HOME\ncd "$HOME" || exit\nexec {self._shell} -c "$SSH_ORIGINAL_COMMAND"\n'
        )

    def _write_configuration(self, port: int) -> None:
        (self.folder / "banner").write_text(f"{self.banner}\n")
        server = {
            "Port": port,
            "ListenAddress": "127.0.0.1",
            "HostKey": self.folder / "host_key",
            "AuthorizedKeysFile": self.folder / "authorized_keys",
            "PidFile": "none",
            "StrictModes": "no",
            "UsePAM": "no",
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
            "PermitRootLogin": "prohibit-password",
            "LogLevel": "VERBOSE",
            "Banner": self.folder / "banner",
        }
        if self._path is not None:
            server["SetEnv"] = f'"PATH={self._path}"'
        if os.geteuid() != 0:
            server["ForceCommand"] = f"exec /bin/sh {shlex.quote(str(self.folder / 'wrapper'))}"
        client = {
            "HostName": "127.0.0.1",
            "HostKeyAlias": HOST,
            "Port": port,
            "User": getpass.getuser(),
            "IdentityFile": self.folder / "client_key",
            "IdentitiesOnly": "yes",
            "UserKnownHostsFile": self.known_hosts,
            "GlobalKnownHostsFile": "/dev/null",
        }
        (self.folder / "sshd_config").write_text("".join(f"{key} {value}\n" for key, value in server.items()))
        self.ssh_config.write_text(
            f"Host {HOST}\n" + "".join(f"  {key} {value}\n" for key, value in client.items())
        )

    def _try_start(self, port: int) -> bool:
        command = [*self._sshd, "-D", "-e", "-f", str(self.folder / "sshd_config")]
        with (self.folder / "log").open("wb") as log:
            self._server = subprocess.Popen(
                [*self._namespace(), *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + _START_S
        while self._server.poll() is None and time.monotonic() < deadline:
            if f"listening on 127.0.0.1 port {port}" in self.log():
                return True
            time.sleep(0.01)
        self.stop()
        return False

    def _namespace(self) -> list[str]:
        if os.geteuid() != 0:
            if self._disk_bytes is not None:
                raise LoopbackError("only root can give the board a disk of its own")
            return []
        if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode != 0:
            raise LoopbackError("root may not make a mount namespace here, which sshd needs")
        passwd = self.folder / "passwd"
        others = [line for line in Path("/etc/passwd").read_text().splitlines() if line.startswith("nobody:")]
        root = f"root:x:0:0:root:{self._home}:{self._shell}"
        passwd.write_text("\n".join([root, *others, "sshd:x:64999:65534::/run/sshd:/usr/sbin/nologin", ""]))
        size = "" if self._disk_bytes is None else str(self._disk_bytes)
        return ["unshare", "--mount", "/bin/sh", "-c", _NAMESPACE, "sh", str(passwd), str(self._home), size]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _descendants(pid: int) -> Iterator[int]:
    yield pid
    with suppress(FileNotFoundError):  # it has just ended
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in _read(task / "children").split():
                yield from _descendants(int(child))


def _read(path: Path) -> str:
    """A file of /proc; empty when its process has ended or is another user's."""
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except OSError:
        return ""
