"""Catalog and vault of a standby through random years: what is taken, let go, collected, killed, and what must still be read."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from agent.config.values import Brake, Dataset, Generations, Keep
from agent.core import chunks
from agent.core.chunks import DATA, PIECE
from agent.core.commit import Changes
from agent.core.ids import NOTHING, ROOT, CommitNumber
from agent.core.rows import (
    ObjectRow,
    decode_object,
    encode_object,
    is_object,
    key_of,
    object_key,
)
from agent.generations.taking import SourceAnswer, WantedGeneration
from agent.node.following.generations.generation_keeper import GenerationKeeper, RetentionTicks
from agent.store.catalog.catalog import Catalog, Header
from agent.store.catalog.expiring.expiry import Expiry, Horizons
from agent.store.catalog.generation import Cause
from agent.store.catalog.leases import Lease, take_lease
from agent.store.collection import CollectionLimits, collect
from agent.store.vault.index import remove_index
from agent.store.vault.limits import VaultLimits
from agent.store.vault.pack import PackEnd
from agent.store.vault.pack_use import CompactionLimits
from agent.store.vault.vault import Vault
from fakes.clocks import SetClock
from fakes.random_files import CALL, RandomFiles, Rows
from fakes.store_fakes import EPOCH, flat, number

DAY = 86_400
_SECOND = 10**9
_LIMITS = VaultLimits(pack=40_000, cache=0, flush=5)
_NO_END = PackEnd(0, 0)
_COLLECTION = CollectionLimits(room=1 << 30, names_exactly=40, compaction=CompactionLimits(waste=0.0, least=0.02))


class Killed(Exception):
    """The agent ended in the middle of a collection."""


@dataclass(frozen=True)
class KeptDataset:
    """What a keeper reads of one."""

    name: str = "web"
    history: int = DAY
    brake: Brake = Brake(window=60)
    generations: Generations = Generations(keep=Keep(last=2))


@dataclass
class KeptStores:
    """``states``: the rows of each commit; ``times``: what it says of itself; ``taken``: when each generation was,
    ``promised``: until when each generation
    may not go, by what really passed (ns); ``gone``: before this moment history may have been let go."""

    place: Path
    chance: random.Random
    dataset: KeptDataset = KeptDataset()
    states: dict[CommitNumber, Rows] = field(default_factory=dict)
    sealed: dict[CommitNumber, int] = field(default_factory=dict)
    times: dict[CommitNumber, int] = field(default_factory=dict)
    taken: dict[str, int] = field(default_factory=dict)
    promised: dict[str, int] = field(default_factory=dict)
    pinned: set[str] = field(default_factory=set)
    leases: list[tuple[CommitNumber, Lease]] = field(default_factory=list)
    now: int = 0
    gone: int = -1
    images: int = 0
    boots: int = 0
    rows: Rows = field(default_factory=dict)
    collected: PackEnd = _NO_END

    def __post_init__(self) -> None:
        self.clock = SetClock()
        self.files = RandomFiles(self.chance)
        self.home = self.place / "0"
        self.home.mkdir()
        self._open()
        self.catalog.begin_epoch(EPOCH)
        self.commit()

    def run(self, steps: int) -> None:
        """So many random acts. After each of them nothing is lost."""
        acts: list[Callable[[], None]] = (
            [self.commit] * 6 + [self.pass_time] * 4 + [self.upkeep] * 4 + [self.collect] * 4
        )
        acts += [self.take, self.take, self.expire, self.expire, self.pin, self.jump, self.reload]
        acts += [self.lease, self.end_lease, self.end_lease, self.kill, self.reboot]
        for _ in range(steps):
            act = self.chance.choice(acts)
            act()
            assert [] == self.lost(), act.__name__

    def close(self) -> None:
        """All."""
        for _, lease in self.leases:
            lease.close()
        self.vault.close()
        self.catalog.close()

    # --- acts

    def commit(self) -> None:
        """A few changes, as a call brings them: what is missing is added, what is there is relied on meanwhile."""
        rows = {**self.rows, object_key(ROOT): encode_object(ObjectRow(ROOT, 0o40755, 0, 0, len(self.states)))}
        for _ in range(self.chance.randrange(1, 4)):
            self.files.change(rows, self.vault)
        puts = tuple(row for key, row in rows.items() if self.rows.get(key) != row)
        drops = tuple(key for key in self.rows if key not in rows)
        newest = self.catalog.newest()
        before = newest.number if newest is not None else NOTHING
        following = CommitNumber(before + 1) if newest is not None else number(1)
        end = self.vault.sync()
        now = self.clock.now_ns()
        self.catalog.stage(following, Changes(puts, drops))
        self.catalog.seal(Header(following, before, now, now, True), end)
        self.vault.unpin(CALL)
        self.rows = self.states[following] = rows
        self.sealed[following] = self.now
        self.times[following] = max(now, self.times.get(before, 0))

    def take(self) -> None:
        """A generation of the newest commit."""
        pinned = self.chance.random() < 0.05
        wanted = WantedGeneration(self.chance.choice(list(Cause)), pinned=pinned)
        one = self.keeper.keep(self.catalog, wanted, SourceAnswer(NOTHING))
        self.taken[one.name] = self.now
        self._promise([one.name])
        if pinned:
            self.pinned.add(one.name)

    def _promise(self, names: Collection[str]) -> None:
        """What the rules promise now holds for these, whatever they say later."""
        immutable = (self.dataset.generations.immutable_for or 0) * _SECOND
        for name in names:
            self.promised[name] = max(self.promised.get(name, 0), self.taken[name] + immutable)

    def upkeep(self) -> None:
        """By whoever has the catalog; perhaps not to its end."""
        self._promise(self._names())
        begins = self.keeper.upkeep(self.catalog)
        self.gone = max(self.gone, self.now - self.dataset.history * _SECOND)
        for _ in range(self.chance.choice((0, 3, 1000, 1000))):
            if not self.expiry.turn(Horizons(begins, begins, self.keeper.whole_since(self.catalog))):
                break

    def expire(self) -> None:
        """By command; a dry run says before what it does."""
        with self.catalog.reader() as reader:
            said = {one.generation.name for one in self.keeper.verdicts(reader) if one.goes}
        before = self._names()
        self.keeper.expire_all(self.catalog)
        assert said == before - self._names()

    def pin(self) -> None:
        """One is pinned, or is not any more."""
        if generations := self.catalog.generations():
            one = self.chance.choice([one for one in generations if one.pinned] or generations)
            self.catalog.keep_generations([replace(one, pinned=not one.pinned)])
            self.pinned ^= {one.name}

    def reload(self) -> None:
        """Other rules and promises."""
        keep = self.chance.choice((Keep(last=1), Keep(last=3), Keep(hourly=2, daily=2), Keep(labels=("none",))))
        immutable = self.chance.choice((None, None, 3600, 3 * DAY))
        history = self.chance.choice((60, 60, 600, 3600, DAY))
        self.dataset = replace(
            self.dataset, history=history, generations=Generations(keep=keep, immutable_for=immutable)
        )

    def pass_time(self) -> None:
        """Minutes, or days."""
        seconds = self.chance.choice((60, 1800, 7200, DAY, 4 * DAY))
        self.now += seconds * _SECOND
        self.clock.advance(seconds)

    def jump(self) -> None:
        """Somebody sets the clock, by hours or by half a century."""
        self.clock.set_by(self.chance.choice((-1, 1)) * self.chance.choice((3600, 40 * DAY, 50 * 365 * DAY)))
        if self.clock.now_ns() < 0:
            self.clock.set_by(50 * 365 * DAY)

    def lease(self) -> None:
        """A restore or a mount begins to read something."""
        at = self.chance.choice(self._readable())
        self.leases.append((at, take_lease(self.catalog.path, at, "a mount")))

    def end_lease(self) -> None:
        """It ends."""
        if self.leases:
            self.leases.pop(self.chance.randrange(len(self.leases)))[1].close()

    def collect(self) -> None:
        """What came before the last one and nothing names goes; commits come meanwhile, and perhaps the agent is killed."""
        dies, comes = self.chance.random() < 0.3, self.chance.random() < 0.7

        def look() -> None:
            if dies and self.chance.random() < 0.1:
                self._image()
                raise Killed
            if comes and self.chance.random() < 0.6:
                self.chance.choice((self.commit, self.commit, self.commit, self.take, self.upkeep))()

        end = self.vault.sync()
        try:
            with self.catalog.reader() as reader:
                collect(self.vault, reader, self.collected, look, _COLLECTION)
        except Killed:
            self._open_image()
        else:
            self.vault.sync()
            self.collected = end

    def kill(self) -> None:
        """Between two acts."""
        self._image()
        self._open_image()

    def reboot(self) -> None:
        """The machine is off for some days; its clock may be dead afterwards."""
        self.kill()
        off = self.chance.choice((10, 3600, 20 * DAY))
        self.now += off * _SECOND
        shown = self.chance.choice((0, self.clock.now_ns() + off * _SECOND))
        self.clock = SetClock(shown)
        self.boots += 1
        self._begin_to_keep()

    # --- what must be there

    def lost(self) -> list[str]:
        """What is not as it must be, in words."""
        names = self._names()
        must = {name for name, until in self.promised.items() if until > self.now} | self.pinned
        found = [f"{name} is gone" for name in sorted(must - names)]
        moments = {one.number for one in self.catalog.generations()} | {at for at, _ in self.leases}
        in_reach = self._in_reach()
        moments |= set(self.chance.sample(in_reach, min(len(in_reach), 3)))
        return found + [f"{at}: {why}" for at in sorted(moments) if (why := self._wrong(at))]

    def all_lost(self) -> list[str]:
        """The same of every generation, and of 30 moments of what history must reach."""
        in_reach = self._in_reach()
        moments = self.chance.sample(in_reach, min(len(in_reach), 30))
        return self.lost() + [f"{at}: {why}" for at in moments if (why := self._wrong(at))]

    def _wrong(self, at: CommitNumber) -> str:
        if not self.catalog.is_readable(at):
            return "cannot be read"
        rows = {key_of(row): row for row in flat(self.catalog.rows_at(at))}
        if rows != self.states[at]:
            return "other rows"
        for row in rows.values():
            if is_object(row) and (what := self._wrong_content(decode_object(row).content)):
                return what
        return ""

    def _wrong_content(self, content: bytes) -> str:
        for kind, name in chunks.names_in(content):
            raw = self.files.raws[name] if kind == DATA else self.files.lists[name]
            if self.vault.missing_in_packs([name]) or self.vault.read(name) != raw:
                return f"a chunk of kind {kind} is gone"
            if kind == PIECE and (what := self._wrong_content(raw)):
                return what
        return ""

    def _in_reach(self) -> list[CommitNumber]:
        """What stood when history begins for sure, and all that came after, but for what may be thinned."""
        before = [at for at, sealed in self.sealed.items() if sealed <= self.gone]
        return [at for at in self.sealed if (not before or at >= max(before)) and not self._may_be_thinned(at)]

    def _may_be_thinned(self, at: CommitNumber) -> bool:
        """It is older than some minutes, and another of its second came after it."""
        following = self.times.get(CommitNumber(at + 1))
        is_old = self.now - self.sealed[at] >= 600 * _SECOND
        return is_old and following is not None and following // _SECOND == self.times[at] // _SECOND

    def _readable(self) -> list[CommitNumber]:
        return self._in_reach() + [one.number for one in self.catalog.generations()]

    def _names(self) -> set[str]:
        return {one.name for one in self.catalog.generations()}

    # --- the agent

    def _open(self) -> None:
        self.catalog = Catalog.open(str(self.home / "catalog.db"))
        self.vault = Vault.open(str(self.home / "vault"), self.catalog.pack_end(), _LIMITS)
        self._begin_to_keep()

    def _begin_to_keep(self) -> None:
        self.expiry = Expiry(self.catalog, self.chance.choice((1, 3, 500)))
        ticks = RetentionTicks(self.clock, f"boot {self.boots}")
        self.keeper = GenerationKeeper(ticks, lambda: cast(Dataset, self.dataset))

    def _image(self) -> None:
        """All that a kill now would leave."""
        self.images += 1
        shutil.copytree(self.home, self.place / str(self.images), ignore=shutil.ignore_patterns("leases", "*-shm"))

    def _open_image(self) -> None:
        """The agent starts again on the newest image; who reads something goes on, and so do those of other processes."""
        self.vault.close()
        self.catalog.close()
        old, self.home = self.home, self.place / str(self.images)
        reading = [at for at, _ in self.leases]
        for _, lease in self.leases:
            lease.close()
        shutil.rmtree(old)
        if self.chance.random() < 0.3:
            remove_index(str(self.home / "vault" / "index.db"))
        self.leases = [(at, take_lease(str(self.home / "catalog.db"), at, "a mount")) for at in reading]
        self._open()
