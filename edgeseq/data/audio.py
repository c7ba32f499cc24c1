"""Audio: a folder tree or a zip of WAV files, labelled by folder or by a pattern in the file's name."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseq.data.dataset import (
    GIVEN_SPLITS,
    DataOptions,
    Dataset,
    GivenSplit,
    Recording,
    assembled,
    given_split,
)
from edgeseq.data.lineage import FileTree, common_folder, content_hash, open_tree, sha256_of
from edgeseq.data.wav import RATES_HZ, Audio, decode_wav
from edgeseq_device.errors import DataError, UsageError
from edgeseq_device.resample import resample


@dataclass(frozen=True)
class Tags:
    """What a file's place and name say about a recording."""

    label: str
    group: str | None
    split: GivenSplit | None


def read_audio(path: Path, options: DataOptions, name: str) -> Dataset:
    """The WAV files under a folder or in a zip, as one data set of mono recordings.

    The label is the folder a file lies in, or group `label` of `label_pattern`; a first folder called train,
    validation or test gives the split. Files of another rate than `sample_rate_hz` (None = the most frequent
    one) are resampled, with a warning. Raises DataError naming the file that is refused, UsageError for a
    faulty pattern.
    """
    options.only("label_pattern", "group_pattern", "test_pattern", "sample_rate_hz", reference=str(path))
    if options.sample_rate_hz is not None and not RATES_HZ[0] <= options.sample_rate_hz <= RATES_HZ[1]:
        raise UsageError(
            f"--sample-rate {options.sample_rate_hz}: audio is read at {RATES_HZ[0]} to {RATES_HZ[1]} Hz"
        )
    with open_tree(path, ".wav") as tree:
        if not tree.names:
            raise DataError(f"{path}: no .wav file in it")
        tagger = Tagger(tree.names, options, str(path))
        tags = [tagger.tags(file) for file in tree.names]
        heard, digests = _decode(tree, path)
    rates = Counter(audio.sample_rate_hz for audio in heard)
    rate_hz = options.sample_rate_hz or min(rates, key=lambda rate: (-rates[rate], rate))
    recordings = [
        Recording(
            file[tagger.prefix_length :],
            _at_rate(audio, rate_hz, f"{path}: {file}")[:, None],
            tag.label,
            tag.group,
            tag.split,
        )
        for file, tag, audio in zip(tree.names, tags, heard, strict=True)
    ]
    return assembled(
        name,
        "audio",
        recordings,
        channels=("audio",),
        sample_rate_hz=rate_hz,
        content_sha256=content_hash(digests),
        warnings=_rate_warnings(rates, rate_hz),
        test_pattern=options.test_pattern,
    )


def _decode(tree: FileTree, path: Path) -> tuple[list[Audio], list[tuple[str, str]]]:
    """Each file is read once: decoded and hashed."""
    heard, digests = [], []
    for file in tree.names:
        content = tree.read(file)
        heard.append(decode_wav(content, f"{path}: {file}"))
        digests.append((file, sha256_of(content)))
    return heard, digests


def _at_rate(audio: Audio, rate_hz: int, where: str) -> NDArray[np.float32]:
    try:
        return resample(audio.samples, audio.sample_rate_hz, rate_hz)
    except DataError as error:
        raise DataError(f"{where}: {error}") from error


def _rate_warnings(rates: Counter[int], rate_hz: int) -> Sequence[str]:
    others = {rate: count for rate, count in sorted(rates.items()) if rate != rate_hz}
    if not others:
        return []
    counts = ", ".join(f"{count} from {rate} Hz" for rate, count in others.items())
    return [f"{sum(others.values())} of {rates.total()} recordings were resampled to {rate_hz} Hz ({counts})"]


class Tagger:
    """Label, group and split of the files of one tree, from their names below the folder they share."""

    def __init__(self, names: Sequence[str], options: DataOptions, where: str) -> None:
        self.where = where
        self.prefix_length = len(common_folder(names))
        self.label_pattern = compiled("label", options.label_pattern)
        self.group_pattern = compiled("group", options.group_pattern)
        self.test_pattern = compiled("test", options.test_pattern)
        tops = {name[self.prefix_length :].partition("/")[0].lower() for name in names}
        self.split_folders = tops <= GIVEN_SPLITS.keys() and "test" in {GIVEN_SPLITS[top] for top in tops}

    def tags(self, file: str) -> Tags:
        """Raises DataError naming the file when a pattern does not match it or it lies in no folder."""
        name = file[self.prefix_length :]
        found: dict[str, str | None] = {"label": posixpath.basename(posixpath.dirname(file))}
        for option, pattern in (("label", self.label_pattern), ("group", self.group_pattern)):
            if pattern is not None:
                match = pattern.search(name)
                if match is None or match.group(option) is None:
                    raise DataError(
                        f"{self.where}: {file}: --{option}-pattern {pattern.pattern!r} does not match it"
                    )
                found.update(match.groupdict())
        if not found["label"]:
            raise DataError(
                f"{self.where}: {file}: lies in no folder that could be its label; give --label-pattern"
            )
        word = self._split_word(name, found.get("split"))
        split = given_split(word, f"{self.where}: {file}") if word else None
        return Tags(found["label"], found.get("group"), split)

    def _split_word(self, name: str, matched: str | None) -> str:
        """What the options, the pattern or the first folder calls the split; empty when nothing does."""
        if self.test_pattern is not None:
            return "test" if self.test_pattern.search(name) else "train"
        return matched or (name.partition("/")[0] if self.split_folders else "")


def compiled(option: str, pattern: str | None) -> re.Pattern[str] | None:
    """The expression of --label-pattern, --group-pattern or --test-pattern (`option`: label, group, test).

    Raises UsageError when it is faulty or lacks its named group; a test pattern needs none.
    """
    if pattern is None:
        return None
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise UsageError(f"--{option}-pattern {pattern!r} is no regular expression: {error}") from error
    if option != "test" and option not in expression.groupindex:
        raise UsageError(f"--{option}-pattern {pattern!r} has no named group (?P<{option}>...)")
    return expression
