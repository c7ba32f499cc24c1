"""The pages keep their word: sh and python blocks run as they stand, a page at a time in a folder of its own.

What a page shows in a console block takes too long, or a board: its commands and options are looked up.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from edgeseq.cli import main

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Path], None]:
    """Runs a script of sh in a folder, as a user would who has `edgeseq` on the PATH."""
    programs = tmp_path_factory.mktemp("bin")
    launcher = programs / "edgeseq"
    launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m edgeseq "$@"\n')
    launcher.chmod(0o755)

    def run_in(script: str, folder: Path) -> None:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=folder,
            env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"

    return run_in


@pytest.fixture(scope="module")
def trained(
    run: Callable[[str, Path], None], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """Gives the folder in which a training was run; pages that begin with the same one share it."""
    folders: dict[str, Path] = {}

    def folder_behind(command: str) -> Path:
        if command not in folders:
            folder = tmp_path_factory.mktemp("trained")
            run(command, folder)
            folders[command] = folder
        return folders[command]

    return folder_behind


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_run(
    page: Path, run: Callable[[str, Path], None], trained: Callable[[str], Path], tmp_path: Path
) -> None:
    blocks = [
        block if language == "sh" else f"'{sys.executable}' - <<'PYTHON'\n{block}PYTHON\n"
        for language, block in _BLOCK.findall(page.read_text("utf-8"))
    ]
    if page.name == "README.md":
        assert blocks, "the README shows no command that is tested"
    folder, commands = tmp_path / "work", "".join(blocks)
    first, _, rest = commands.partition("\n")
    if first.startswith("edgeseq train "):
        shutil.copytree(trained(first), folder)
        commands = rest
    else:
        folder.mkdir()
    run(commands, folder)


def shown(page: Path) -> list[list[str]]:
    """The words of each `edgeseq` command that a page shows without running it."""
    blocks = "".join(_CONSOLE.findall(page.read_text("utf-8"))).replace("\\\n", " ")
    lines = [line.removeprefix("$ ") for line in blocks.splitlines() if line.startswith("$ ")]
    commands = [command for line in lines for command in line.split("&&")]
    words = [shlex.split(command, comments=True) for command in commands]
    return [each[1:] for each in words if each[:1] == ["edgeseq"]]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_that_a_page_only_shows_have_these_options(page: Path) -> None:
    for words in shown(page):
        command, context = main, click.Context(main)
        while isinstance(command, click.Group):
            found = command.get_command(context, words.pop(0))
            assert found is not None, page.name
            command = found
        known = {name for parameter in command.params for name in parameter.opts + parameter.secondary_opts}
        assert {word.partition("=")[0] for word in words if word.startswith("-")} <= known, words


def test_the_slowest_command_of_the_pages_is_looked_up() -> None:
    assert ["export", "short", "--int8", "--target", "pi4", "--tune"] in shown(ROOT / "docs/export.md")


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
