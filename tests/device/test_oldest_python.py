from __future__ import annotations

import ast
import json
import subprocess
from pathlib import Path

import pytest

import edgeseq_device

PACKAGE = Path(edgeseq_device.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
# Each in a process of its own, which has begun with numpy: that takes longer than all the rest.
IMPORT_EACH = """
import importlib, json, os, subprocess, sys, traceback
import numpy
sys.path.insert(0, sys.argv[1])
said = {}
for name in sys.argv[2:]:
    reading, writing = os.pipe()
    process = os.fork()
    if not process:
        os.dup2(writing, 2)
        try:
            importlib.import_module(name)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as stream:
        text = stream.read()
    status = os.waitpid(process, 0)[1]
    said[name] = text or f"status {status}" if status else ""
print(json.dumps(said))
"""


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_a_module_of_the_device_is_written_in_python_3_9(module: Path) -> None:
    tree = ast.parse(module.read_text("utf-8"), feature_version=(3, 9))
    keywords = {
        (getattr(node.func, "id", ""), each.arg)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for each in node.keywords
    }
    assert not keywords & {("dataclass", "slots"), ("dataclass", "kw_only"), ("zip", "strict")}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_annotations_of_the_device_are_never_evaluated(module: Path) -> None:
    tree = ast.parse(module.read_text("utf-8"))
    if any(isinstance(node, (ast.FunctionDef, ast.AnnAssign)) for node in ast.walk(tree)):
        first = next(node for node in tree.body if isinstance(node, ast.ImportFrom))
        assert (first.module, first.names[0].name) == ("__future__", "annotations")


@pytest.fixture(scope="module")
def imported(old_python: str) -> dict[str, str]:
    """By module's name what Python 3.9 said when it imported that alone; nothing where all was well."""
    done = subprocess.run(
        [old_python, "-B", "-c", IMPORT_EACH, str(PACKAGE.parent), *map(name_of, MODULES)],
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_a_module_of_the_device_is_imported_by_python_3_9(module: Path, imported: dict[str, str]) -> None:
    """It needs numpy and no runtime."""
    assert imported[name_of(module)] == ""


def name_of(module: Path) -> str:
    return ".".join(module.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
