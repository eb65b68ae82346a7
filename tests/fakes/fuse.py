"""Whether anything can be mounted by FUSE here."""

from __future__ import annotations

import os

import pytest

from agent.core.errors import HikaeError
from agent.generations.mounting.fuse import require_fuse


def _has_fuse() -> bool:
    try:
        require_fuse()
    except HikaeError:
        return False
    return os.geteuid() == 0


needs_fuse = pytest.mark.skipif(not _has_fuse(), reason="takes root, /dev/fuse and libfuse 3 (apt-get install fuse3)")
