"""A disk that holds the agent's own state is never written over by a change of role."""

from __future__ import annotations

from pathlib import Path

from agent.config.resolve import resolve_dataset
from agent.config.schema import DatasetEntry
from agent.node.own_place import why_not_written_over
from fakes.loop_device import attached, needs_loops, sparse
from fakes.loop_image import MAKERS, at_directory, run

pytestmark = needs_loops


def test_a_disk_with_the_state_on_it_is_told(tmpfs_dir: Path) -> None:
    """By where the state lies, whatever the names say."""
    with attached(sparse(tmpfs_dir / "disk", 16 << 20)) as device:
        run(*MAKERS["ext4"], device)
        dataset = resolve_dataset(DatasetEntry("disk", device, "alpha", ("beta",), kind="device"), "alpha")
        with at_directory(device, tmpfs_dir / "at") as at:
            found = [why_not_written_over(dataset, str(place)) for place in (at, tmpfs_dir)]
    holds = (
        f"{device} has a filesystem with this agent's own state: it would be written over while the system runs from it"
    )
    assert [holds, ""] == found
