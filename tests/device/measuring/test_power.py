"""Power from a Raspberry Pi 5's PMIC, read through a vcgencmd of the test's own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from processes import wait_until

from edgeseq_device.artifact import open_artifact
from edgeseq_device.emulation import Emulation
from edgeseq_device.golden_input import median_input
from edgeseq_device.measuring import power
from edgeseq_device.measuring.keys import measured_keys
from edgeseq_device.measuring.power import NO_PMIC, READINGS_MIN, figures, rails_w, run_for
from edgeseq_device.measuring.request import Limits

READING = """   3V7_WL_SW_A current(0)=0.00390372A
   3V3_SYS_A current(1)=0.06245952A
  DDR_VDDQ_A current(4)=0.00000000A
  VDD_CORE_A current(7)=1.20000000A
      HDMI_A current(22)=0.01367520A
 3V7_WL_SW_V volt(8)=3.71462400V
   3V3_SYS_V volt(9)=3.31207900V
  DDR_VDDQ_V volt(12)=0.60476130V
  VDD_CORE_V volt(15)=0.84000000V
     EXT5V_V volt(24)=5.13480000V
      BATT_V volt(25)=0.00000000V
"""
NOT_A_PI5 = 'error=1 error_msg="Command not registered"'


def test_the_rails_with_volt_and_ampere_are_summed_and_the_supply_is_not() -> None:
    expected = 0.00390372 * 3.714624 + 0.06245952 * 3.312079 + 1.2 * 0.84
    assert rails_w(READING) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", NOT_A_PI5, "VDD_CORE_V volt(15)=0.84000000V", "VCHI init failed\n"])
def test_what_is_no_reading_of_a_pmic_has_no_power(text: str) -> None:
    assert rails_w(text) is None


def test_energy_is_what_an_inference_takes_above_idle() -> None:
    values, missing = figures([2.0, 2.0, 2.0], [3.0, 3.5, 4.0], inference_s=0.004)
    assert missing == {}
    assert values == {"power_idle_w": 2.0, "power_w": 3.5, "energy_mj": pytest.approx(6.0)}


def test_no_energy_is_made_up_where_the_board_drew_no_more_than_idle() -> None:
    values, missing = figures([2.0, 2.0, 2.0], [1.9, 1.9, 1.9], inference_s=0.004)
    assert (values["power_w"], values["energy_mj"]) == (pytest.approx(1.9), None)
    assert "no more than idle" in missing["energy_mj"]


def test_two_readings_are_no_mean() -> None:
    values, missing = figures([2.0] * 9, [3.0] * 2, inference_s=0.004)
    assert set(values.values()) == {None}
    assert set(missing.values()) == {"2 readings of the PMIC, fewer than 3"}


def test_inferences_fill_the_time_and_are_one_at_least() -> None:
    now_ns = 0

    def run() -> None:
        nonlocal now_ns
        now_ns += 400_000_000

    assert run_for(1.0, run, lambda: now_ns) == (3, 1.2)
    assert run_for(0.1, run, lambda: now_ns) == (1, 0.4)


def on_path(tmp_path: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "vcgencmd"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")


def job_of(folder: Path, tmp_path: Path) -> dict[str, Any]:
    artifact = open_artifact(folder)
    features = median_input(artifact.golden_path, artifact.golden_count)
    (tmp_path / "input").write_bytes(features.content)
    return {
        "format": "tflite",
        "threads": 1,
        "model": str(artifact.model("tflite").path),
        "input": str(tmp_path / "input"),
        "dtype": artifact.features_dtype,
        "input_shape": list(features.shape),
        "limits": vars(Limits(warmup_runs=2, warmup_s=0.01, warmup_max_s=0.1, power_s=60.0)),
    }


def test_a_board_with_a_pmic_is_read_idle_and_busy(
    pristine_artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each reading is a bit higher than the one before, so that busy is above idle.
    on_path(
        tmp_path,
        f'test "$*" = pmic_read_adc || exit 1\n'
        f'echo >> "{tmp_path}/asked"\n'
        f'n=$(wc -l < "{tmp_path}/asked")\n'
        'echo "  VDD_CORE_A current(7)=$n.50000000A"\n'
        'echo "  VDD_CORE_V volt(15)=2.00000000V"\n'
        'echo "     EXT5V_V volt(24)=5.13480000V"',
        monkeypatch,
    )
    monkeypatch.setattr(power, "_POLL_S", 0.01)

    def readings_come(_seconds: float = 0.0) -> None:
        """Instead of a time: a busy machine takes long for each, and the last one may not be whole."""
        wanted = (tmp_path / "asked").stat().st_size + READINGS_MIN + 1  # each adds an empty line
        wait_until(lambda: (tmp_path / "asked").stat().st_size >= wanted)

    monkeypatch.setattr(power, "time", SimpleNamespace(sleep=readings_come))
    monkeypatch.setattr(power, "run_for", lambda _s, run: run_for(0.0, lambda: (run(), readings_come())))
    outcome = power.measure(job_of(pristine_artifact, tmp_path))
    values = outcome["values"]
    assert outcome["not_measured"] == {}
    assert set(values) == set(measured_keys("power"))
    assert 5.0 <= values["power_idle_w"] < values["power_w"]
    assert outcome["runtime"].startswith("ai-edge-litert")


@pytest.mark.parametrize("script", [f"echo '{NOT_A_PI5}'", "echo denied >&2; exit 255"])
def test_a_board_without_a_pmic_is_no_failure(
    pristine_artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    on_path(tmp_path, script, monkeypatch)
    outcome = power.measure(job_of(pristine_artifact, tmp_path))
    assert set(outcome["values"].values()) == {None}
    assert outcome["not_measured"] == dict.fromkeys(measured_keys("power"), NO_PMIC)


def test_an_emulated_board_says_so_and_asks_nothing(
    pristine_artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_path(tmp_path, f'touch "{tmp_path}/asked"; cat <<END\n{READING}END', monkeypatch)
    monkeypatch.setattr(power, "emulation", lambda: Emulation("system", "the device tree is QEMU's"))
    outcome = power.measure(job_of(pristine_artifact, tmp_path))
    assert all(each.startswith("emulated:") for each in outcome["not_measured"].values())
    assert not (tmp_path / "asked").exists()


def test_neither_numpy_nor_a_runtime_is_loaded_where_there_is_no_pmic() -> None:
    code = (
        "import sys\n"
        "from edgeseq_device.measuring.power import measure\n"
        "assert set(measure({'limits': {'power_s': 1.0}})['values'].values()) == {None}\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PATH": "/nowhere"},
    )
    assert not {"numpy", "ai_edge_litert", "onnxruntime"} & set(done.stdout.split())


def test_the_sampler_ends_with_the_block_it_watches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told, sampler = tmp_path / "told", tmp_path / "sampler"
    on_path(tmp_path, f'echo $PPID > "{told}"; mv "{told}" "{sampler}"', monkeypatch)

    def interrupted() -> None:
        with power.sampled_w(60.0):
            while not sampler.exists():
                time.sleep(0.01)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not Path("/proc", sampler.read_text().strip()).exists()
