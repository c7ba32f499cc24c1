"""From a SeqSpec to checked ONNX and TFLite files. Needs no torch."""

from edgeseq_export.check import check_spec
from edgeseq_export.choice import choose
from edgeseq_export.exported import ExportedModel
from edgeseq_export.forms import Format, Plan
from edgeseq_export.spec import SeqSpec

__all__ = ["FORMATS", "ExportedModel", "Format", "Plan", "SeqSpec", "write_model"]

FORMATS: tuple[Format, ...] = ("onnx", "tflite")


def write_model(
    spec: SeqSpec, model_format: Format, feature_unit: str, plan: Plan | None = None
) -> ExportedModel:
    """Lower `spec` to `model_format` by `plan`, or else by the plan that `choose` has for any board.

    The writers are imported when they are used: onnx alone takes 0.2 s. Raises ValueError naming a layer or
    weight that does not fit, is no number, or has no such form.
    """
    check_spec(spec)
    plan = choose(spec, model_format) if plan is None else plan
    if model_format == "onnx":
        from edgeseq_export.onnx import write_onnx  # noqa: PLC0415

        return write_onnx(spec, plan, feature_unit)
    from edgeseq_export.tflite import write_tflite  # noqa: PLC0415

    return write_tflite(spec, plan, feature_unit)
