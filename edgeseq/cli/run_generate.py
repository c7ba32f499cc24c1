"""`edgeseq run ARTIFACT --prompt TEXT` of a language model: text as it comes, then how fast it came."""

from __future__ import annotations

import io
import secrets
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from edgeseq.cli.console import print_warnings
from edgeseq_device.errors import DataError, UsageError

if TYPE_CHECKING:
    from edgeseq_device.generate import LanguageModel, Sampling, Token

STDIN = "-"
TOKENS = 500


@dataclass
class Written:
    """What has been generated, and in how many seconds: those of the model, not of the terminal.

    interrupted: by Ctrl-C, before all of it was there.
    """

    text: str = ""
    tokens: int = 0
    seconds: float = 0.0
    interrupted: bool = False


def run_generate(folder: Path, words: Sequence[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """Print the prompt and what the model writes behind it, token by token -> the result as JSON.

    given: the options of `edgeseq run`.
    """
    from edgeseq_device.generate import Sampling, load_language_model

    if words:
        raise UsageError(f'{folder} is a language model: it takes no INPUT, but --prompt "{words[0]:.40}"')
    if given["prompt"] is None:
        raise UsageError(
            f'{folder} is a language model; give the text to go on from, such as --prompt "The "'
        )
    asked = {
        name: given[name] for name in ("temperature", "top_k", "top_p", "seed") if given[name] is not None
    }
    sampling = Sampling(**{"seed": secrets.randbelow(2**32), **asked})
    prompt = _prompt(given["prompt"], sys.stdin.buffer)
    if not prompt:
        raise UsageError('the prompt is empty; give the text to go on from, such as "The "')
    model = load_language_model(folder, given["model_format"])
    ids = model.ids(prompt)
    started = time.perf_counter()
    tokens = model.generate(prompt, given["tokens"] or TOKENS, sampling)
    first_prefill_ms = 1000 * (time.perf_counter() - started)
    written = _stream(prompt, tokens)
    figures = _figures(len(ids), first_prefill_ms, written)
    warnings = _warnings(model, len(ids) + written.tokens - 1)  # the last token is never read
    _print(model, figures, sampling, warnings)
    return {
        "artifact": str(folder),
        "format": model.format,
        "runtime": model.version,
        "prompt": prompt,
        "text": written.text,
        "sampling": asdict(sampling),
        **figures,
        "window": model.window,
        "warnings": warnings,
    }


def _prompt(given: str, stdin: BinaryIO) -> str:
    """The prompt itself, or what stdin holds, less the line end that a shell puts behind it."""
    if given != STDIN:
        return given
    try:
        return stdin.read().decode("utf-8").removesuffix("\n")
    except UnicodeDecodeError as error:
        raise DataError(f"stdin: byte {error.start + 1} is not UTF-8; give the prompt in UTF-8") from error


def _stream(prompt: str, tokens: Iterator[Token]) -> Written:
    """Write each token's text as it comes. What the terminal cannot spell is `?` there."""
    written, parts = Written(), []
    screen = sys.stdout
    if isinstance(screen, io.TextIOWrapper):
        screen.reconfigure(errors="replace")
    try:
        screen.write(prompt)
        started = time.perf_counter()
        for token in tokens:
            written.seconds += time.perf_counter() - started
            parts.append(token.text)
            screen.write(token.text)
            screen.flush()
            started = time.perf_counter()
    except KeyboardInterrupt:
        written.interrupted = True
    finally:
        screen.write("\n")
        screen.flush()  # before stderr is written, which may be the same file
    written.text, written.tokens = "".join(parts), len(parts)
    return written


def _figures(prompt_tokens: int, first_prefill_ms: float, written: Written) -> dict[str, Any]:
    """first_prefill_ms: of the model's first call, which no warm-up preceded."""
    return {
        "prompt_tokens": prompt_tokens,
        "first_prefill_ms": first_prefill_ms,
        "tokens": written.tokens,
        "characters": len(written.text),
        "tokens_per_s": written.tokens / written.seconds if written.tokens else None,
        "ms_per_token": 1000 * written.seconds / written.tokens if written.tokens else None,
        "characters_per_s": len(written.text) / written.seconds if written.tokens else None,
        "interrupted": written.interrupted,
    }


def _warnings(model: LanguageModel, tokens: int) -> list[str]:
    if model.window is None or tokens <= model.window:
        return []
    sees = f"each of its layers sees only the last {model.window}"
    return [f"the model has read {tokens} tokens, and {sees}: what is older may be forgotten"]


def _print(
    model: LanguageModel, figures: Mapping[str, Any], sampling: Sampling, warnings: Sequence[str]
) -> None:
    """Behind the text, on stderr."""
    prompt, tokens = figures["prompt_tokens"], figures["tokens"]
    speed = (
        f", {figures['tokens_per_s']:,.0f} tokens/s, {figures['ms_per_token']:.3f} ms/token" if tokens else ""
    )
    seed = f"; seed {sampling.seed}" if sampling.temperature else ""
    click.echo(
        f"prompt: {prompt} token{'s' * (prompt != 1)}, first call, {figures['first_prefill_ms']:.2f} ms;"
        f" text: {tokens} token{'s' * (tokens != 1)}{speed}; {model.format}, {model.version}{seed}",
        err=True,
    )
    print_warnings(warnings)
