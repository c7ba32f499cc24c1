"""What edgeseq-run says of a machine, its guards and its figures is what the agent in Python says."""

from __future__ import annotations

import json
import os
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseq_device.emulation import MARKER
from edgeseq_device.measuring.guards import judge_guards, read_guards, worst_of
from edgeseq_device.measuring.keys import KEYS, MODEL, STEP, TIMED, needs_step
from edgeseq_device.measuring.measure import bootstrap_p50, compare_logits
from edgeseq_device.measuring.plain_table import LABELS
from edgeseq_device.system import describe_system

Ask = Callable[..., Any]
PI = {
    "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
    "proc/cpuinfo": (
        "processor\t: 0\nFeatures\t: fp asimd aes asimddp\nCPU implementer\t: 0x41\nCPU part\t: 0xd0b\n\n"
        "Model\t\t: Raspberry Pi 5 Model B Rev 1.0\n"
    ),
    "proc/meminfo": "MemTotal:  4130176 kB\nMemAvailable: 80 kB\nSwapTotal: 10 kB\nSwapFree: 4 kB\n",
    "etc/os-release": 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n',
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1800000\n",
    "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "2400000\n",
    "sys/class/thermal/thermal_zone0/type": "battery\n",
    "sys/class/thermal/thermal_zone0/temp": "20000\n",
    "sys/class/thermal/thermal_zone1/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone1/temp": "48686\n",
    "sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n",
    "proc/loadavg": "0.27 0.17 0.10 2/87 4853\n",
    "proc/vmstat": "nr_free_pages 1\npswpin 3\npswpout 4\n",
}
CONTAINER = {
    "proc/cpuinfo": "processor : 0\nCPU implementer: 0x41\nCPU part : 0xfff\nModel : Raspberry Pi 4\n",
    "etc/os-release": "PRETTY_NAME='Alpine Linux'",
    "sys/class/thermal/thermal_zone0/temp": "-5000\n",
    "sys/class/thermal/thermal_zone2/type": "x86_pkg_temp\n",
    "sys/class/thermal/thermal_zone2/temp": "broken\n",
    "proc/vmstat": "pswpin 3\n",
    "proc/meminfo": "MemTotal: 4130176 kB\nSwapTotal: 10 kB\n",
}
CLOUD = {
    "proc/cpuinfo": (
        "processor\t: 0\nmodel name\t: AMD EPYC 9B14\nflags\t\t: fpu sse4_2 avx2 avx avx512_vnni hypervisor\n"
        "\nprocessor\t: 1\nmodel name\t: another\n"
    ),
    "sys/class/dmi/id/sys_vendor": "Google\n",
    "sys/class/dmi/id/product_name": "Google Compute Engine\n",
}
VIRTUAL = {**PI, MARKER: '{"board": "pi4", "tier": "user", "emulator": "qemu-user 7.2"}'}
MACHINES = {
    "pi": (PI, "aarch64"),
    "container": (CONTAINER, "aarch64"),
    "cloud": (CLOUD, "x86_64"),
    "virtual": (VIRTUAL, "aarch64"),
    "nothing": ({}, "x86_64"),
}


def machine(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


@pytest.fixture(scope="module")
def ask(build_native: Callable[..., Path]) -> Ask:
    """What the modules of edgeseq-run say, under sanitizers."""
    program = build_native("print-bench", "--unit", str(Path(__file__).with_name("print_bench.c")))

    def run(*words: str | Path, sent: bytes = b"", **environment: str) -> Any:
        command = [str(each) for each in (program, *words)]
        done = subprocess.run(
            command, input=sent, capture_output=True, env={**os.environ, **environment}, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    return run


def test_the_figures_of_a_result_are_those_of_python(ask: Ask) -> None:
    types: dict[tuple[type, ...], str] = {
        (int,): "whole",
        (int, float): "number",
        (bool,): "flag",
        (str,): "text",
        (list,): "list",
    }
    units = {"bytes", "ms", "s", "W", "mJ", "%"}
    expected = []
    for name, key in KEYS.items():
        if not name.startswith(MODEL) or not key.measured or key.added_by != "agent":
            continue
        short, unit = name[len(MODEL) :], key.unit.partition(" ")[0]
        numpy = "numpy" in short  # the native runner has none, so there is no row for it
        expected.append(
            {
                "name": short,
                "kind": key.kind,
                "type": types[key.types],
                "unit": unit if unit in units else "",
                "label": "-" if numpy else LABELS.get(short),
                "worker_name": short.removeprefix(STEP),
                "needs_step": needs_step(key.kind),
                "timed": key.kind in TIMED,
                "tasks": list(key.tasks),
            }
        )
    assert ask("keys") == expected


@pytest.mark.parametrize("name", MACHINES)
def test_a_machine_is_described_as_python_describes_it(name: str, ask: Ask, tmp_path: Path) -> None:
    files, processor = MACHINES[name]
    root = machine(tmp_path, files)
    assert ask("system", root, processor) == {**describe_system(root, processor), "python": None}


@pytest.mark.parametrize("name", ["pi", "container", "nothing"])
def test_guards_are_read_as_python_reads_them(name: str, ask: Ask, tmp_path: Path) -> None:
    root = machine(tmp_path, MACHINES[name][0])
    assert ask("guards", root) == read_guards(root)


AFTERWARDS: dict[str, dict[str, str | None]] = {
    "throttled": {"sys/devices/platform/soc/soc:firmware/get_throttled": "d0005\n"},
    "throttled no more": {"sys/devices/platform/soc/soc:firmware/get_throttled": "50000\n"},
    "hot": {"sys/class/thermal/thermal_zone1/temp": "80500\n"},
    "another governor": {"sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "performance\n"},
    "swapped a little": {"proc/vmstat": "pswpin 3\npswpout 9\n"},
    "swapped": {"proc/vmstat": "pswpin 300\npswpout 4\n"},
    "no firmware": {"sys/devices/platform/soc/soc:firmware/get_throttled": "unknown\n"},
}
BEFORE: dict[str, dict[str, str | None]] = {
    "calm": {"sys/devices/platform/soc/soc:firmware/get_throttled": "0\n"},
    "busy": {"proc/loadavg": "77.77 0 0 1/2 3\n"},
    "slow": {"sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n"},
    "fast": {"sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "performance\n"},
    "no governor": {"sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": None},
    "much RAM": {"proc/meminfo": "MemAvailable: 900000 kB\n"},
}


def test_guards_are_judged_in_the_words_of_python(ask: Ask, tmp_path: Path) -> None:
    cases = [(before, {**before, **after}) for before in BEFORE.values() for after in AFTERWARDS.values()]
    for number, changes in enumerate(cases):
        roots = []
        for when, change in zip(("before", "after"), changes, strict=True):
            merged: dict[str, str | None] = {**PI, **change}
            files = {name: text for name, text in merged.items() if text is not None}
            roots.append(machine(tmp_path / f"{number}-{when}", files))
        before, after = map(read_guards, roots)
        broken, warnings = judge_guards(before, after)
        judged = {"broken": broken, "warnings": warnings, "worst": worst_of(before, after)}
        assert ask("judge", *roots) == judged


def test_the_firmware_of_a_pi_is_asked_before_files(ask: Ask, tmp_path: Path) -> None:
    program = tmp_path / "vcgencmd"
    program.write_text(
        "#!/bin/sh\ncase $1 in\nget_throttled) echo throttled=0x80008;;\n"
        "measure_clock) [ $2 = arm ] && echo 'frequency(48)=1500345728';;\nesac\n"
    )
    program.chmod(0o755)
    found = ask("guards", "/", PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert (found["throttled_bits"], found["frequency_hz"]) == (0x80008, 1500345728)


def test_firmware_that_may_not_be_asked_is_no_reading(ask: Ask, tmp_path: Path) -> None:
    program = tmp_path / "vcgencmd"
    program.write_text("#!/bin/sh\necho throttled=0x1\necho 'VCHI initialization failed' >&2\nexit 255\n")
    program.chmod(0o755)
    found = ask("guards", "/", PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert found["throttled_bits"] == read_guards()["throttled_bits"]


def packed(launches: list[np.ndarray]) -> bytes:
    parts = [np.float64(len(each)).tobytes() + each.astype(np.float64).tobytes() for each in launches]
    return np.float64(len(launches)).tobytes() + b"".join(parts)


@pytest.mark.parametrize("sizes", [[1], [2], [5, 1], [501, 500, 3]])
def test_percentiles_are_those_of_numpy(sizes: list[int], ask: Ask) -> None:
    generator = np.random.default_rng(sum(sizes))
    launches = [generator.lognormal(0, 0.3, size).round(2) for size in sizes]  # with some values twice
    pooled = np.concatenate(launches)
    found = ask("latency", sent=packed(launches))
    assert found["median"] == np.median(pooled)
    assert found["percentiles"] == list(np.percentile(pooled, (0, 2.5, 50, 90, 97.5, 99, 100)))


def test_an_interval_of_the_median_is_about_that_of_python(ask: Ask) -> None:
    generator = np.random.default_rng(3)
    launches = [generator.lognormal(shift, 0.3, 301) for shift in (0, 0.1, 0.05)]
    low, high = bootstrap_p50(launches)
    found = ask("latency", sent=packed(launches))
    width = high - low
    assert abs(found["low"] - low) < 0.2 * width
    assert abs(found["high"] - high) < 0.2 * width


def test_an_interval_of_one_value_is_that_value(ask: Ask) -> None:
    found = ask("latency", sent=packed([np.full(4, 7.5), np.full(9, 7.5)]))
    assert (found["low"], found["high"]) == (7.5, 7.5)


def shared(answers: np.ndarray, reference: np.ndarray, tolerance: float, decides: bool) -> bytes:
    head = struct.pack("4d", *answers.shape, decides, tolerance)
    return head + answers.astype(np.float32).tobytes() + reference.astype(np.float32).tobytes()


def parity_cases() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    generator = np.random.default_rng(5)
    reference = generator.standard_normal((6, 4)).astype(np.float32) * 3
    near = reference + np.float32(1e-4) * generator.standard_normal((6, 4)).astype(np.float32)
    flipped = near.copy()
    flipped[4] = -flipped[4]
    broken = near.copy()
    broken[2, 1], broken[5, 0] = np.nan, np.inf
    tied = np.tile(np.array([1, 1, 0, 0], np.float32), (6, 1))
    return {
        "near": (near, reference),
        "flipped": (flipped, reference),
        "not finite": (broken, reference),
        "a tie may be decided otherwise": (tied[:, [2, 0, 1, 3]], tied),
        "the reference is broken": (reference, broken),
    }


@pytest.mark.parametrize("name", parity_cases())
@pytest.mark.parametrize("decides", [True, False], ids=["decisions", "forecasts"])
def test_parity_is_that_of_python(name: str, decides: bool, ask: Ask) -> None:
    answers, reference = parity_cases()[name]
    expected = vars(compare_logits(answers, reference, 1e-3, decides=decides))
    assert ask("parity", sent=shared(answers, reference, 1e-3, decides)) == expected


def test_numbers_and_texts_survive_as_json(ask: Ask) -> None:
    values = [
        0.0,
        -0.0,
        1.0,
        0.1,
        1 / 3,
        1e22,
        5e-324,
        1.7976931348623157e308,
        123456.0,
        float(np.float32(0.1)),
    ]
    assert ask("numbers", sent=struct.pack(f"{len(values)}d", *values)) == values
    assert ask("numbers", sent=struct.pack("2d", float("nan"), float("inf"))) == [None, None]
    assert ask("text", 'a "b" \\ \n\t°C €  \x7f') == 'a "b" \\ \n\t°C €  \x7f'
    assert ask("text", os.fsdecode(b"\xff\xc3(")) == "\ufffd\ufffd("
