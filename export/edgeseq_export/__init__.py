"""From a SeqSpec to checked ONNX and TFLite files. Needs no torch."""

from edgeseq_export.exported import ExportedModel, Format
from edgeseq_export.spec import SeqSpec

__all__ = ["FORMATS", "ExportedModel", "Format", "SeqSpec", "write_model"]

FORMATS: tuple[Format, ...] = ("onnx", "tflite")


def write_model(spec: SeqSpec, model_format: Format, feature_unit: str) -> ExportedModel:
    """Lower `spec` to `model_format`. The writers are imported when they are used: onnx alone takes 0.2 s."""
    if model_format == "onnx":
        from edgeseq_export.onnx import write_onnx  # noqa: PLC0415

        return write_onnx(spec, feature_unit)
    from edgeseq_export.tflite import write_tflite  # noqa: PLC0415

    return write_tflite(spec, feature_unit)
