"""Where edgeseq keeps what can be made or fetched again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_root() -> Path:
    """EDGESEQ_CACHE_DIR, else the user's cache folder. It need not exist."""
    import platformdirs  # noqa: PLC0415 - only a machine without the variable needs it

    chosen = os.environ.get("EDGESEQ_CACHE_DIR")
    return Path(chosen).expanduser().absolute() if chosen else platformdirs.user_cache_path("edgeseq")
