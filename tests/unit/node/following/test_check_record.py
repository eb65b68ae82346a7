"""What is known of a vault's chunks: kept over restarts, bounded, and told of each file that is hurt."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.clock import ManualClock
from agent.core.kept import VaultCheck, VaultVerified
from agent.core.problem import PATH_KEPT, ProblemBoard
from agent.core.problem_codes import VAULT_DAMAGED
from agent.generations.checked_names import PLACES, NameRange
from agent.generations.checking import DamagedChunk
from agent.node.following.checking.check_record import LOST_MOST, CheckRecord
from agent.node.following.checking.checked_chunks import CheckedChunks
from agent.store.local import Local

NOW = 1_700_000_000 * 10**9


class Kept:
    """Local facts, and a record that is opened anew."""

    def __init__(self, place: Path) -> None:
        self.local = Local.open(str(place / "local.db"))
        self.start()

    def start(self) -> None:
        """As at a start of the agent."""
        self.board = ProblemBoard()
        self.record = CheckRecord("web", self.local, self.board, ManualClock())

    def told(self) -> dict[bytes, str]:
        """What the board says, by path."""
        return {one.path: one.message for one in self.board.listed()[0] if one.code == VAULT_DAMAGED}


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    """With nothing in it."""
    made = Kept(tmp_path)
    yield made
    made.local.close()


def name(number: int) -> bytes:
    """Of a chunk; its place on the ring is the number."""
    return number.to_bytes(4) + bytes(28)


def lost(number: int, path: bytes, *generations: str) -> DamagedChunk:
    """A chunk that one file needs."""
    return DamagedChunk(name(number), "it is not there", (path,), generations, 1)


def test_all_of_it_outlives_a_restart(kept: Kept) -> None:
    """What was checked when, the last result, and what is lost, with names of any bytes."""
    kept.record.begin(NOW)
    kept.record.checked_share(NameRange(0, PLACES // 2), NOW, CheckedChunks(7, (lost(3, b"\xff/a", "g", "newest"),)))
    kept.record.ended(NOW + 5, VaultCheck(NOW + 5, 7, 1, 0))
    before = (kept.record.began, kept.record.ran, kept.record.names, kept.record.lost, kept.record.facts(), kept.told())
    kept.start()
    assert before == (
        kept.record.began,
        kept.record.ran,
        kept.record.names,
        kept.record.lost,
        kept.record.facts(),
        kept.told(),
    )
    assert VaultVerified(None, 1, VaultCheck(NOW + 5, 7, 1, 0)) == kept.record.facts()


@pytest.mark.parametrize(
    "value", [b"", b"x", b"[]", b"{}", b'{"stretches": [[0, 5, 1]]}', b'{"stretches": 5}', b"\xff"]
)
def test_what_cannot_be_read_says_nothing(kept: Kept, value: bytes) -> None:
    """All is checked anew."""
    kept.local.set_value("checked-chunks", value)
    kept.start()
    assert (VaultVerified(None, 0, None), 0, {}) == (kept.record.facts(), kept.record.ran, kept.told())


def test_any_value_of_any_key_is_read_or_says_nothing(kept: Kept) -> None:
    """Each of them by something else."""
    kept.record.begin(NOW)
    whole = json.loads(kept.local.value("checked-chunks") or b"")
    for key in whole:
        others: list[object] = [None, "x", -1, [1], {}, [[1, 2]], 1e999]
        for other in others:
            kept.local.set_value("checked-chunks", json.dumps({**whole, key: other}).encode())
            kept.start()
            assert 0 == kept.record.facts().damaged


def test_a_share_answers_for_its_names_only(kept: Kept) -> None:
    """What it finds whole is lost no more; what is beside it, and what was put back, as it is known."""
    kept.record.checked_share(NameRange(0, 9), NOW, CheckedChunks(1, (lost(3, b"a"), lost(5, b"b"))))
    kept.record.checked_share(NameRange(9, 20), NOW, CheckedChunks(1, (lost(12, b"c"),)))
    assert {b"a", b"b", b"c"} == set(kept.told())
    kept.record.checked_share(NameRange(0, 9), NOW, CheckedChunks(1, (lost(5, b"b"),)))
    assert {b"b", b"c"} == set(kept.told())
    kept.record.checked_some(CheckedChunks(1, (lost(12, b"c"), lost(15, b"d")), frozenset({name(12)})))
    assert ({b"b", b"d"}, {name(5), name(15)}) == (set(kept.told()), set(kept.record.lost))
    kept.record.checked_all(NOW, NOW + 9, CheckedChunks(5))
    assert ({}, VaultVerified(NOW, 0, VaultCheck(NOW + 9, 5, 0, 0))) == (kept.told(), kept.record.facts())


def test_it_says_which_generations_are_hurt(kept: Kept) -> None:
    """The newest first, few by name."""
    generations = [f"2026112{day}T031500Z" for day in range(5)]
    kept.record.checked_some(CheckedChunks(1, (lost(1, b"a", *generations, "newest"), lost(2, b"b"))))
    told = kept.told()
    assert told[b"a"].endswith("; needed in newest, 20261124T031500Z, 20261123T031500Z and 3 more")
    assert told[b"b"].endswith("; needed in history only")


def test_what_is_remembered_is_bounded(kept: Kept) -> None:
    """A vault that is gone is not kept a second time by name."""
    long = b"x" * 4 * PATH_KEPT
    kept.record.checked_some(CheckedChunks(1, tuple(lost(number, long, *"abc") for number in range(LOST_MOST + 50))))
    assert (LOST_MOST, 1) == (len(kept.record.lost), len(kept.told()))
    kept.start()
    assert (LOST_MOST, 1) == (len(kept.record.lost), len(kept.told()))
