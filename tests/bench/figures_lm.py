"""The figures of language models: tiny Shakespeare by a GRU, from int8 files on both runtimes."""

from __future__ import annotations

from measured import Commands, Figure

FORMATS = ("onnx", "tflite")
LARGEST_BYTES = 4_000_000
LONGEST_S = 30 * 60


def tinyshakespeare(commands: Commands) -> list[Figure]:
    """The first 90 % train, the last 10 % validate: the latter in 16 parts, each of which begins without a
    memory; up to 15 tokens are left over. The epoch is chosen on that split too, as elsewhere in this field.
    """
    train, trained = commands.run("train --data tinyshakespeare --task lm --model gru --name shakespeare")
    export, exported = commands.run("export shakespeare --int8")
    evaluate, fp32 = commands.run("eval shakespeare")
    of_files, found = commands.run("eval shakespeare-int8-generic")
    before = fp32["forms"]["torch"]["nats_per_token"]
    figures = [
        Figure("tiny Shakespeare validation, fp32 (nats a character)", before, 1.52, False, evaluate),
        Figure(
            "tiny Shakespeare, training (s)", trained["metrics"]["training_seconds"], LONGEST_S, False, train
        ),
    ]
    for name in FORMATS:
        after = found["forms"][name]["nats_per_token"]
        figures += [
            Figure(
                f"tiny Shakespeare validation, int8 {name} (nats a character)", after, 1.52, False, of_files
            ),
            Figure(
                f"tiny Shakespeare, lost by int8, {name} (nats a character)",
                after - before,
                0.01,
                False,
                of_files,
            ),
            _speed(commands, name),
        ]
    for size in exported["size"]:
        name = size["format"]
        figures.append(
            Figure(
                f"tiny Shakespeare GRU's artifact, {name} (bytes)",
                size["bytes"],
                LARGEST_BYTES,
                False,
                export,
            )
        )
    return figures


def _speed(commands: Commands, name: str) -> Figure:
    command = f"run shakespeare-int8-generic --prompt ROMEO: --tokens 20000 --seed 1 --format {name}"
    shown, said = commands.run(command)
    speed = said["tokens_per_s"]
    return Figure(f"tiny Shakespeare GRU writes in Python, {name} (characters/s)", speed, 5000, True, shown)
