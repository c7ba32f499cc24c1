"""What the native programs say of a stdout that takes nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["predict", "--help"], ["check"]])
def test_an_answer_that_nobody_gets_is_a_fault(runner: Path, library: Path, arguments: list[str]) -> None:
    command = [str(runner), *arguments, *(["--library", str(library)] if arguments == ["check"] else [])]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "edgeseq-run: stdout: cannot be written (No space left on device)\n"


@pytest.mark.parametrize("arguments", [["--version"], ["--help"]])
def test_the_program_that_measures_says_so_too(bench_program: Path, arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [str(bench_program), *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr.count("stdout: cannot be written")) == (1, 1)
