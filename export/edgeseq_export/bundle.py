"""The artifact folder: staged beside its place, sealed with hashes, moved in by one rename."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from edgeseq_device.artifact import sha256_of
from edgeseq_device.durable import sync, sync_tree
from edgeseq_device.golden import GoldenVectors, feature_keys, reference_key, step_reference_key
from edgeseq_device.manifest import MANIFEST_FILE, MANIFEST_VERSION, NATIVE_FILE, SUMS_FILE
from edgeseq_device.tensors import STEP_SIGNATURE
from edgeseq_export.exported import ExportedModel
from edgeseq_export.native_sheet import native_sheet

GOLDEN_FILE = "golden.npz"
_STAGED_SUFFIX = ".staged"
_RENAME_EXCHANGE = 2  # linux/fs.h
_AT_FDCWD = -100


@contextmanager
def staged_folder(destination: Path) -> Iterator[Path]:
    """A new folder beside `destination` that takes its place when the block ends without an error.

    An older `destination` stays whole until then and is exchanged in one step. After an error, and after
    a kill at the next call, nothing of the new folder is left. Raises OSError naming the file or folder.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{destination.name}."
    _remove_abandoned(destination.parent, prefix)
    staged = Path(
        tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}.", suffix=_STAGED_SUFFIX, dir=destination.parent)
    )
    try:
        staged.chmod(0o755)
        yield staged
        sync_tree(staged)
        _take_place(staged, destination)
        sync(destination.parent)
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        raise OSError(
            error.errno, error.strerror, str(destination)
        ) from error  # a write does not name its file
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def model_file(model: ExportedModel) -> str:
    """The file name of a model in the artifact."""
    return f"model.{model.format}"


def model_files(model: ExportedModel) -> dict[str, bytes]:
    """Name -> content of every file a model needs: the sequence form, and the step form where it is apart."""
    files = {model_file(model): model.content}
    if model.step is not None and model.step.content is not None:
        files[step_file(model)] = model.step.content
    return files


def step_file(model: ExportedModel) -> str:
    """The name of the file that holds a model's step form: its own, or the sequence form's."""
    apart = model.step is not None and model.step.content is not None
    return f"model.step.{model.format}" if apart else model_file(model)


def write_golden(folder: Path, golden: GoldenVectors) -> None:
    """golden.npz: features_00.. [T, F] float32 or int32; logits, references [n, C] float32; labels, names."""
    arrays: dict[str, Any] = dict(zip(feature_keys(len(golden.features)), golden.features, strict=True))
    arrays |= {reference_key(name): answers for name, answers in golden.references.items()}
    arrays |= {step_reference_key(name): answers for name, answers in golden.own_step_references.items()}
    arrays |= {"logits": golden.logits, "labels": golden.labels, "names": np.array(golden.names, np.str_)}
    np.savez(folder / GOLDEN_FILE, allow_pickle=False, **arrays)


def model_entry(model: ExportedModel, weight_bytes: int, step_reason: str | None = None) -> dict[str, Any]:
    """The manifest's entry of a model.

    step_reason: why the model has no step form, such as `state.why_no_step` says.
    """
    return {
        "format": model.format,
        "file": model_file(model),
        "weight_bytes": weight_bytes,
        "inputs": [asdict(tensor) for tensor in model.inputs],
        "outputs": [asdict(tensor) for tensor in model.outputs],
        "batch": model.batch,
        "causal": model.causal,
        **_step_entry(model, step_reason),
    }


def _step_entry(model: ExportedModel, step_reason: str | None) -> dict[str, Any]:
    step = model.step
    if step is None:
        return {"step": None, "step_reason": step_reason or "the writer made none"}
    entry = {
        "file": step_file(model),
        "signature": STEP_SIGNATURE if step.content is None else None,
        "inputs": [asdict(tensor) for tensor in step.inputs],
        "outputs": [asdict(tensor) for tensor in step.outputs],
        "states": [asdict(state) for state in step.states],
    }
    return {"step": entry, "step_reason": None}


def seal(folder: Path, manifest: Mapping[str, Any], models: Sequence[dict[str, Any]]) -> None:
    """Write manifest.json, native.txt for a TFLite model, then SHA256SUMS over every file that is here."""
    content = manifest_bytes(manifest, models)
    (folder / MANIFEST_FILE).write_bytes(content)
    sheet = native_sheet(json.loads(content), sha256_of(folder / MANIFEST_FILE))
    if sheet is not None:
        (folder / NATIVE_FILE).write_text(sheet, "ascii")
    lines = [sums_line(sha256_of(path), path.name) for path in sorted(folder.iterdir())]
    (folder / SUMS_FILE).write_text("".join(lines), "utf-8")


def manifest_bytes(manifest: Mapping[str, Any], models: Sequence[dict[str, Any]]) -> bytes:
    """manifest.json: each of its keys on a line, without a blank that only eyes would need."""
    whole = {"manifest_version": MANIFEST_VERSION, **manifest, "models": list(models)}
    lines = [f"{_compact(key)}:{_compact(value)}" for key, value in whole.items()]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def sums_line(sha256: str, name: str) -> str:
    """A line of SHA256SUMS, as `sha256sum` writes it."""
    return f"{sha256}  {name}\n"


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _take_place(staged: Path, destination: Path) -> None:
    """Rename; where there is an older folder, exchange the two, so that one of them is there at any time."""
    if not destination.exists():
        staged.rename(destination)
        return
    if destination.is_symlink() or not (destination / MANIFEST_FILE).is_file():
        raise FileExistsError(
            errno.EEXIST, "is no artifact folder and will not be replaced", str(destination)
        )
    code = _exchange(staged, destination)
    if code in (
        errno.EINVAL,
        errno.ENOSYS,
    ):  # this file system cannot exchange
        older = staged.with_name(f"{staged.name}.older")
        destination.rename(older)
        try:
            staged.rename(destination)
        except OSError:
            older.rename(destination)
            raise
        older.rename(staged)
    elif code:
        raise OSError(code, f"cannot be exchanged with {staged.name} ({os.strerror(code)})", str(destination))


def _exchange(left: Path, right: Path) -> int:
    """Let two folders change names in one step (Linux renameat2); 0, or the error number."""
    libc = ctypes.CDLL(None, use_errno=True)
    paths = (os.fsencode(left), os.fsencode(right))
    failed = libc.renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE)
    return ctypes.get_errno() if failed else 0


def _remove_abandoned(parent: Path, prefix: str) -> None:
    """Staged folders whose process is gone: it was killed."""
    for path in parent.glob(f"{prefix}*{_STAGED_SUFFIX}"):
        pid = path.name.removeprefix(prefix).split(".")[0]
        if pid.isdecimal() and not Path(f"/proc/{pid}").exists():
            shutil.rmtree(path, ignore_errors=True)
