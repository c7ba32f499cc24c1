"""Lower a SeqSpec to a TFLite file, one function per layer kind, straight onto the flatbuffer schema."""

from edgeseq_export.tflite.writer import write_tflite

__all__ = ["write_tflite"]
