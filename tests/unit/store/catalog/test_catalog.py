"""The catalog's writer: staging, sealing, withdrawing, epochs, ids, pruning."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from agent.core import chunks
from agent.core.chunks import DATA, Chunk, encode
from agent.core.commit import Changes, Commit, CommitKind, Provenance, Quiesced
from agent.core.digest import Digest, digest_of
from agent.core.errors import Damaged, NotFound, OtherFormat, Refused, TryAgain, WireError
from agent.core.ids import NOTHING, ROOT, Epoch, ObjectId, object_id
from agent.core.rows import ObjectRow, encode_object, name_key, object_key
from agent.store.catalog import schema
from agent.store.catalog.catalog import Catalog, CatalogLimits, Header
from agent.store.catalog.staging import RESTART_ROWS
from agent.store.local import Local
from agent.store.sqlite import Synchronous, open_database
from agent.store.vault.vault import PackEnd
from fakes.store_fakes import EPOCH, begun, dir_row, file_row, header, name_row, number

A, B = object_id(1, 1), object_id(1, 2)


@pytest.fixture
def path(tmpfs_dir: Path) -> str:
    """Where the catalog lies."""
    return str(tmpfs_dir / "catalog.db")


@pytest.fixture
def catalog(path: str) -> Iterator[Catalog]:
    """A catalog that holds the root."""
    with begun(path) as opened:
        yield opened


def test_a_new_catalog_is_empty_and_says_so(path: str) -> None:
    """``created`` is true once only; nothing is sealed."""
    with Catalog.open(path) as first:
        assert (True, None, []) == (first.created, first.newest(), first.lineage)
    with Catalog.open(path) as second:
        assert not second.created


def test_write_gives_the_commit_with_counts_and_digest(catalog: Catalog) -> None:
    """Entries are names, bytes are the sizes of live files, the digest is that of all rows."""
    rows = (file_row(A, 10), name_row(ROOT, b"a", A), file_row(B, 5), name_row(ROOT, b"b", B))
    commit = catalog.write(Changes(rows), header(2))
    expected = Commit(number(2), number(1), digest_of((dir_row(ROOT), *rows)), 100, 100, True, 2, 15, files=2)
    assert (expected, expected, expected) == (commit, catalog.newest(), catalog.commit_at(number(2)))


def test_counts_follow_replacement_and_drops(catalog: Catalog) -> None:
    """A file that grows and a file that goes move bytes and entries."""
    catalog.write(
        Changes((file_row(A, 10), name_row(ROOT, b"a", A), file_row(B, 5), name_row(ROOT, b"b", B))), header(2)
    )
    catalog.write(Changes((file_row(A, 30),), (name_key(ROOT, b"b"), object_key(B))), header(3))
    newest = catalog.newest()
    assert newest is not None
    assert (1, 30) == (newest.entries, newest.bytes)


def test_staged_rows_are_unseen_until_sealed(catalog: Catalog) -> None:
    """Neither the writer's own reads nor a reader see them before, both do after."""
    with catalog.reader() as reader:
        catalog.stage(number(2), Changes((file_row(A), name_row(ROOT, b"a", A))))
        assert (None, None) == (catalog.object(A), reader.child(ROOT, b"a"))
        catalog.seal(header(2), PackEnd(0, 7))
        assert (file_row(A), A) == (catalog.object(A), reader.child(ROOT, b"a"))
        assert PackEnd(0, 7) == reader.pack_end()


def test_withdraw_brings_back_digest_and_counts(catalog: Catalog) -> None:
    """What was staged is gone, and the same number can be staged again."""
    before = catalog.staged_digest()
    catalog.stage(number(2), Changes((file_row(A), dir_row(ROOT, 9))))
    catalog.withdraw()
    assert (before, (0, 0)) == (catalog.staged_digest(), catalog.staged_counts())
    assert dir_row(ROOT) == catalog.object(ROOT)
    catalog.write(Changes((file_row(A),)), header(2))


def test_withdraw_after_slices_were_committed(path: str) -> None:
    """A commit larger than a transaction is taken back whole, and sealed whole."""
    rows = [dir_row(ROOT, 8), *(file_row(object_id(1, i)) for i in range(1, 11))]
    with begun(path, CatalogLimits(staged=3)) as catalog:
        before = catalog.staged_digest()
        for _ in range(2):
            for row in rows:
                catalog.stage(number(2), Changes((row,)))
            assert digest_of(rows) == catalog.staged_digest()
            catalog.withdraw()
            assert before == catalog.staged_digest()
        for row in rows:
            catalog.stage(number(2), Changes((row,)))
        commit = catalog.seal(header(2), PackEnd(0, 0))
    assert (digest_of(rows), 50) == (commit.digest, commit.bytes)


def test_a_restart_deletes_what_was_staged(path: str) -> None:
    """Slices that a crash left behind are taken back by the next open."""
    with begun(path, CatalogLimits(staged=2)) as catalog:
        catalog.stage(number(2), Changes((file_row(A), dir_row(ROOT, 9), name_row(ROOT, b"a", A))))
        sealed = catalog.newest()
    with Catalog.open(path) as again:
        assert sealed == again.newest()
        assert [[dir_row(ROOT)]] == list(again.rows_at(number(9)))


def test_a_claimed_digest_must_be_the_computed_one(catalog: Catalog) -> None:
    """Another digest is refused and nothing stays staged; the right one seals."""
    rows = Changes((file_row(A),))
    catalog.stage(number(2), rows)
    with pytest.raises(WireError, match="digest"):
        catalog.seal(header(2, digest=bytes(32)), PackEnd(0, 0))
    assert digest_of([dir_row(ROOT)]) == catalog.staged_digest()
    right = digest_of([dir_row(ROOT), file_row(A)])
    assert right == catalog.write(rows, header(2, digest=right)).digest


@pytest.mark.parametrize(
    "changes",
    [
        Changes((), (object_key(A),)),
        Changes((), (name_key(ROOT, b"a"),)),
        Changes((file_row(A), file_row(A, 6))),
        Changes((name_row(ROOT, b"a", A), name_row(ROOT, b"a", B))),
        Changes((b"",)),
        Changes((b"\x01o\x00",)),
        Changes((), (b"o\x00",)),
        Changes((b"\x01o" + b"\xff" * 60,)),
        Changes((b"\x01n" + b"\xff" * 16 + b"x",)),
    ],
)
def test_what_no_honest_peer_sends_is_refused(catalog: Catalog, changes: Changes) -> None:
    """Drops of nothing, a key twice, malformed rows: ``WireError``, and the sealed state stands."""
    with pytest.raises(WireError):
        catalog.stage(number(2), changes)
    assert digest_of([dir_row(ROOT)]) == catalog.staged_digest()
    catalog.write(Changes((file_row(A),)), header(2))


def test_a_key_twice_in_two_calls_is_refused(catalog: Catalog) -> None:
    """Also a drop of what the same commit put."""
    for second in (Changes((file_row(A, 6),)), Changes((), (object_key(A),))):
        catalog.stage(number(2), Changes((file_row(A),)))
        with pytest.raises(WireError, match="twice"):
            catalog.stage(number(2), second)


def test_a_put_of_what_is_there_changes_no_digest(catalog: Catalog) -> None:
    """It is legal, and it counts as touched."""
    before = catalog.staged_digest()
    commit = catalog.write(Changes((dir_row(ROOT),)), header(2))
    assert before == commit.digest
    assert [[object_key(ROOT)]] == list(catalog.touched(number(1), number(2)))
    assert [] == list(catalog.difference(number(1), number(2)))


def test_an_empty_commit_is_a_commit(catalog: Catalog) -> None:
    """Nothing changed, and the header still counts."""
    commit = catalog.seal(Header(number(2), number(1), 5, 5, False, 3), PackEnd(0, 0))
    assert (False, 3) == (commit.consistent, commit.fuzzy)


def test_commit_time_never_falls(catalog: Catalog) -> None:
    """A clock that was set back does not reorder history."""
    catalog.write(Changes(), header(2, time=500))
    assert 500 == catalog.write(Changes(), header(3, time=400)).time


@pytest.mark.parametrize("parent", [0, number(9)])
def test_a_commit_must_follow_the_newest(catalog: Catalog, parent: int) -> None:
    """Another parent, or NOTHING without a restart, is refused."""
    with pytest.raises(WireError, match="was expected"):
        catalog.write(Changes(), header(2, parent))


@pytest.mark.parametrize("sequel", [0, 1, (1 << 70) - (1 << 40)])
def test_a_number_must_be_ahead(catalog: Catalog, sequel: int) -> None:
    """What is sealed is not written again; a number of more than 63 bits is none."""
    with pytest.raises(WireError):
        catalog.write(Changes(), header(sequel, number(1)))


def test_restart_from_nothing_ends_every_row(catalog: Catalog) -> None:
    """The next lineage starts from an empty dataset, and the earlier moments stay."""
    catalog.write(Changes((file_row(A, 10), name_row(ROOT, b"a", A))), header(2))
    catalog.begin_epoch(Epoch(2, "beta", b"f" * 16))
    first = number(1, 2)
    catalog.restart_from_nothing(first)
    assert (Digest().value(), (0, 0)) == (catalog.staged_digest(), catalog.staged_counts())
    other = object_id(2, 1)
    rows = (dir_row(ROOT), file_row(other, 3), name_row(ROOT, b"a", other))
    catalog.stage(first, Changes(rows))
    commit = catalog.seal(Header(first, NOTHING, 100, 100, True), PackEnd(0, 0))
    assert (digest_of(rows), 1, 3) == (commit.digest, commit.entries, commit.bytes)
    assert ([(b"a", other)], [(b"a", A)]) == (catalog.children(ROOT), catalog.children(ROOT, number(2)))


def test_a_withdrawn_restart_leaves_everything(catalog: Catalog) -> None:
    """Rows live on as if nothing had been."""
    before = catalog.staged_digest()
    catalog.restart_from_nothing(number(1, 2))
    catalog.withdraw()
    assert (before, dir_row(ROOT)) == (catalog.staged_digest(), catalog.object(ROOT))


def test_a_restart_goes_in_slices_that_can_be_ended(catalog: Catalog) -> None:
    """A catalog of any size is looked at between two of them; what ends it leaves everything, and it can be done again."""
    files = [object_id(1, 1000 + n) for n in range(2 * RESTART_ROWS + 5)]
    catalog.write(Changes([file_row(id, 1) for id in files]), header(2))
    before, looks = catalog.staged_digest(), list[int]()

    def ends() -> None:
        looks.append(1)
        if len(looks) == 2:
            raise TryAgain("receive", "web", "the agent is stopping")

    with pytest.raises(TryAgain):
        catalog.restart_from_nothing(number(3), ends)
    assert (before, 2) == (catalog.staged_digest(), len(looks))
    assert catalog.object(files[0]) is not None
    looks.clear()
    catalog.restart_from_nothing(number(3), lambda: looks.append(1))
    assert Digest().value() == catalog.staged_digest()
    # Three of objects, one of the name that there is at most.
    assert len(looks) in (3, 4)
    catalog.seal(Header(number(3), NOTHING, 100, 100, True), PackEnd(0, 0))
    assert [None, None] == [catalog.object(id) for id in (files[0], files[-1])]


def test_restart_comes_before_the_first_row(catalog: Catalog) -> None:
    """Rows that came before it would be lost."""
    catalog.stage(number(2), Changes((file_row(A),)))
    with pytest.raises(WireError):
        catalog.restart_from_nothing(number(2))


def test_epochs_rise(catalog: Catalog) -> None:
    """The same again is no error; a lower one or another token is refused; not while a commit is staged."""
    catalog.begin_epoch(EPOCH)
    for wrong in (Epoch(1, "alpha", b"x" * 16), Epoch(0, "alpha", b"x" * 16), Epoch(1 << 23, "alpha", b"x" * 16)):
        with pytest.raises(Refused):
            catalog.begin_epoch(wrong)
    second = Epoch(2, "beta", b"y" * 16)
    catalog.stage(number(2), Changes())
    with pytest.raises(Refused):
        catalog.begin_epoch(second)
    catalog.withdraw()
    catalog.begin_epoch(second)
    assert [EPOCH, second] == catalog.lineage


def test_ids_are_never_given_twice(path: str) -> None:
    """Durable with the next commit, of the newest epoch, never the root's."""
    with Catalog.open(path) as catalog:
        with pytest.raises(NotFound):
            catalog.allocate()
        catalog.begin_epoch(EPOCH)
        first = EPOCH.first_object
        assert (first, first + 10) == (catalog.allocate(10), catalog.allocate())
        catalog.write(Changes((dir_row(ROOT),)), header(1))
    with Catalog.open(path) as catalog:
        assert first + 11 == catalog.allocate()
        after = Epoch(3, "alpha", b"z" * 16)
        catalog.begin_epoch(after)
        assert after.first_object == catalog.allocate()


def test_pieces_are_kept(catalog: Catalog) -> None:
    """A chunk list is stored with its commit; the same one again is no error."""
    part = encode([Chunk(DATA, 7, b"c" * 32)])
    for seq in (2, 3):
        catalog.write(Changes(), header(seq), [(b"n" * 32, part)])
    assert (part, None) == (catalog.piece(b"n" * 32), catalog.piece(b"m" * 32))


def test_a_closed_catalog_refuses(path: str) -> None:
    """Reads and writes on it are errors of ours, not of SQLite."""
    catalog = begun(path)
    catalog.close()
    catalog.close()
    with pytest.raises(TryAgain, match="it is closed"):
        catalog.object(ROOT)
    with pytest.raises(TryAgain, match="it is closed"):
        catalog.stage(number(2), Changes())


def test_a_file_that_is_no_catalog_is_refused(tmpfs_dir: Path) -> None:
    """Neither another database nor text is touched; the error says what to do."""
    text = tmpfs_dir / "text.db"
    text.write_bytes(b"this is no database at all" * 400)
    with pytest.raises(Damaged, match="move"):
        Catalog.open(str(text))
    Local.open(str(tmpfs_dir / "local.db")).close()
    with pytest.raises(Damaged, match="another kind"):
        Catalog.open(str(tmpfs_dir / "local.db"))


def test_a_catalog_of_an_earlier_build_is_refused(path: str) -> None:
    """By its format, with the way out; and opened again once the format is ours."""
    begun(path).close()
    connection = open_database(path, Synchronous.FULL, 1000)
    connection.pragma("user_version", schema.VERSION - 1)
    connection.close()
    with pytest.raises(OtherFormat, match=r"an earlier build of hikae wrote it.*on every node of the dataset"):
        Catalog.open(path)


def test_what_made_a_commit_is_kept_with_it(path: str) -> None:
    """Kind, label, how far the source stood still, the commit whose state it has again; and nothing where there is none."""
    made = Provenance(CommitKind.ROLLBACK, Quiesced.APPLICATION, number(1), "before the upgrade ü")
    with begun(path) as catalog:
        sealed = catalog.write(Changes(), replace(header(2), provenance=made))
    with Catalog.open(path) as again:
        assert (sealed, made, Provenance()) == (
            again.newest(),
            sealed.provenance,
            again.commits(NOTHING, 1)[0].provenance,
        )


def test_receipt_never_falls(catalog: Catalog) -> None:
    """A clock that was set back makes no moment of history come before an earlier one."""
    catalog.write(Changes(), header(2, time=500))
    assert 500 == catalog.write(Changes(), header(3, time=400)).received
    assert (number(1), number(3)) == (catalog.newest_before(500), catalog.newest_before(501))


def test_an_epoch_is_known_by_its_token(path: str) -> None:
    """Owner and reason are kept with it, and a commit is found to be of the one that it was made in."""
    with begun(path) as catalog:
        second = Epoch(2, "beta", b"y" * 16)
        catalog.begin_epoch(second, "alpha is gone")
        catalog.seal(Header(number(1, 2), number(1), 100, 100, True), PackEnd(0, 0))
    with Catalog.open(path) as again:
        assert ("alpha is gone", "", "") == tuple(map(again.reason_of, (second, EPOCH, Epoch(2, "beta", b"z" * 16))))
        found = [again.epoch_of_commit(one) for one in (number(1), number(1, 2), number(1, 3))]
        assert [EPOCH, second, None] == found


def test_object_ids_beyond_63_bits_are_just_not_there(catalog: Catalog) -> None:
    """A reader asked for nonsense answers that it has none."""
    assert (None, []) == (catalog.object(ObjectId(1 << 64)), catalog.children(ObjectId(1 << 64)))


def test_sums_of_sizes_may_pass_63_bits(path: str) -> None:
    """Sparse files of 8 EiB cost nothing: their sum is exact, also after a restart and when they go again."""
    huge = (1 << 63) - 1
    with begun(path) as catalog:
        for turn, id in enumerate((A, B)):
            hole = chunks.encode([chunks.Chunk(chunks.HOLE, huge)])
            row = encode_object(ObjectRow(id, stat.S_IFREG | 0o644, 0, 0, 1, size=huge, content=hole))
            catalog.write(Changes((row, name_row(ROOT, b"%d" % id, id))), header(2 + turn))
    with Catalog.open(path) as catalog:
        newest = catalog.newest()
        assert newest is not None
        assert 2 * huge == newest.bytes
        assert huge == catalog.write(Changes((), (name_key(ROOT, b"%d" % A), object_key(A))), header(4)).bytes


def test_the_newest_commit_of_before_a_moment_is_found_by_halves(catalog: Catalog, tmpfs_dir: Path) -> None:
    """Of 500 commits: ten look-ups; also across an epoch, in a catalog without commits, and before the first there is none."""
    with Catalog.open(str(tmpfs_dir / "empty.db")) as empty:
        assert NOTHING == empty.newest_before(1)
    for seq in range(2, 501):
        catalog.write(Changes(), header(seq, time=100 * seq))
    catalog.begin_epoch(Epoch(7, "beta", b"y" * 16))
    catalog.write(Changes(), Header(number(1, 7), number(500), 50_100, 50_100, True))
    found = [catalog.newest_before(moment) for moment in (100, 101, 1000, 1050, 50_100, 50_101)]
    assert [NOTHING, number(1), number(9), number(10), number(500), number(1, 7)] == found
    steps: list[int] = []
    catalog._connection.trace_v2(
        apsw.SQLITE_TRACE_PROFILE, lambda event: steps.append(event["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"])
    )
    catalog.newest_before(1050)
    catalog._connection.trace_v2(0, None)
    assert sum(steps) < 1200


def test_a_commit_of_one_change_writes_little_into_the_log(tmpfs_dir: Path) -> None:
    """Some six pages, each a small one: at 4 KiB a page it was twice that (docs/decisions/0036)."""
    path = tmpfs_dir / "catalog.db"
    log = path.with_name("catalog.db-wal")
    with begun(str(path)) as catalog:
        ids = [object_id(1, i) for i in range(1, 2001)]
        catalog.write(Changes([row for id in ids for row in (file_row(id), name_row(ROOT, b"%d" % id, id))]), header(2))
        before = log.stat().st_size
        for seq in range(3, 103):
            catalog.write(Changes([file_row(ids[1000], size=seq)]), header(seq))
        assert (log.stat().st_size - before) / 100 < 16_000
