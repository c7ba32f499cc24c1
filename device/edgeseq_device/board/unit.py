"""A systemd service on the board that uses what is deployed: restarted, and watched whether it stays."""

from __future__ import annotations

import os
import shutil
import subprocess
import time

from edgeseq_device.errors import DeviceError

UNIT_PATTERN = r"[A-Za-z0-9_][A-Za-z0-9:_.@-]{0,246}"
_POLL_S = 0.25
_SYSTEMCTL_S = 120.0  # systemd itself gives a service 90 s to stop


class Unit:
    """A service of the system where this runs as root, else of the user."""

    def __init__(self, name: str) -> None:
        self.name = name if name.endswith(".service") else f"{name}.service"

    def find(self) -> None:
        """DeviceError where the board has no systemd to ask, or no such service."""
        if shutil.which("systemctl") is None:
            raise DeviceError(
                f"{self.name}: this board has no systemd to restart it; deploy without --unit and restart "
                "your application yourself, which finds the version in `current`"
            )
        try:
            found = self._show("LoadState")
        except DeviceError as error:
            raise DeviceError(
                f"{error}; is systemd running there, and for this user (loginctl enable-linger)? Else deploy "
                "without --unit and restart your application yourself"
            ) from error
        if found["LoadState"] != "loaded":
            state = found["LoadState"] or "unknown"
            raise DeviceError(
                f"{self.name}: systemd says it is {state}; install it on the board as docs/deploy.md "
                "shows, or deploy without --unit"
            )

    def restart(self, watch_s: float) -> str | None:
        """Restart it and watch it for so long; why it failed, None where it stayed up."""
        try:
            self._systemctl("restart")
            began = self._show("ActiveState", "InvocationID")
            deadline = time.monotonic() + watch_s
            while True:
                now = self._show("ActiveState", "InvocationID")
                if now["ActiveState"] in ("failed", "inactive", "deactivating"):
                    return f"{self.name} is {now['ActiveState']} after its restart"
                if now["InvocationID"] != began["InvocationID"]:
                    return f"{self.name} ended and was started again by systemd"
                if time.monotonic() >= deadline:
                    break
                time.sleep(_POLL_S)
        except DeviceError as error:
            return str(error)
        state = now["ActiveState"]
        return None if state == "active" else f"{self.name} is still {state} after {watch_s:g} s"

    def stop(self) -> str | None:
        """Stop it; why that failed, if it did."""
        try:
            self._systemctl("stop")
        except DeviceError as error:
            return str(error)
        return None

    def _show(self, *properties: str) -> dict[str, str]:
        said = self._systemctl("show", f"--property={','.join(properties)}")
        pairs = dict(line.partition("=")[::2] for line in said.splitlines())
        return {name: pairs.get(name, "") for name in properties}

    def _systemctl(self, *words: str) -> str:
        command = ["systemctl", *([] if os.geteuid() == 0 else ["--user"]), "--no-ask-password", *words]
        # Where a login over SSH does not set it, systemctl would not find the user's own systemd.
        environment = {"XDG_RUNTIME_DIR": f"/run/user/{os.geteuid()}", **os.environ}
        try:
            done = subprocess.run(
                [*command, "--", self.name],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env=environment,
                timeout=_SYSTEMCTL_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise DeviceError(
                f"{self.name}: systemctl {words[0]} takes longer than {_SYSTEMCTL_S:.0f} s"
            ) from None
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"]
            raise DeviceError(f"systemctl {words[0]} {self.name} failed: {said[0]}")
        return done.stdout.decode("utf-8", "replace")
