"""Which local facts hold beside a catalog that is newer, older, or another one (law 5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.core.clock import ManualClock
from agent.core.commit import Changes
from agent.core.ids import ObjectId
from agent.core.rows import object_key
from agent.store.catalog.catalog import Catalog
from agent.store.doubt import Lately, doubt_what_may_be_older, facts_mark
from agent.store.local import FactsMark, Local, LocalRow
from fakes.store_fakes import begun, expire, file_row, header, name_row, number

FILES = (11, 12, 13)


def fact(id: int) -> LocalRow:
    """A clean signature."""
    return LocalRow(ObjectId(id), b"handle%d" % id, id, 50, 60, 5, True, b"")


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """Commit 2 brings three files."""
    with begun(str(tmp_path / "catalog.db")) as opened:
        rows = [file_row(id) for id in FILES] + [name_row(1, b"%d" % id, id) for id in FILES]
        opened.write(Changes(rows), header(2))
        yield opened


@pytest.fixture
def local(tmp_path: Path, catalog: Catalog) -> Iterator[Local]:
    """Their facts, as of commit 2."""
    newest = catalog.newest()
    assert newest is not None
    with Local.open(str(tmp_path / "local.db")) as opened:
        opened.write([fact(id) for id in FILES], mark=facts_mark(newest))
        yield opened


def believed(local: Local) -> list[int]:
    """The files whose signature still stands."""
    found = local.get_many(ObjectId(id) for id in FILES)
    return [id for id, row in found.items() if row.clean and row.ctime]


def test_an_ordinary_start_believes_everything(catalog: Catalog, local: Local) -> None:
    """The mark is that of the newest commit."""
    doubt_what_may_be_older(local, catalog)
    assert list(FILES) == believed(local)


def test_what_changed_after_the_mark_is_doubted_and_keeps_its_handle(catalog: Catalog, local: Local) -> None:
    """One file has another row since; one is gone, and its fact with it. From then on they hold at the newest commit."""
    newest = catalog.write(Changes([file_row(11, salt=b"new")], [object_key(ObjectId(13))]), header(3))
    for _ in range(2):
        doubt_what_may_be_older(local, catalog)
        assert ([12], ObjectId(11), None) == (believed(local), local.by_handle(b"handle11"), local.get(ObjectId(13)))
    assert facts_mark(newest) == local.mark()


@pytest.mark.parametrize("mark", [FactsMark(number(9), b"d" * 32), FactsMark(number(2), b"d" * 32), None])
def test_a_mark_that_is_not_of_this_history_vouches_for_nothing(
    catalog: Catalog, tmp_path: Path, mark: FactsMark | None
) -> None:
    """Beyond the catalog, of another commit of that number, or none at all."""
    with Local.open(str(tmp_path / "local.db")) as local:
        local.write([fact(id) for id in FILES], mark=mark)
        doubt_what_may_be_older(local, catalog)
        assert [] == believed(local)


def test_a_mark_before_what_is_kept_vouches_for_nothing(catalog: Catalog, local: Local) -> None:
    """What changed since cannot be named any more."""
    for seq in (3, 4):
        catalog.write(Changes([file_row(11, salt=b"%d" % seq)]), header(seq))
    expire(catalog, number(4))
    doubt_what_may_be_older(local, catalog)
    assert [] == believed(local)


def test_facts_and_their_mark_are_one_transaction(local: Local) -> None:
    """Those that could not be written leave the mark where it was."""
    before = local.mark()
    with pytest.raises(OverflowError):
        local.write([fact(11)._replace(size=1 << 70)], mark=FactsMark(number(3), b"d" * 32))
    assert before == local.mark()


def _started_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: str) -> None:
    (tmp_path / "boot").write_text(f"{number}\n")
    monkeypatch.setattr("agent.core.clock.BOOT", tmp_path / "boot")


def test_after_a_boot_what_changed_lately_is_doubted(
    catalog: Catalog, local: Local, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One that was written in the instant before the power went may have its old stat; and once only."""
    newest = catalog.newest()
    assert newest is not None
    minutes = {11: 9, 12: 11, 13: 3000}
    facts = [fact(id)._replace(ctime=newest.time - many * 60 * 10**9) for id, many in minutes.items()]
    local.write(facts)
    _started_anew(monkeypatch, tmp_path, "first")
    for _ in range(2):
        doubt_what_may_be_older(local, catalog)
        assert list(FILES) == believed(local)
    _started_anew(monkeypatch, tmp_path, "second")
    doubt_what_may_be_older(local, catalog)
    assert [12, 13] == believed(local)
    local.write(facts)
    doubt_what_may_be_older(local, catalog)
    assert list(FILES) == believed(local)


HOUR = 3600 * 10**9


class JumpingClock(ManualClock):
    """A wall clock that is put forward and back."""

    def jump(self, hours: float) -> None:
        """By so many."""
        self._now_ns += int(hours * HOUR)


def _changed(catalog: Catalog, local: Local, lately: Lately, clock: JumpingClock, id: int) -> None:
    """As capture does it: the commit's time never falls, the stat is of the kernel's clock."""
    newest = catalog.newest()
    assert newest is not None
    clock.advance(5)
    time = max(clock.now_ns(), newest.time)
    commit = catalog.write(Changes([file_row(id, salt=b"%d" % time)]), replace(header(newest.number + 1), time=time))
    local.write([fact(id)._replace(ctime=clock.now_ns())], mark=facts_mark(commit), lately=lately.due())


@pytest.mark.parametrize("hours", [9, -9, 0])
@pytest.mark.parametrize("begins", ["before", "after"])
def test_whatever_the_clock_was(
    catalog: Catalog, local: Local, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, hours: float, begins: str
) -> None:
    """Wrong by so many hours at the boot, then put right: what changed before and after that is doubted, and not what stood still
    for long by then. ``begins``: whether the agent begins before the clock is right."""
    newest = catalog.newest()
    assert newest is not None
    clock = JumpingClock(newest.time + 100 * HOUR)
    local.write([fact(13)._replace(ctime=newest.time)], mark=facts_mark(newest))
    _started_anew(monkeypatch, tmp_path, "first")
    doubt_what_may_be_older(local, catalog)
    clock.jump(hours)
    lately = Lately(clock)
    _changed(catalog, local, lately, clock, 11)
    clock.jump(-hours)
    lately = lately if begins == "before" else Lately(clock)
    if begins == "before":
        _changed(catalog, local, lately, clock, 12)
    else:
        clock.advance(700)
        _changed(catalog, local, lately, clock, 12)
    _started_anew(monkeypatch, tmp_path, "second")
    doubt_what_may_be_older(local, catalog)
    assert 12 not in believed(local)
    assert begins == "after" or 11 not in believed(local)
    assert 13 in believed(local)


def test_lately_is_some_ten_minutes() -> None:
    """Never less, and noted seldom."""
    clock = JumpingClock()
    lately, noted, writes = Lately(clock), 0, 0
    for minutes in range(180):
        due = lately.due()
        lately.noted(due)
        writes += due is not None
        noted = noted if due is None else due
        assert 10 <= (clock.now_ns() - noted) / 60e9 <= 40, minutes
        clock.advance(60)
    assert writes < 20
    clock.advance(86_400)
    assert clock.now_ns() - 600 * 10**9 == lately.due()


def test_no_boot_is_told_from_another(
    catalog: Catalog, local: Local, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Then each opening may be one after a power cut."""
    newest = catalog.newest()
    assert newest is not None
    monkeypatch.setattr("agent.core.clock.BOOT", tmp_path / "none")
    doubt_what_may_be_older(local, catalog)
    long_ago = newest.time - HOUR
    for _ in range(2):
        local.write([fact(11)._replace(ctime=long_ago), fact(12)._replace(ctime=newest.time)])
        doubt_what_may_be_older(local, catalog)
        assert 11 in believed(local)
        assert 12 not in believed(local)
