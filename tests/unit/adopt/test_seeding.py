"""Reading a tree that was there, believing it, and copying what is relied on before it can be lost."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.adopt.adopted_tree import AdoptedTree
from agent.adopt.seeding import Seeding
from agent.apply.ports import nothing_left_out
from agent.chunking.cutter import Cutter
from agent.chunking.reader import read_at_once
from agent.core import chunks
from agent.core.clock import ManualClock
from agent.core.errors import Damaged, NotFound
from agent.core.patch import between
from agent.fs import _libc
from agent.fs.confined import open_root
from agent.fs.handles import handle_of
from agent.store.vault.pack import PackEnd
from agent.store.vault.vault import Vault
from agent.stream.messages import Data
from agent.stream.receiving.open_chunks import open_chunks
from agent.stream.receiving.presence import ChunksMissing
from fakes.idle import goes_on, quick_load

TMPFS = 0x01021994
SMALL, LARGE, SPARSE = b"small" * 100, os.urandom(400_000), os.urandom(70_000)


class Rig:
    """A tree with three files and a link, a vault, and the seeding between them."""

    def __init__(self, base: Path) -> None:
        self.tree = base / "tree"
        (self.tree / "sub").mkdir(parents=True)
        (self.tree / "small").write_bytes(SMALL)
        (self.tree / "sub" / "large").write_bytes(LARGE)
        with (self.tree / "sub" / "sparse").open("wb") as file:
            file.truncate(1 << 20)
            file.seek(512 << 10)
            file.write(SPARSE)
        (self.tree / "link").symlink_to("small")
        (self.tree / ".hikae").mkdir()
        (self.tree / ".hikae" / "private").write_bytes(b"never read")
        self.home = base / "vault"
        self.vault = Vault.open(str(self.home), PackEnd(0, 0))
        self.lost: list[bytes] = []
        self.clock = ManualClock(time.time_ns())
        self.root = open_root(str(self.tree))
        self.seeding = self.make()

    def make(self) -> Seeding:
        """As a standby makes it when it is opened."""
        self.placements = AdoptedTree(str(self.home), str(self.tree))
        self.was_begun = self.placements.open()
        return Seeding(
            self.placements,
            self.vault,
            self.clock,
            lost=lambda names, _: self.lost.extend(names),
            left_out=nothing_left_out,
            expected=True,
        )

    def index(self) -> None:
        """Read the whole tree."""
        while not self.seeding.ready:
            assert self.seeding.step(adopting=True)

    def seed(self, *, adopting: bool = False) -> None:
        """Copy until there is no more to do."""
        while self.seeding.step(adopting=adopting):
            pass

    def restart(self) -> None:
        """Everything anew, from disk."""
        self.seeding.close()
        end = self.vault.sync()
        self.vault.close()
        self.vault = Vault.open(str(self.home), end)
        self.seeding = self.make()
        assert self.was_begun

    def close(self) -> None:
        os.close(self.root)
        self.seeding.close()
        self.vault.close()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    one = Rig(tmp_path)
    yield one
    one.close()


def names_of(data: bytes) -> list[bytes]:
    """The chunk names that a primary gives these bytes."""
    return [name for name, _, _ in read_at_once(data, 0, Cutter())[1]]


def test_nothing_is_known_before_it_is_decided(rig: Rig) -> None:
    """The applier decides: no tree to be adopted means that there is nothing to wait for."""
    assert not rig.seeding.ready
    assert not rig.seeding.step(adopting=None)
    assert not rig.seeding.ready
    assert not rig.seeding.step(adopting=False)
    assert (True, False) == (rig.seeding.ready, rig.seeding.seeds)


def test_files_are_named_as_a_primary_names_them(rig: Rig) -> None:
    """Small, of several chunks, with holes: every name is here; what lies in `.hikae` is not."""
    rig.index()
    wanted = names_of(SMALL) + names_of(LARGE)
    assert [] == rig.vault.missing(wanted)
    assert [chunks.name_of(b"never read")] == rig.vault.missing([chunks.name_of(b"never read")])
    assert wanted == rig.vault.missing_in_packs(wanted)
    assert SMALL == rig.vault.read(names_of(SMALL)[0])
    assert (3, 1 << 20) < rig.seeding.read


def test_content_is_known_without_reading_while_its_stat_stays(rig: Rig) -> None:
    """A file that changed since is not known; nor is any on a filesystem in memory, whose stat can vouch for nothing."""
    rig.clock.advance(3600)  # every change is long past
    rig.index()
    handle, st = handle_of(rig.root, b"small"), (rig.tree / "small").stat()
    vouched = None if _libc.magic_of(rig.root) == TMPFS else chunks.encode_one(len(SMALL), names_of(SMALL)[0])
    assert vouched == rig.seeding.guard.content(handle, st)
    (rig.tree / "small").write_bytes(SMALL)
    os.utime(rig.tree / "small", (1, 1))
    assert None is rig.seeding.guard.content(handle, (rig.tree / "small").stat())
    assert None is rig.seeding.guard.content(b"another", st)


def test_a_file_that_has_just_changed_is_read_again(rig: Rig) -> None:
    """Within the grain of the filesystem's clock a further change would carry the same time (law 5)."""
    rig.clock = ManualClock((rig.tree / "small").stat().st_ctime_ns)
    rig.seeding = rig.make()
    rig.index()
    assert None is rig.seeding.guard.content(handle_of(rig.root, b"small"), (rig.tree / "small").stat())


def test_only_what_is_relied_on_is_copied(rig: Rig) -> None:
    """Then the list is gone, and the vault holds it alone."""
    rig.index()
    assert [] == rig.vault.missing(names_of(LARGE))
    rig.seed()
    assert ([], names_of(SMALL)) == (
        rig.vault.missing_in_packs(names_of(LARGE)),
        rig.vault.missing_in_packs(names_of(SMALL)),
    )
    assert (False, False) == (rig.seeding.seeds, (rig.home / "standby.db").exists())
    assert names_of(SMALL) == rig.vault.missing(names_of(SMALL))
    assert [] == rig.lost


def test_it_does_not_end_before_the_tree_is_adopted(rig: Rig) -> None:
    """More may be relied on at any moment."""
    rig.index()
    rig.seed(adopting=True)
    assert rig.seeding.seeds
    assert [] == rig.vault.missing(names_of(SMALL))


def test_a_restart_goes_on_with_what_is_relied_on(rig: Rig) -> None:
    """Known durably once the vault was synced."""
    rig.index()
    rig.vault.missing(names_of(LARGE))
    rig.vault.sync()
    rig.restart()
    assert (True, len(LARGE)) == (rig.seeding.ready, rig.seeding.left[1])
    rig.seed()
    assert [] == rig.vault.missing_in_packs(names_of(LARGE))


def test_what_is_relied_on_is_copied_before_its_file_changes(rig: Rig) -> None:
    """The applier asks before; then the bytes are in the packs, and what nobody relies on is not here any more."""
    rig.index()
    first, rest = names_of(LARGE)[:2], names_of(LARGE)[2:]
    assert [] == rig.vault.missing(first)
    sub = os.open(rig.tree / "sub", os.O_RDONLY)
    rig.seeding.guard.before_change(sub, b"large")
    os.close(sub)
    (rig.tree / "sub" / "large").write_bytes(b"overwritten")
    assert ([], rest) == (rig.vault.missing_in_packs(first), rig.vault.missing(rest))
    assert LARGE.startswith(rig.vault.read(first[0]))
    assert [] == rig.lost


def test_files_are_found_again_where_they_were_moved(rig: Rig) -> None:
    """By their handle, where we may open by it; else they are told as lost."""
    rig.index()
    rig.vault.missing(names_of(LARGE))
    (rig.tree / "sub").rename(rig.tree / "elsewhere")
    rig.seed()
    missing = rig.vault.missing(names_of(LARGE))
    assert ([] == missing) == (os.geteuid() == 0)
    assert sorted(missing) == sorted(rig.lost)


def test_what_a_stranger_changed_is_told_as_lost(rig: Rig) -> None:
    """The name does not come out: it is neither given nor copied, told once, and not looked for any more."""
    rig.index()
    wanted = names_of(LARGE)
    rig.vault.missing(wanted)
    st = (rig.tree / "sub" / "large").stat()
    (rig.tree / "sub" / "large").write_bytes(os.urandom(len(LARGE)))
    os.utime(rig.tree / "sub" / "large", ns=(st.st_atime_ns, st.st_mtime_ns))
    with pytest.raises(Damaged):
        rig.vault.read(wanted[0])
    rig.seed()
    assert sorted(wanted) == sorted(rig.lost)
    assert wanted == rig.vault.missing(wanted)
    with pytest.raises(NotFound):
        rig.vault.read(wanted[0])


def test_a_list_that_is_damaged_is_removed(rig: Rig) -> None:
    """So that the next opening does not meet it; whoever opened it must ask for everything."""
    rig.index()
    rig.seeding.close()
    (rig.home / "standby.db").write_bytes(b"no database at all" * 1000)
    for name in ("standby.db-wal", "standby.db-shm"):
        (rig.home / name).unlink(missing_ok=True)
    with pytest.raises(Damaged):
        rig.make()
    assert not (rig.home / "standby.db").exists()


def test_patches_of_what_stands_in_the_tree_only(rig: Rig) -> None:
    """Taken as of any chunk that is here; of one that a stranger changed the name is told, so that it is asked for."""
    rig.index()
    base = read_at_once(LARGE, 0, Cutter())[1][0][2]
    new = base + b"one line more"
    load = quick_load()
    load.chunk(chunks.DATA, chunks.name_of(new), new, between(new, chunks.name_of(base), base))
    (data,) = load.take()
    assert isinstance(data, Data)
    assert [new] == open_chunks(data, rig.vault, "a call", goes_on).raws
    (rig.tree / "sub" / "large").write_bytes(b"overwritten")
    with pytest.raises(ChunksMissing) as missing:
        open_chunks(data, rig.vault, "a call", goes_on)
    assert (chunks.name_of(base),) == missing.value.names
