"""The named data sets: what they are, where they are published, their licence and their content hash."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from edgeseq.cache import cache_root
from edgeseq.data.dataset import DataOptions, Kind
from edgeseq.names import unknown
from edgeseq_device.errors import DataError, UsageError

DATA_DIR_VARIABLE = "EDGESEQ_DATA_DIR"


@dataclass(frozen=True)
class Download:
    """A public zip archive, and which of its files belong to the data set; or, without `member`, one file.

    `member` is a regular expression over the archive's names; its group 1 is the name a file gets.
    """

    url: str
    member: str | None = None


@dataclass(frozen=True)
class NamedSet:
    """A data set with a name. `files` are its files in a data folder, the first one is what is opened.

    `content_sha256` is `edgeseq.data.lineage.content_hash` of what is read; a built-in set has no download.
    """

    name: str
    summary: str
    kind: Kind
    recordings: int
    classes: int
    home: str
    licence: str
    content_sha256: str
    files: tuple[str, ...] = ()
    download: Download | None = None
    options: DataOptions = field(default_factory=DataOptions)

    @property
    def built_in(self) -> bool:
        """Made by edgeseq itself."""
        return self.download is None


CATALOGUE: dict[str, NamedSet] = {
    known.name: known
    for known in (
        NamedSet(
            name="gestures",
            summary="6-axis hand gestures at 50 Hz from a physical model; 12 people, the last 3 are test",
            kind="series",
            recordings=1224,
            classes=6,
            home="built in",
            licence="Apache-2.0",
            content_sha256="dd7809aad296080b41b8053c107aaf9d3a64d9926833b26fc5cef3ed51aa9b0c",
        ),
        NamedSet(
            name="fsdd",
            summary="Free Spoken Digit Dataset: digits 0-9 by 6 speakers at 8 kHz; recordings 0-4 are test",
            kind="audio",
            recordings=3000,
            classes=10,
            home="https://github.com/Jakobovski/free-spoken-digit-dataset",
            licence="CC BY-SA 4.0",
            content_sha256="1801eae019c063377d98f831d3f93574f259475df7332bb0e3d1b080fb5e6959",
            files=("fsdd.zip",),
            download=Download(
                "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/heads/master.zip",
                r"^[^/]+/recordings/([0-9]_[a-z]+_[0-9]+\.wav)$",
            ),
            options=DataOptions(
                label_pattern=r"^(?P<label>[0-9])_(?P<group>[a-z]+)_[0-9]+\.wav$",
                test_pattern=r"_[0-4]\.wav$",
            ),
        ),
        NamedSet(
            name="basicmotions",
            summary="BasicMotions: 6-axis smart-watch motion at 10 Hz; standing, walking, running, badminton",
            kind="series",
            recordings=80,
            classes=4,
            home="https://www.timeseriesclassification.com/description.php?Dataset=BasicMotions",
            licence="none stated (UEA archive)",
            content_sha256="9646e6a2657c1d770c20bb48363790a95a7610c94019072edd3299f95ce54b19",
            files=("BasicMotions_TRAIN.ts", "BasicMotions_TEST.ts"),
            download=Download(
                "https://www.timeseriesclassification.com/aeon-toolkit/BasicMotions.zip",
                r"^(?:.*/)?(BasicMotions_(?:TRAIN|TEST)\.ts)$",
            ),
            options=DataOptions(sample_rate_hz=10),
        ),
        NamedSet(
            name="clinc150",
            summary="CLINC150: questions to a voice assistant, 150 intents; 1,200 more are out of scope",
            kind="text",
            recordings=22_500,
            classes=150,
            home="https://github.com/clinc/oos-eval",
            licence="CC BY 3.0",
            content_sha256="acbe550aca2d2940ee76a1a977dbd59c1bbdf6efad5fcd31253e8af4ba1f0ab5",
            files=("clinc150.json",),
            download=Download("https://raw.githubusercontent.com/clinc/oos-eval/master/data/data_full.json"),
        ),
        NamedSet(
            name="tinyshakespeare",
            summary="Tiny Shakespeare: 1.1 million characters of plays, for a language model",
            kind="text",
            recordings=1,
            classes=0,
            home="https://github.com/karpathy/char-rnn",
            licence="public domain",
            content_sha256="38dd4fcef137b4678422e6d34c98daf151883ef95ad7f3c326a743e0003cad67",
            files=("tinyshakespeare.txt",),
            download=Download(
                "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
            ),
            options=DataOptions(task="lm"),
        ),
        NamedSet(
            name="etth1",
            summary="ETTh1: load and oil temperature of a transformer, every hour for two years; to forecast",
            kind="series",
            recordings=1,
            classes=0,
            home="https://github.com/zhouhaoyi/ETDataset",
            licence="CC BY-ND 4.0",
            content_sha256="250408af88ab6e14a1f2697223462818b4e8ca90ab5a6d1ddfd10f9aac32d4db",
            files=("ETTh1.csv",),
            download=Download(
                "https://raw.githubusercontent.com/zhouhaoyi/ETDataset/main/ETT-small/ETTh1.csv"
            ),
            options=DataOptions(task="forecast", split_rows=(8640, 2880, 2880)),
        ),
    )
}


def named(name: str) -> NamedSet:
    """The data set of that name. Raises UsageError naming the nearest for an unknown one."""
    if name not in CATALOGUE:
        raise UsageError(unknown("data set", name, CATALOGUE))
    return CATALOGUE[name]


def cache_folder() -> Path:
    """Where `edgeseq data fetch` puts data sets."""
    return cache_root() / "data"


def located(known: NamedSet) -> Path | None:
    """The set's first file in EDGESEQ_DATA_DIR or the cache; None when neither holds all its files."""
    mirror = os.environ.get(DATA_DIR_VARIABLE)
    folders = [Path(mirror)] if mirror else []
    for folder in (*folders, cache_folder()):
        if known.files and all((folder / file).is_file() for file in known.files):
            return folder / known.files[0]
    return None


def required(known: NamedSet) -> Path:
    """`located`, or a DataError that says how to get the data."""
    path = located(known)
    if path is None:
        raise DataError(
            f"the data set {known.name} is not on this machine: run `edgeseq data fetch {known.name}`,"
            f" or set {DATA_DIR_VARIABLE} to a folder that holds {' and '.join(known.files)}"
        )
    return path
