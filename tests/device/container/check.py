"""`make images-check`: build, look into and run every image of device/docker-bake.hcl; prints what was found.

Needs root, Debian's mirrors and about ten minutes; `images.py` tells how it is done. The artifacts are small
ones trained on the spot. Exits with 1 where an image is not as it must be.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

IMAGES = Path(__file__).with_name("images.py")
TARGETS = {"generic": ("agent", "agent-onnx", "host", "runner"), "armv7": ("agent-armv7",)}
"""The images, by the target that the artifact for them is exported for."""
UNPACKED_BYTES_MAX = {"agent": 200_000_000, "runner": 16_000_000}
MACHINES = {"linux/arm64": "aarch64", "linux/arm/v7": "armv7l", "linux/amd64": "x86_64"}


def main(options: Sequence[str]) -> int:
    """Options are passed on to images.py."""
    failures = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        folder.chmod(0o755)
        edgeseq(folder, "train", "--data", "gestures", "--model", "gru", "--hidden", "16", "--epochs", "5")
        for target, images in TARGETS.items():
            edgeseq(folder, "export", "--int8", "--target", target, "--name", target)
            command = [sys.executable, str(IMAGES), "--artifact", str(folder / "artifacts" / target)]
            command += ["--json", str(folder / "found.json"), *options, *images]
            subprocess.run(command, check=True)
            for name, entry in json.loads((folder / "found.json").read_text("utf-8")).items():
                print("\n".join([f"== {name}: {summary(entry)}", *entry["bench"]["table"]]))
                failures += [f"{name}: {each}" for each in faults(name, entry)]
    print("\n".join(failures) or "every image is as it must be")
    return 1 if failures else 0


def summary(entry: dict[str, Any]) -> str:
    """One line about an image."""
    binaries = ", ".join(f"{count} {machine}" for machine, count in entry["machines"].items())
    return (
        f"{entry['labelled']}, {entry['unpacked_bytes'] / 1e6:.1f} MB unpacked (its base "
        f"{entry['base_bytes'] / 1e6:.1f} MB), binaries: {binaries}, built in {entry['built_s']} s"
    )


def faults(name: str, entry: dict[str, Any]) -> list[str]:
    """What is not as it must be of one image."""
    found = []
    if list(entry["machines"]) != [MACHINES[entry["platform"]]]:
        found.append(f"binaries for {', '.join(entry['machines'])}")
    if entry["unpacked_bytes"] > UNPACKED_BYTES_MAX.get(name, entry["unpacked_bytes"]):
        found.append(f"{entry['unpacked_bytes']} bytes unpacked, more than {UNPACKED_BYTES_MAX[name]}")
    if entry["bench"]["exit_code"] != 0:
        found.append(f"bench ended with {entry['bench']['exit_code']}")
    if "serve" in entry and entry["serve"][-1]["event"] != "result":
        found.append(f"serve ended with {entry['serve'][-1]}")
    return found


def edgeseq(folder: Path, *arguments: str) -> None:
    """The command line, in `folder`."""
    done = subprocess.run(
        [sys.executable, "-m", "edgeseq", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        sys.exit(f"edgeseq {arguments[0]} failed: {done.stderr}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
