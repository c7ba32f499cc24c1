"""docs/bench.md tells every key of a result, and none that is not there."""

from __future__ import annotations

import re
from pathlib import Path

from edgeseq_device.measuring.keys import KEYS, KINDS, MODEL
from edgeseq_device.measuring.sustained import Window, figures

PAGE = Path(__file__).parents[3] / "docs/bench.md"


def section() -> str:
    return PAGE.read_text("utf-8").partition("## The result file")[2].partition("\n## ")[0]


def test_the_page_has_each_key_that_is_not_measured_in_order() -> None:
    told = re.findall(r"^\| `([a-z0-9_.]+)` \|", section().partition("| kind |")[0], re.MULTILINE)
    assert told == [name for name, key in KEYS.items() if not key.measured]


def test_the_page_has_each_figure_with_its_kind_of_measurement() -> None:
    kinds = section().partition("| kind |")[2]
    lines = re.findall(r"^\| `([a-z_]+)` \| (`.*`) \|$", kinds, re.MULTILINE)
    told = {kind: re.findall(r"`([a-z0-9_]+)`", figures) for kind, figures in lines}
    assert set(told) == set(KINDS)
    for kind, names in told.items():
        assert names == [name[len(MODEL) :] for name, key in KEYS.items() if key.kind == kind]


def test_the_page_names_the_fields_of_a_window() -> None:
    values, _missing = figures([Window(float(at), 1.0, 9, None, None) for at in range(1, 11)])
    said = section()
    assert all(f"`{name}`" in said for name in values["sustained_windows"][0])
