"""Looking at everything without believing any stat: what a power cut left with its old time is found (decision 0178)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.fs.durable import has_silent_stores
from fakes.capture_fakes import WAIT, Station, station


@pytest.fixture
def disk(ext4_dir: Path) -> Path:
    """An empty root on a disk: in memory no stat is believed anyway."""
    fd = os.open(ext4_dir, os.O_RDONLY)
    silent = has_silent_stores(fd)
    os.close(fd)
    if silent:
        pytest.skip("the directory for temporary files is on a filesystem in memory")
    root = ext4_dir / "root"
    root.mkdir()
    return root


def _changed_behind(made: Station, name: bytes, content: bytes) -> None:
    """The file has other content, and the stat that is known of it."""
    path = made.root / os.fsdecode(name)
    path.write_bytes(content)
    st, id = path.stat(), made.id_of(name)
    known = made.local.get(id) if id is not None else None
    assert known is not None
    now = known._replace(ino=st.st_ino, ctime=st.st_ctime_ns, mtime=st.st_mtime_ns, size=st.st_size, clean=True)
    made.local.write([now])


def test_new_content_with_its_old_stat_is_found(disk: Path) -> None:
    """Small and large; whatever else stands is read and found to be as it was."""
    for name, size in (("small", 100), ("large", 20 << 20), ("same", 3_000_000)):
        (disk / name).write_bytes(os.urandom(size))
    with station(disk, disk.parent / "state") as made:
        made.synced()
        _changed_behind(made, b"small", b"x" * 100)
        _changed_behind(made, b"large", os.urandom(20 << 20))
        before = made.catalog.newest()
        made.reconcile()
        assert before == made.catalog.newest()
        made.pump.reconcile("test", believing=False).wait(WAIT)
        assert [] == made.mirror()
        assert b"x" * 100 == made.copied(b"small")


@pytest.mark.parametrize("busy", [False, True])
def test_what_is_not_believed_is_only_read(disk: Path, busy: bool) -> None:
    """Where nothing differs nothing is committed, also while it is asked for again and again."""
    for number in range(50):
        (disk / f"f{number}").write_bytes(b"%d" % number)
    with station(disk, disk.parent / "state") as made:
        made.synced()
        before = made.catalog.newest()
        tickets = [made.pump.reconcile("test", believing=False) for _ in range(5 if busy else 1)]
        for ticket in tickets:
            ticket.wait(WAIT)
        assert (before, []) == (made.catalog.newest(), made.mirror())


@pytest.mark.parametrize("size", [100, 3_000_000, 20 << 20])
def test_what_it_found_is_counted(disk: Path, size: int) -> None:
    """A file that is read in slices too; and what an event tells of is none of it."""
    (disk / "file").write_bytes(os.urandom(size))
    with station(disk, disk.parent / "state") as made:
        made.synced()
        before = made.pump.facts()
        assert (0, 0) == (before.by_event, before.by_reconcile)
        _changed_behind(made, b"file", os.urandom(size))
        made.pump.reconcile("test", believing=False).wait(WAIT)
        found = made.pump.facts()
        assert (0, 1) == (found.by_event, min(1, found.by_reconcile))
        (disk / "file").write_bytes(os.urandom(size))
        made.hint(b"file")
        told = made.pump.facts()
        assert (found.by_reconcile, True) == (told.by_reconcile, told.by_event > 0)
