"""The figures of language models: tiny Shakespeare by each family, from int8 files on both runtimes."""

from __future__ import annotations

from measured import Commands, Figure

FORMATS = ("onnx", "tflite")
LARGEST_BYTES = 4_000_000
LONGEST_S = 30 * 60


def tinyshakespeare(commands: Commands) -> list[Figure]:
    """The first 90 % train, the last 10 % validate: the latter in 16 parts, each of which begins without a
    memory; up to 15 tokens are left over. The epoch is chosen on that split too, as elsewhere in this field.
    """
    return _language_model(commands, "GRU", "--model gru --name shakespeare", 1.52)


def tinyshakespeare_others(commands: Commands) -> list[Figure]:
    """The other families on the same characters, the Transformer of size small."""
    lstm = _language_model(commands, "LSTM", "--model lstm --name shakespeare-lstm", None)
    words = "--model transformer --size small --name shakespeare-transformer"
    return lstm + _language_model(commands, "Transformer", words, None)


def _language_model(commands: Commands, family: str, words: str, bound_nats: float | None) -> list[Figure]:
    """bound_nats: a character, of the int8 files; without one, time, bytes and speed have no bound either."""

    def bound(value: float) -> float | None:
        return None if bound_nats is None else value

    title, name = f"tiny Shakespeare {family}", words.rsplit(maxsplit=1)[-1]
    train, trained = commands.run(f"train --data tinyshakespeare --task lm {words}")
    export, exported = commands.run(f"export {name} --int8")
    evaluate, fp32 = commands.run(f"eval {name}")
    of_files, found = commands.run(f"eval {name}-int8-generic")
    before = fp32["forms"]["torch"]["nats_per_token"]
    seconds = trained["metrics"]["training_seconds"]
    figures = [
        Figure(f"{title} validation, fp32 (nats a character)", before, bound_nats, False, evaluate),
        Figure(f"{title} training (s)", seconds, bound(LONGEST_S), False, train),
    ]
    for form in FORMATS:
        after = found["forms"][form]["nats_per_token"]
        what = f"{title} validation, int8 {form} (nats a character)"
        lost = f"{title} lost by int8, {form} (nats a character)"
        shown, said = commands.run(
            f"run {name}-int8-generic --prompt ROMEO: --tokens 20000 --seed 1 --format {form}"
        )
        speed = f"{title} writes in Python, {form} (characters/s)"
        figures += [
            Figure(what, after, bound_nats, False, of_files),
            Figure(lost, after - before, 0.01, False, of_files),
            Figure(speed, said["tokens_per_s"], bound(5000), True, shown),
        ]
    for size in exported["size"]:
        what = f"{title}'s artifact, {size['format']} (bytes)"
        figures.append(Figure(what, size["bytes"], bound(LARGEST_BYTES), False, export))
    return figures
