"""Which mirror Debian's packages come from: the host's own choice where it has one, else deb.debian.org."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edgeseq_device.errors import DeviceError

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
"""Debian's signing keys, in the package debian-archive-keyring (Ubuntu has it too)."""

_ARCHIVES = {"": "http://deb.debian.org/debian", "-security": "http://deb.debian.org/debian-security"}
_SCHEMES = ("http://", "https://", "mirror+", "mirror:", "file:", "copy:", "tor+")


@dataclass(frozen=True)
class Source:
    """One entry of a sources.list: a `suite` at `uri`; architectures is empty where it names none."""

    uri: str
    suite: str
    architectures: tuple[str, ...] = ()


def sources_list(suite: str, architecture: str, etc: Path = Path("/etc/apt"), keyring: Path = KEYRING) -> str:
    """The text of a sources.list for the main component of `suite` and its security updates.

    Every entry's signatures are checked against `keyring`; DeviceError when that is not installed.
    """
    if not keyring.is_file():
        raise DeviceError(
            f"{keyring}: Debian's keys are missing, without which its packages cannot be verified; "
            "install the package debian-archive-keyring"
        )
    known = list(host_sources(etc))
    lines = []
    for suffix, default in _ARCHIVES.items():
        uri = _mirror(known, suite + suffix, architecture) or default
        lines.append(f"deb [arch={architecture} signed-by={keyring}] {uri} {suite}{suffix} main\n")
    return "".join(lines)


def host_sources(etc: Path) -> Iterator[Source]:
    """The enabled binary package sources in `etc`/sources.list and sources.list.d, in both formats."""
    if (etc / "sources.list").is_file():
        yield from one_line_sources((etc / "sources.list").read_text("utf-8", "replace").splitlines())
    for path in sorted((etc / "sources.list.d").glob("*")):
        text = path.read_text("utf-8", "replace") if path.suffix in (".list", ".sources") else ""
        yield from (deb822_sources if path.suffix == ".sources" else one_line_sources)(text.splitlines())


def one_line_sources(lines: Iterable[str]) -> Iterator[Source]:
    """Entries such as `deb [arch=amd64 signed-by=KEY] URI SUITE main`."""
    for line in lines:
        words = line.partition("#")[0].split()
        if not words or words[0] != "deb":
            continue
        options: list[str] = []
        if len(words) > 1 and words[1].startswith("["):
            end = next((i for i, word in enumerate(words) if word.endswith("]")), len(words) - 1)
            options = " ".join(words[1 : end + 1]).strip("[] ").split()
            words = [words[0], *words[end + 1 :]]
        architectures = [value for key, _, value in (o.partition("=") for o in options) if key == "arch"]
        if len(words) >= 3:
            yield Source(
                words[1], words[2], tuple(",".join(architectures).split(",")) if architectures else ()
            )


def deb822_sources(lines: Iterable[str]) -> Iterator[Source]:
    """Stanzas with Types, URIs, Suites; a stanza with `Enabled: no` is left out."""
    for fields in _stanzas(lines):
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in (
            "no",
            "false",
        ):
            continue
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield Source(uri, suite, tuple(fields.get("architectures", "").split()))


def _stanzas(lines: Iterable[str]) -> Iterator[dict[str, str]]:
    fields: dict[str, str] = {}
    key = ""
    for line in [*lines, ""]:
        if not line.strip():
            if fields:
                yield fields
            fields = {}
        elif line.startswith("#"):
            continue
        elif line[0].isspace():
            fields[key] = f"{fields.get(key, '')} {line.strip()}"
        else:
            name, _, value = line.partition(":")
            key = name.strip().lower()
            fields[key] = value.strip()


def _mirror(known: Iterable[Source], suite: str, architecture: str) -> str | None:
    for source in known:
        serves = not source.architectures or architecture in source.architectures
        if source.suite.rstrip("/") == suite and serves and source.uri.startswith(_SCHEMES):
            return source.uri
    return None
