"""The pages keep their word: sh and python blocks run as they stand, a page at a time in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_run(page: Path, tmp_path: Path) -> None:
    commands = [
        block if language == "sh" else f"'{sys.executable}' - <<'PYTHON'\n{block}PYTHON"
        for language, block in _BLOCK.findall(page.read_text("utf-8"))
    ]
    if page.name == "README.md":
        assert commands, "the README shows no command that is tested"
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    launcher = bin_folder / "edgeseq"
    launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m edgeseq "$@"\n')
    launcher.chmod(0o755)
    (tmp_path / "work").mkdir()
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(commands)],
        cwd=tmp_path / "work",
        env={**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target in _LINK.findall(page.read_text("utf-8")):
        assert (page.parent / target).exists(), target


def test_every_exit_code_of_an_error_is_in_the_readme() -> None:
    from edgeseq_device import errors

    text = (ROOT / "README.md").read_text("utf-8")
    for error in vars(errors).values():
        if isinstance(error, type):
            assert f"| {error.exit_code} |" in text, error.__name__


def test_the_readme_shows_results_and_no_placeholder() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    results = text.split("## What comes out")[1].split("## Install")[0]
    assert "instructions" in results
    assert "latency p50" in results
    assert not re.search(r"^[A-Z]{4,}$", results, re.MULTILINE)
