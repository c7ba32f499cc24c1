"""What the figures of a result are called, by the task of its models."""

from __future__ import annotations

_BEGINNINGS: dict[str, tuple[tuple[str, str], ...]] = {
    "lm": (
        ("step latency", "token"),
        ("step p", "token p"),
        ("step instructions", "token instructions"),
        ("latency", "prefill"),
        ("instructions", "prefill instructions"),
        ("same decision", "same token"),
        ("p50 interval", "prefill p50 interval"),
    ),
    "forecast": (("latency", "forecast"), ("p50 interval", "forecast p50 interval")),
}
"""The sequence form of a language model is the prefill, one step of its step form generates one token."""
_INFERENCES = {"lm": "prefill", "forecast": "forecast"}
_KEPT = "step parity"


def worded(label: str, task: str) -> str:
    """A classifier's label of a figure as it is called of models of a task."""
    if not label.startswith(_KEPT):
        for beginning, other in _BEGINNINGS.get(task, ()):
            if label.startswith(beginning):
                return other + label[len(beginning) :]
    return label.replace("inference", _INFERENCES.get(task, "inference"))
