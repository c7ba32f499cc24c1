"""Which mirror is used, read from the host's own configuration in apt's two formats."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeseq.devices.emulated.apt_sources import Source, deb822_sources, one_line_sources, sources_list
from edgeseq_device.errors import DeviceError

DEB822 = """# a comment
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://off.example/debian
Suites: bookworm
Enabled: no

Types: deb
URIs: http://amd.example/security
Suites:
 bookworm-security
Architectures: amd64
"""


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "keyring.gpg").touch()
    return tmp_path


def test_stanzas_give_each_suite_and_leave_disabled_ones_out() -> None:
    assert list(deb822_sources(DEB822.splitlines())) == [
        Source("http://mirror.example/debian", "bookworm"),
        Source("http://mirror.example/debian", "bookworm-updates"),
        Source("http://amd.example/security", "bookworm-security", ("amd64",)),
    ]


def test_one_line_entries_are_read_with_and_without_options() -> None:
    lines = [
        "# deb http://old.example/debian bookworm main",
        "deb http://a.example/debian bookworm main contrib # ours",
        "deb [ arch=amd64,arm64 signed-by=/k.gpg ] http://b.example/debian bookworm main",
        "deb [arch=amd64] http://c.example/debian trixie main",
        "deb-src http://a.example/debian bookworm main",
        "deb broken",
    ]
    assert list(one_line_sources(lines)) == [
        Source("http://a.example/debian", "bookworm"),
        Source("http://b.example/debian", "bookworm", ("amd64", "arm64")),
        Source("http://c.example/debian", "trixie", ("amd64",)),
    ]


def test_the_hosts_mirror_is_used_for_the_suites_and_architectures_it_serves(etc: Path) -> None:
    (etc / "sources.list.d/debian.sources").write_text(DEB822)
    key = etc / "keyring.gpg"
    assert sources_list("bookworm", "arm64", etc, key).splitlines() == [
        f"deb [arch=arm64 signed-by={key}] http://mirror.example/debian bookworm main",
        f"deb [arch=arm64 signed-by={key}] http://deb.debian.org/debian-security bookworm-security main",
    ]
    assert "http://amd.example/security bookworm-security" in sources_list("bookworm", "amd64", etc, key)


def test_a_host_of_another_release_gets_debians_own_mirror(etc: Path) -> None:
    (etc / "sources.list").write_text("deb http://archive.ubuntu.com/ubuntu noble main\n")
    (etc / "sources.list.d/off.list.disabled").write_text("deb http://x.example/debian bookworm main\n")
    made = sources_list("bookworm", "arm64", etc, etc / "keyring.gpg")
    assert "http://deb.debian.org/debian bookworm main" in made
    assert "example" not in made


def test_without_debians_keys_nothing_is_fetched(etc: Path) -> None:
    with pytest.raises(DeviceError, match="install the package debian-archive-keyring"):
        sources_list("bookworm", "arm64", etc, etc / "missing.gpg")
