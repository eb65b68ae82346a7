"""Which packs are rewritten: the plan alone."""

from __future__ import annotations

from agent.store.vault.pack_use import CompactionLimits, PackUse, plan_compaction

ROOM = 1 << 40
LIMITS = CompactionLimits(waste=0.05, least=0.1)


def pack(number: int, dead: int, spare: int = 0) -> PackUse:
    """One of 100 bytes, of which so many are dead."""
    return PackUse(number, 100, 100 - dead, 0 if dead == 100 else 10, spare)


def numbers(packs: tuple[PackUse, ...]) -> list[int]:
    """Theirs, in order."""
    return [one.number for one in packs]


def test_empty_packs_go_and_cost_nothing() -> None:
    """Also where there is no room at all."""
    plan = plan_compaction([pack(1, 100), pack(2, 0), pack(3, 100)], 0, LIMITS)
    assert ([1, 3], [], 200, 0) == (numbers(plan.drop), numbers(plan.rewrite), plan.frees, plan.writes)


def test_what_is_dead_most_is_rewritten_first() -> None:
    """Until no more than the waste that is allowed is left."""
    plan = plan_compaction([pack(1, 20), pack(2, 90), pack(3, 50), *(pack(n, 0) for n in range(4, 10))], ROOM, LIMITS)
    assert ([2, 3], 140, 60) == (numbers(plan.rewrite), plan.frees, plan.writes)


def test_little_dead_in_each_is_left() -> None:
    """For every byte that comes back ten and more would be written."""
    assert () == plan_compaction([pack(n, 9) for n in range(20)], ROOM, LIMITS).rewrite


def test_what_can_be_folded_counts_as_dead() -> None:
    """It is there only because another chunk is stored as a patch of it."""
    assert [1] == numbers(plan_compaction([pack(1, 0, spare=60), pack(2, 0)], ROOM, LIMITS).rewrite)


def test_little_room_is_made_use_of() -> None:
    """What fits is rewritten, and makes room for the next; what does not is passed over."""
    packs = [pack(1, 95), pack(2, 94), pack(3, 40)]
    assert [1, 2] == numbers(plan_compaction(packs[:2], 5, LIMITS).rewrite)
    assert [1, 2, 3] == numbers(plan_compaction(packs, 5, LIMITS).rewrite)
    assert [] == numbers(plan_compaction(packs, 4, LIMITS).rewrite)
