"""Chunks of a vault that are checked by schedule: shares go round, damage is told until it is none, and an end is soon."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.capture.files.read_back import TreeSource
from agent.config import load
from agent.config.values import Dataset
from agent.core import chunks
from agent.core.chunks import name_of
from agent.core.clock import ManualClock
from agent.core.commit import Changes
from agent.core.errors import StoreFailed, TryAgain
from agent.core.ids import ROOT, ObjectId, object_id
from agent.core.kept import VaultVerified
from agent.core.problem import Problem, ProblemBoard
from agent.generations.checked_names import PLACES
from agent.generations.checking import UNREAD_MOST
from agent.node.following.checking.check_record import CheckRecord
from agent.node.following.checking.checked_chunks import CheckedChunks
from agent.node.following.checking.scheduled_checks import CheckLimits, ScheduledChecks, Unhurried, part_of_ring
from agent.repair.from_standby import Restoring
from agent.repair.lost_chunks import Mending
from agent.store.catalog.reader import CatalogReader
from agent.store.local import Local
from agent.store.vault.limits import VaultLimits
from agent.store.vault.vault import Vault
from fakes.collected_stores import Stores, list_of
from fakes.store_fakes import expire, header, name_row, number

HOUR, DAY = 3600.0, 86_400.0
FILES, BYTES = 200, 99
SPEEDY = CheckLimits(rest=0.0)


class Side:
    """An open standby."""

    def __init__(self, dataset: Dataset, stores: Stores, local: Local, board: ProblemBoard, clock: ManualClock) -> None:
        self.dataset, self.stores = dataset, stores
        self.is_settled, self.connected = True, False
        self.mending = Mending(stores.vault, local, "alpha", board, clock=clock)

    @property
    def vault(self) -> Vault:
        """Where the chunks are."""
        return self.stores.vault

    def reader(self) -> CatalogReader:
        return self.stores.catalog.reader()

    def restoring(self) -> Restoring:
        reader = self.stores.catalog.reader
        return Restoring(self.stores.vault, reader, TreeSource(self.dataset.path, reader()))


class ToldReads(Vault):
    """A vault that tells of each read."""

    told: Callable[[bytes], None] = staticmethod(lambda _: None)

    def read_stored(self, name: bytes) -> bytes:
        """As a vault does."""
        self.told(name)
        return super().read_stored(name)


class Rig:
    """A standby whose vault is checked each day, a quarter at a time."""

    def __init__(self, place: Path, dataset: Dataset) -> None:
        self.dataset, self.clock = dataset, ManualClock()
        self.stores = Stores(place)
        self.stores.vault.close()
        self.stores.vault = ToldReads.open(str(place / "vault"), self.stores.committed, VaultLimits(cache=0, flush=1))
        self.local = Local.open(str(place / "local.db"))
        self.slot = threading.Semaphore(1)
        self.reads: list[bytes] = []
        self._counted = 0
        self.told(self.reads.append)
        self.start()

    def told(self, told: Callable[[bytes], None]) -> None:
        """Who hears of reads."""
        assert isinstance(self.stores.vault, ToldReads)
        self.stores.vault.told = told

    def start(self, limits: CheckLimits = SPEEDY) -> None:
        """As at a start of the agent."""
        self.board = ProblemBoard()
        self.side = Side(self.dataset, self.stores, self.local, self.board, self.clock)
        record = CheckRecord("web", self.local, self.board, self.clock)
        self.checks = ScheduledChecks(self.side, record, self.board, self.clock, self.slot, limits)
        self._look()

    def put_files(self) -> None:
        """So many of one chunk each, in one commit."""
        for id in range(FILES):
            self.stores.write(object_id(1, 100 + id), self.stores.put(b"%03d" % id * (BYTES // 3)))

    def name(self, path: bytes, id: ObjectId) -> None:
        """A commit that gives a file its name."""
        self.stores.seq += 1
        self.stores.catalog.write(Changes((name_row(ROOT, path, id),)), header(self.stores.seq))

    def after(self, seconds: float) -> int:
        """How many chunks were read since the last call, a start's own look included, and are by then, at two looks."""
        self.clock.advance(seconds)
        for _ in range(2):
            self._look()
        self.checks.tick()
        read, self._counted = len(self.reads) - self._counted, len(self.reads)
        return read

    def _look(self) -> None:
        """To the end of what is begun."""
        self.checks.tick()
        if self.checks._thread is not None:
            self.checks._thread.join(60)

    def facts(self) -> VaultVerified:
        return self.checks.record.facts()

    def problems(self) -> list[Problem]:
        return self.board.listed()[0]

    def codes(self) -> list[tuple[str, bytes]]:
        return [(str(one.code), one.path) for one in self.problems()]

    def close(self) -> None:
        self.checks.close()
        self.local.close()
        self.stores.close()


@pytest.fixture
def it(tmpfs_dir: Path) -> Iterator[Rig]:
    """With nothing in it."""
    tree = tmpfs_dir / "tree"
    tree.mkdir()
    file = tmpfs_dir / "agent.toml"
    file.write_text(
        f'[node]\nname = "beta"\nlisten = "127.0.0.1:1"\nstate_dir = "{tmpfs_dir}/state"\nadmin_socket = "{tmpfs_dir}/s"\n'
        f'[tls]\nca = "{tmpfs_dir}/ca"\ncert = "{tmpfs_dir}/c"\nkey = "{tmpfs_dir}/k"\n'
        '[[peer]]\nname = "alpha"\naddress = "127.0.0.1:2"\n'
        f'[[dataset]]\nname = "web"\npath = "{tree}"\nprimary = "alpha"\nstandby = ["beta"]\n'
        '[dataset.generations]\nverify = "30 4 * * *"\nverify_share = "25%"\n'
    )
    rig = Rig(tmpfs_dir, load(str(file)).datasets[0])
    yield rig
    rig.close()


def test_shares_go_round(it: Rig) -> None:
    """Not at once; a part each day, after which each chunk was read once; nothing for a month; then the same again."""
    it.put_files()
    assert (0, None) == (it.after(60.0), it.facts().since_ns)
    shares = [it.after(DAY) for _ in range(4)]
    assert (FILES, FILES, True) == (
        sum(shares),
        len(set(it.reads)),
        all(FILES // 8 < one < FILES // 2 for one in shares),
    )
    facts, now = it.facts(), it.clock.now_ns()
    assert facts.since_ns is not None
    assert facts.last is not None
    assert 3 * DAY <= (now - facts.since_ns) / 1e9 < 4 * DAY
    assert (0, shares[3] * BYTES) == (facts.damaged, facts.last.checked_bytes)
    assert 0 == sum(it.after(DAY) for _ in range(26))
    assert FILES == sum(it.after(DAY) for _ in range(4))


def test_what_was_missed_is_made_up_once_after_a_restart(it: Rig) -> None:
    """The agent was down for a week: one share, and the next on the next day."""
    it.put_files()
    it.after(60.0)
    it.checks.close()
    it.clock.advance(7 * DAY)
    it.start()
    first = it.after(1.0)
    assert (True, 0) == (0 < first < FILES // 2, it.after(HOUR))
    assert 0 < it.after(DAY) < FILES // 2


def test_who_is_ended_goes_on_where_it_was(it: Rig) -> None:
    """What was kept as checked is not read again, over a restart of the agent; what was under way is."""
    it.dataset = replace(it.dataset, generations=replace(it.dataset.generations, verify_share=1.0))
    it.put_files()
    it.start(CheckLimits(names=20, rest=0.0))

    def ends(name: bytes) -> None:
        it.reads.append(name)
        if len(it.reads) == FILES // 2:
            it.checks.leave()

    it.told(ends)
    assert (FILES // 2, None, []) == (it.after(DAY + HOUR), it.facts().last, it.codes())
    it.checks.close()
    it.told(it.reads.append)
    it.start()
    more = it.after(1.0)
    assert (True, FILES) == (FILES // 2 <= more < FILES // 2 + 60, len(set(it.reads)))


def test_what_was_verified_by_hand_is_passed_over(it: Rig) -> None:
    """For as long as what was read by schedule."""
    it.put_files()
    it.after(60.0)
    now = it.clock.now_ns()
    it.checks.record.checked_all(now, now, CheckedChunks(5))
    assert (0, now) == (sum(it.after(DAY) for _ in range(29)), it.facts().since_ns)
    assert 0 < it.after(2 * DAY)


def test_what_an_earlier_moment_lost_is_told_until_that_moment_is_gone(it: Rig) -> None:
    """With its path, also over a restart; it is looked at again each hour."""
    old, file = b"lost" * 9, object_id(1, 7)
    it.name(b"below", file)
    it.stores.write(file, chunks.encode(list_of(old)))
    it.stores.write(file, it.stores.put(b"now"))
    for _ in range(4):
        it.after(DAY)
    assert ([("vault-damaged", b"below")], 1) == (it.codes(), it.facts().damaged)
    assert "needed in history only" in it.problems()[0].message
    it.checks.close()
    it.start()
    assert [("vault-damaged", b"below")] == it.codes()
    expire(it.stores.catalog, number(it.stores.seq))
    it.after(HOUR + 60)
    assert ([], 0) == (it.codes(), it.facts().damaged)


def test_damage_is_put_back_from_the_standby(it: Rig) -> None:
    """What its file holds; the result says so."""
    raw, file = os.urandom(300), object_id(1, 7)
    Path(it.side.dataset.path, "kept").write_bytes(raw)
    it.name(b"kept", file)
    it.stores.write(file, chunks.encode(list_of(raw)))
    lasts = []
    for _ in range(4):
        it.after(DAY)
        lasts.append(it.facts().last)
    assert [(1, 1)] == [(one.damaged, one.mended) for one in set(lasts) if one is not None and one.damaged]
    assert ([], [True]) == (it.codes(), it.stores.held(raw))


def test_it_is_told_when_all_was_read_too_long_ago(it: Rig) -> None:
    """Twice what share and schedule promise, or what is passed over, whichever is longer; a whole lap ends it."""
    terms = replace(it.dataset.generations, verified_within=int(2 * DAY))
    it.dataset = replace(it.dataset, generations=terms)
    it.put_files()
    it.start()
    it.side.is_settled = False
    it.after(6 * DAY)
    assert [] == it.codes()
    it.after(DAY)
    assert [("generations-unverified", b"")] == it.codes()
    assert "never read and checked as a whole" in it.problems()[0].message
    it.side.is_settled = True
    for _ in range(4):
        it.after(DAY)
    assert [] == it.codes()


def test_a_disk_that_fails_is_told_and_tried_again(it: Rig) -> None:
    """Nothing is taken for lost, and nothing is forgotten."""
    it.dataset = replace(it.dataset, generations=replace(it.dataset.generations, verify_share=1.0))
    it.put_files()
    it.start()

    def fails(name: bytes) -> None:
        it.reads.append(name)
        raise StoreFailed("read a chunk", "00000001.pack", "Input/output error")

    it.told(fails)
    assert (UNREAD_MOST + 1, [("generations-unverified", b"")], 0) == (
        it.after(DAY + HOUR),
        it.codes(),
        it.facts().damaged,
    )
    it.told(it.reads.append)
    assert (0, FILES, []) == (it.after(60.0), it.after(600.0), it.codes())


def test_what_the_disk_does_not_give_is_told_and_not_forgotten(it: Rig) -> None:
    """It may be there again, and is looked at again."""
    raw, file = b"behind a bad sector", object_id(1, 7)
    it.name(b"kept", file)
    it.stores.write(file, it.stores.put(raw))

    def fails(_name: bytes) -> None:
        raise StoreFailed("read a chunk", "00000001.pack", "Input/output error")

    it.told(fails)
    for _ in range(4):
        it.after(DAY)
    assert ([("vault-damaged", b"kept")], []) == (it.codes(), it.stores.vault.missing([name_of(raw)]))
    assert "--deep --repair" in it.problems()[0].remedy
    it.told(it.reads.append)
    it.after(HOUR + 60)
    assert ([], 0) == (it.codes(), it.facts().damaged)


def test_one_at_a_time_on_a_node(it: Rig) -> None:
    """The next begins when the place is free."""
    it.put_files()
    it.slot.acquire()
    assert 0 == it.after(DAY + HOUR)
    it.slot.release()
    assert 0 < it.after(1.0)


def test_another_schedule_is_not_made_up_for(it: Rig) -> None:
    """Nor is any after "none", by which nothing is ever begun or overdue."""
    it.put_files()
    it.side.dataset = replace(it.dataset, generations=replace(it.dataset.generations, verify="none"))
    assert (0, []) == (it.after(300 * DAY), it.codes())
    it.side.dataset = it.dataset
    assert (0, []) == (it.after(1.0), it.codes())
    assert 0 < it.after(DAY + HOUR)


def test_a_first_sync_is_waited_for(it: Rig) -> None:
    """There is nothing to be said of it."""
    it.put_files()
    it.side.is_settled = False
    assert 0 == it.after(2 * DAY)
    it.side.is_settled = True
    assert 0 < it.after(1.0)


class Rests(threading.Event):
    """Notes how long it would be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.rests: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        """At once."""
        self.rests.append(timeout or 0.0)
        return self.is_set()


def test_who_has_no_hurry_rests_longer_than_it_works() -> None:
    """Not before a slice is over, never longer than is allowed, and it ends when it is asked to."""
    stop = Rests()
    Unhurried("web", stop, CheckLimits(slice=3600.0))()
    assert [] == stop.rests
    Unhurried("web", stop, CheckLimits(slice=0.0, rest=1e9))()
    assert [CheckLimits().rest_most] == stop.rests
    stop.set()
    with pytest.raises(TryAgain):
        Unhurried("web", stop, CheckLimits(slice=3600.0))()


class Names:
    """A vault of so many chunks, evenly over the ring."""

    def __init__(self, count: int) -> None:
        self.count = count

    def entries(self, _after: bytes, limit: int) -> list[tuple[bytes, object]]:
        return [((PLACES * at // self.count).to_bytes(4), None) for at in range(min(limit, self.count))]


@pytest.mark.parametrize("count", [0, 1, 999, 1000, 150_000, 20_000_000, 1 << 32])
def test_a_part_has_about_so_many_names(count: int) -> None:
    """All where they are fewer; nothing is counted for it."""
    part = part_of_ring(Names(count), 200_000)
    assert pytest.approx(min(count, 200_000), rel=0.01) == count * part / PLACES
    assert (True, True) == (0 < part <= PLACES, part == PLACES or count > 100_000)
