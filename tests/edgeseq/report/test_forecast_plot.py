"""The plot of a forecast as a file."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeseq.forecast_file import Forecast
from edgeseq.report.forecast_plot import check_plot, write_plot
from edgeseq_device.errors import EdgeseqError, UsageError


def made(channels: int = 2, *, timed: bool = True, known: int = 3) -> Forecast:
    """From six moments to four, of which `known` came."""
    generator = np.random.default_rng(1)
    numbers = [generator.standard_normal((n, channels)).astype(np.float32) for n in (6, 4, known)]
    times = np.datetime64("2024-02-28T18:00", "us") + np.arange(10) * np.timedelta64(1, "h")
    return Forecast(
        path=Path("a.csv"),
        channels=tuple(f"load_$_{number}" for number in range(channels)),
        first=7,
        context=numbers[0],
        values=numbers[1],
        actual=numbers[2],
        times=times if timed else None,
        time_column="date" if timed else None,
        mse=0.5 if known else None,
        mae=0.25 if known else None,
    )


def texts(path: Path) -> str:
    """matplotlib writes each text of an SVG beside its outline, as a comment."""
    return path.read_text("utf-8")


@pytest.mark.parametrize(
    ("suffix", "begins"), [(".png", b"\x89PNG\r\n"), (".svg", b"<?xml"), (".PNG", b"\x89PNG")]
)
def test_the_file_is_of_the_kind_that_its_name_says(tmp_path: Path, suffix: str, begins: bytes) -> None:
    path = tmp_path / f"plot{suffix}"
    check_plot(path)
    write_plot(made(), "plant, onnx", path)
    assert path.read_bytes().startswith(begins)
    assert len(list(tmp_path.iterdir())) == 1


def test_the_same_forecast_gives_the_same_bytes_whatever_a_user_has_set(tmp_path: Path) -> None:
    import matplotlib as mpl

    write_plot(made(), "plant", tmp_path / "a.svg")
    with mpl.rc_context({"lines.linewidth": 9, "axes.facecolor": "red"}):
        write_plot(made(), "plant", tmp_path / "b.svg")
        assert mpl.rcParams["lines.linewidth"] == 9
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_a_plot_says_what_it_shows(tmp_path: Path) -> None:
    path = tmp_path / "a.svg"
    write_plot(made(), "plant, onnx", path)
    for text in (
        "plant, onnx",
        "MSE 0.5000, MAE 0.2500, standardised",
        "load_",
        "before",
        "what came",
        "forecast",
    ):
        assert text in texts(path)


def test_what_came_is_drawn_only_where_it_is_known_and_rows_stand_in_for_times(tmp_path: Path) -> None:
    path = tmp_path / "a.svg"
    write_plot(made(timed=False, known=0), "plant", path)
    assert "what came" not in texts(path)
    assert "MSE" not in texts(path)
    assert "<!-- row -->" in texts(path)


def test_what_was_filled_is_drawn_otherwise_and_errors_of_nothing_are_not_said(tmp_path: Path) -> None:
    cells = np.zeros((6 + 3, 2), np.bool_)
    cells[2:4, 1], cells[6:] = True, True
    path = tmp_path / "a.svg"
    write_plot(replace(made(), filled=cells, mse=None, mae=None), "plant", path)
    assert "<!-- filled -->" in texts(path)
    assert "MSE" not in texts(path)
    write_plot(made(), "plant", path)
    assert "<!-- filled -->" not in texts(path)


def test_of_many_channels_the_first_are_drawn_and_it_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.svg"
    write_plot(made(14), "plant", path)
    assert "the first 12 of 14 channels" in texts(path)
    assert texts(path).count('<g id="axes_') == 12


def test_a_file_that_is_no_plot_is_refused() -> None:
    with pytest.raises(UsageError, match=r"--plot a\.pdf: name a file that ends in \.png or \.svg"):
        check_plot(Path("a.pdf"))


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(EdgeseqError, match=r"pip install 'edgeseq\[plot\]'"):
        check_plot(Path("a.png"))
