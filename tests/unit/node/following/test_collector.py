"""A collection a day: of what lay there a day ago, ended with the dataset, tried again where it failed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.chunks import name_of
from agent.core.clock import ManualClock
from agent.core.commit import Changes
from agent.core.errors import HikaeError, StoreFailed, TryAgain
from agent.node.following.collector import CollectedStores, Collector
from agent.store.catalog.kept import KeptCommit
from agent.store.catalog.reader import CatalogReader
from agent.store.local import Local
from agent.store.vault.limits import VaultLimits
from agent.store.vault.pack import PackEnd
from agent.store.vault.vault import Vault
from fakes.eventually import eventually
from fakes.store_fakes import begun, chunk, header, number

DAY = 86_400.0


class Standing:
    """Stores of a standby and their collector."""

    def __init__(self, place: Path) -> None:
        self.clock = ManualClock()
        self.catalog = begun(str(place / "catalog.db"))
        self.local = Local.open(str(place / "local.db"))
        self.vault = Vault.open(str(place / "vault"), PackEnd(0, 0), VaultLimits(flush=1))
        self.seq = 1
        self.failures: list[HikaeError] = []
        self.damaged: list[bytes] = []
        self.reader = self.catalog.reader
        stores = CollectedStores(
            self.vault,
            self._read,
            self.catalog.newest,
            self.local,
            lambda: 1 << 30,
            lambda: self.catalog.let_go_moves,
            self._damaged,
        )
        self.collector = Collector(stores, self.clock, self.failures.append)

    def _damaged(self, names: list[bytes], reason: str) -> None:
        self.damaged += names

    def _read(self) -> CatalogReader:
        return self.reader()

    def put(self) -> bytes:
        """A chunk that nothing names; its name."""
        raw = os.urandom(500)
        self.vault.add([chunk(raw)], [raw])
        self.vault.sync()
        return name_of(raw)

    def a_day(self) -> None:
        """A day goes by with a commit, and what is begun then comes to its end."""
        self.seal()
        self.clock.advance(DAY)
        self.turn()

    def seal(self) -> None:
        """A commit in which nothing changes."""
        self.seq += 1
        self.catalog.write(Changes(()), header(self.seq))

    def turn(self, *, hurry: bool = False) -> None:
        """One look, and until what it began is over."""
        self.collector.tick(hurry=hurry)
        thread = self.collector._thread
        if thread is not None:
            eventually(lambda: not thread.is_alive())

    def close(self) -> None:
        """All of it."""
        self.collector.close()
        self.vault.close()
        self.local.close()
        self.catalog.close()


@pytest.fixture
def standing(tmp_path: Path) -> Iterator[Standing]:
    """With nothing in it."""
    made = Standing(tmp_path)
    yield made
    made.close()


def test_what_nothing_named_for_a_day_goes(standing: Standing) -> None:
    """The first look only notes where the packs end; what came since the last collection is left for the next."""
    old = standing.put()
    standing.turn()
    young = standing.put()
    standing.turn()
    assert [] == standing.vault.missing([old, young])
    standing.a_day()
    assert [old] == standing.vault.missing([old, young])
    standing.a_day()
    assert [old, young] == standing.vault.missing([old, young])


def test_nothing_goes_before_another_commit_was_sealed(standing: Standing) -> None:
    """It may take days, with calls that end: what came for it, and no call relies on now, stays for the next one."""
    came = standing.put()
    standing.turn()
    standing.clock.advance(3 * DAY)
    standing.turn()
    assert [] == standing.vault.missing([came])
    standing.seal()
    standing.turn()
    assert [came] == standing.vault.missing([came])


def test_nothing_goes_while_an_adopted_tree_stands_for_chunks(standing: Standing) -> None:
    """They are not in packs yet."""

    class Tree:
        """What stands there."""

        def rely(self, names: object) -> set[bytes]:
            """None of these."""
            return set()

        def sync(self) -> None:
            """Nothing to do."""

        def chunk(self, name: bytes) -> bytes | None:
            """Nothing."""

        def drop(self, names: object) -> None:
            """Nothing."""

    old = standing.put()
    standing.turn()
    standing.vault.elsewhere = Tree()
    standing.a_day()
    assert [] == standing.vault.missing([old])
    standing.vault.elsewhere = None
    standing.turn()
    assert [old] == standing.vault.missing([old])


def test_a_failure_is_told_or_tried_again_later(standing: Standing) -> None:
    """What ends the vault is told; a catalog that cannot be read now is asked again an hour later."""
    old = standing.put()
    standing.turn()

    def fails() -> CatalogReader:
        raise StoreFailed("read the catalog", "catalog.db", "Input/output error")

    standing.reader = fails
    standing.a_day()
    assert ["Input/output error"] == [one.reason for one in standing.failures]
    standing.reader = standing.catalog.reader
    standing.turn()
    assert [old] == standing.vault.missing([old])


def test_it_comes_sooner_where_room_is_short(standing: Standing) -> None:
    """After ten minutes, also where no commit came: none may come."""
    old = standing.put()
    standing.turn()
    standing.clock.advance(599)
    standing.turn(hurry=True)
    assert ([], 0) == (standing.vault.missing([old]), standing.collector.ended)
    standing.clock.advance(1)
    standing.turn(hurry=True)
    assert ([old], 1) == (standing.vault.missing([old]), standing.collector.ended)


def test_it_comes_sooner_after_somebody_let_go(standing: Standing) -> None:
    """An hour after the last one, and once."""
    old = standing.put()
    standing.turn()
    standing.seal()
    standing.catalog.keep([KeptCommit(number(1), "generation")])
    standing.catalog.let_go("generation", None)
    standing.clock.advance(3600)
    standing.turn()
    assert ([old], 1) == (standing.vault.missing([old]), standing.collector.ended)
    standing.seal()
    standing.clock.advance(3600)
    standing.turn()
    assert 1 == standing.collector.ended


def test_what_one_would_do_is_counted_and_nothing_goes(standing: Standing) -> None:
    """The same that the next one does; what came since the last is none of it."""
    with pytest.raises(TryAgain, match="not noted yet"):
        standing.collector.plan(nothing)
    old = standing.put()
    standing.turn()
    young = standing.put()
    standing.seal()
    planned = standing.collector.plan(nothing)
    assert (0, standing.clock.now_ns()) == (len(planned.plan.drop), planned.since)
    assert [] == standing.vault.missing([old, young])


def test_one_that_is_asked_for_waits_for_no_day(standing: Standing) -> None:
    """It tells what went; without a commit since the last one it says why there is none."""
    old = standing.put()
    standing.turn()
    asked = standing.collector.ask()
    standing.turn()
    with pytest.raises(TryAgain, match="no commit was received"):
        asked.wait(0)
    standing.seal()
    asked = standing.collector.ask()
    assert asked.wait(0) is None
    standing.turn()
    gone = asked.wait(0)
    assert gone is not None
    assert (1, [old]) == (gone.chunks, standing.vault.missing([old]))


def test_who_waits_is_told_that_it_failed_or_is_closed(standing: Standing) -> None:
    """Nobody waits for what never comes."""
    standing.turn()
    standing.seal()

    def fails() -> CatalogReader:
        raise StoreFailed("read", "the catalog", "no such disk", "see the kernel log")

    standing.reader = fails
    asked = standing.collector.ask()
    standing.turn()
    with pytest.raises(StoreFailed, match="no such disk"):
        asked.wait(0)
    asked = standing.collector.ask()
    standing.collector.close()
    later = standing.collector.ask()
    for one in (asked, later):
        with pytest.raises(TryAgain, match="being closed"):
            one.wait(0)
    with pytest.raises(TryAgain, match="being closed"):
        standing.collector.plan(nothing)


def test_one_at_a_time(standing: Standing) -> None:
    """While one goes on, or is counted, no other is counted."""
    standing.turn()
    standing.seal()

    def look() -> None:
        with pytest.raises(TryAgain, match="a collection goes on"):
            standing.collector.plan(nothing)

    standing.collector.plan(look)
    standing.collector.plan(nothing)


def nothing() -> None:
    """Nobody looks."""
