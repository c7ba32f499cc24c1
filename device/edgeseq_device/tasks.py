"""What a model can be for."""

from __future__ import annotations

from typing import Literal

Task = Literal["classify", "lm", "forecast"]
TASKS: tuple[Task, ...] = ("classify", "lm", "forecast")
"""A class, the next token, the next moments of a series."""
LOADERS = {
    "classify": ("a classifier", "edgeseq_device.classify.load_classifier"),
    "lm": ("a language model", "edgeseq_device.generate.load_language_model"),
    "forecast": ("a forecaster", "edgeseq_device.forecast.load_forecaster"),
}
"""By task: what its models are called, and what loads one in an application."""
