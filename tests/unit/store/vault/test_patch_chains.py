"""Patches in the vault: stored, read back, bounded in depth, never without what they are made of."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from agent.core.chunks import DATA, PIECE, name_of
from agent.core.errors import Damaged, NotFound, Refused, WireError
from agent.core.patch import PAGE, PatchRange, Runs, between
from agent.store.vault.codec import PATCH, PATCH_ZSTD, StoredChunk, is_patch, pack_patch
from agent.store.vault.limits import VaultLimits
from agent.store.vault.pack import HEADER_SIZE, PackEnd, path_of
from agent.store.vault.patch_chains import DEPTH_MAX, BaseUnknown, Record, rebuild_record, received
from agent.store.vault.vault import Vault
from fakes.idle import damaged_in
from fakes.store_fakes import chunk

ZERO = PackEnd(0, 0)
SIZE = 32 * PAGE


@pytest.fixture
def directory(tmpfs_dir: Path) -> str:
    """Where the vault lies."""
    return str(tmpfs_dir / "vault")


@pytest.fixture
def vault(directory: str) -> Iterator[Vault]:
    """Empty, without a cache, so that reads go to disk."""
    with Vault.open(directory, ZERO, VaultLimits(cache=0)) as opened:
        yield opened


class Versions:
    """A chunk that changes for ever, and the vault that gets each change as a patch of the one before."""

    def __init__(self, vault: Vault, seed: int = 1) -> None:
        self.random = random.Random(seed)
        self.vault = vault
        self.raws = [self.random.randbytes(SIZE)]
        whole = chunk(self.raws[0])
        vault.add([whole], [self.raws[0]])
        self.stored = [whole]

    @property
    def names(self) -> list[bytes]:
        """Oldest first."""
        return [name_of(raw) for raw in self.raws]

    def change(self, pages: int = 1) -> StoredChunk:
        """Change some pages; the record that was stored."""
        old = self.raws[-1]
        new = bytearray(old)
        for page in self.random.sample(range(SIZE // PAGE), pages):
            new[page * PAGE : (page + 1) * PAGE] = self.random.randbytes(PAGE)
        return self.take(bytes(new), between(bytes(new), name_of(old), old))

    def take(self, raw: bytes, runs: Runs) -> StoredChunk:
        """As the receiver does."""
        sent = pack_patch(name_of(raw), DATA, raw, runs)
        assert sent is not None
        got, rebuilt = received(
            self.vault, DATA, sent.codec, len(raw), bytes(sent.stored), came=lambda _: None, owner="a call"
        )
        assert (raw, name_of(raw)) == (rebuilt, got.name)
        self.vault.unpin("a call")
        self.vault.add([got], [raw])
        self.raws.append(raw)
        self.stored.append(got)
        return got


def damage(directory: str, place_of: StoredChunk, vault: Vault) -> None:
    """Flip a byte in the middle of a chunk's record."""
    place = vault._index.place(place_of.name)
    assert place is not None
    fd = os.open(path_of(f"{directory}/packs", place.pack), os.O_RDWR)
    at = place.offset + HEADER_SIZE + place.stored_length // 2
    byte = os.pread(fd, 1, at)
    os.pwrite(fd, bytes([byte[0] ^ 1]), at)
    os.close(fd)


def test_a_hundred_versions_are_read_back(vault: Vault, directory: str) -> None:
    """No chain is deeper than may be, and all of them together take little more than what changed; so after the index was lost,
    too."""
    versions = Versions(vault)
    for _ in range(100):
        versions.change()
    assert versions.raws == [vault.read(name) for name in versions.names]
    depths = vault.depths(versions.names)
    assert max(depth or 0 for depth in depths) <= DEPTH_MAX
    assert sum(len(one.stored) + HEADER_SIZE for one in versions.stored[1:]) <= 1.8 * 100 * PAGE
    end = vault.sync()
    vault.close()
    os.unlink(f"{directory}/index.db")
    with Vault.open(directory, end, VaultLimits(cache=0)) as again:
        assert depths == again.depths(versions.names)
        assert versions.raws == [again.read(name) for name in versions.names]
        assert [] == damaged_in(again)
        with pytest.raises(Refused):
            again.forget(versions.names[:1])


def test_an_old_index_is_made_anew(vault: Vault, directory: str) -> None:
    """One of the release before knew no depths."""
    versions = Versions(vault)
    versions.change()
    end = vault.sync()
    vault._index._connection.pragma("user_version", 1)
    vault.close()
    with Vault.open(directory, end, VaultLimits(cache=0)) as again:
        assert [0, 1] == again.depths(versions.names)


def test_what_changes_wholly_is_stored_whole_when_it_lies_too_deep(vault: Vault) -> None:
    """A chunk of which nothing is left of half-way down costs its size once, and is read at once from then on."""
    versions = Versions(vault)
    while versions.change(8).depth or len(versions.raws) < DEPTH_MAX:
        assert len(versions.raws) < DEPTH_MAX + 3
    assert versions.raws == [vault.read(name) for name in versions.names]


def test_patches_of_several_bases_count_each(vault: Vault) -> None:
    """Ranges of two chunks at other places: what has to be read is the sum."""
    first, second = Versions(vault, 1), Versions(vault, 2)
    first.change()
    half = SIZE // 2
    raw = second.raws[0][half:] + b"between" + first.raws[1][:half]
    runs = (
        PatchRange(second.names[0], half, half),
        PatchRange(b"", 0, 7),
        PatchRange(first.names[1], 0, half),
    )
    assert 3 == first.take(raw, runs).depth
    assert raw == vault.read(name_of(raw))


def test_compressible_pages_are_packed(vault: Vault) -> None:
    """The literal part of a patch is compressed where that helps."""
    versions = Versions(vault)
    raw = bytearray(versions.raws[0])
    raw[PAGE : 3 * PAGE] = b"a line of text\n" * (2 * PAGE // 15) + b"rest of "[: 2 * PAGE % 15]
    got = versions.take(bytes(raw), between(bytes(raw), versions.names[0], versions.raws[0]))
    assert (PATCH_ZSTD, True) == (got.codec, len(got.stored) < PAGE)
    assert bytes(raw) == vault.read(got.name)


def test_a_patch_that_saves_little_is_none() -> None:
    """Three quarters are the limit: beyond it the chunk goes whole."""
    raw = os.urandom(SIZE)
    name = name_of(b"base")
    for pages, is_worth in ((8, True), (28, False)):
        runs = (PatchRange(b"", 0, pages * PAGE), PatchRange(name, 0, SIZE - pages * PAGE))
        assert is_worth == (pack_patch(name_of(raw), DATA, raw, runs) is not None)


def test_an_unknown_base_is_refused(vault: Vault) -> None:
    """By its own error, so that the call is tried again at once."""
    raw = os.urandom(SIZE)
    packed = pack_patch(name_of(raw), DATA, raw, (PatchRange(name_of(b"nobody"), 0, SIZE - 1), PatchRange(b"", 0, 1)))
    assert packed is not None
    with pytest.raises(BaseUnknown):
        received(vault, DATA, packed.codec, SIZE, bytes(packed.stored), came=lambda _: None, owner="a call")


def test_a_base_that_came_along_serves(vault: Vault) -> None:
    """It is not in the vault yet, so the chunk is stored whole."""
    raw = os.urandom(SIZE)
    packed = pack_patch(name_of(raw), DATA, raw, (PatchRange(name_of(raw), 0, SIZE),))
    assert packed is not None
    got, rebuilt = received(vault, DATA, packed.codec, SIZE, bytes(packed.stored), came=lambda _: raw, owner="a call")
    assert (raw, False) == (rebuilt, is_patch(got.codec))


def test_a_list_is_never_a_patch(vault: Vault) -> None:
    """Pieces of chunk lists come whole."""
    versions = Versions(vault)
    packed = versions.change()
    with pytest.raises(WireError):
        received(vault, PIECE, packed.codec, SIZE, bytes(packed.stored), came=lambda _: None, owner="a call")


def test_what_a_patch_needs_cannot_be_forgotten(vault: Vault) -> None:
    """Neither before nor after the index is written; together with all that needs it, it can."""
    versions = Versions(vault)
    versions.change()
    versions.change()
    end = vault.sync()
    for _ in range(2):
        for names in (versions.names[:1], versions.names[:2], versions.names[1:2]):
            with pytest.raises(Refused):
                vault.forget(names)
        vault._index.flush(end)
    vault.forget(versions.names[1:])
    vault.forget(versions.names[:1])
    assert versions.names == vault.missing(versions.names)


def test_bases_of_a_patch_in_flight_are_pinned(vault: Vault) -> None:
    """Law 2: until the offer ends nobody takes them, not even as damaged."""
    versions = Versions(vault)
    raw = versions.raws[0][:-1] + b"x"
    packed = pack_patch(name_of(raw), DATA, raw, between(raw, versions.names[0], versions.raws[0]))
    assert packed is not None
    received(vault, DATA, packed.codec, SIZE, bytes(packed.stored), came=lambda _: None, owner="a call")
    with pytest.raises(Refused):
        vault.lose(versions.names[:1])
    vault.unpin("a call")
    assert versions.names[:1] == vault.lose(versions.names[:1])


def test_who_loses_a_base_loses_its_patches(vault: Vault, directory: str) -> None:
    """Damage to one is damage to all above it; each is told, dropped, and replaced by what comes again."""
    versions = Versions(vault)
    for _ in range(3):
        versions.change()
    other = Versions(vault, 2)
    damage(directory, versions.stored[1], vault)
    for name in versions.names[1:]:
        with pytest.raises(Damaged):
            vault.read(name)
    assert set(versions.names[1:]) == {name for name, _ in damaged_in(vault)}
    assert set(versions.names[1:]) == set(vault.lose(versions.names[1:2]))
    assert versions.raws[0] == vault.read(versions.names[0])
    with pytest.raises(NotFound):
        vault.read(versions.names[3])
    vault.add([chunk(versions.raws[3])], [versions.raws[3]])
    assert versions.raws[3] == vault.read(versions.names[3])
    assert [] == damaged_in(vault)
    assert other.raws == [vault.read(name) for name in other.names]
    assert versions.names[:1] == vault.lose(versions.names[:1])


def test_a_lost_base_takes_its_patches_with_it(vault: Vault, directory: str) -> None:
    """Its header was destroyed, so a rebuilt index does not know it: neither is there, and both are asked for."""
    versions = Versions(vault)
    versions.change()
    end = vault.sync()
    vault.close()
    os.unlink(f"{directory}/index.db")
    with open(path_of(f"{directory}/packs", 0), "r+b") as pack:
        pack.write(b"zzzz")
    with Vault.open(directory, end, VaultLimits(cache=0)) as again:
        assert (versions.names, []) == (again.missing(versions.names), damaged_in(again))
        with pytest.raises(NotFound):
            again.read(versions.names[1])


def test_rings_and_ladders_without_an_end_are_noticed() -> None:
    """Whatever a damaged vault says, reading ends: a base must lie less deep than what is made of it."""
    raw = os.urandom(SIZE)
    packed = pack_patch(name_of(raw), DATA, raw, (PatchRange(name_of(raw), 0, SIZE),))
    assert packed is not None
    for depth in (1, DEPTH_MAX, DEPTH_MAX + 1):
        ring = Record(PATCH, SIZE, depth, packed.stored)
        with pytest.raises(WireError):
            rebuild_record(ring, lambda _, ring=ring: ring)  # type: ignore[misc]


def test_the_cache_of_the_applier_is_not_used_up(directory: str) -> None:
    """Bases are looked at without passing for read."""
    with Vault.open(directory, ZERO) as vault:
        versions = Versions(vault)
        versions.change()
        assert [] == list(vault._recent._read)
        assert versions.raws[1] == vault.read_base(versions.names[1])
        assert [] == list(vault._recent._read)


class Adopted:
    """A tree with one chunk, which is copied into the packs ``when`` it is asked for, and changed then."""

    def __init__(self, vault: Vault, raw: bytes, when: str = "never") -> None:
        self.vault, self.raw, self.when = vault, raw, when

    def rely(self, names: Sequence[bytes]) -> set[bytes]:
        return {name_of(self.raw)} & set(names)

    def sync(self) -> None:
        """Nothing waits."""

    def drop(self, names: Sequence[bytes]) -> None:
        """Nothing is kept."""

    def chunk(self, name: bytes) -> bytes | None:
        if self.when == "never":
            return self.raw if name == name_of(self.raw) else None
        if self.when != "changed":
            self.vault.add([chunk(self.raw)])
        if self.when == "dropped":
            return None
        raise Damaged("read a chunk", name.hex(), "it was changed", "ask again")


def patch_that_came(vault: Vault, raw: bytes, base: bytes) -> StoredChunk:
    """What is to be stored of a patch of ``base``."""
    sent = pack_patch(name_of(raw), DATA, raw, between(raw, name_of(base), base))
    assert sent is not None
    return received(vault, DATA, sent.codec, len(raw), bytes(sent.stored), came=lambda _: None, owner="a call")[0]


@pytest.mark.parametrize("when", ["never", "dropped", "copied"])
def test_a_base_that_stands_in_an_adopted_tree_only(vault: Vault, when: str) -> None:
    """The chunk is stored whole, as its base may go from there; also where that is copied into the packs in this instant."""
    base = os.urandom(SIZE)
    vault.elsewhere = Adopted(vault, base, when)
    got = patch_that_came(vault, base + b"more", base)
    assert (name_of(base + b"more"), False) == (got.name, is_patch(got.codec))


def test_a_base_in_an_adopted_tree_that_was_changed(vault: Vault) -> None:
    """It is damaged; what never stood there is unknown as ever."""
    base = os.urandom(SIZE)
    vault.elsewhere = Adopted(vault, base, "changed")
    with pytest.raises(Damaged):
        patch_that_came(vault, base + b"more", base)
    vault.elsewhere = Adopted(vault, b"other")
    with pytest.raises(BaseUnknown):
        patch_that_came(vault, base + b"more", base)
