"""Local facts: objects by id and handle, chunk names that were seen, named values."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.errors import Damaged, TryAgain
from agent.core.ids import CommitNumber, ObjectId
from agent.store.local import FactsMark, Local, LocalRow
from agent.store.sqlite import Synchronous, open_database, query


def row(id: int, handle: bytes = b"handle", clean: bool = True) -> LocalRow:
    """What is known of an object."""
    return LocalRow(ObjectId(id), handle + b"%d" % id, id + 100, 1, -2, 3, clean, b"p" * 32)


@pytest.fixture
def local(tmpfs_dir: Path) -> Iterator[Local]:
    """Three objects."""
    with Local.open(str(tmpfs_dir / "local.db")) as opened:
        opened.write([row(1), row(2), row(3, clean=False)])
        yield opened


def test_what_was_written_is_read(local: Local) -> None:
    """Alone and many at once; the unknown are left out."""
    assert (row(3, clean=False), None) == (local.get(ObjectId(3)), local.get(ObjectId(9)))
    assert {ObjectId(1): row(1), ObjectId(2): row(2)} == local.get_many([ObjectId(1), ObjectId(9), ObjectId(2)])


def test_an_object_is_found_by_its_handle(local: Local) -> None:
    """The newest, if an old one of the same handle lingers; none for the empty handle."""
    local.write(
        [LocalRow(ObjectId(7), b"handle1", 0, 0, 0, 0, False, b""), LocalRow(ObjectId(8), b"", 0, 0, 0, 0, True, b"")]
    )
    found = [local.by_handle(handle) for handle in (b"handle2", b"handle1", b"handle9", b"")]
    assert [ObjectId(2), ObjectId(7), None, None] == found
    signatures = [local.signature_of(handle) for handle in (b"handle2", b"handle1", b"handle9", b"")]
    assert found == [one[0] if one is not None else None for one in signatures]


def test_a_write_replaces_and_drops_at_once(local: Local) -> None:
    """Drops come before puts, so an id may be in both."""
    local.write([row(1, b"new")], [ObjectId(1), ObjectId(2), ObjectId(55)])
    assert {ObjectId(1): row(1, b"new")} == local.get_many([ObjectId(1), ObjectId(2)])


def test_values_outlive_the_process(local: Local) -> None:
    """Durable or not, set twice or once."""
    local.set_value("checkpoint", b"1", durable=True)
    local.set_value("checkpoint", b"2", durable=True)
    local.set_value("root", b"\0")
    local.close()
    with Local.open(local.path) as again:
        assert (b"2", b"\0", None) == (again.value("checkpoint"), again.value("root"), again.value("none"))


def test_several_threads_use_one(local: Local) -> None:
    """Each sees what the others wrote."""

    def work(start: int) -> None:
        for id in range(start, start + 50):
            local.write([row(id)])
            assert row(id) == local.get(ObjectId(id))

    threads = [threading.Thread(target=work, args=(start,)) for start in (100, 200, 300)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 150 == len(local.get_many(ObjectId(id) for id in range(100, 400)))


def seen_beside(path: str) -> int:
    """How many objects another process would find there now: what a kill leaves."""
    other = open_database(path, Synchronous.NORMAL, 64, create=False)
    try:
        count: int = query(other, "select count(*) from object")[0][0]
        return count
    finally:
        other.close()


def test_what_is_written_within_a_second_is_one_transaction(tmpfs_dir: Path) -> None:
    """Then, at rest, and with whatever is durable it is what a kill leaves."""
    now = [0.0]
    with Local.open(str(tmpfs_dir / "local.db"), lambda: now[0]) as local:
        found = []
        for at, id in ((0.0, 1), (0.9, 2), (1.0, 3), (1.5, 4)):
            now[0] = at
            local.write([row(id)])
            found.append(seen_beside(local.path))
        local.keep()
        found.append(seen_beside(local.path))
        local.write([row(5)])
        local.note_value("attempts", b"1")
        found.append(seen_beside(local.path))
        local.set_value("checkpoint", b"1", durable=True)
        found.append(seen_beside(local.path))
    assert [0, 0, 3, 3, 4, 4, 5] == found


def test_much_waits_for_no_more(tmpfs_dir: Path) -> None:
    """A thousand rows are a transaction of their own."""
    with Local.open(str(tmpfs_dir / "local.db"), lambda: 0.0) as local:
        local.write([row(id) for id in range(1, 1000)])
        before = seen_beside(local.path)
        local.write([row(1000)])
        assert (0, 1000) == (before, seen_beside(local.path))


def test_a_closed_one_refuses(local: Local) -> None:
    """By an error of ours."""
    local.close()
    with pytest.raises(TryAgain, match="it is closed"):
        local.get(ObjectId(1))


def test_another_kind_of_file_is_refused(tmpfs_dir: Path) -> None:
    """The error says what to do."""
    path = tmpfs_dir / "local.db"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(Damaged, match=r"mv .*local\.db"):
        Local.open(str(path))


def test_what_sqlite_cannot_hold_is_stored_and_never_believed(local: Local) -> None:
    """Times before 1677 and after 2262, and inode numbers of 64 bits: the handle stays, the signature is none."""
    for mtime, ino in ((1 << 70, 5), (-(1 << 70), 5), (7, (1 << 64) - 1)):
        local.write([LocalRow(ObjectId(7), b"handle", ino, 9, mtime, 3, True, b"")])
        found = local.get(ObjectId(7))
        assert found is not None
        assert (b"handle", 0, False) == (found.handle, found.ctime, found.clean)


def test_facts_of_before_a_sync_are_clean(tmpfs_dir: Path) -> None:
    """By every way to ask, also when opened again; a doubted one is not, nor what came later."""
    soft = [
        LocalRow(ObjectId(id), b"h%d" % id, id, ctime, 1, 1, False, b"") for id, ctime in ((1, 10), (2, 20), (3, 5))
    ]
    mark = FactsMark(CommitNumber(7), b"d" * 32)
    with Local.open(str(tmpfs_dir / "vouched.db")) as local:
        local.write(soft)
        local.vouch(20, mark)
        local.doubt([ObjectId(3)])
        assert mark == local.mark()
    with Local.open(local.path) as again:
        ids = [row.id for row in soft]
        expected = {ObjectId(1): True, ObjectId(2): False, ObjectId(3): False}
        assert expected == {id: row.clean for id, row in again.get_many(ids).items()}
        assert expected == {id: bool(row[6]) for id, row in again.signatures(ids).items()}
        assert [True, False, False] == [row.clean for row in map(again.get, ids) if row is not None]


def test_another_directory_is_vouched_for_by_its_own_sync(tmpfs_dir: Path) -> None:
    """What is written of it after all was forgotten is soft, however old its stat is."""
    with Local.open(str(tmpfs_dir / "again.db")) as local:
        local.vouch(20, FactsMark(CommitNumber(7), b"d" * 32))
        local.forget_objects()
        local.write([LocalRow(ObjectId(1), b"h", 1, 10, 1, 1, False, b"")])
    with Local.open(local.path) as again:
        found = again.get(ObjectId(1))
        assert found is not None
        assert not found.clean
