"""Commands whose results are kept, so that a measurement of an hour goes on where it was cut off."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

PACKAGES = ("edgeseq", "export/edgeseq_export", "device/edgeseq_device")
ROOT = Path(__file__).parents[2]
DONE = {"train": "run.json", "distill": "distill.json"}
"""The last file that a command writes into its run."""


@dataclass(frozen=True)
class Figure:
    """A measured figure, its bound (None: there is none), and the command that made it.

    at_least: the bound is a lower one.
    """

    what: str
    value: float
    bound: float | None
    at_least: bool
    command: str

    @property
    def reached(self) -> bool:
        """Within its bound."""
        if self.bound is None:
            return True
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold."""
        return {**asdict(self), "reached": self.reached}


class Commands:
    """edgeseq commands in one folder.

    any_code: takes results that other code than today's measured, too; `older` are their commands.
    """

    def __init__(self, folder: Path, *, any_code: bool = False) -> None:
        self.folder = folder
        self.older: list[str] = []
        self._any_code = any_code
        self._code = code_sha256()
        self._results = folder / "results"
        self._results.mkdir(parents=True, exist_ok=True)

    def run(self, arguments: str) -> tuple[str, dict[str, Any]]:
        """The command as a user types it, and its result: kept from an earlier call, or measured now.

        A training that the same code began is gone on with.
        """
        shown = f"edgeseq {arguments}"

        def run(folder: Path) -> dict[str, Any]:
            output, begun = (self._kept(shown).with_suffix(suffix) for suffix in (".out", ".begun"))
            goes_on = begun.exists() and begun.read_text("utf-8") == self._code
            words = self._words(arguments.split(), goes_on=goes_on)
            begun.write_text(self._code, "utf-8")
            command = [sys.executable, "-m", "edgeseq", *words, "--json", str(output.resolve())]
            subprocess.run(command, cwd=folder, check=True)
            found: dict[str, Any] = json.loads(output.read_text("utf-8"))
            output.unlink()
            begun.unlink()
            return found

        return self.measure(shown, run)

    def measure(self, shown: str, measure: Callable[[Path], dict[str, Any]]) -> tuple[str, dict[str, Any]]:
        """The same of what has no result as JSON: what `measure` finds in the folder, under these words."""
        kept = self._kept(shown)
        known = json.loads(kept.read_text("utf-8")) if kept.exists() else None
        if known and (known["code_sha256"] == self._code or self._any_code):
            if known["code_sha256"] != self._code:
                self.older.append(shown)
            return shown, known["result"]
        print(f"$ {shown}", flush=True)
        result = measure(self.folder)
        whole = {"command": shown, "code_sha256": self._code, "result": result}
        kept.write_text(json.dumps(whole) + "\n", "utf-8")
        return shown, result

    def _kept(self, shown: str) -> Path:
        return self._results / f"{hashlib.sha256(shown.encode()).hexdigest()[:16]}.json"

    def _words(self, words: list[str], *, goes_on: bool) -> list[str]:
        """The command, or the one that goes on with what it began. Other runs of that name are taken away."""
        if words[0] not in DONE:
            return words
        name = words[words.index("--name") + 1]
        runs = [self.folder / "runs" / each for each in (name, f"{name}-scratch")]
        begun = any((run / "checkpoint.safetensors").exists() for run in runs)
        if goes_on and begun and not (runs[0] / DONE[words[0]]).exists():
            return [words[0], "--resume", name]
        for run in runs:
            shutil.rmtree(run, ignore_errors=True)
        return words


def code_sha256() -> str:
    """Over every Python file of the three packages: what a figure depends on beside its command."""
    digest = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
