"""Does numpy or a runtime load here? Each is tried in a process of its own: a wrong library may crash it."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import edgeseq_device
from edgeseq_device.manifest import RUNTIMES
from edgeseq_device.measuring.workers import last_line

LIBRARIES = {"numpy": ("numpy",), **RUNTIMES}
"""What can be tried, with the modules that it may be."""

IMPORT_TIMEOUT_S = 180.0
"""A Raspberry Pi with 256 MB takes 20 s for ONNX Runtime from a cold card; an emulated one longer."""

NOT_INSTALLED = "not installed"

_TRY = """
import json, sys
if sys.argv[1] == "numpy":
    import numpy
    said = "numpy " + numpy.__version__
else:
    from edgeseq_device.runtimes import import_runtime
    said = import_runtime(sys.argv[1])
files = (getattr(sys.modules.get(each), "__file__", None) for each in sys.argv[2:])
print(json.dumps([said, next(filter(None, files), None)]))
"""


def tag() -> str:
    """This Python as wheels name it, such as "cp311"."""
    return f"cp{sys.version_info[0]}{sys.version_info[1]}"


def try_library(
    name: str, *, site: Path | None = None, left_out: Path | None = None, timeout_s: float = IMPORT_TIMEOUT_S
) -> dict[str, Any]:
    """Import one of LIBRARIES in a fresh process: {"version", "file", "error"}.

    site: a folder of packages that comes before all others; left_out: packages in folders of this one do not
    count else. version: such as "numpy 1.24.2", None with an `error` that says why it does not load. file:
    where it was found.
    """
    found = {"version": None, "file": None, "error": None}
    anywhere = site is None and left_out is None
    if anywhere and not any(importlib.util.find_spec(each) for each in LIBRARIES[name]):
        return {**found, "error": NOT_INSTALLED}
    try:
        done = subprocess.run(
            [sys.executable, "-c", _TRY, name, *LIBRARIES[name]],
            env=_environment(site, left_out),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {**found, "error": f"no answer in {timeout_s:.0f} s while it loads"}
    if done.returncode != 0:
        return {**found, "error": _reason(done)}
    version, file = json.loads(done.stdout.splitlines()[-1])
    return {**found, "version": version, "file": file}


def _environment(site: Path | None, left_out: Path | None) -> dict[str, str]:
    """The caller's, with this code and `site` on the search path."""
    inherited = [Path(each) for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
    kept = [each for each in inherited if left_out is None or each.parent != left_out.resolve()]
    first = [] if site is None else [site]
    code = Path(edgeseq_device.__file__).parents[1]
    search_path = os.pathsep.join(map(str, [*first, *kept, code]))
    return {**os.environ, "PYTHONPATH": search_path, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def _reason(done: subprocess.CompletedProcess[bytes]) -> str:
    said = last_line(done.stderr).removeprefix(": ")
    if done.returncode >= 0:
        return said.removeprefix("edgeseq_device.errors.DeviceError: ") or f"exit code {done.returncode}"
    try:
        name = signal.Signals(-done.returncode).name
    except ValueError:
        name = f"signal {-done.returncode}"
    return f"the process that loads it is killed by {name}" + (f" ({said})" if said else "")
