"""Random histories with kept commits, and what must be left of them: the model of expiry."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from itertools import pairwise

from agent.core.commit import Changes
from agent.core.ids import NOTHING, ROOT, CommitNumber, object_id
from agent.core.rows import decode_object, is_object, key_of
from agent.store.catalog.catalog import Catalog, Header
from agent.store.catalog.expiring.expiry import Expiry, Horizons
from agent.store.catalog.kept import KeptCommit
from agent.store.sqlite import query
from agent.store.vault.pack import PackEnd
from fakes.store_fakes import EPOCH, DictCatalog, dir_row, file_row, flat, name_row, number

_IDS = [object_id(1, counter) for counter in range(1, 6)]
_NAMES = [b"a", b"b", b"c"]
OWNERS = ("generation 1", "generation 2", "peer beta", "lease 7")
_TABLES = ("object", "name", "owed")


@dataclass
class KeptHistory:
    """A catalog beside a model of every state that it ever had. ``rows``, ``commits``, ``whole``: its horizons; ``kept``: what is
    kept, by number and owner; ``times``: of each commit (ns); ``anew``: those that follow nothing; ``thinned``: those that went
    as others of their second stay."""

    catalog: Catalog
    chance: random.Random
    model: DictCatalog = field(default_factory=DictCatalog)
    rows: CommitNumber = NOTHING
    commits: CommitNumber = NOTHING
    whole: CommitNumber = NOTHING
    times: dict[CommitNumber, int] = field(default_factory=dict)
    anew: set[CommitNumber] = field(default_factory=set)
    thinned: set[CommitNumber] = field(default_factory=set)
    kept: dict[tuple[CommitNumber, str], KeptCommit] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.catalog.begin_epoch(EPOCH)
        self.expiry = Expiry(self.catalog, self.chance.choice((1, 2, 3, 500)))

    def readable(self) -> list[CommitNumber]:
        """Every moment that must read as it was."""
        kept = {one.number for one in self.kept.values() if one.rows}
        return [moment for moment in self._moments() if moment >= self.rows or moment in kept]

    def known(self) -> list[CommitNumber]:
        """Every commit of which what it says of itself must be there."""
        kept = {number for number, _ in self.kept}
        return [moment for moment in self._moments() if moment >= self.commits or moment in kept]

    def _moments(self) -> list[CommitNumber]:
        return [moment for moment in sorted(self.model.states) if moment and moment not in self.thinned]

    def run(self, steps: int) -> None:
        """So many random acts; upkeep goes on by slices between them, as it does between commits."""
        acts = [self.commit] * 6 + [
            self.keep,
            self.let_go,
            self.move_horizons,
            self.thin,
            self.slice,
            self.slice,
            self.slice,
        ]
        self.commit()
        for _ in range(steps):
            self.chance.choice(acts)()

    def commit(self) -> None:
        """A few changes, now and then all anew."""
        chance, newest = self.chance, self.model.newest
        seq = CommitNumber(newest + 1) if newest else number(1)
        anew = newest != NOTHING and chance.random() < 0.04
        self.model.begin(restart=anew)
        if anew:
            self.catalog.restart_from_nothing(seq)
        changes = self._changes()
        self.catalog.stage(seq, changes)
        self.model.stage(changes)
        if files := [decode_object(row).id for row in changes.puts if is_object(row)]:
            self.catalog.owe(seq, files[: chance.randrange(2)])
        self.times[seq] = time = self.times.get(newest, 0) + chance.choice((0, 300_000_000, 1_000_000_000))
        self.catalog.seal(Header(seq, NOTHING if anew else newest, time, time, True), PackEnd(0, 0))
        self.model.seal(seq)
        if anew or not newest:
            self.anew.add(seq)

    def keep(self) -> None:
        """Somebody keeps some moment that can be read."""
        moment, owner = self.chance.choice(self.readable()), self.chance.choice(OWNERS)
        one = KeptCommit(moment, owner, self.chance.choice(("", "nightly")), 5, self.chance.random() < 0.8)
        self.catalog.keep([one])
        held = self.kept.get((moment, owner))
        self.kept[moment, owner] = replace(one, rows=one.rows or (held is not None and held.rows))

    def let_go(self) -> None:
        """One lets go of one or of all of its own."""
        owner = self.chance.choice(OWNERS)
        held = [number for number, of in self.kept if of == owner]
        numbers = self.chance.sample(held, 1) if held and self.chance.random() < 0.7 else None
        self.catalog.let_go(owner, numbers)
        for number_of in held if numbers is None else numbers:
            del self.kept[number_of, owner]

    def move_horizons(self) -> None:
        """History gets shorter, never longer: what is past the horizon is gone."""
        moments = [moment for moment in self.model.states if moment >= self.rows]
        rows = self.chance.choice(moments)
        self.commits = max(self.commits, self.chance.choice([one for one in self.model.states if one <= rows]))
        self.rows = rows
        self.slice()

    def thin(self) -> None:
        """A part of history that is left gets thinner."""
        before, self.whole = self.whole, max(self.whole, self.chance.choice(sorted(self.times)))
        kept, numbers = {number for number, _ in self.kept}, sorted(self.times)
        for one, following in pairwise(numbers):
            same = self.times[one] // 10**9 == self.times[following] // 10**9
            if max(before, self.rows) <= one < self.whole and same and one not in kept | self.anew:
                self.thinned.add(one)
        self.upkeep()

    def slice(self) -> None:
        """One slice of upkeep, if there is any."""
        self.expiry.turn(Horizons(self.rows, self.commits, self.whole))

    def upkeep(self) -> None:
        """One whole upkeep."""
        while self.expiry.turn(Horizons(self.rows, self.commits, self.whole)):
            pass

    def unequal(self) -> list[CommitNumber]:
        """The readable moments that do not read as they were."""
        return [
            moment
            for moment in self.readable()
            if sorted(flat(self.catalog.rows_at(moment, 3))) != sorted(self.model.states[moment].values())
        ]

    def wrong_differences(self) -> list[tuple[CommitNumber, CommitNumber]]:
        """Pairs of readable moments between which the catalog names another difference than the model."""
        moments = self.readable()
        pairs = [(a, b) for a in moments for b in moments]
        chosen = self.chance.sample(pairs, min(len(pairs), 6))
        return [
            (a, b)
            for a, b in chosen
            if {key: (old, new) for key, old, new in flat(self.catalog.difference(a, b, 2))}
            != self.model.difference(a, b)
        ]

    def lingering(self) -> list[tuple[str, int, int]]:
        """Rows of the database that no readable moment sees. One that lived on where history begins is judged when that is past
        its end: thinned moments may have seen it there."""
        moments, connection = self.readable(), self.catalog._connection
        return [
            (table, since, until)
            for table in _TABLES
            for since, until in query(connection, f"select since, until from {table}")
            if not any(since <= moment < until for moment in moments)
            and not any(max(since, self.rows) <= moment < until for moment in self.thinned if since < self.rows)
        ]

    def numbers(self) -> list[CommitNumber]:
        """The commits that the catalog knows of."""
        return [commit.number for commit in self.catalog.commits(NOTHING, 1000)]

    def _changes(self) -> Changes:
        chance = self.chance
        puts: dict[bytes, bytes] = {}
        for _ in range(chance.randrange(4)):
            row = self._row()
            puts[key_of(row)] = row
        can_go = sorted(self.model.staged.keys() - puts.keys())
        drops = chance.sample(can_go, min(len(can_go), chance.randrange(3)))
        return Changes(tuple(puts.values()), tuple(drops))

    def _row(self) -> bytes:
        chance = self.chance
        kind = chance.randrange(3)
        if kind == 0:
            return file_row(chance.choice(_IDS), chance.randrange(3), chance.choice((b"", b"x")))
        if kind == 1:
            return dir_row(chance.choice([ROOT, *_IDS]), chance.randrange(3))
        return name_row(chance.choice([ROOT, *_IDS]), chance.choice(_NAMES), chance.choice(_IDS))
