"""What was forgotten does not come back, and what cannot be read without what is gone is not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.core.chunks import DATA, name_of
from agent.core.patch import between
from agent.store.vault.codec import StoredChunk, pack_patch
from agent.store.vault.index import remove_index
from agent.store.vault.limits import VaultLimits
from agent.store.vault.pack import PackEnd, path_of
from agent.store.vault.vault import Vault
from fakes.idle import damaged_in
from fakes.store_fakes import chunk, some_chunks

ZERO = PackEnd(0, 0)
SIZE = 40_000


@pytest.fixture
def directory(tmpfs_dir: Path) -> str:
    """Where the vault lies."""
    return str(tmpfs_dir / "vault")


def chain(vault: Vault, links: int) -> list[bytes]:
    """A chunk and patches of which each is made of the one before, in the vault; their names."""
    raw = os.urandom(SIZE)
    vault.add([chunk(raw)], [raw])
    names = [name_of(raw)]
    for depth in range(1, links + 1):
        old, raw = raw, raw[: depth * 100] + b"other" + raw[depth * 100 + 5 :]
        packed = pack_patch(name_of(raw), DATA, raw, between(raw, names[-1], old))
        assert packed is not None
        vault.add([StoredChunk(packed.name, DATA, packed.codec, len(raw), packed.stored, depth)], [raw])
        names.append(packed.name)
    return names


@pytest.mark.parametrize("most", [50_000, 3])
def test_what_was_forgotten_stays_so_when_the_index_is_made_anew(directory: str, most: int) -> None:
    """Lost, forgotten, and come again: the last that happened to a name counts."""
    chunks, raws = some_chunks(9)
    names = [one.name for one in chunks]
    with Vault.open(directory, ZERO) as vault:
        vault.add(chunks, raws)
        vault.forget(names[:3])
        vault.lose(names[5:7])
        vault.add(chunks[2:3], raws[2:3])
        vault.forget(names[2:3])
        vault.add(chunks[6:7], raws[6:7])
        end = vault.sync()
        gone = vault.missing(names)
    remove_index(f"{directory}/index.db")
    with Vault.open(directory, end, VaultLimits(pending=most)) as again:
        assert ([*names[:3], names[5]], []) == (gone, again.damage)
        assert (gone, []) == (again.missing(names), damaged_in(again))
        assert raws[6] == again.read(names[6])


def test_what_was_forgotten_before_a_crash_is_forgotten_or_whole(directory: str) -> None:
    """Nothing was synced since: either way what is there can be read."""
    chunks, raws = some_chunks(3)
    with Vault.open(directory, ZERO) as vault:
        vault.add(chunks, raws)
        end = vault.sync()
        vault.forget([chunks[0].name])
    with Vault.open(directory, end) as again:
        assert [] == damaged_in(again)
        assert raws[1:] == [again.read(one.name) for one in chunks[1:]]


def test_a_patch_whose_base_is_gone_is_not_there(directory: str) -> None:
    """Whatever is made of it neither; another chain, and a chunk that was stored whole since, are."""
    with Vault.open(directory, ZERO) as vault:
        names, others = chain(vault, 3), chain(vault, 2)
        end = vault.sync()
        place = vault._index.place(names[1])
    assert place is not None
    with open(path_of(f"{directory}/packs", 0), "r+b") as pack:
        pack.seek(place.offset)
        pack.write(bytes(8))
    remove_index(f"{directory}/index.db")
    with Vault.open(directory, end) as again:
        assert names[1:] == again.missing([*names, *others])
        assert "2 chunks are patches of chunks that are gone" in again.damage
        assert [] == damaged_in(again)


def test_a_patch_that_was_stored_whole_since_needs_no_base(directory: str) -> None:
    """What it was once made of may be lost."""
    raw = os.urandom(SIZE)
    with Vault.open(directory, ZERO) as vault:
        names = chain(vault, 1)
        whole = chunk(vault.read(names[1]))
        vault.forget(names[1:])
        vault.add([whole, chunk(raw)], [b"", raw])
        vault.forget(names[:1])
        end = vault.sync()
    remove_index(f"{directory}/index.db")
    with Vault.open(directory, end) as again:
        assert ([names[0]], []) == (again.missing([*names, name_of(raw)]), again.damage)
        assert names[1] == name_of(again.read(names[1]))
