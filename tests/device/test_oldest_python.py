from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

import edgeseq_device

PACKAGE = Path(edgeseq_device.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))


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


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_a_module_of_the_device_is_imported_by_python_3_9(module: Path, old_python: str) -> None:
    """It needs numpy and no runtime."""
    name = ".".join(module.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    done = subprocess.run(
        [
            old_python,
            "-B",
            "-c",
            f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r}); import {name}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
