"""edgeseq-run's readers of files from outside, each given real files and seeded mutations of them.

Under AddressSanitizer and UBSan, by fuzz/driver.c: EDGESEQ_FUZZ_RUNS mutations (`make fuzz`: a million), or,
where there is a clang and that variable is set, as many runs of its libFuzzer.
"""

from __future__ import annotations

import io
import os
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

FUZZ = Path(__file__).parents[3] / "device/native/fuzz"
TARGETS = sorted(path.stem for path in FUZZ.glob("fuzz_*.c"))
RUNS = int(os.environ.get("EDGESEQ_FUZZ_RUNS", "20000"))
CLANG = "EDGESEQ_FUZZ_RUNS" in os.environ and shutil.which("clang") is not None

HEAD = """edgeseq-native 1
name spoken%20digits
task classify
manifest {hash}
labels 3
label zero
label f%C3%BCnf
label %25
"""
LOG_MEL = """features 4 float32
front_end log_mel
sample_rate_hz 8000
frame_samples 200
hop_samples 80
fft_size 256
mels 4
low_hz 20.0
high_hz 4000.0
pre_emphasis 0.97
floor 1e-08
mean 4 -1.5 0.0 1e-3 2.0
scale 4 1.0 0.5 2.0 1.0
"""
STANDARDISE = """features 2 float32
front_end standardise
sample_rate_hz 0
mean 2 0.1 -0.2
scale 2 3.0 4.0
"""
TOKENS = "features 1 int32\nfront_end tokens\n"
MODEL = "model model.tflite\nweight_bytes 20608\n"
REJECTION = "rejection_threshold 0.5\n"
SEQUENCE = """golden golden.npz 2
sequence serving_default 0.001
input features {element} 1 T {features}
output logits float32 1 3
"""
STEP = """step step 0.001
input features {element} 1 {features}
output logits float32 1 3
state gru0.h 0.0 1 8
state lstm1.c -1.0 1 8
"""
NO_STEP = "step_none a%20backward%20layer%20reads%20the%20sequence%20from%20its%20end\n"

OUTCOME = """edgeseq-outcome 1
runtime ai-edge-litert 2.3.0
setting threads 1
frames 37
value ram_start_bytes 1368064
value logits [[1.5, -2e-07], [0.0, 1e+22]]
value note "caf\\u00e9 \\"quoted\\""
missing ram_pss_bytes this kernel keeps no proportional figure
phase start_ms 1.25
warmup 20 0.51 true
samples 3 1200 1300 1250
end
"""
REFUSED = "edgeseq-outcome 1\nerror 6 model.tflite: changed; export it again\nend\n"


def sheets(_artifact: Path) -> Iterable[bytes]:
    for front_end, element, features, rest, step in (
        (LOG_MEL, "float32", 4, MODEL, STEP),
        (STANDARDISE, "float32", 2, MODEL + REJECTION, STEP),
        (TOKENS, "int32", 1, MODEL, NO_STEP),
    ):
        text = HEAD.format(hash="0123456789abcdef" * 4) + front_end + rest
        yield (text + (SEQUENCE + step).format(element=element, features=features) + "end\n").encode()


def sums(artifact: Path) -> Iterable[bytes]:
    yield (artifact / "SHA256SUMS").read_bytes()


def arrays(_artifact: Path) -> Iterable[bytes]:
    generator = np.random.default_rng(3)
    for array in (
        generator.standard_normal((3, 2)).astype("<f4"),
        np.arange(8, dtype="<i4").reshape(2, 2, 2),
        np.zeros((0, 5), "<f4"),
        np.zeros((2, 2), "<f8"),
    ):
        for version in ((1, 0), (2, 0)):
            stream = io.BytesIO()
            np.lib.format.write_array(stream, array, version=version)
            yield stream.getvalue()


def archives(_artifact: Path) -> Iterable[bytes]:
    """Golden vectors of two inputs, two features and three labels, of readings and of ids."""
    for kind in ("<f4", "<i4"):
        stream = io.BytesIO()
        members = {f"features_{index:02d}": np.ones((index + 1, 2), kind) for index in range(2)}
        reference = np.full((2, 3), 0.5, "<f4")
        np.savez(stream, **members, reference_tflite=reference, reference_tflite_step=reference)
        yield stream.getvalue()


def outcomes(_artifact: Path) -> Iterable[bytes]:
    yield OUTCOME.encode()
    yield REFUSED.encode()


def programs(_artifact: Path) -> Iterable[bytes]:
    """Headers of ELF files, and of one for another processor, with parts as long as the file and longer."""
    for machine, bits, length in ((0x3E, 2, 200), (0xB7, 2, 300), (0x28, 1, 200)):
        identity = b"\x7fELF" + bytes([bits, 1, 1]) + bytes(9)
        header = struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 64, 0, 0, 64, 56, 2, 64, 0, 0)
        code = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, 176, 176, 4096)
        data = struct.pack("<IIQQQQQQ", 1, 6, 176, 176, 176, length - 176, length, 4096)
        yield identity + header + code + data + bytes(24)


MAPS = """55d0c0a00000-55d0c0a01000 r--p 00000000 fe:01 1234    /usr/bin/edgeseq-run
Rss:                   4 kB
Pss:                   1 kB
7f0000000000-7f0000021000 rw-p 00000000 00:00 0
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0    [vsyscall]
7f1000000000-7f1000001000 r-xp 0000f000 fe:01 77    /usr/bin/qemu-aarch64 (deleted)
VmHWM:     8123 kB
"""
MARKER = """{"board": "virtual-pi4", "tier": "user", "emulator": "qemu-aarch64 7.2"}\n"""
CPUINFO = "processor\t: 0\nvendor_id\t: GenuineIntel\n"


def lines_of_proc(_artifact: Path) -> Iterable[bytes]:
    yield MAPS.encode()
    yield ("x" * 5000 + "\n" + MAPS).encode()


def evidence(_artifact: Path) -> Iterable[bytes]:
    """Behind a letter that says which file it is (fuzz_emulation.c)."""
    for letter, text in (("m", MARKER), ("c", CPUINFO), ("p", MAPS), ("d", "QEMU Virtual\n")):
        yield (letter + text).encode()


SEEDS: dict[str, Callable[[Path], Iterable[bytes]]] = {
    "fuzz_elf": programs,
    "fuzz_emulation": evidence,
    "fuzz_golden": archives,
    "fuzz_npy": arrays,
    "fuzz_outcome": outcomes,
    "fuzz_proc": lines_of_proc,
    "fuzz_sheet": sheets,
    "fuzz_sums": sums,
    "fuzz_zip": archives,
}


@pytest.mark.parametrize("name", TARGETS)
def test_no_damaged_file_harms_a_reader(
    name: str,
    pristine_artifact: Path,
    build_native: Callable[..., Path],
    run_sanitized: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for index, content in enumerate(SEEDS[name](pristine_artifact)):
        (corpus / f"{index}").write_bytes(content)
    options: list[str | Path] = ["--runs", str(RUNS), *sorted(corpus.iterdir())]
    if CLANG:
        options = [f"-runs={RUNS}", "-seed=1", corpus]
    compiler = "clang" if CLANG else "gcc"
    program = build_native(name, "--fuzz", str(FUZZ / f"{name}.c"), "--compiler", compiler)
    done = run_sanitized(program, *options, cwd=tmp_path, seconds=120 + RUNS / 100)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\nthe input: {tmp_path}/crash*"


@pytest.fixture(scope="module")
def faulty(build_native: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A target that survives an input with "-" at its second place, and another by its first: r reads
    behind the input, a aborts."""
    source = tmp_path_factory.mktemp("faulty") / "faulty.c"
    source.write_text(
        "#include <stdint.h>\n#include <stdlib.h>\n"
        "int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);\n"
        "int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {\n"
        "    if (size < 2 || data[1] == '-') return 0;\n"
        "    if (data[0] == 'a') abort();\n"
        "    return data[0] == 'r' ? data[size] == 7 : 0;\n"
        "}\n"
    )
    return build_native("faulty", "--fuzz", str(source))


@pytest.mark.parametrize(("seed", "said"), [(b"r- line\n", "heap-buffer-overflow"), (b"a-", "aborted")])
def test_the_driver_finds_a_fault_and_keeps_the_input(
    seed: bytes,
    said: str,
    faulty: Path,
    run_sanitized: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
) -> None:
    (tmp_path / "seed").write_bytes(seed)
    inputs = []
    for _ in range(2):
        done = run_sanitized(faulty, "--runs", str(RUNS), "--keep", "found", "seed", cwd=tmp_path)
        assert done.returncode != 0
        assert said in done.stderr
        inputs.append((tmp_path / "found").read_bytes())
    assert inputs[0] == inputs[1] != seed
    assert run_sanitized(faulty, "found", cwd=tmp_path).returncode != 0
    assert run_sanitized(faulty, "seed", cwd=tmp_path).returncode == 0
