"""Where a restore may go."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from agent.config.values import Settings
from agent.core.errors import Refused
from agent.generations.restore.gates import refuse_place


def test_no_tree_is_written_over_a_device(tmp_path: Path) -> None:
    """Also through a link; the sentence says what a tree is restored to."""
    nothing = SimpleNamespace(datasets=(), node=SimpleNamespace(state_dir=str(tmp_path / "state")))
    settings = cast(Settings, nothing)
    (tmp_path / "link").symlink_to("/dev/null")
    for target in ("/dev/null", str(tmp_path / "link")):
        with pytest.raises(Refused, match="it is a device, and a tree is restored to a directory"):
            refuse_place(settings, target)
    refuse_place(settings, str(tmp_path / "new"))
