"""Somebody has the primary's credentials and sends what he likes: what was promised is still there, whole."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from agent.config.values import Brake, Dataset, Generations, Keep
from agent.core import chunks
from agent.core.digest import digest_of
from agent.core.ids import NOTHING, ROOT, CommitNumber, commit_number, object_id
from agent.core.rows import decode_object, encode_name, is_object, key_of
from agent.generations.taking import SourceAnswer, WantedGeneration
from agent.node.following.generations.generation_keeper import GenerationKeeper, RetentionTicks
from agent.store.catalog.expiring.expiry import Expiry, Horizons
from agent.store.catalog.generation import Cause
from fakes.clocks import SetClock
from fakes.hostile import data, offer, opened, seal, take
from fakes.stream_fakes import Secondary, directory_row, file_row

DAY = 86_400
FILES = [object_id(1, counter) for counter in range(1, 9)]
#: UTC ns: 1970 and 2099, as a commit may be dated.
DATES = (5, 4_070_908_800 * 10**9)


@dataclass(frozen=True)
class FakeDataset:
    """Rules that keep next to nothing of what is not promised, and no history to speak of."""

    name: str = "web"
    history: int = 1
    brake: Brake = Brake(window=1)
    generations: Generations = Generations(keep=Keep(last=1), immutable_for=7 * DAY)


@dataclass
class Attacked:
    """A secondary, and who calls it as its primary."""

    secondary: Secondary
    chance: random.Random
    rows: dict[bytes, bytes] = field(default_factory=dict)
    newest: CommitNumber = NOTHING
    seq: int = 0

    def __post_init__(self) -> None:
        self.clock = SetClock()
        self.keeper = GenerationKeeper(RetentionTicks(self.clock, "boot"), lambda: cast(Dataset, FakeDataset()))
        self.receiver = opened(self.secondary)

    def commit(self, contents: list[bytes], date: int) -> None:
        """All files with these contents, none for the others, dated so."""
        rows: dict[bytes, bytes] = {key_of(directory_row(ROOT)): directory_row(ROOT)}
        for id, raw in zip(FILES, contents, strict=False):
            content = chunks.encode_one(len(raw), chunks.name_of(raw))
            for row in (file_row(id, content, len(raw)), encode_name(ROOT, b"file %d" % id, id)):
                rows[key_of(row)] = row
        puts = [row for key, row in rows.items() if self.rows.get(key) != row]
        drops = [key for key in self.rows if key not in rows]
        self._send(contents, puts, drops, list(rows.values()), date)
        self.rows = rows

    def _send(self, contents: list[bytes], puts: list[bytes], drops: list[bytes], rows: list[bytes], date: int) -> None:
        self.seq += 1
        number = commit_number(1, self.seq)
        sealed = seal(rows, len(puts) + len(drops), number, self.newest, entries=len(contents))
        sealed = replace(sealed, time=date, bytes=sum(map(len, contents)))
        parts = [data(raw) for raw in contents]
        take(self.receiver, *parts, offer(puts, drops, number, self.newest), sealed)
        self.newest = number

    def keep(self, pinned: bool) -> tuple[str, CommitNumber, bytes]:
        """A generation of what is here now: its name, commit and the digest of its rows."""
        wanted = WantedGeneration(Cause.DEMAND, pinned=pinned)
        one = self.keeper.keep(self.secondary.catalog, wanted, SourceAnswer(NOTHING))
        return one.name, one.number, digest_of(list(self.rows.values()))

    def upkeep(self) -> None:
        """What a node does by itself: generations, history and rows that nobody can read go."""
        begins, expiry = self.keeper.upkeep(self.secondary.catalog), Expiry(self.secondary.catalog)
        while expiry.turn(Horizons(begins, begins)):
            pass

    def noise(self) -> list[bytes]:
        """Random contents for every file."""
        return [self.chance.randbytes(100) for _ in FILES]


def test_what_is_promised_and_pinned_stays_whatever_is_sent(tmp_path: Path, seed: int) -> None:
    """Noise over everything, floods of commits of 1970 and of 2099, and all deleted: each generation younger than immutable_for,
    and each pin however old, reads as it was, to the last byte."""
    secondary = Secondary(tmp_path)
    attacked = Attacked(secondary, random.Random(seed))
    attacked.commit([b"old"] * len(FILES), 5)
    old_pin = attacked.keep(pinned=True)
    attacked.clock.advance(30 * DAY)
    kept = [old_pin]
    for day in range(6):
        contents = [b"day %d file %d" % (day, number) for number in range(len(FILES))]
        attacked.commit(contents, 5)
        kept.append(attacked.keep(pinned=False))
        attacked.clock.advance(DAY)
        attacked.upkeep()
    for step in range(60):
        attacked.commit([] if step % 20 == 19 else attacked.noise(), DATES[step % 2])
        attacked.clock.advance(10)
        attacked.upkeep()
    catalog = secondary.catalog
    there = {one.name: one.number for one in catalog.generations()}
    assert {name: number for name, number, _ in kept} == {name: there.get(name) for name, _, _ in kept}
    for _, number, digest in kept:
        rows = [row for page in catalog.rows_at(number) for row in page]
        assert digest == digest_of(rows)
        assert [] == secondary.vault.missing(_named(rows))
    attacked.receiver.close()
    secondary.close()


def _named(rows: list[bytes]) -> list[bytes]:
    """The chunks that files of these rows name."""
    content = [decode_object(row).content for row in rows if is_object(row)]
    return [name for one in content for _, name in chunks.names_in(one)]
