"""What a model can be for."""

from __future__ import annotations

LOADERS = {
    "classify": ("a classifier", "edgeseq_device.classify.load_classifier"),
    "lm": ("a language model", "edgeseq_device.generate.load_language_model"),
    "forecast": ("a forecaster", "edgeseq_device.forecast.load_forecaster"),
}
"""By task: what its models are called, and what loads one in an application."""
