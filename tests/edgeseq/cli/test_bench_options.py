"""`edgeseq bench --runner`: what is refused of its options."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgeseq.cli import main


def run(*options: str) -> Result:
    return CliRunner().invoke(main, ["bench", *options])


def test_the_command_refuses_before_anything_is_made_ready(pristine_artifact: Path) -> None:
    done = run(str(pristine_artifact), "--runner", "native", "--format", "onnx")
    assert (done.exit_code, "the native runner runs tflite models only" in done.output) == (2, True)
    done = run(str(pristine_artifact), "--runner", "native", "--max-ram", "0.5MB")
    assert (done.exit_code, "give 1 MB or more" in done.output) == (2, True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--realtime",), "takes no --realtime: --runner both measures it with Python"),
        (("--duration", "5m"), "takes no --duration: --runner both measures it with Python"),
        (("--with-accuracy",), "takes no --with-accuracy: --runner both measures it with Python"),
        (
            ("--profile", "--realtime"),
            "takes no --realtime and no --profile: --runner both measures them with Python",
        ),
    ],
)
def test_native_alone_is_not_asked_for_what_python_alone_measures(
    pristine_artifact: Path, options: tuple[str, ...], said: str
) -> None:
    done = run(str(pristine_artifact), "--runner", "native", *options)
    assert (done.exit_code, f"the native runner {said}" in done.stderr) == (2, True)
