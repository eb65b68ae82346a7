"""Single bits of packs are turned over: what a moment can meet is found, with the very chunk, paths and generations."""

from __future__ import annotations

import os
import random
from pathlib import Path

from agent.core import chunks
from agent.core.chunks import name_of
from agent.core.commit import Changes
from agent.core.ids import ROOT, object_id
from agent.generations.checking import ChunkCheck, every_name, hurt_by
from agent.store.catalog.generation import Cause, Generation
from agent.store.catalog.kept import KeptCommit
from agent.store.vault.limits import VaultLimits
from agent.store.vault.pack import numbers_in, path_of, records
from fakes.collected_stores import Stores, list_of
from fakes.idle import goes_on
from fakes.store_fakes import expire, header, name_row, number

#: ``make soak`` has 10,000.
FLIPS = 10_000 if int(os.environ.get("HIKAE_SOAK_SEEDS", "0")) else 150
FILES = 6
#: ``chunk → {(path, moment)}``
Needed = dict[bytes, set[tuple[bytes, str]]]


def test_each_flip_that_a_moment_can_meet_is_found(tmpfs_dir: Path, rng: random.Random) -> None:
    """What the test computes from the offset is what is told; bytes that nothing needs change no answer."""
    with Stores(tmpfs_dir, VaultLimits(pack=40_000, cache=0, flush=1)) as stores:
        needed, generations = histories(stores, rng)
        spans = [span for one in packs(stores) for span in spans_of(*one)]
        met = 0
        for _ in range(FLIPS):
            path, start, end, name = rng.choice(spans)
            with path.open("r+b") as pack:
                at, bit = rng.randrange(start, end), 1 << rng.randrange(8)
                turn_over(pack.fileno(), at, bit)
                told = looked_at(stores, generations)
                turn_over(pack.fileno(), at, bit)
            expected = {name: product(needed[name])} if name in needed else {}
            assert expected == told, f"{path.name} at {at}, bit {bit}"
            met += name in needed
        assert ({}, True) == (looked_at(stores, generations), met > FLIPS // 4)


def product(pairs: set[tuple[bytes, str]]) -> set[tuple[bytes, str]]:
    """Paths and generations are told apart from each other."""
    return {(path, moment) for path, _ in pairs for _, moment in pairs}


def histories(stores: Stores, rng: random.Random) -> tuple[Needed, list[Generation]]:
    """Files of a few chunks that change between generations, of which some share chunks; and chunks of nobody."""
    names = [name_row(ROOT, b"file %d" % id, object_id(1, id)) for id in range(1, FILES + 1)]
    stores.seq += 1
    stores.catalog.write(Changes(tuple(names)), header(stores.seq))
    shared = [rng.randbytes(700) for _ in range(4)]
    now: dict[int, list[bytes]] = {}
    needed: Needed = {}
    generations: list[Generation] = []
    for turn in range(5):
        for id in range(1, FILES + 1) if not turn else rng.sample(range(1, FILES + 1), 3):
            now[id] = [rng.randbytes(rng.randrange(200, 1500)), rng.choice(shared)]
            stores.put(*now[id], rng.randbytes(900))
            stores.write(object_id(1, id), chunks.encode(list_of(*now[id])))
        label = f"generation {turn}" if turn < 4 else "newest"
        for id, raws in now.items():
            for raw in raws:
                needed.setdefault(name_of(raw), set()).add((b"file %d" % id, label))
        if turn < 4:
            stores.catalog.keep([KeptCommit(number(stores.seq), "generation")])
            generations.append(Generation(label, number(stores.seq), turn, turn, Cause.DEMAND))
    expire(stores.catalog, number(stores.seq))
    stores.vault.write_index()
    return needed, generations


def packs(stores: Stores) -> list[tuple[Path, int]]:
    """Every pack with its number."""
    place = str(stores.place / "vault" / "packs")
    return [(Path(path_of(place, one)), one) for one in numbers_in(place)]


def spans_of(path: Path, pack: int) -> list[tuple[Path, int, int, bytes]]:
    """Where each record begins and ends, and the chunk that it is of."""
    with path.open("rb") as file:
        found = records(file.fileno(), pack, 0, path.stat().st_size, [])
        return [(path, place.offset, place.end, name) for name, place in found]


def turn_over(fd: int, at: int, bit: int) -> None:
    """One bit."""
    (was,) = os.pread(fd, 1, at)
    os.pwrite(fd, bytes([was ^ bit]), at)


def looked_at(stores: Stores, generations: list[Generation]) -> Needed:
    """What a look at everything tells, as the test would compute it."""
    with stores.catalog.reader() as reader:
        check = ChunkCheck(stores.vault, lambda _: None, every_name)
        check.run(reader, None)
        hurt = hurt_by(check.damaged, stores.vault, reader, generations, goes_on)
        told: Needed = {}
        for one in hurt:
            pairs = {(path, moment) for path in one.paths for moment in one.generations}
            told[one.name] = pairs
    return told
