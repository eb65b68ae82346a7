"""What a restore says of what is not here, and what its helpers make of odd files."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.apply.ports import nothing_left_out
from agent.core import chunks
from agent.core.commit import Changes
from agent.core.ids import ROOT, ObjectId
from agent.core.rows import ObjectRow, encode_object
from agent.generations.reading import MomentReader, ReadChunk
from agent.generations.restore.asked import Parts
from agent.generations.restore.crew import Crew
from agent.generations.restore.one_file import restore_file
from agent.generations.restore.plain_files import ReadMany, created_in, plain_file
from agent.generations.restore.ranges import stretches
from agent.generations.restore.restoring import Restoration, restore_into
from agent.generations.restore.target import Order, open_target
from agent.generations.restore.worker import Stores
from agent.store.catalog.reader import CatalogReader
from agent.store.vault.pack import PackEnd
from agent.store.vault.vault import Vault
from fakes.store_fakes import begun, chunk, file_row, header, name_row, number


def a_file(id: int, raw: bytes, mode: int = 0o640, flags: int = 0) -> bytes:
    """The row of a file of one chunk of our own."""
    content = chunks.encode_one(len(raw), chunks.name_of(raw))
    owner = (os.geteuid(), os.getegid())
    return encode_object(
        ObjectRow(ObjectId(id), stat.S_IFREG | mode, *owner, 10**18 + 7, flags, len(raw), 0, (), content)
    )


def test_what_is_owed_is_named(tmpfs_dir: Path) -> None:
    """Content that never came, and a chunk that the vault does not have; the rest is there."""
    raw = os.urandom(3000)
    with (
        begun(str(tmpfs_dir / "catalog.db")) as catalog,
        Vault.open(str(tmpfs_dir / "vault"), PackEnd(0, 0)) as vault,
    ):
        vault.add([chunk(raw)], [raw])
        vault.sync()
        rows = (a_file(7, raw), file_row(8), file_row(9))
        names = (name_row(ROOT, b"here", 7), name_row(ROOT, b"owed", 8), name_row(ROOT, b"lost", 9))
        catalog.stage(number(2), Changes((*rows, *names)))
        catalog.owe(number(2), [ObjectId(8)])
        catalog.seal(header(2), PackEnd(0, 0))
        stores = Stores(catalog.path, str(tmpfs_dir / "vault"))
        with Crew(1) as crew, stores.opened() as (reader, read, _):
            target = open_target(str(tmpfs_dir / "to"), Order("web", "", ()), in_place=False)
            moment = MomentReader(reader, read, number(2))
            wanted = Restoration(moment, stores.words, Parts(), nothing_left_out, lambda _: None)
            done = restore_into(target, wanted, crew, "serial")
            target.close()
    assert ([b"owed"], 1, False) == (done.owed, done.owed_count, done.is_whole)
    assert [(b"lost", chunks.name_of(b"9").hex())] == [(one.path, one.chunk) for one in done.unmade]
    assert ["here"] == os.listdir(tmpfs_dir / "to")
    made = tmpfs_dir / "to" / "here"
    assert (raw, 0o640, 10**18 + 7) == (made.read_bytes(), made.stat().st_mode & 0o777, made.stat().st_mtime_ns)


def test_a_helper_that_comes_late_has_nothing_to_say(tmpfs_dir: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """An empty tree is restored before its helper has opened what it reads, and nothing but the tree stays."""
    come, go = os.pipe()

    @contextmanager
    def late(words: tuple[str, ...]) -> Iterator[tuple[CatalogReader, ReadChunk, ReadMany]]:
        os.read(come, 1)
        with Stores(*words).opened() as opened:
            yield opened

    with (
        begun(str(tmpfs_dir / "catalog.db")) as catalog,
        Vault.open(str(tmpfs_dir / "vault"), PackEnd(0, 0)) as vault,
    ):
        vault.sync()
        catalog.seal(header(2), PackEnd(0, 0))
        stores = Stores(catalog.path, str(tmpfs_dir / "vault"))
        with Crew(1, late) as crew, stores.opened() as (reader, read, _):
            target = open_target(str(tmpfs_dir / "to"), Order("web", "", ()), in_place=False)
            moment = MomentReader(reader, read, number(2))
            wanted = Restoration(moment, stores.words, Parts(), nothing_left_out, lambda _: None)
            done = restore_into(target, wanted, crew, "serial")
            target.close()
            os.write(go, b"!")
    os.close(come)
    os.close(go)
    assert (True, [], "") == (done.is_whole, os.listdir(tmpfs_dir / "to"), capfd.readouterr().err)


def test_plain_files_are_told_from_others() -> None:
    """One chunk or none, no attributes, flags or special bits."""
    assert plain_file(b"a", a_file(7, b"x")) is not None
    assert plain_file(b"a", file_row(7, size=0)) is not None
    for other in (a_file(7, b"x", flags=0x10), a_file(7, b"x", mode=0o4755)):
        assert plain_file(b"a", other) is None
    assert plain_file(b"a", encode_object(ObjectRow(ObjectId(7), stat.S_IFDIR | 0o755, 0, 0, 7))) is None


def test_what_a_directory_gives(tmpfs_dir: Path) -> None:
    """Its files' owner, as far as it is only that."""
    fd = os.open(tmpfs_dir, os.O_RDONLY)
    try:
        found = created_in(fd)
    finally:
        os.close(fd)
    assert found is None or (os.geteuid(), os.getegid()) == found


def test_stretches_cover_a_file() -> None:
    """Each byte once."""
    assert [(0, 4), (4, 4), (8, 2)] == stretches(10, 4)
    assert [] == stretches(0, 4)


def test_one_file_says_how_far_it_is(tmpfs_dir: Path) -> None:
    """While its chunks come: what was checked so far, up to all of it."""
    parts = [os.urandom(3000) for _ in range(4)]
    content = b"".join(chunks.encode_one(len(raw), chunks.name_of(raw)) for raw in parts)
    owner = (os.geteuid(), os.getegid())
    row = ObjectRow(ObjectId(7), stat.S_IFREG | 0o600, *owner, 10**18, 0, 12_000, 0, (), content)
    with (
        begun(str(tmpfs_dir / "catalog.db")) as catalog,
        Vault.open(str(tmpfs_dir / "vault"), PackEnd(0, 0)) as vault,
    ):
        vault.add([chunk(raw) for raw in parts], parts)
        heard: list[int] = []
        moment = MomentReader(catalog.reader(), vault.read, number(1))
        done = restore_file(moment, b"f", row, str(tmpfs_dir / "to"), lambda so_far: heard.append(so_far.verified))
        moment.catalog.close()
    assert ([3000, 6000, 9000, 12_000], 12_000) == (heard, done.verified)
    assert b"".join(parts) == (tmpfs_dir / "to").read_bytes()
