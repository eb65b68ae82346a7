"""What a dataset that is no longer configured promised to keep."""

from __future__ import annotations

from pathlib import Path

from agent.core.clock import boot_id
from agent.node.following.generations.generation_keeper import RetentionTicks
from agent.node.promised import promised_of
from agent.roles.lineage import CATALOG
from agent.store.catalog import generation
from agent.store.catalog.generation import Cause, Generation
from fakes.clocks import SetClock
from fakes.store_fakes import begun, number


def test_what_is_pinned_or_younger_than_promised(tmp_path: Path) -> None:
    """By the retention clock; nothing where there is no catalog."""
    clock = SetClock()
    now = RetentionTicks(clock, boot_id()).now()
    with begun(str(tmp_path / CATALOG)) as catalog:
        kept = [
            Generation(name, number(1), 1, 1, Cause.DEMAND, pinned=pinned, immutable_until=until)
            for name, pinned, until in (("A", True, 0), ("B", False, now.wall + 5), ("C", False, now.wall - 5))
        ]
        catalog.keep_generations(kept)
        with catalog.between_commits("move the retention clock") as connection:
            generation.set_retention(connection, (now.wall, now.wall, now.since_boot, now.boot))
    assert [("A", 0), ("B", clock.now_ns() + 5)] == [
        (one.generation.name, one.until) for one in promised_of(tmp_path, clock)
    ]
    assert () == promised_of(tmp_path / "none", clock)
