"""Chapters of `make figures`, on the same code with short settings."""

from __future__ import annotations

import importlib
import json
import math
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from edgeseq.cli import main

BENCH = Path(__file__).parents[1] / "bench"
SHORT = {
    "--data tinyshakespeare": "--data plays.txt --hidden 8 --embedding 8 --epochs 1",
    "--data etth1": "--data waves.csv --context 24 --segment 6 --hidden 8 --epochs 1",
    "--horizon 96": "--horizon 12",
    "--prompt ROMEO: --tokens 20000": "--prompt the --tokens 20",
    "export ": "export --max-drop 99 ",
}


class Short:
    """Stands in for `Commands`: the same commands with less of everything."""

    def run(self, arguments: str) -> tuple[str, dict[str, Any]]:
        for long, short in SHORT.items():
            arguments = arguments.replace(long, short)
        ran = CliRunner().invoke(main, [*arguments.split(), "--json", "out.json"])
        assert ran.exit_code == 0, ran.output
        return arguments, json.loads(Path("out.json").read_text("utf-8"))


@pytest.mark.parametrize(
    ("module", "chapter", "place", "data", "figures"),
    [
        ("figures_lm", "tinyshakespeare", "language_place", "plays.txt", 10),
        ("figures_lm", "tinyshakespeare_others", "language_place", "plays.txt", 20),
        ("figures_forecast", "etth1", "forecast_place", "waves.csv", 25),
    ],
)
def test_a_chapter_finds_every_figure_in_what_the_commands_say(
    module: str,
    chapter: str,
    place: str,
    data: str,
    figures: int,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(BENCH)
    monkeypatch.chdir(tmp_path)
    (tmp_path / data).write_bytes((request.getfixturevalue(place) / data).read_bytes())
    found = getattr(importlib.import_module(module), chapter)(Short())
    assert len(found) == len({each.what for each in found}) == figures
    assert all(math.isfinite(each.value) for each in found)


def test_a_stream_is_counted_to_its_end(
    runner: Path, library: Path, pristine_artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(BENCH)
    module = importlib.import_module("figures_native")
    for folder in ("runner", "artifacts"):
        (tmp_path / folder).mkdir()
    (tmp_path / "runner/edgeseq-run").symlink_to(runner)
    (tmp_path / "artifacts" / module.ARTIFACT).symlink_to(pristine_artifact)
    found = module.streamed(tmp_path, 3 * module.BLOCK_STEPS, ("--library", str(library)))
    assert found["numbers"] == 3 * module.BLOCK_STEPS
    assert 0 <= found["grown"] <= 65_536
