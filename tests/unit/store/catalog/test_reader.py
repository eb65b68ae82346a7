"""Reading at a moment: one key, one directory, and whole states."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.commit import Changes
from agent.core.digest import digest_of
from agent.core.errors import Damaged, NotFound
from agent.core.ids import NOTHING, ROOT, object_id
from agent.core.rows import key_of, name_key, object_key
from agent.store.catalog import history
from agent.store.catalog import reader as reader_module
from agent.store.catalog.catalog import Catalog, CatalogReader
from agent.store.sqlite import query
from fakes.store_fakes import begun, dir_row, expire, file_row, header, name_row, number

A, B, D = object_id(1, 1), object_id(1, 2), object_id(1, 3)


@pytest.fixture
def catalog(tmpfs_dir: Path) -> Iterator[Catalog]:
    """d/a and b, then a moved to the root as c, then b gone."""
    with begun(str(tmpfs_dir / "catalog.db")) as opened:
        rows = (
            dir_row(D),
            name_row(ROOT, b"d", D),
            file_row(A),
            name_row(D, b"a", A),
            file_row(B),
            name_row(ROOT, b"b", B),
        )
        opened.write(Changes(rows), header(2))
        opened.write(Changes((name_row(ROOT, b"c", A),), (name_key(D, b"a"),)), header(3))
        opened.write(Changes((), (name_key(ROOT, b"b"), object_key(B))), header(4))
        yield opened


@pytest.fixture
def reader(catalog: Catalog) -> Iterator[CatalogReader]:
    """A connection of its own."""
    with catalog.reader() as opened:
        yield opened


def test_there_must_be_a_catalog(tmpfs_dir: Path) -> None:
    """A reader creates nothing."""
    with pytest.raises(NotFound):
        CatalogReader.open(str(tmpfs_dir / "none.db"))
    assert [] == list(tmpfs_dir.iterdir())


def test_children_by_name_at_each_moment(reader: CatalogReader) -> None:
    """What a directory held then."""
    expected = {1: [], 2: [(b"b", B), (b"d", D)], 3: [(b"b", B), (b"c", A), (b"d", D)], 4: [(b"c", A), (b"d", D)]}
    assert expected == {seq: reader.children(ROOT, number(seq)) for seq in expected}
    assert expected[4] == reader.children(ROOT)


def test_children_in_pages(reader: CatalogReader) -> None:
    """``after`` goes on behind a name."""
    at = number(3)
    assert [(b"b", B), (b"c", A)] == reader.children(ROOT, at, limit=2)
    assert [(b"d", D)] == reader.children(ROOT, at, after=b"c", limit=2)


def test_names_follow_a_move(reader: CatalogReader) -> None:
    """One object, another place."""
    assert ([(D, b"a")], [(ROOT, b"c")]) == (reader.names_of(A, number(2)), reader.names_of(A))
    assert (b"d/a", b"c") == (reader.path_of(A, number(2)), reader.path_of(A))
    assert (b"", None) == (reader.path_of(ROOT), reader.path_of(B))


def test_children_of_an_emptied_directory(reader: CatalogReader) -> None:
    """It had one, it has none."""
    assert (True, False) == (reader.has_children(D, number(2)), reader.has_children(D))


def test_a_circle_of_names_has_no_path(catalog: Catalog) -> None:
    """Hostile names do not hang the way to the root."""
    catalog.write(
        Changes((name_row(D, b"x", B), name_row(B, b"y", D), file_row(B)), (name_key(ROOT, b"d"),)), header(5)
    )
    assert catalog.path_of(D) is None


def test_object_at_each_moment(reader: CatalogReader) -> None:
    """Before, while and after it lived."""
    assert [None, file_row(B), file_row(B), None] == [reader.object(B, number(seq)) for seq in (1, 2, 3, 4)]
    assert [None, B, None] == [reader.child(ROOT, b"b", number(seq)) for seq in (1, 3, 4)]


def test_difference_is_net_and_ordered(reader: CatalogReader) -> None:
    """Objects first, then names; what came and went between the two is left out."""
    expected = [
        (object_key(A), None, file_row(A)),
        (object_key(D), None, dir_row(D)),
        (name_key(ROOT, b"c"), None, name_row(ROOT, b"c", A)),
        (name_key(ROOT, b"d"), None, name_row(ROOT, b"d", D)),
    ]
    assert expected == [row for batch in reader.difference(number(1), number(4), batch=1) for row in batch]
    backwards = [row for batch in reader.difference(number(4), number(1)) for row in batch]
    assert [(key, new, old) for key, old, new in expected] == backwards


def test_difference_from_nothing_is_everything(reader: CatalogReader) -> None:
    """A peer that has nothing gets the whole state."""
    rows = [row for batch in reader.rows_at(number(3), batch=2) for row in batch]
    found = [(key, old, new) for batch in reader.difference(NOTHING, number(3), batch=2) for key, old, new in batch]
    assert [(key_of(row), None, row) for row in rows] == found


def test_touched_names_what_came_and_went(reader: CatalogReader) -> None:
    """Also keys that are as they were."""
    keys = [key for batch in reader.touched(number(1), number(4), batch=1) for key in batch]
    objects = [object_key(id) for id in (A, B, D)]
    assert [*objects, *(name_key(ROOT, name) for name in (b"b", b"c", b"d")), name_key(D, b"a")] == keys


def test_two_differences_at_once_on_one_reader(reader: CatalogReader) -> None:
    """Their scratch is apart."""
    alone = [list(reader.difference(number(a), number(4), 1)) for a in (1, 2)]
    first, second = (reader.difference(number(a), number(4), 1) for a in (1, 2))
    together = ([next(first)], [next(second)])
    together[0].extend(first)
    together[1].extend(second)
    assert alone == list(together)


def test_a_difference_left_half_way_leaves_nothing(reader: CatalogReader) -> None:
    """Closing the generator clears its scratch."""
    batches = reader.difference(number(1), number(4), 1)
    next(batches)
    batches.close()
    assert [] == reader._all("select run from temp.changed_object union all select run from temp.changed_name", ())


def test_a_reader_may_be_closed_before_its_difference(catalog: Catalog) -> None:
    """What is left of the difference goes quietly."""
    reader = catalog.reader()
    batches = reader.difference(number(1), number(4), 1)
    next(batches)
    reader.close()
    batches.close()
    with pytest.raises(StopIteration):
        next(batches)


def test_a_reader_sees_commits_while_it_reads(catalog: Catalog, reader: CatalogReader) -> None:
    """A difference of two sealed moments stays as it is while the writer goes on."""
    batches = reader.difference(number(1), number(4), 1)
    first = next(batches)
    catalog.write(Changes((file_row(A, 99),), (name_key(ROOT, b"c"),)), header(5))
    assert 4 == len([first, *batches])
    assert number(5) == getattr(reader.newest(), "number", None)


def test_pruning_meanwhile_is_noticed(catalog: Catalog, reader: CatalogReader) -> None:
    """A difference whose older moment goes away ends in an error, never in a wrong answer."""
    batches = reader.difference(number(1), number(4), 1)
    next(batches)
    expire(catalog, number(3))
    with pytest.raises(NotFound):
        list(batches)


def test_commits_in_order(reader: CatalogReader) -> None:
    """Pages of history."""
    assert [number(2), number(3)] == [commit.number for commit in reader.commits(number(1), 2)]
    assert reader.commit_at(number(77)) is None


@pytest.mark.parametrize("seq", [1, 2, 3, 4])
def test_the_sums_of_any_moment(seq: int, catalog: Catalog, reader: CatalogReader) -> None:
    """They are those of its rows, whether the moment is before or after the one at which sums were written."""
    at = number(seq)
    rows = [row for some in reader.rows_at(at) for row in some]
    expected = (digest_of(rows), getattr(reader.commit_at(at), "digest", None))
    assert expected == (reader.sums_at(at).value(), reader.sums_at(at).value())
    expire(catalog, number(1))
    assert expected[0] == reader.sums_at(at).value()
    assert catalog.sums.groups() == reader.sums_at(number(4)).groups()


def test_no_sums_of_a_moment_that_is_gone(catalog: Catalog, reader: CatalogReader) -> None:
    """History of before the horizon is not made up."""
    expire(catalog, number(3))
    with pytest.raises(NotFound):
        reader.sums_at(number(1))


def test_the_newest_commit_up_to_a_number(reader: CatalogReader) -> None:
    """That itself, the one before a gap, or none."""
    found = [reader.commit_up_to(number(seq)) for seq in (2, 99, 0)]
    assert [number(2), number(4), None] == [commit and commit.number for commit in found]


def test_a_directory_with_a_long_past_is_read_at_the_cost_of_what_is_there(catalog: Catalog) -> None:
    """Names that came and went do not slow ``children`` down: no step of the plan walks the past."""
    plan = catalog._all("explain query plan " + history.CHILDREN, (ROOT, b"", number(4), 10))
    searches = [step[3] for step in plan if step[3].startswith(("SEARCH", "SCAN"))]
    assert [True, True] == ["PRIMARY KEY (parent=? AND until" in search for search in searches]


@pytest.mark.parametrize("sql", [reader_module._NAMES_OF, reader_module._SOME_NAMES])
def test_names_that_an_object_had_are_not_read(catalog: Catalog, sql: str) -> None:
    """Users rename a directory to and fro a million times: its name now is found as quickly."""
    given = (A, number(4)) if sql is reader_module._NAMES_OF else (A, number(4), 2)
    plan = catalog._all("explain query plan " + sql, given)
    assert "name_object (object=? AND until>?)" in plan[0][3]
    assert [(ROOT, b"c")] == catalog._all(sql, given)


@pytest.mark.parametrize("size", ["text", 1.5, None])
def test_a_size_that_is_no_number_is_damage(catalog: Catalog, size: object) -> None:
    """Sums beyond 63 bits are blobs, so SQLite lets anything stand there."""
    query(catalog._connection, "update commits set bytes = coalesce(?, 'none')", (size,))
    with pytest.raises(Damaged):
        catalog.commits(NOTHING, 10)
