"""One cache for data sets and boards alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeseq.cache import cache_root
from edgeseq.data.catalogue import cache_folder
from edgeseq.devices import cache


def test_the_cache_can_be_chosen_for_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGESEQ_CACHE_DIR", str(tmp_path / "mine"))
    assert cache_root() == cache.cache_root() == tmp_path / "mine"
    assert cache_folder() == tmp_path / "mine/data"


def test_the_users_cache_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGESEQ_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "edgeseq/data"
