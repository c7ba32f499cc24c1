"""Lower a SeqSpec to an ONNX file, one function per layer kind."""

from edgeseq_export.onnx.writer import write_onnx

__all__ = ["write_onnx"]
