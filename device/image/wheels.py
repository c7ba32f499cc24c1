"""Install the target's numpy and runtimes into SITE: unpacked by the builder's pip, never run.

RUNTIMES in the environment says which: litert, onnxruntime or both.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from target import PYTHON, SITE, Target, target

PIP_OPTIONS = (
    *("--require-hashes", "--no-deps", "--only-binary=:all:", "--no-cache-dir"),
    *("--disable-pip-version-check", "--progress-bar=off"),
)
"""For whatever is fetched: by its hash, and nothing but it."""

_NUMPY = "numpy"


def main() -> None:
    """Ends the build when a runtime does not exist for the target, or a wheel differs from its hash."""
    wanted = target()
    install(wanted, _package_names(wanted), SITE)


def install(wanted: Target, names: list[str], site: Path) -> list[str]:
    """Unpack these packages into `site`; gives the lines of the table that pin them."""
    tag = f"cp{PYTHON.replace('.', '')}"
    lines = _chosen_lines(Path("wheels") / f"{tag}-{wanted.machine}.txt", names)
    chosen = Path("requirements.txt")
    chosen.write_text("\n".join(lines) + "\n")
    command = [
        *(sys.executable, "-m", "pip", "install", "--target", str(site), "--requirement", str(chosen)),
        *(*PIP_OPTIONS, "--no-compile", "--root-user-action=ignore"),
        *("--implementation=cp", f"--python-version={PYTHON}", f"--abi={tag}"),
        *(f"--platform={platform}" for platform in wanted.wheel_platforms),
    ]
    if subprocess.run(command, check=False).returncode:
        sys.exit(1)
    return lines


def _package_names(wanted: Target) -> list[str]:
    names = [] if f"python3-{_NUMPY}" in wanted.packages else [_NUMPY]
    for runtime in os.environ.get("RUNTIMES", "litert").split():
        if runtime not in wanted.runtimes:
            sys.exit(
                f"RUNTIMES: there is no {runtime} for {wanted.machine}, only {', '.join(wanted.runtimes)}"
            )
        names.append(wanted.runtimes[runtime])
    return names


def _chosen_lines(table: Path, names: list[str]) -> list[str]:
    """The requirements of these packages, each on one line with its hashes."""
    lines = table.read_text("utf-8").replace("\\\n", " ").splitlines()
    pinned = {
        line.partition("==")[0].strip().lower().replace("_", "-"): line for line in lines if "==" in line
    }
    missing = [name for name in names if name not in pinned]
    if missing:
        sys.exit(f"{table}: no line for {', '.join(missing)}")
    return [pinned[name] for name in names]


if __name__ == "__main__":
    main()
