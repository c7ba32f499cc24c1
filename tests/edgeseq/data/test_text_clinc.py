"""Texts in CLINC150's JSON layout."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from edgeseq.data import DataOptions, load, split
from edgeseq_device.errors import DataError, UsageError

LISTS = {
    "oos_val": [["why", "oos"]],
    "val": [["hello there", "greet"], ["see you", "part"]],
    "train": [["hello", "greet"], ["bye", "part"]],
    "oos_test": [["how", "oos"], ["who", "oos"]],
    "test": [["hi", "greet"]],
}


def written(path: Path, lists: object) -> str:
    path.write_text(lists if isinstance(lists, str) else json.dumps(lists), "utf-8-sig")
    return str(path)


def test_lists_become_splits_and_oos_is_out_of_scope(tmp_path: Path) -> None:
    dataset = load(written(tmp_path / "a.json", LISTS))
    assert (dataset.kind, dataset.labels) == ("text", ("greet", "part"))
    assert [(r.name, r.samples, r.label, r.split) for r in dataset.recordings] == [
        ("train[0]", "hello", "greet", "train"),
        ("train[1]", "bye", "part", "train"),
        ("val[0]", "hello there", "greet", "validation"),
        ("val[1]", "see you", "part", "validation"),
        ("test[0]", "hi", "greet", "test"),
    ]
    assert [(r.name, r.samples, r.split) for r in dataset.out_of_scope] == [
        ("oos_val[0]", "why", "validation"),
        ("oos_test[0]", "how", "test"),
        ("oos_test[1]", "who", "test"),
    ]


def test_naming_the_label_that_is_out_of_scope_anyway_changes_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "a.json", LISTS)
    assert load(path, DataOptions(out_of_scope_label="oos")).out_of_scope[0].label == "oos"
    with pytest.raises(UsageError, match="--text-column does not concern"):
        load(path, DataOptions(text_column="text"))


def test_a_class_can_be_set_aside_as_well(tmp_path: Path) -> None:
    dataset = load(written(tmp_path / "a.json", LISTS), DataOptions(out_of_scope_label="part"))
    assert dataset.labels == ("greet",)
    assert Counter(r.split for r in dataset.out_of_scope) == {"train": 1, "validation": 2, "test": 2}


@pytest.mark.parametrize(
    ("lists", "reason"),
    [
        ("", r"a\.json: line 1: no JSON: Expecting value"),
        ('{"train":\n [["a", "b"],\n ]}', r"a\.json: line \d: no JSON"),
        ("[" * 100_000, "no JSON that can be read"),
        ([["a", "b"]], "not CLINC150's layout, an object of lists; write .jsonl"),
        ({"train": []}, 'not CLINC150\'s layout: there is no list "val"'),
        ({**LISTS, "oos_tset": []}, 'unknown list "oos_tset"; did you mean "oos_test"'),
        ({**LISTS, "val": {"a": "b"}}, '"val" is not a list of'),
        ({**LISTS, "val": [["a"]]}, r'val\[0\] is \["a"\], not a pair'),
        ({**LISTS, "val": [["a", "b"], ["a", 5]]}, r"val\[1\] is .*, not a pair of two texts"),
        ({**LISTS, "val": ["ab"]}, r'val\[0\] is "ab", not a pair'),
        ({**LISTS, "test": [[" ", "b"]]}, r"a\.json: test\[0\]: the text is empty"),
        ({**LISTS, "test": [["a", ""]]}, r"test\[0\], the label: the cell is empty"),
        (
            {**LISTS, "test": [["a", "oos"]]},
            'the label "oos" is in the lists of the classes and in those of oos',
        ),
        ({"train": [], "val": [], "test": []}, "there is no recording in it"),
    ],
)
def test_a_file_of_another_shape_is_refused(tmp_path: Path, lists: object, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        load(written(tmp_path / "a.json", lists))


def test_bytes_that_are_no_text_are_refused_by_line(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'{"train": [\n["a", "b"],\n["\xe9", "b"]]}')
    with pytest.raises(DataError, match=r"a\.json: line 3: byte 3 \(0xe9\) is not UTF-8"):
        load(str(tmp_path / "a.json"))


def test_a_label_that_is_only_held_out_is_refused_by_place(tmp_path: Path) -> None:
    dataset = load(written(tmp_path / "a.json", {**LISTS, "test": [["hi", "welcome"]]}))
    with pytest.raises(DataError, match=r'test\[0\]: the label "welcome" is unknown to the training data'):
        split(dataset)


def test_the_real_clinc150_has_its_official_splits(data_dir: Path) -> None:
    dataset = load("clinc150")
    splits = split(dataset)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (15000, 3000, 4500)
    sides = Counter(recording.split for recording in dataset.out_of_scope)
    assert sides == {"train": 100, "validation": 100, "test": 1000}
    assert splits.origin == "test given by the data, validation given by the data"
