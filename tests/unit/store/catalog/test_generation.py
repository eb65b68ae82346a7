"""Generations in the catalog: kept as long as one of them stands for a commit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.core.commit import Changes, Quiesced
from agent.core.errors import Damaged, NotFound
from agent.core.ids import ROOT
from agent.store.catalog import schema
from agent.store.catalog.catalog import Catalog
from agent.store.catalog.generation import OWNER, Cause, Generation
from agent.store.catalog.reader import CatalogReader
from agent.store.sqlite import Synchronous, ensure_schema, open_database, query
from fakes.store_fakes import begun, dir_row, expire, header, number

FIRST = Generation("20261122T031500Z", number(2), 5, 7, Cause.SCHEDULE, immutable_until=9, reached=Quiesced.CRASH)
SECOND = Generation("20261122T041500Z", number(2), 8, 9, Cause.DEMAND, "before-upgrade", True, stood_still=3, note="so")


@pytest.fixture
def catalog(tmpfs_dir: Path) -> Iterator[Catalog]:
    """Four commits."""
    with begun(str(tmpfs_dir / "catalog.db")) as opened:
        for seq in (2, 3, 4):
            opened.write(Changes((dir_row(ROOT, seq),)), header(seq))
        yield opened


def test_they_are_there_after_a_restart(catalog: Catalog) -> None:
    """With all that is known of them, the oldest first."""
    catalog.keep_generations([SECOND, FIRST])
    catalog.close()
    with Catalog.open(catalog.path) as again:
        assert [FIRST, SECOND] == again.generations()


def test_a_commit_stays_while_any_generation_stands_for_it(catalog: Catalog) -> None:
    """The first of two may go; with the second it is let go."""
    catalog.keep_generations([FIRST, SECOND])
    expire(catalog, number(4))
    assert catalog.is_readable(number(2))
    catalog.drop_generations([FIRST])
    assert [SECOND] == catalog.generations()
    expire(catalog, number(4))
    assert ([number(2)], True) == ([one.number for one in catalog.kept(OWNER)], catalog.is_readable(number(2)))
    catalog.drop_generations([SECOND])
    expire(catalog, number(4))
    assert ([], False) == (catalog.kept(OWNER), catalog.is_readable(number(2)))


def test_one_that_changes_keeps_its_name(catalog: Catalog) -> None:
    """A pin is put on and taken off."""
    catalog.keep_generations([FIRST])
    catalog.keep_generations([replace(FIRST, pinned=True)])
    assert [replace(FIRST, pinned=True)] == catalog.generations()


def test_what_history_has_passed_is_no_generation(catalog: Catalog) -> None:
    """A commit that cannot be read any more is not kept."""
    expire(catalog, number(4))
    with pytest.raises(NotFound, match="history has passed it"):
        catalog.keep_generations([FIRST])


def test_a_catalog_of_before_gets_the_table(tmpfs_dir: Path) -> None:
    """One that has no such table is read as without generations, and grows when it is opened to be written."""
    path = str(tmpfs_dir / "old.db")
    old = open_database(path, Synchronous.FULL, 1024)
    ensure_schema(old, path, schema.APPLICATION, schema.VERSION, schema.TABLES)
    old.close()
    with CatalogReader.open(path) as reader:
        assert [] == reader.generations()
    with begun(path) as opened:
        opened.write(Changes((dir_row(ROOT, 2),)), header(2))
        opened.keep_generations([FIRST])
        assert [FIRST] == opened.generations()


def test_one_that_cannot_be_is_damage(catalog: Catalog) -> None:
    """Not a bug of ours that a person would read as a traceback."""
    catalog.keep_generations([FIRST])
    query(catalog._connection, "update generation set cause = 'whim'")
    with pytest.raises(Damaged, match="cannot be"):
        catalog.generations()


def test_one_of_a_moment_with_others_says_so(catalog: Catalog) -> None:
    """Until it goes; one of the same name afterwards is of its own."""
    shared = replace(FIRST, together="shop/20261122T031500Z")
    catalog.keep_generations([shared])
    with CatalogReader.open(catalog.path) as reader:
        assert [("shop", "20261122T031500Z")] == [(one.group, one.moment) for one in reader.generations()]
    catalog.drop_generations([shared])
    catalog.keep_generations([FIRST])
    assert [FIRST] == catalog.generations()


def test_a_catalog_of_before_moments_of_groups_gets_the_table(tmpfs_dir: Path) -> None:
    """What it has is read as of its own, and what is taken from then on says whose it is."""
    path = str(tmpfs_dir / "old.db")
    with begun(path) as opened:
        opened.write(Changes((dir_row(ROOT, 2),)), header(2))
        opened.keep_generations([FIRST])
    old = open_database(path, Synchronous.FULL, 1024)
    query(old, "drop table together", ())
    old.close()
    with CatalogReader.open(path) as reader:
        assert [FIRST] == reader.generations()
    with Catalog.open(path) as again:
        again.keep_generations([replace(SECOND, together="shop/now")])
        assert [FIRST, replace(SECOND, together="shop/now")] == again.generations()
