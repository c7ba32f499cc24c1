"""`edgeseq run --prompt`: text as it comes, how fast it came, and what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edgeseq.cli import main

GRU, WINDOWED = "letters", "windowed"


@pytest.fixture(autouse=True)
def there(make_language_model: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with two language models."""
    monkeypatch.chdir(tmp_path)
    Path("artifacts").mkdir()
    for name, folder in ((GRU, make_language_model()), (WINDOWED, make_language_model(window=4))):
        Path("artifacts", name).symlink_to(folder)


def edgeseq(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, ["run", *arguments], input=stdin)


def result(*arguments: str, stdin: bytes | None = None) -> dict[str, Any]:
    done = edgeseq(*arguments, "--json", "result.json", stdin=stdin)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(Path("result.json").read_text("utf-8"))
    assert done.stdout == f"{found['prompt']}{found['text']}\n"
    return found


@pytest.mark.parametrize("model_format", ["onnx", "tflite"])
def test_a_text_goes_on_from_its_prompt_and_its_speed_stands_behind_it(model_format: str) -> None:
    options = (GRU, "--prompt", "bad ", "--tokens", "30", "--seed", "3", "--format", model_format)
    done = edgeseq(*options)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("bad ")
    assert len(done.stdout) == 4 + 30 + 1
    assert "prompt: 4 tokens, first call, " in done.stderr
    assert "text: 30 tokens, " in done.stderr
    assert " tokens/s, " in done.stderr
    assert f" ms/token; {model_format}, " in done.stderr
    found = result(*options)
    assert (found["artifact"], found["format"]) == (f"artifacts/{GRU}", model_format)
    assert (found["prompt_tokens"], found["tokens"], found["characters"]) == (4, 30, 30)
    assert found["ms_per_token"] == pytest.approx(1000 / found["tokens_per_s"])
    assert found["first_prefill_ms"] > 0
    assert (found["window"], found["warnings"]) == (None, [])


def test_a_seed_that_was_drawn_is_told_and_writes_the_text_again() -> None:
    first = result(GRU, "--prompt", "a", "--tokens", "40")
    sampling = first["sampling"]
    assert sampling == {"temperature": 0.8, "top_k": None, "top_p": None, "seed": sampling["seed"]}
    assert result(GRU, "--prompt", "a", "--tokens", "40")["text"] != first["text"]
    assert (
        result(GRU, "--prompt", "a", "--tokens", "40", "--seed", str(sampling["seed"]))["text"]
        == first["text"]
    )


def test_greedy_texts_are_alike_and_settings_are_kept_in_the_result() -> None:
    texts = {result(GRU, "--prompt", "a", "--tokens", "20", "--temperature", "0")["text"] for _ in range(2)}
    assert len(texts) == 1
    one = result(
        GRU, "--prompt", "a", "--tokens", "20", "--top-k", "1", "--top-p", "0.5", "--temperature", "2"
    )
    assert one["text"] == texts.pop()
    assert (one["sampling"]["top_k"], one["sampling"]["top_p"], one["sampling"]["temperature"]) == (1, 0.5, 2)


def test_a_transformer_past_its_window_says_how_far_it_sees() -> None:
    done = edgeseq(WINDOWED, "--prompt", "abc", "--tokens", "5", "--json", "result.json")
    warning = "the model has read 7 tokens, and each of its layers sees only the last 4"
    assert f"edgeseq: warning: {warning}" in done.stderr
    found = json.loads(Path("result.json").read_text("utf-8"))
    assert found["window"] == 4
    assert found["warnings"][0].startswith(warning)
    assert result(WINDOWED, "--prompt", "abc", "--tokens", "2")["warnings"] == []
    assert len(result(WINDOWED, "--prompt", "abc", "--tokens", "3")["warnings"]) == 1


@pytest.mark.parametrize(("stdin", "prompt"), [(b"bad cab\n", "bad cab"), (b"a\n\n", "a\n"), (b"a", "a")])
def test_a_prompt_comes_from_stdin_without_the_line_end_of_a_shell(stdin: bytes, prompt: str) -> None:
    assert result(GRU, "--prompt", "-", "--tokens", "3", stdin=stdin)["prompt"] == prompt


def test_a_reader_that_has_gone_ends_the_text_quietly() -> None:
    command = [sys.executable, "-m", "edgeseq", "run", GRU, "--prompt", "a", "--tokens", "100000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(50)[:1] == b"a"
        process.stdout.close()
        said = process.stderr.read().decode()
        assert process.wait() == 1
    assert "edgeseq" not in said
    assert "Traceback" not in said
    assert "prompt:" not in said


def test_characters_that_the_terminal_cannot_spell_end_nothing(
    make_language_model: Callable[..., Path],
) -> None:
    folder = make_language_model("aé")
    command = [sys.executable, "-m", "edgeseq", "run", str(folder), "--prompt", "a", "--tokens", "60"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout) == set(b"a?\n")


@pytest.mark.parametrize(
    ("arguments", "code", "cause"),
    [
        (
            (GRU,),
            2,
            'artifacts/letters is a language model; give the text to go on from, such as --prompt "The "',
        ),
        ((GRU, "hello"), 2, 'it takes no INPUT, but --prompt "hello"'),
        ((GRU, "hello", "--prompt", "a"), 2, 'it takes no INPUT, but --prompt "hello"'),
        (("leters", "--prompt", "a"), 2, 'unknown artifact "leters"; did you mean "letters"?'),
        ((GRU, "--prompt", ""), 2, "the prompt is empty"),
        ((GRU, "--prompt", "a%b"), 6, 'vocabulary lacks: "%" (U+0025, character 2)'),
        ((GRU, "--prompt", "a", "--tokens", "0"), 2, "0 is not in the range"),
        ((GRU, "--prompt", "a", "--top-k", "0"), 2, "top-k is 0; give at least 1"),
        ((GRU, "--prompt", "a", "--top-p", "0"), 2, "top-p is 0; give a number above 0"),
        ((GRU, "--prompt", "a", "--top-p", "1.5"), 2, "top-p is 1.5"),
        ((GRU, "--prompt", "a", "--temperature", "-1"), 2, "temperature is -1"),
        ((GRU, "--prompt", "a", "--temperature", "0", "--top-k", "3"), 2, "leave top-k and top-p out"),
        ((GRU, "--prompt", "a", "--top", "3"), 2, "is a language model; --top concerns a classifier"),
        ((GRU, "--prompt", "a", "--plot", "a.png"), 2, "is a language model; --plot concerns a forecaster"),
    ],
)
def test_a_call_that_does_not_fit_says_what_would(arguments: tuple[str, ...], code: int, cause: str) -> None:
    done = edgeseq(*arguments)
    assert (done.exit_code, cause in done.stderr) == (code, True), done.output
    assert done.stdout == ""


def test_a_prompt_that_is_no_text_is_refused() -> None:
    done = edgeseq(GRU, "--prompt", "-", stdin=b"ab\xff")
    assert (done.exit_code, "stdin: byte 3 is not UTF-8" in done.stderr) == (6, True), done.output


def test_a_prompt_for_a_classifier_is_refused(pristine_artifact: Path) -> None:
    done = edgeseq(str(pristine_artifact), "--prompt", "a")
    assert done.exit_code == 2
    assert "is a classifier; --prompt concerns a language model" in done.stderr


def test_a_task_of_a_newer_edgeseq_is_refused(
    artifact_folder: Path, rewrite_manifest: Callable[[Path, Callable[[dict[str, Any]], object]], None]
) -> None:
    rewrite_manifest(artifact_folder, lambda manifest: manifest.update(task="translate"))
    done = edgeseq(str(artifact_folder), "a")
    assert done.exit_code == 6
    assert "this edgeseq knows no task 'translate'" in done.stderr


def test_a_text_that_is_interrupted_keeps_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from edgeseq_device.generate import LanguageModel, Token

    def cut(*_given: object) -> Iterator[Token]:
        yield from [Token("a", 2, -1.0), Token("b", 3, -1.0)]
        raise KeyboardInterrupt

    monkeypatch.setattr(LanguageModel, "_written", cut)
    done = edgeseq(GRU, "--prompt", "c", "--seed", "7", "--json", "result.json")
    assert (done.exit_code, done.stdout) == (130, "cab\n")
    assert "text: 2 tokens, " in done.stderr
    assert "; seed 7" in done.stderr
    found = json.loads(Path("result.json").read_text("utf-8"))
    assert (found["text"], found["tokens"], found["interrupted"]) == ("ab", 2, True)


def test_a_greedy_text_has_no_seed_to_tell() -> None:
    assert "seed" not in edgeseq(GRU, "--prompt", "a", "--tokens", "2", "--temperature", "0").stderr


def test_in_one_file_the_figures_stand_on_a_line_of_their_own() -> None:
    command = [sys.executable, "-m", "edgeseq", "run", GRU, "--prompt", "a", "--tokens", "3"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True)
    assert any(line.startswith(b"prompt: 1 token, ") for line in done.stdout.splitlines())
