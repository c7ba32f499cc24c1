"""Put the agent beside its runtimes, leave out what a benchmark never reads, compile the rest, check it."""

from __future__ import annotations

import compileall
import shutil
import sys
import zipfile
from pathlib import Path
from py_compile import PycInvalidationMode

from target import PYTHON, ROOT, SITE, target

from edgeseq_device.elf import elf_machine

_STDLIB = ROOT / f"usr/lib/python{PYTHON}"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MAIN = "import sys\nfrom edgeseq_device.__main__ import main\nsys.exit(main(sys.argv[1:]))\n"

_UNUSED_ANYWHERE = ("**/tests", "**/*.pyi", "**/*.a", "bin")
# The GPU of a phone or a browser, headers, and what makes models instead of running them. Of numpy only what
# numpy itself never imports: its median asks numpy.ma.
_UNUSED = (
    *_UNUSED_ANYWHERE,
    "ai_edge_litert/libLiteRtWebGpuAccelerator.so",
    "ai_edge_litert/aot",
    "ai_edge_litert/tflite",
    "ai_edge_litert/tools",
    "ai_edge_litert/*_pb2.py",
    "ai_edge_litert/schema_py_generated.py",
    "numpy/_core/_*_tests.*.so",
    "numpy/_core/_simd.*.so",
    "numpy/_core/include",
    "numpy/_pyinstaller",
    "numpy/distutils",
    "numpy/f2py",
    "onnxruntime/quantization",
    "onnxruntime/tools",
    "onnxruntime/transformers",
)
# With these modules go libraries, which packages.py does not fetch. hashlib has a SHA-256 of its own.
_UNLOADED = ("_curses", "_curses_panel", "_hashlib", "_sqlite3", "_ssl", "nis", "readline")
_UNUSED_STDLIB = (
    *("curses", "dbm", "ensurepip", "idlelib", "lib2to3", "pydoc_data"),
    *("sqlite3", "test", "turtle.py", "turtledemo", "venv"),
    *(f"lib-dynload/{name}.*" for name in _UNLOADED),
)
_COMPILED_STDLIB = ("", "collections", "ctypes", "encodings", "importlib", "json", "re", "urllib")
"""Folders; compiled modules take as much room as their sources."""
_DEBIANS_PACKAGES = ROOT / "usr/lib/python3/dist-packages"


def main() -> None:
    """Ends the build when a binary is for another machine than the target."""
    for folder, patterns in (
        (SITE, _UNUSED),
        (_DEBIANS_PACKAGES, _UNUSED_ANYWHERE),
        (_STDLIB, _UNUSED_STDLIB),
    ):
        _remove(folder, patterns)
    _link_alternatives()
    if sys.version_info[:2] != tuple(int(part) for part in PYTHON.split(".")):
        sys.exit(f"the build's Python is {sys.version.split()[0]}: BUILD_BASE must have Python {PYTHON}")
    for name in _COMPILED_STDLIB:
        _compile(_STDLIB / name, levels=0)
    for folder in (SITE, _DEBIANS_PACKAGES):
        _compile(folder)
    pack(Path("edgeseq_device"), ROOT / "opt/edgeseq/agent.pyz")
    check_machines(target().machine)


def pack(package: Path, archive: Path) -> None:
    """agent.pyz of the modules in `package`; equal modules give equal bytes."""
    files = {str(path.relative_to(package.parent)): path for path in sorted(package.rglob("*.py"))}
    members = {name: path.read_bytes() for name, path in files.items()}
    members["__main__.py"] = _MAIN.encode()
    with zipfile.ZipFile(archive, "w") as file:
        for name, body in members.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            file.writestr(entry, body, zipfile.ZIP_DEFLATED)


def _remove(folder: Path, patterns: tuple[str, ...]) -> None:
    for pattern in patterns:
        for path in list(folder.glob(pattern)):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def _link_alternatives() -> None:
    """Debian links the chosen BLAS and LAPACK when it installs them; here nothing installs."""
    for library in ROOT.glob("usr/lib/*/*/lib*.so.3"):
        link = library.parents[1] / library.name
        if library.parent.name in ("blas", "lapack") and not link.exists():
            link.symlink_to(f"{library.parent.name}/{library.name}")


def check_machines(machine: str) -> None:
    """What an image is labelled as says nothing of what is in it: each binary's own header does."""
    files = [path for path in ROOT.rglob("*") if path.is_file() and not path.is_symlink()]
    found = {path: elf_machine(path) for path in files}
    wrong = [f"{path} is for {each}" for path, each in found.items() if each not in (None, machine)]
    count = sum(each is not None for each in found.values())
    if wrong or not count:
        sys.exit(f"{len(wrong)} of {count} binaries are not for {machine}: {', '.join(wrong)}")
    print(f"{count} binaries, all for {machine}")


def _compile(folder: Path, levels: int = 9) -> None:
    """Compiled modules beside the sources: no start can leave them in a root that it may not write to."""
    if folder.is_dir():
        compileall.compile_dir(
            str(folder),
            maxlevels=levels,
            quiet=2,
            workers=0,
            stripdir=str(ROOT),
            prependdir="/",
            invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
        )


if __name__ == "__main__":
    main()
