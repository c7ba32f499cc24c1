"""edgeseq: from your own sequence data to a measured int8 model on a Raspberry Pi."""

from edgeseq_device import __version__

__all__ = ["__version__"]
