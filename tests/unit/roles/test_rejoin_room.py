"""Whether a node has room for the vault that it needs to become a standby."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.roles.rejoin.room import VaultRoom, vault_room


@pytest.mark.parametrize(
    ("content", "held", "free", "lacks"), [(10, 0, 10, 0), (10, 0, 9, 1), (10, 4, 6, 0), (10, 20, 0, 0), (0, 0, 0, 0)]
)
def test_the_content_is_counted_against_the_disk(content: int, held: int, free: int, lacks: int) -> None:
    """What a vault holds already is not needed once more."""
    room = VaultRoom("/backup/web", content, held, free)
    gate = room.gate(7)
    assert (lacks, not lacks, bool(lacks)) == (room.lacks, gate.ok, bool(gate.remedy))


def test_it_is_said_with_a_way_out() -> None:
    """On the primary, with what is needed, where, and what else could be done."""
    problem = VaultRoom("/backup/web", 3 << 30, 0, 1 << 30).problem("web", 7)
    assert ("rejoin-no-room", "warning") == (problem.code, problem.severity.value)
    assert all(words in problem.message for words in ("3.0 GiB", "1.0 GiB", "/backup/web", "web could not become"))
    assert all(words in problem.remedy for words in ("free 2.0 GiB", 'vault = "'))


def test_a_vault_that_is_not_there_yet_has_the_room_of_where_it_will_be(tmp_path: Path) -> None:
    """The nearest directory above it tells; the packs of one that is there count."""
    room = vault_room(tmp_path / "not" / "there", 1)
    assert (0, True) == (room.held, room.free > 0)
    packs = tmp_path / "vault" / "packs"
    packs.mkdir(parents=True)
    (packs / "1.pack").write_bytes(bytes(300))
    assert 300 == vault_room(tmp_path / "vault", 1).held
