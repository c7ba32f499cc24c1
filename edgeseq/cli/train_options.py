"""The options of `edgeseq train`, by what they are about."""

from __future__ import annotations

import click

from edgeseq.models.config import ALL_FAMILIES, POOLINGS, POSITIONS, check_family
from edgeseq.models.shapes import SIZES
from edgeseq_device.tasks import TASKS
from edgeseq_device.tokenizer import TOKENIZERS

LARGEST_SEED = 2**63 - 1  # the generators take no more
FASTEST_RATE_HZ = 768_000  # as `edgeseq.data.wav.RATES_HZ`; a series may be as slow as it likes
MOST_MELS = 1024


def _family(_context: click.Context, _option: click.Parameter, value: str) -> str:
    check_family(value)
    return value


TASK_OPTION = click.option(
    "--task",
    type=click.Choice(TASKS),
    default="classify",
    show_default=True,
    help="classify recordings; lm: a language model, which foretells the next token of a text; forecast the"
    " next moments of a series.",
)
MODEL_OPTIONS = [
    click.option(
        "--model",
        metavar="FAMILY",
        default="gru",
        show_default=True,
        callback=_family,
        help=f"{' or '.join(ALL_FAMILIES)}.",
    ),
    click.option(
        "--size",
        type=click.Choice(SIZES),
        help="Sets --hidden, --layers, --heads and --embedding where they are not given."
        " [default of lm and forecast: base]",
    ),
    click.option(
        "--hidden",
        type=click.IntRange(1),
        help="Units in a layer. [default: 64; text, lm, forecast: by --size]",
    ),
    click.option(
        "--layers",
        type=click.IntRange(1),
        help="One behind the other. [default: 1; transformer: 2, of lm by --size]",
    ),
    click.option(
        "--bidirectional/--no-bidirectional",
        default=None,
        help="GRU, LSTM: read each recording backwards, too. [default: yes for text, else no]",
    ),
    click.option(
        "--pooling",
        type=click.Choice(POOLINGS),
        help="What the classifier sees of all frames; cls is a transformer's. [default: last; text: max;"
        " transformer, bag: mean]",
    ),
    click.option(
        "--dropout",
        type=click.FloatRange(0, 1, max_open=True),
        help="Between layers and before the last one. [default: 0.1; more for text, lm and forecast]",
    ),
    click.option(
        "--embedding", type=click.IntRange(1), help="Text: numbers that a token has. [default: by --size]"
    ),
    click.option(
        "--embedding-dropout",
        type=click.FloatRange(0, 1, max_open=True),
        help="Text: of the numbers that a token has.",
    ),
    click.option(
        "--conv-kernel", type=click.IntRange(0), help="A causal convolution over so many frames in front."
    ),
    click.option(
        "--heads",
        type=click.IntRange(1),
        help="Transformer: attention heads. [default: 4, of size base 6; forecast: 2; where --hidden is no"
        " multiple of that, as many as can be 8 wide or wider]",
    ),
    click.option(
        "--feedforward", type=click.IntRange(1), help="Transformer: middle width, times hidden. [default: 2]"
    ),
    click.option(
        "--positions",
        type=click.Choice(POSITIONS),
        help="Transformer: how it knows the order of frames. [default: rotary]",
    ),
    click.option(
        "--max-frames", type=click.IntRange(1), help="Longest recording of learned positions. [default: 512]"
    ),
    click.option(
        "--causal", is_flag=True, default=None, help="Transformer: see the past only, so that it can stream."
    ),
    click.option(
        "--window",
        type=click.IntRange(1),
        help="Frames, or tokens, that a causal transformer sees. [default: 64; lm: 128]",
    ),
    click.option(
        "--tied",
        is_flag=True,
        default=None,
        help="lm: one table for the tokens that come in and for the answers; sets --embedding to --hidden.",
    ),
]
TRAINING_OPTIONS = [
    click.option("--epochs", type=click.IntRange(1), help="At most so many. [default: by the data's size]"),
    click.option(
        "--batch-size",
        type=click.IntRange(1),
        help="Recordings, windows of a series or, of lm, streams in an update. [default: by the data's size]",
    ),
    click.option(
        "--window-tokens",
        type=click.IntRange(1),
        help="lm: tokens of each stream in an update. [default: 64, or less of a short text]",
    ),
    click.option("--learning-rate", type=click.FloatRange(0, min_open=True), help="Peak of the one-cycle."),
    click.option(
        "--warm-up",
        type=click.FloatRange(0, 1, max_open=True),
        help="The part of the updates in which it rises. [default: 0.25; lm: 0.1]",
    ),
    click.option("--weight-decay", type=click.FloatRange(0), help="AdamW's."),
    click.option(
        "--label-smoothing",
        type=click.FloatRange(0, 1, max_open=True),
        help="The part of a label's weight that all classes share.",
    ),
    click.option(
        "--patience",
        type=click.IntRange(0),
        help="Stop after so many epochs without a better validation; 0: train all epochs.",
    ),
    click.option(
        "--ema",
        type=click.FloatRange(0, 1, max_open=True),
        help="Validate and keep a moving average of the weights; so much of it stays in each step."
        " [default: off; text: 0.995; lm: 0.998; forecast: 0.99]",
    ),
    click.option("--no-augment", is_flag=True, help="Train on the recordings as they are."),
    click.option(
        "--seed",
        type=click.IntRange(0, LARGEST_SEED),
        metavar="INTEGER",
        default=0,
        show_default=True,
        help="Of every random draw but the splits'.",
    ),
    click.option(
        "--threads",
        type=click.IntRange(1),
        help="Part of the recipe: sums depend on it. [default: by the model]",
    ),
]
QAT_OPTIONS = [
    click.option("--qat", is_flag=True, help="Then train on with the rounding of the exported int8 model."),
    click.option(
        "--target",
        metavar="TARGET",
        help="--qat: round as the export for this board does, such as pi4. [default: generic]",
    ),
    click.option(
        "--qat-format",
        type=click.Choice(["tflite", "onnx"]),
        help="--qat: round as this file does. [default: tflite]",
    ),
    click.option(
        "--qat-epochs",
        type=click.IntRange(1),
        help="--qat: at most so many. [default: a quarter of --epochs, 10 at least]",
    ),
    click.option(
        "--qat-learning-rate",
        type=click.FloatRange(0, min_open=True),
        help="--qat: peak of its one-cycle. [default: a tenth of --learning-rate]",
    ),
]
LABEL_PATTERN = click.option(
    "--label-pattern", metavar="REGEX", help="In a recording's name, with a group (?P<label>...)."
)
COLUMN_OPTIONS = [
    click.option("--text-column", metavar="NAME", help="CSV, TSV, JSONL of texts."),
    click.option("--label-column", metavar="NAME", help="CSV, TSV, JSONL."),
    click.option("--group-column", metavar="NAME", help="CSV, TSV, JSONL: speaker, subject."),
    click.option("--split-column", metavar="NAME", help="CSV, TSV, JSONL: train, validation or test."),
    click.option("--recording-column", metavar="NAME", help="CSV of series: rows with one value are one."),
    click.option("--time-column", metavar="NAME", help="CSV of series."),
    click.option(
        "--out-of-scope-label", metavar="LABEL", help="Of recordings that belong to none of the classes."
    ),
]
READING_OPTIONS = [LABEL_PATTERN, *COLUMN_OPTIONS]
DATA_OPTIONS = [
    LABEL_PATTERN,
    click.option("--test-pattern", metavar="REGEX", help="Recordings whose name matches are the test split."),
    click.option(
        "--group-pattern", metavar="REGEX", help="In a recording's name, with a group (?P<group>...)."
    ),
    click.option("--by-group", is_flag=True, help="No group (speaker, subject) in two splits."),
    click.option(
        "--validation-fraction",
        type=click.FloatRange(0, 1, True, True),
        help="Of the training data. [default: the data's own validation, or 0.1; 0.2 of fewer than 100]",
    ),
    click.option(
        "--test-fraction",
        type=click.FloatRange(0, 1, True, True),
        help="Where the data has no test split. [default: 0.2; lm: none]",
    ),
    click.option(
        "--split-seed",
        type=click.IntRange(0, LARGEST_SEED),
        metavar="INTEGER",
        help="Of the draw of splits; apart from --seed.",
    ),
    *COLUMN_OPTIONS,
]
SAMPLE_RATE = click.option(
    "--sample-rate",
    type=click.IntRange(1, FASTEST_RATE_HZ),
    metavar="HZ",
    help="Resample audio; a series' own rate.",
)
AUDIO_OPTIONS = [
    click.option("--mels", type=click.IntRange(1, MOST_MELS), help="Audio: features in a frame."),
    click.option("--frame-ms", type=click.FloatRange(0, min_open=True), help="Audio: length of a frame."),
    click.option("--hop-ms", type=click.FloatRange(0, min_open=True), help="Audio: from frame to frame."),
    SAMPLE_RATE,
]
TEXT_OPTIONS = [
    click.option(
        "--tokenizer", type=click.Choice(TOKENIZERS), help="Text: what a token is. [default: word; lm: char]"
    ),
    click.option(
        "--vocabulary",
        type=click.IntRange(2),
        help="Text: at most so many tokens. [default: what training has twice; wordpiece, bpe: 4096;"
        " of lm's characters all]",
    ),
    click.option(
        "--ngrams",
        type=click.IntRange(1),
        help="Text: look up each token, and the n-grams of 2 to so many. [default: word: 2, others: 1]",
    ),
    click.option(
        "--subwords",
        type=click.IntRange(0),
        help="Text: look up so many n-grams of a word's letters. [default: word: 16, others: 0]",
    ),
    click.option(
        "--buckets", type=click.IntRange(0), help="Text: rows that all n-grams share. [default: 8192]"
    ),
    click.option(
        "--max-tokens",
        type=click.IntRange(1),
        help="Text: read no further. [default: word: 64; wordpiece, bpe: 128; char, byte: 256]",
    ),
    click.option(
        "--lowercase/--no-lowercase",
        default=None,
        help="Text: capital letters count as small ones. [default: yes; lm: no]",
    ),
]
