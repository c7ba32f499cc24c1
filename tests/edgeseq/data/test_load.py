"""Which reader a reference leads to, and where named sets are looked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeseq.data import DataOptions, load
from edgeseq.data.catalogue import CATALOGUE, cache_folder, located, named
from edgeseq_device.errors import DataError, UsageError


@pytest.fixture
def nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No mirror, an empty cache; returns the cache's data folder."""
    monkeypatch.delenv("EDGESEQ_DATA_DIR", raising=False)
    monkeypatch.setenv("EDGESEQ_CACHE_DIR", str(tmp_path / "cache"))
    assert cache_folder() == tmp_path / "cache/data"
    return cache_folder()


def saved(path: Path) -> Path:
    np.savez(path, samples=np.zeros((4, 3, 1)), labels=np.array(["a", "b"] * 2))
    return path


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match='unknown data set "fsd"; did you mean "fsdd"'):
        load("fsd")
    with pytest.raises(UsageError, match='unknown data set "gesture"; did you mean "gestures"'):
        named("gesture")


@pytest.mark.parametrize("reference", ["./fsdd", "missing.csv", "/no/such/folder"])
def test_a_path_that_does_not_exist_is_said(reference: str) -> None:
    with pytest.raises(UsageError, match="no such file or folder"):
        load(reference)


def test_a_file_that_no_reader_knows_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(b"")
    with pytest.raises(
        DataError, match=r"a\.mp3: no reader .* \.zip, \.ts, \.npz, \.csv, \.tsv, \.jsonl, \.json"
    ):
        load(str(tmp_path / "a.mp3"))


def test_a_folder_with_one_data_file_stands_for_it(tmp_path: Path) -> None:
    saved(tmp_path / "a.npz")
    assert load(str(tmp_path)).content_sha256 == load(str(tmp_path / "a.npz")).content_sha256


def test_a_folder_with_several_data_files_is_refused(tmp_path: Path) -> None:
    saved(tmp_path / "a.npz")
    saved(tmp_path / "b.npz")
    with pytest.raises(DataError, match=r"several data files \(a\.npz, b\.npz\)"):
        load(str(tmp_path))


def test_a_json_beside_a_data_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "about.json").write_text("{}")
    with pytest.raises(DataError, match=r"about\.json: not CLINC150's layout"):
        load(str(tmp_path))
    saved(tmp_path / "a.npz")
    assert load(str(tmp_path)).kind == "series"


@pytest.mark.parametrize(
    ("header", "options", "kind"),
    [
        ("id,text,label", DataOptions(), "text"),
        ("ID,Utterance,intent", DataOptions(), "text"),
        ("id,words,label", DataOptions(text_column="words"), "text"),
        ("id,x,label", DataOptions(), "series"),
        ("id,message,label", DataOptions(recording_column="id"), "series"),
    ],
)
def test_a_csv_holds_texts_where_a_column_says_so(
    tmp_path: Path, header: str, options: DataOptions, kind: str
) -> None:
    (tmp_path / "a.csv").write_text(f"{header}\n1,3,a\n2,4,b\n")
    assert load(str(tmp_path / "a.csv"), options).kind == kind


@pytest.mark.parametrize(
    ("lines", "question"),
    [
        (
            ["Sentence_text,Intent_name", "hello there,greet"],
            'which text .* did you mean "Sentence_text"; name it with --text-column',
        ),
        (
            ["id,Said_by_them,label,note", "1,hello there,greet,", "2,bye,part,"],
            "which text .* the header has id, Said_by_them, label, note.; name it with --text-column",
        ),
        (
            ["hello there,greet", "bye now,part"],
            "which text .* is it a header. The first line must name the columns: text, label; name it with",
        ),
        (
            ["number,Sentence_text,Intent_name", "7,hello there,greet"],
            "which recording .* --recording-column, or, where .* is a text, the text's with --text-column",
        ),
    ],
)
def test_a_csv_of_texts_under_other_names_is_told_so(tmp_path: Path, lines: list[str], question: str) -> None:
    (tmp_path / "a.csv").write_text("\n".join(lines))
    with pytest.raises(DataError, match=f"line 1: no column says {question}"):
        load(str(tmp_path / "a.csv"))


def test_a_label_out_of_scope_concerns_every_kind_of_data() -> None:
    dataset = load("gestures", DataOptions(out_of_scope_label="up_down"))
    assert len(dataset.labels) == 5
    assert (len(dataset.recordings), len(dataset.out_of_scope)) == (1020, 204)
    assert dataset.content_sha256 == CATALOGUE["gestures"].content_sha256


def test_a_set_that_is_not_here_says_how_to_get_it(nothing_here: Path) -> None:
    with pytest.raises(DataError, match=r"edgeseq data fetch fsdd.*EDGESEQ_DATA_DIR.*fsdd\.zip"):
        load("fsdd")
    assert not nothing_here.exists()


def test_a_set_is_found_in_the_cache_and_the_mirror_wins(
    nothing_here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing_here.mkdir(parents=True)
    (nothing_here / "fsdd.zip").touch()
    assert located(CATALOGUE["fsdd"]) == nothing_here / "fsdd.zip"
    monkeypatch.setenv("EDGESEQ_DATA_DIR", str(tmp_path))
    assert located(CATALOGUE["fsdd"]) == nothing_here / "fsdd.zip"
    (tmp_path / "fsdd.zip").touch()
    assert located(CATALOGUE["fsdd"]) == tmp_path / "fsdd.zip"


def test_half_a_pair_is_not_a_set(
    tmp_path: Path, nothing_here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "BasicMotions_TRAIN.ts").touch()
    monkeypatch.setenv("EDGESEQ_DATA_DIR", str(tmp_path))
    assert located(CATALOGUE["basicmotions"]) is None


def test_other_content_under_a_known_name_is_refused(
    word_folder: Path, tmp_path: Path, write_wav, monkeypatch: pytest.MonkeyPatch
) -> None:
    import zipfile

    monkeypatch.setenv("EDGESEQ_DATA_DIR", str(tmp_path))
    with zipfile.ZipFile(tmp_path / "fsdd.zip", "w") as archive:
        for i, file in enumerate(sorted(word_folder.rglob("*.wav"))):
            archive.write(file, f"{i % 2}_anna_{i}.wav")
    with pytest.raises(
        DataError,
        match=r"fsdd\.zip: its content .* is not the published fsdd \(1801eae019c0\); EDGESEQ_DATA_DIR is"
        r" looked in first: mend fsdd\.zip there",
    ):
        load("fsdd")
    monkeypatch.delenv("EDGESEQ_DATA_DIR")
    monkeypatch.setenv("EDGESEQ_CACHE_DIR", str(tmp_path / "cache"))
    cache_folder().mkdir(parents=True)
    (tmp_path / "fsdd.zip").rename(cache_folder() / "fsdd.zip")
    with pytest.raises(DataError, match="run `edgeseq data fetch fsdd --force`"):
        load("fsdd")


def test_options_do_not_concern_the_built_in_set() -> None:
    with pytest.raises(UsageError, match="gestures: --test-pattern does not concern"):
        load("gestures", DataOptions(test_pattern="x"))


@pytest.mark.parametrize("known", CATALOGUE.values(), ids=CATALOGUE)
def test_every_named_set_is_described_in_full(known) -> None:
    assert len(known.content_sha256) == 64
    assert known.licence
    assert known.built_in or known.download.url.startswith("https://")
    assert known.built_in or known.files


@pytest.mark.parametrize("name", ["fsdd", "basicmotions", "clinc150"])
def test_what_the_catalogue_says_of_a_set_is_so(name: str, data_dir: Path) -> None:
    dataset, known = load(name), CATALOGUE[name]
    assert dataset.content_sha256 == known.content_sha256
    assert (len(dataset.recordings), len(dataset.labels)) == (known.recordings, known.classes)
    assert dataset.kind == known.kind


def test_times_and_numbers_alone_are_told_to_be_a_series_to_forecast(tmp_path: Path) -> None:
    path = tmp_path / "plant.csv"
    path.write_text("date,load,y\n2016-07-01,1,\n2016-07-02,2,6\n", "utf-8")
    for options in (DataOptions(), DataOptions(time_column="date")):
        with pytest.raises(
            DataError, match=r"plant\.csv: .*; add --task forecast .* with --recording-column"
        ):
            load(str(path), options)
    path.write_text("id,time,x,label\na,1,2,b\n", "utf-8")
    assert load(str(path)).channels == ("x",)
