"""The usual names of a column are the same whatever a recording consists of."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeseq.data import load
from edgeseq.data.columns import ONCE


@pytest.mark.parametrize("first", ["text", "id,x"])
@pytest.mark.parametrize("name", ONCE["label"])
def test_a_label_is_known_by_the_same_names_in_texts_and_in_series(
    tmp_path: Path, first: str, name: str
) -> None:
    cells = ("1,1", "2,2", "3,3", "4,4") if first == "id,x" else ("one", "two", "three", "four")
    lines = [f"{first},{name}", *(f"{cell},{label}" for cell, label in zip(cells, "abab", strict=True))]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    assert load(str(tmp_path / "a.csv")).labels == ("a", "b")


@pytest.mark.parametrize("role", ["group", "split"])
def test_groups_and_splits_too(tmp_path: Path, role: str) -> None:
    found = []
    for name in ONCE[role]:
        for first, cell in (("text", "word"), ("id,x", "{0},{0}")):
            rows = [f"{cell.format(n)} {n}" if first == "text" else cell.format(n) for n in range(4)]
            lines = [f"{first},label,{name}", *(f"{row},{'ab'[n % 2]},test" for n, row in enumerate(rows))]
            lines[1] = lines[1].replace("test", "train")
            lines[2] = lines[2].replace("test", "train")
            (tmp_path / "a.csv").write_text("\n".join(lines))
            found.append(getattr(load(str(tmp_path / "a.csv")).recordings[0], role))
    assert found == ["train"] * 2 * len(ONCE[role])
