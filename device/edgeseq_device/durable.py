"""Changes of files and folders that a power cut leaves either undone or done."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

TEMPORARY = ".new-"
"""What begins so is not finished yet; after a power cut nobody needs it."""


def sync_tree(folder: Path) -> None:
    """Have every file and folder in `folder`, itself too, on the disk."""
    for parent, _folders, files in os.walk(folder):
        for each in (*(Path(parent, name) for name in files), Path(parent)):
            sync(each)


def sync(path: Path) -> None:
    """Have one file's content, or one folder's names, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, value: Any) -> None:
    """Replace a small file in one step."""
    temporary = path.with_name(f"{TEMPORARY}{path.name}")
    temporary.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n", "utf-8")
    sync(temporary)
    temporary.replace(path)
    sync(path.parent)


def replace_link(path: Path, target: str) -> None:
    """Let the symbolic link `path` lead to `target` in one step."""
    temporary = path.with_name(f"{TEMPORARY}{path.name}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(path)
    sync(path.parent)
