"""How databases are opened, and what SQLite's errors mean."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

import apsw
import pytest

from agent.core.errors import Damaged, DiskFull, HikaeError, NotFound, OtherFormat, StoreFailed, TryAgain
from agent.store.sqlite import Insert, Synchronous, ensure_schema, failure, keep_temporary_in, open_database, query

TABLES = "create table t (a integer primary key, b blob); create table u (c)"


@pytest.fixture
def path(tmpfs_dir: Path) -> str:
    """A database with ten rows."""
    where = str(tmpfs_dir / "some.db")
    with open_database(where, Synchronous.FULL, 1000) as connection:
        ensure_schema(connection, where, 7, 1, TABLES)
        connection.executemany("insert into t values (?, ?)", [(i, bytes([i]) * 100) for i in range(10)])
    connection.close()
    return where


def test_temporary_tables_stay_with_our_own_state(path: str, tmpfs_dir: Path) -> None:
    """What they have beyond memory lies where the reserve is looked after, without a name, and nowhere else."""
    before, open_before = os.environ.get("SQLITE_TMPDIR"), nameless_files()
    connection = open_database(path, Synchronous.NORMAL, 1000)
    try:
        keep_temporary_in(str(tmpfs_dir))
        query(connection, "create temp table much (a integer primary key, b blob)")
        connection.executemany("insert into temp.much values (?, ?)", [(n, bytes(1000)) for n in range(20_000)])
        assert {str(tmpfs_dir)} == {os.path.dirname(one) for one in nameless_files() - open_before}
    finally:
        connection.close()
        os.environ.pop("SQLITE_TMPDIR", None)
        if before is not None:
            os.environ["SQLITE_TMPDIR"] = before


def test_it_is_ours_alone_checksummed_and_in_wal_mode(path: str) -> None:
    """0600, eight reserved bytes a page, the journal mode and syncs that were asked for."""
    connection = open_database(path, Synchronous.FULL, 1000)
    found = (connection.pragma("journal_mode"), connection.pragma("synchronous"), connection.reserve_bytes())
    connection.close()
    assert ("wal", 2, 8) == found
    assert 0o600 == stat.S_IMODE(Path(path).stat().st_mode)


def test_what_is_absent_is_made_only_when_asked(tmpfs_dir: Path) -> None:
    """Readers create nothing; a directory that is missing is named."""
    with pytest.raises(NotFound):
        open_database(str(tmpfs_dir / "none.db"), Synchronous.NORMAL, 1000, create=False)
    with pytest.raises(StoreFailed, match="directory"):
        open_database(str(tmpfs_dir / "none" / "some.db"), Synchronous.NORMAL, 1000)


def test_a_schema_is_made_once_and_told_apart(path: str) -> None:
    """The same again is there; another kind, or a foreign database is damage."""
    connection = open_database(path, Synchronous.NORMAL, 1000)
    assert not ensure_schema(connection, path, 7, 1, TABLES)
    with pytest.raises(Damaged, match="another kind"):
        ensure_schema(connection, path, 8, 1, TABLES)
    connection.pragma("application_id", 0)
    connection.pragma("user_version", 0)
    with pytest.raises(Damaged):
        ensure_schema(connection, path, 7, 1, TABLES)
    connection.close()


@pytest.mark.parametrize(
    ("ours", "reason", "remedy"),
    [
        (
            2,
            "an earlier build of hikae wrote it, in format 1; this one reads format 2",
            "move the dataset's state away",
        ),
        (0, "a later build of hikae wrote it, in format 1; this one reads format 0", "install that build again"),
    ],
)
def test_what_another_build_wrote_is_refused_with_what_to_do(path: str, ours: int, reason: str, remedy: str) -> None:
    """An earlier one's is begun anew, a later one's wants that build; nothing is changed."""
    before = Path(path).read_bytes()
    connection = open_database(path, Synchronous.NORMAL, 1000)
    with pytest.raises(OtherFormat) as refused:
        ensure_schema(connection, path, 7, ours, TABLES)
    connection.close()
    assert (reason, True) == (refused.value.reason, remedy in refused.value.remedy)
    assert before == Path(path).read_bytes()


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 250])
def test_many_rows_are_inserted_in_order(path: str, count: int) -> None:
    """However many there are, also those that fill no whole statement."""
    connection = open_database(path, Synchronous.NORMAL, 1000)
    query(connection, "create table many (a integer, b blob)")
    rows = [(number, bytes([number % 256])) for number in range(count)]
    with connection:
        Insert("insert into many values", "(?, ?)").run(connection, rows)
    assert rows == query(connection, "select a, b from many order by rowid")
    connection.close(True)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (apsw.CorruptError("x"), Damaged),
        (apsw.NotADBError("x"), Damaged),
        (apsw.FullError("x"), DiskFull),
        (apsw.BusyError("x"), TryAgain),
        (apsw.IOError("x"), StoreFailed),
        (apsw.CantOpenError("x"), StoreFailed),
        (apsw.SQLError("x"), StoreFailed),
    ],
)
def test_errors_say_what_they_mean(error: apsw.Error, expected: type[HikaeError]) -> None:
    """Damage, for now only, or the end of this connection; each with a remedy."""
    mapped = failure(error, "use it", "/p/some.db")
    assert (expected, "/p/some.db") == (type(mapped), mapped.subject)
    assert mapped.remedy


def test_a_second_writer_is_told_to_wait(path: str) -> None:
    """Two agents on one state directory: the error asks the right question."""
    first, second = (open_database(path, Synchronous.NORMAL, 1000) for _ in range(2))
    second.set_busy_timeout(0)
    query(first, "begin immediate")
    with pytest.raises(apsw.BusyError) as caught:
        query(second, "begin immediate")
    assert "second agent" in failure(caught.value, "use it", path).remedy
    first.close(True)
    second.close(True)


def test_the_first_error_counts(path: str) -> None:
    """Damage ends SQLite's transaction by itself; that nobody can end it again by hand is not what went wrong."""
    error = apsw.SQLError("cannot rollback - no transaction is active")
    error.__context__ = apsw.CorruptError("database disk image is malformed")
    assert isinstance(failure(error, "read", path), Damaged)


def test_what_a_statement_may_take_back_is_not_written_anywhere(tmp_path: Path) -> None:
    """A hundred rows at random places change more pages than SQLite itself keeps in memory: here no nameless file takes them."""
    connection = open_database(str(tmp_path / "a.db"), Synchronous.NORMAL, 4096)
    query(connection, "create table t (a integer primary key, b blob not null)")
    put = Insert("insert or replace into t values", "(?, ?)")
    rows = [(int.from_bytes(os.urandom(6), "big"), bytes(300)) for _ in range(20_000)]
    before = nameless_files()
    with connection:
        put.run(connection, rows)
        put.run(connection, rows[:5_000])
        opened = nameless_files() - before
    connection.close()
    assert set() == opened


@pytest.mark.parametrize("rows", [2_000, 60_000])
def test_no_disk_is_full_by_what_may_be_taken_back(tmp_path: Path, rows: int) -> None:
    """A statement, and a transaction within another, over more pages than any limit of a journal: see decision 0015."""
    connection = open_database(str(tmp_path / "a.db"), Synchronous.NORMAL, 4096)
    query(connection, "create table t (a integer primary key, b blob not null)")
    put = Insert("insert or replace into t values", "(?, ?)")
    given = [(int.from_bytes(os.urandom(6), "big"), bytes(300)) for _ in range(rows)]
    with connection:
        put.run(connection, given[: rows // 2])
        query(connection, "update t set b = zeroblob(299)")
        with connection:
            put.run(connection, given)
    assert [(rows,)] == query(connection, "select count(*) from t where length(b) = 300")
    connection.close()


def nameless_files() -> set[str]:
    """Those that this process has open."""
    links = set()
    for fd in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):
            links.add(os.readlink(f"/proc/self/fd/{fd}"))
    return {link for link in links if link.endswith("(deleted)")}


def test_what_is_closed_meanwhile_is_no_failure_of_the_disk(path: str) -> None:
    """Who still asks of a dataset that is being opened anew is told to ask again."""
    connection = open_database(path, Synchronous.FULL, 1000)
    connection.close()
    with pytest.raises(apsw.ConnectionClosedError) as closed:
        connection.execute("select 1")
    assert isinstance(failure(closed.value, "read", path), TryAgain)
