"""Leases: who reads a moment keeps it, whatever process he is, and for as long as he lives."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.commit import Changes
from agent.core.ids import ROOT, ObjectId
from agent.store.catalog import leases
from agent.store.catalog.catalog import Catalog
from agent.store.catalog.kept import KeptCommit
from fakes.store_fakes import begun, expire, file_row, header, name_row, number

FILE = ObjectId(7)
HOLDER = """
import sys
from agent.store.catalog import leases
lease = leases.take_lease(sys.argv[1], int(sys.argv[2]), "a test")
print("taken", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def catalog(tmpfs_dir: Path) -> Iterator[Catalog]:
    """Six commits; each after the first gives the one file another version."""
    with begun(str(tmpfs_dir / "catalog.db")) as opened:
        opened.write(Changes((file_row(7), name_row(ROOT, b"file", 7))), header(2))
        for seq in range(3, 7):
            opened.write(Changes((file_row(7, salt=b"%d" % seq),)), header(seq))
        yield opened


def versions(catalog: Catalog) -> list[bytes | None]:
    """The file at each commit that can be read."""
    return [catalog.object(FILE, at) for at in map(number, range(2, 7)) if catalog.is_readable(at)]


def test_what_is_read_stays(catalog: Catalog) -> None:
    """And goes by the upkeep after its reader has closed it."""
    with leases.take_lease(catalog.path, number(3), "a test") as lease:
        expire(catalog, number(5))
        assert [file_row(7, salt=b"3"), file_row(7, salt=b"5"), file_row(7, salt=b"6")] == versions(catalog)
        assert [KeptCommit(number(3), leases.OWNER, "a test")] == catalog.kept()
    assert not os.path.exists(lease.path)
    expire(catalog, number(5))
    assert [file_row(7, salt=b"5"), file_row(7, salt=b"6")] == versions(catalog)
    assert [] == catalog.kept()


def test_what_others_let_go_of_stays_for_who_reads_it(catalog: Catalog) -> None:
    """A generation that is expired while it is restored."""
    catalog.keep([KeptCommit(number(3), "generation")])
    expire(catalog, number(5))
    with leases.take_lease(catalog.path, number(3), "a test"):
        catalog.let_go("generation")
        expire(catalog, number(6))
        assert [file_row(7, salt=b"3"), file_row(7, salt=b"6")] == versions(catalog)
    expire(catalog, number(6))
    assert [file_row(7, salt=b"6")] == versions(catalog)


def test_nobody_gets_back_what_is_gone(catalog: Catalog) -> None:
    """A lease of a moment whose rows went before it keeps nothing."""
    expire(catalog, number(5))
    with leases.take_lease(catalog.path, number(3), "a test"):
        expire(catalog, number(6))
        assert not catalog.is_readable(number(3))


def test_a_lease_ends_with_its_process(catalog: Catalog) -> None:
    """Also by kill -9."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, catalog.path, str(number(3))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[4],
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    with holder, holder.stdin, holder.stdout:
        assert b"taken\n" == holder.stdout.readline()
        assert [leases.LeasedCommit(number(3), "a test")] == leases.readings(catalog.path)
        holder.kill()
        holder.wait()
    assert [] == leases.readings(catalog.path)
    assert [] == os.listdir(leases.directory_beside(catalog.path))


def test_two_of_one_process(catalog: Catalog) -> None:
    """Each ends by itself."""
    with (
        leases.take_lease(catalog.path, number(3), "one"),
        leases.take_lease(catalog.path, number(3), "other") as second,
    ):
        second.close()
        second.close()
        assert [leases.LeasedCommit(number(3), "one")] == leases.readings(catalog.path)
