"""What is deployed on a board under one name: its versions, which is current, in which order they came.

    deployed/NAME/versions/KEY/{artifact/, edgeseq_device.pyz, deployed.json}
    deployed/NAME/current -> versions/KEY           replaced in one step
    deployed/NAME/runtimes -> ../../python/cp311    what `device setup` sent for the board's Python
    deployed/NAME/history.json                      the deployments in order, the current one last
    deployed/NAME/lock                              held by who changes any of it

A version's folder has its name only when it is complete and on the disk. The link alone says what is current:
a history that disagrees was interrupted and is put right by the next who holds the lock.
"""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgeseq_device.artifact import open_artifact, sha256_of
from edgeseq_device.durable import TEMPORARY, replace_link, sync, sync_tree, write_json
from edgeseq_device.errors import DataError, DeviceError
from edgeseq_device.layout import DEPLOYED, LOCK, PYTHON
from edgeseq_device.manifest import SUMS_FILE

ARTIFACT, ARCHIVE, RECORD = "artifact", "edgeseq_device.pyz", "deployed.json"
NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
KEPT_MIN = 2
"""The current version and the one to roll back to."""

_KEY = re.compile(r"[0-9a-f]{12}-[0-9a-f]{12}")
_VERSIONS = "versions"
_HISTORY_MAX = 100

Entry = dict[str, Any]
"""Of the history: {"key", "deployed_utc", "host"}, by the clock and the name of the host that deployed."""


def deployed_names(root: Path) -> list[str]:
    """The names in the board's folder `root` that have a version."""
    folder = root / DEPLOYED
    found = [each.name for each in folder.iterdir()] if folder.is_dir() else []
    return sorted(each for each in found if re.fullmatch(NAME_PATTERN, each) and Deployed(root, each).kept())


def key_of(version: Path) -> str:
    """The name of a version: its content's. A folder's hash stands for every file of the artifact."""
    return f"{sha256_of(version / ARTIFACT / SUMS_FILE)[:12]}-{sha256_of(version / ARCHIVE)[:12]}"


class Deployed:
    """The folder of one name. What changes it needs the lock, see `alone`."""

    def __init__(self, root: Path, name: str) -> None:
        self.name = name
        self.folder = root / DEPLOYED / name
        self.versions = self.folder / _VERSIONS
        self._link = self.folder / "current"
        self._history = self.folder / "history.json"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the lock; what an interrupted deployment left is removed. DeviceError where it is held."""
        self.versions.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.folder / LOCK).open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DeviceError(
                    f"{self.name}: another deployment of it is under way on this board; try again later"
                ) from None
            self._remove_leftovers()
            history = self.history()
            if history != self._written_history():
                write_json(self._history, history)
            yield

    @contextmanager
    def staged(self) -> Iterator[Path]:
        """A new folder for a version, removed at the end unless `add` has given it a name."""
        folder = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=self.versions))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def version(self, key: str) -> Path:
        """The folder of a version, there or not."""
        return self.versions / key

    def kept(self) -> list[str]:
        """The versions that are there, in no order that means anything."""
        found = self.versions.iterdir() if self.versions.is_dir() else ()
        return sorted(each.name for each in found if _KEY.fullmatch(each.name))

    def is_whole(self, key: str) -> bool:
        """Whether a version is there and every byte of it is what was deployed."""
        try:
            open_artifact(self.version(key) / ARTIFACT)
            return key_of(self.version(key)) == key
        except (DataError, OSError):
            return False

    @property
    def current(self) -> str | None:
        """The version that applications use; None before the first. DataError where the link is not ours."""
        if not (self._link.is_symlink() or self._link.exists()):
            return None
        target = self._link.resolve()
        if not self._link.is_symlink() or target.parent != self.versions.resolve():
            raise DataError(f"{self._link}: not the link that edgeseq made; move it away")
        return target.name if target.is_dir() else None

    def history(self) -> list[Entry]:
        """The deployments whose versions are there, oldest first; the last is the current one."""
        current, there = self.current, self.kept()
        if current is None:
            return []
        entries = _without_repeats([each for each in self._written_history() if each["key"] in there])
        while entries and entries[-1]["key"] != current and any(each["key"] == current for each in entries):
            entries.pop()
        if not entries or entries[-1]["key"] != current:
            entries.append({"key": current, "deployed_utc": None, "host": None})
        return entries

    def add(self, staged: Path, key: str, record: Entry) -> None:
        """Make a staged folder the version `key`; all of it is on the disk before it has that name.

        A version of this key that is there is damaged, and goes.
        """
        write_json(staged / RECORD, {"key": key, "name": self.name, **record})
        sync_tree(staged)
        if self.version(key).exists():
            self._remove(key)
        staged.rename(self.version(key))
        sync(self.versions)

    def switch(self, history: Sequence[Entry]) -> None:
        """Make the last version of `history` the current one; none where it is empty.

        With a new deployment the history is written first and on the way back last: whatever a power cut
        leaves, `history` finds the right one in it, which ends with the current version.
        """
        kept = list(history[-_HISTORY_MAX:])
        forward = len(history) > len(self.history())
        if forward:
            write_json(self._history, kept)
        if history:
            replace_link(self._link, f"{_VERSIONS}/{history[-1]['key']}")
        else:
            self._link.unlink()
            sync(self.folder)
        if not forward:
            write_json(self._history, kept)

    def link_runtimes(self, tag: str) -> None:
        """Let applications find the runtimes for the Python that wheels call `tag`, there or not."""
        link, target = self.folder / "runtimes", f"../../{PYTHON}/{tag}"
        if not link.is_symlink() or str(link.readlink()) != target:
            replace_link(link, target)

    def prune(self, keep: int) -> list[str]:
        """Remove all but the `keep` versions that were deployed last; those removed.

        The current one and the one before it always stay.
        """
        history = self.history()
        order = dict.fromkeys([*(each["key"] for each in reversed(history)), *self.kept()])
        doomed = list(order)[max(keep, KEPT_MIN) :]
        if doomed:
            write_json(self._history, _without_repeats([e for e in history if e["key"] not in doomed]))
        for key in doomed:
            self._remove(key)
        return doomed

    def describe(self) -> dict[str, Any]:
        """{"name", "current", "previous", "versions"}: each version, the last deployed first."""
        history = self.history()
        last = {each["key"]: each for each in history}
        order = dict.fromkeys([*(each["key"] for each in reversed(history)), *self.kept()])
        return {
            "name": self.name,
            "current": self.current,
            "previous": history[-2]["key"] if len(history) > 1 else None,
            "versions": [
                {
                    **_record(self.version(key)),
                    **{k: v for k, v in last.get(key, {}).items() if v},
                    "key": key,
                }
                for key in order
            ],
        }

    def _written_history(self) -> list[Entry]:
        try:
            entries = json.loads(self._history.read_text("utf-8"))
            return [{name: each[name] for name in ("key", "deployed_utc", "host")} for each in entries]
        except FileNotFoundError:
            return []
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(
                f"{self._history}: not a history of deployments ({error}); remove it: only the order of "
                "earlier deployments is lost"
            ) from error

    def _remove(self, key: str) -> None:
        """Half removed it must not be taken for a version."""
        doomed = self.version(key).rename(self.versions / f"{TEMPORARY}{key}")
        sync(self.versions)
        shutil.rmtree(doomed)

    def _remove_leftovers(self) -> None:
        for left in (*self.folder.glob(f"{TEMPORARY}*"), *self.versions.glob(f"{TEMPORARY}*")):
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left)
            else:
                left.unlink()


def _without_repeats(history: Sequence[Entry]) -> list[Entry]:
    """Without those that follow one of the same version, as between removed ones."""
    return [each for at, each in enumerate(history) if at == 0 or history[at - 1]["key"] != each["key"]]


def _record(version: Path) -> dict[str, Any]:
    """What a version says of itself, and its size."""
    size = sum(each.stat().st_size for each in version.rglob("*") if each.is_file())
    try:
        record = json.loads((version / RECORD).read_text("utf-8"))
    except (OSError, ValueError):
        record = {}  # it is listed all the same; a deployment or rollback would verify it
    known = record if isinstance(record, dict) else {}
    names = ("artifact", "agent_version", "deployed_utc", "host")
    return {**{name: known.get(name) for name in names}, "size_bytes": size}
