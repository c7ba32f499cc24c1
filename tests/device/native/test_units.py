"""The modules of edgeseq-run, one test program each (unit/*.c), under AddressSanitizer and UBSan."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

UNITS = sorted((Path(__file__).parent / "unit").glob("*.c"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_a_module_does_what_its_unit_test_says(
    unit: Path,
    build_native: Callable[..., Path],
    run_sanitized: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
) -> None:
    program = build_native(f"unit-{unit.stem}", "--unit", str(unit))
    done = run_sanitized(program, cwd=tmp_path)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"


WRONG = """
#include <limits.h>
#include <stdlib.h>
#include "check.h"

int main(int argc, char **argv) {
    int one = argc - 1;
    volatile int most = INT_MAX;
    switch (argv[1][0]) {
    case 'n': CHECK_LONG(one + 1, 3); break;
    case 't': CHECK_TEXT("a", NULL); break;
    case 'l': { char *lost = malloc(5); CHECK(lost); lost = NULL; break; }
    case 'b': { char text[2] = {0}; CHECK(text[one + 1]); break; }
    case 'o': CHECK(most + one < 0); break;
    }
    return CHECKED;
}
"""


@pytest.fixture(scope="module")
def wrong(build_native: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A unit test that does what its argument says, always wrong."""
    folder = tmp_path_factory.mktemp("wrong")
    (folder / "check.h").symlink_to(Path(__file__).parent / "unit/check.h")
    (folder / "wrong.c").write_text(WRONG)
    return build_native("wrong", "--unit", str(folder / "wrong.c"))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("number", "one + 1 is 2, not 3"),
        ("text", '"a" is "a", not "(null)"'),
        ("leak", "LeakSanitizer"),
        ("bounds", "out of bounds"),
        ("overflow", "signed integer overflow"),
    ],
)
def test_a_wrong_module_fails_its_unit_test(
    fault: str,
    said: str,
    wrong: Path,
    run_sanitized: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
) -> None:
    done = run_sanitized(wrong, fault, cwd=tmp_path)
    assert done.returncode != 0
    assert said in done.stderr
