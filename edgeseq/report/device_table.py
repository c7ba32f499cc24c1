"""What `edgeseq device` shows of boards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from edgeseq.devices.ssh.faults import printable
from edgeseq.devices.upkeep.checking import Findings
from edgeseq.devices.upkeep.overview import KnownDevice
from edgeseq_device.board.libraries import NOT_INSTALLED

Row = tuple[str, str]

LIST_COLUMNS = ("device", "board", "where", "state")
_LIBRARIES = {"numpy": "numpy", "onnx": "ONNX Runtime", "tflite": "LiteRT"}


def list_rows(devices: Sequence[KnownDevice]) -> list[tuple[str, str, str, str]]:
    """By LIST_COLUMNS: what there is. A virtual board beside a real one of its name has that name with the
    option that means it."""
    real = {each.name for each in devices if each.kind == "board"}
    return [
        (
            f"{each.name} --emulate" if each.kind == "virtual" and each.name in real else each.name,
            each.board or "unknown board",
            each.where or "emulated here",
            each.state,
        )
        for each in devices
        if each.kind != "profile"
    ]


def hostless_line(devices: Sequence[KnownDevice]) -> str:
    """The boards that are known by name only, and what makes them reachable; empty where there are none."""
    names = [each.name for each in devices if each.kind == "profile"]
    return f"no host yet: {', '.join(names)} (edgeseq device add NAME USER@HOST)" if names else ""


def check_rows(findings: Findings) -> list[Row]:
    """What a board is, one fact a row; printable whatever the board says."""
    return [(name, printable(str(value))) for name, value in _rows(findings)]


def _rows(findings: Findings) -> list[Row]:
    look, told = findings.look, findings.told
    rows = [
        ("address", findings.destination),
        ("added as", "any board" if findings.board is None else findings.board.board),
        ("kernel", f"{look.kernel}, {look.machine}"),
        ("programs", _bits(look.bits, told)),
        ("Python", _python(look.python, look.pythons)),
        ("RAM", _ram(look.ram_available_bytes, look.ram_bytes)),
        ("disk", f"{_mb(look.disk_free_bytes)} free"),
        ("clock", _clock(findings.clock_ahead_s)),
    ]
    return rows if told is None else [*rows, *_told_rows(findings, told)]


def _told_rows(findings: Findings, told: Mapping[str, Any]) -> Iterator[Row]:
    system, guards, table = told["system"], told["guards"], findings.table
    yield "board", system["board_model"] or "does not say"
    yield "processor", system["cpu_model"] or "does not say"
    if system["emulated"]:
        yield "emulated", system["emulated_because"]
    yield "system", f"{system['os'] or 'unknown'}, {system['glibc'] or 'no glibc'}"
    for name, title in _LIBRARIES.items():
        library = told["libraries"][name]
        broken = library["error"] if library["error"] == NOT_INSTALLED else f"broken: {library['error']}"
        yield title, library["version"] or broken
    yield "native runner", _native(told["content"]["native"])
    pins = "none" if table is None else ", ".join(f"{pin.package} {pin.version}" for pin in table.pins)
    yield "wheels that fit", f"{pins} ({told['python']['tag']}-{told['python']['machine']})"
    yield "governor", guards["governor"] or "not known"
    temperature = guards["temperature_c"]
    yield "temperature", "not known" if temperature is None else f"{temperature:.1f} °C"
    flags = guards["throttled_bits"]
    yield (
        "throttled",
        "not known" if flags is None else "never since it booted" if not flags else f"{flags:#x}",
    )
    groups = told["cgroup"]
    version = f"cgroup v{groups['version']}" if groups["version"] else "no cgroups"
    yield "memory limits", f"{version}, memory controller {'on' if groups['memory'] else 'off'}"
    for program, version in told["containers"].items():
        if program == "docker" or version:
            yield program, version or "not there"
    yield "~/.edgeseq", _content(told["content"])


def problem_lines(findings: Findings) -> Iterator[str]:
    """Each problem with its remedy; what makes the board unfit comes first."""
    for each in sorted(findings.problems, key=lambda problem: not problem.unfit):
        what, remedy = " ".join(each.what.split()), each.remedy
        yield f"{'in the way' if each.unfit else 'to know'}: {printable(what)}\n    {remedy}"


def _native(setup: Mapping[str, Any] | None) -> str:
    if setup is None:
        return "not set up"
    if not setup["passed"]:
        return "did not pass its set-up"
    return (
        f"LiteRT {setup['library_version']}, of edgeseq {setup['edgeseq']}, passed with {setup['artifact']}"
    )


def _bits(bits: int | None, told: Mapping[str, Any] | None) -> str:
    found = bits if told is None else told["python"]["bits"]
    return "does not say" if found is None else f"{found} bits"


def _python(version: str | None, names: Sequence[str]) -> str:
    others = [each for each in names if each != "python3" and not (version or "").startswith(each[6:])]
    return f"{version or 'none'}{', also ' if others else ''}{', '.join(others)}"


def _clock(ahead_s: float | None) -> str:
    if ahead_s is None:
        return "does not say"
    if abs(ahead_s) < 90:
        return "right"
    hours = abs(ahead_s) / 3600
    span = f"{hours:.1f} hours" if hours < 48 else f"{hours / 24:.0f} days"
    return f"{span} {'ahead' if ahead_s > 0 else 'behind'}"


def _content(content: Mapping[str, Any]) -> str:
    parts = [f"{name} {size / 1e6:.1f}" for name, size in content["parts"].items() if size >= 50_000]
    inside = f" ({', '.join(parts)})" if parts else ""
    deployed = f", deployed: {', '.join(content['deployed'])}" if content["deployed"] else ""
    return f"{content['bytes'] / 1e6:.1f} MB{inside}{deployed}"


def _ram(available_bytes: int | None, seen_bytes: int | None) -> str:
    """What programs may have of it. A kernel counts less than is built in, which is a power of 2."""
    told = f"{_mb(available_bytes)} free of {_mb(seen_bytes)}"
    if not seen_bytes:
        return told
    built_in = 1 << (seen_bytes - 1).bit_length()
    if not 0.8 * built_in < seen_bytes < built_in:
        return told
    sold = f"{built_in >> 20} MiB" if built_in < 1 << 30 else f"{built_in >> 30} GiB"
    return f"{told} (of {sold} the kernel keeps the rest)"


def _mb(size_bytes: int | None) -> str:
    return "unknown" if size_bytes is None else f"{size_bytes / 1e6:,.0f} MB"
