"""What a device lost between two moments, against plain dicts of its chunks."""

from __future__ import annotations

import random
from pathlib import Path

from agent.core.commit import Changes
from agent.core.dataset_kind import DatasetKind
from agent.core.ids import NOTHING, CommitNumber
from agent.core.rows import chunk_key, encode_chunk
from agent.store.catalog.catalog import Catalog
from agent.store.catalog.chunk_losses import ChunkLosses
from fakes.store_fakes import EPOCH, header, number

State = dict[int, bytes]


def a_past(catalog: Catalog, rng: random.Random) -> dict[CommitNumber, State]:
    """Forty commits of a device of up to 30 chunks: some written, some zeros, some as they were before."""
    states: dict[CommitNumber, State] = {}
    state: State = {}
    for seq in range(1, 41):
        new = dict(state)
        for one in rng.sample(range(1, 31), rng.randrange(8)):
            new.pop(one, None)
            if rng.random() < 0.6:
                new[one] = encode_chunk(one, 65536, bytes([rng.randrange(3)]) * 32)
        puts = [row for one, row in new.items() if state.get(one) != row]
        drops = [chunk_key(one) for one in state if one not in new]
        catalog.write(Changes(puts, drops), header(seq))
        states[number(seq)] = state = new
    return states


def lost(base: State, target: State) -> tuple[int, int]:
    """How many chunks became zeros, and how many hold something else."""
    here = [one for one in base if one in target]
    return len(base) - len(here), sum(base[one] != target[one] for one in here)


def firsts(states: dict[CommitNumber, State], base: CommitNumber, target: CommitNumber) -> tuple[int, int]:
    """The commits that took the first of those for good, and that changed the first of these."""
    way = [at for at in states if base < at <= target]
    gone: list[int] = []
    changed: list[int] = []
    for one, row in states[base].items():
        if one not in states[target]:
            gone.append(next(at for at in reversed(way) if at == way[0] or one in states[CommitNumber(at - 1)]))
        elif states[target][one] != row:
            changed.append(next(at for at in way if states[at].get(one) != row))
    return min(gone, default=NOTHING), min(changed, default=NOTHING)


def test_losses_equal_those_of_the_model(tmp_path: Path, rng: random.Random) -> None:
    """Between any two moments, at once and carried on from one between; with the commits that began them."""
    with Catalog.open(str(tmp_path / "catalog.db")) as catalog:
        catalog.begin_epoch(EPOCH)
        states = a_past(catalog, rng)
        with catalog.reader() as reader:
            losses = reader.losses(DatasetKind.DEVICE)
            for _ in range(200):
                base, after, target = sorted(rng.choices(list(states), k=3))
                expected = lost(states[base], states[target])
                assert expected == (losses.deleted(base, target), losses.rewritten(base, target))
                assert firsts(states, base, target) == (
                    losses.first_deleted(base, target),
                    losses.first_rewritten(base, target),
                )
                more = losses.lost_more(base, after, target)
                before = lost(states[base], states[after])
                assert more is not None
                assert expected == (before[0] + more.deleted, before[1] + more.rewritten)


def test_what_ended_is_at_least_what_is_lost(tmp_path: Path, rng: random.Random) -> None:
    """The window's counts of rows that stood at a moment and ended since are never below the exact ones."""
    with Catalog.open(str(tmp_path / "catalog.db")) as catalog:
        catalog.begin_epoch(EPOCH)
        states = a_past(catalog, rng)
        with catalog.reader() as reader:
            losses = reader.losses(DatasetKind.DEVICE)
            assert isinstance(losses, ChunkLosses)
            for base in states:
                target = max(states)
                sums = [
                    sum(count for since, until, count in ended if since <= base < until)
                    for ended in losses.ended(base, target, base)
                ]
                deleted, rewritten = lost(states[base], states[target])
                assert deleted <= sums[0]
                assert deleted + rewritten <= sums[1]
