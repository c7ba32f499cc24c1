"""Texts in the JSON layout of CLINC150 (Larson et al. 2019, arXiv 1909.02027).

One object of six lists of [text, label] pairs: train, val and test; and, of texts that belong to none of the
classes, oos_train, oos_val and oos_test, which may be left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from edgeseq.data.dataset import DataOptions, Dataset, GivenSplit, Recording
from edgeseq.data.lineage import content_hash, sha256_of
from edgeseq.data.lines import BOM, decoded
from edgeseq.data.text import text_dataset
from edgeseq.data.text_rows import check_text, checked_word
from edgeseq.names import unknown
from edgeseq_device.errors import DataError

SPLITS: dict[str, GivenSplit] = {"train": "train", "val": "validation", "test": "test"}
OUT_OF_SCOPE: dict[str, GivenSplit] = {f"oos_{key}": split for key, split in SPLITS.items()}
LARGEST_BYTES = 256 << 20  # a hundred times CLINC150; all of it is in memory at once


def read_clinc(path: Path, options: DataOptions, name: str) -> Dataset:
    """The texts of a JSON file in CLINC150's layout, named by list and place, such as `train[0]`.

    Raises DataError naming the line of malformed JSON, or the list and place of a pair that is none.
    """
    options.only(reference=str(path))
    if path.stat().st_size > LARGEST_BYTES:
        raise DataError(f"{path}: larger than {LARGEST_BYTES} bytes; write it as .jsonl, a text on each line")
    content = path.read_bytes()
    lists = _lists(decoded(content.removeprefix(BOM), path), path)
    recordings = [each for key in SPLITS for each in _recordings(lists, key, SPLITS[key], path)]
    outside = [
        each
        for key, split in OUT_OF_SCOPE.items()
        if key in lists
        for each in _recordings(lists, key, split, path)
    ]
    shared = {each.label for each in recordings} & {each.label for each in outside}
    if shared:
        raise DataError(
            f'{path}: the label "{min(shared)}" is in the lists of the classes and in those of oos'
        )
    return text_dataset(name, recordings, outside, content_hash([(path.name, sha256_of(content))]))


def _lists(text: str, path: Path) -> Mapping[str, object]:
    try:
        lists = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}: line {error.lineno}: no JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: no JSON that can be read ({error})") from error
    if not isinstance(lists, dict):
        raise DataError(
            f"{path}: not CLINC150's layout, an object of lists; write .jsonl, an object on each line"
        )
    for key in SPLITS:
        if key not in lists:
            raise DataError(f'{path}: not CLINC150\'s layout: there is no list "{key}" in it')
    for key in lists:
        if key not in SPLITS and key not in OUT_OF_SCOPE:
            raise DataError(f"{path}: {unknown('list', key, [*SPLITS, *OUT_OF_SCOPE])}")
    return lists


def _recordings(lists: Mapping[str, object], key: str, split: GivenSplit, path: Path) -> list[Recording]:
    pairs = lists[key]
    if not isinstance(pairs, list):
        raise DataError(f'{path}: "{key}" is not a list of [text, label] pairs')
    return [_recording(pair, f"{key}[{place}]", split, path) for place, pair in enumerate(pairs)]


def _recording(pair: object, name: str, split: GivenSplit, path: Path) -> Recording:
    match pair:
        case [str(text), str(label)]:
            check_text(text, f"{path}: {name}")
            return Recording(name, text, checked_word(label, f"{path}: {name}, the label"), split=split)
    raise DataError(f"{path}: {name} is {json.dumps(pair):.60}, not a pair of two texts [text, label]")
