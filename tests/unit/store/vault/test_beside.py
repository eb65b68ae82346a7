"""The vault as another process than its agent's reads it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.chunks import DATA, name_of
from agent.core.errors import NotFound, TryAgain
from agent.core.patch import between
from agent.store.vault.beside import IndexBeside, VaultBeside
from agent.store.vault.codec import StoredChunk, pack_patch
from agent.store.vault.index import remove_index
from agent.store.vault.limits import VaultLimits
from agent.store.vault.pack import PackEnd, numbers_in
from agent.store.vault.vault import Vault
from fakes.store_fakes import chunk, some_chunks

LIMITS = VaultLimits(pack=20_000, cache=0)


@pytest.fixture
def directory(tmpfs_dir: Path) -> str:
    """Where the vault lies."""
    return str(tmpfs_dir / "vault")


@pytest.fixture
def vault(directory: str) -> Iterator[Vault]:
    """The agent's."""
    with Vault.open(directory, PackEnd(0, 0), LIMITS) as opened:
        yield opened


def test_what_waits_for_the_index_is_read_too(vault: Vault, directory: str) -> None:
    """Chunks that the index has, that came since, and that came after the reader was opened."""
    raws = [os.urandom(900) for _ in range(60)]
    vault.add([chunk(raw) for raw in raws[:20]], raws[:20])
    vault.sync()
    with vault.collecting():
        vault.add([chunk(raw) for raw in raws[20:40]], raws[20:40])
    with VaultBeside.open_beside(directory) as beside:
        vault.add([chunk(raw) for raw in raws[40:]], raws[40:])
        assert raws == [beside.read(name_of(raw)) for raw in raws]
        assert [] == beside.missing([name_of(raw) for raw in raws])


def test_of_a_closed_vault_nothing_is_looked_for_in_the_packs(vault: Vault, directory: str) -> None:
    """All that was durable stands in the index; what was not stays where it is found by its end."""
    raws = [os.urandom(900) for _ in range(20)]
    vault.add([chunk(raw) for raw in raws], raws)
    vault.sync()
    vault.add([chunk(b"not synced")], [b"not synced"])
    vault.close()
    index = IndexBeside.open_beside(os.path.join(directory, "index.db"))
    index.read_tail(os.path.join(directory, "packs"), 100)
    assert 1 == index.waiting()
    index.close()
    with VaultBeside.open_beside(directory) as beside:
        assert raws == [beside.read(name_of(raw)) for raw in raws]


def test_what_is_not_there_is_not_found(vault: Vault, directory: str) -> None:
    """Also what was forgotten a moment ago."""
    raws = [os.urandom(900) for _ in range(3)]
    vault.add([chunk(raw) for raw in raws[:2]], raws[:2])
    vault.forget([name_of(raws[0])])
    names = [name_of(raw) for raw in raws]
    with VaultBeside.open_beside(directory) as beside:
        assert [names[0], names[2]] == beside.missing(names)
        with pytest.raises(NotFound):
            beside.read(names[0])


def test_patches_are_read(vault: Vault, directory: str) -> None:
    """Each made of the one before."""
    raws = [os.urandom(20_000)]
    vault.add([chunk(raws[0])], raws)
    for depth in range(1, 4):
        raw = raws[-1][: depth * 100] + b"other" + raws[-1][depth * 100 + 5 :]
        packed = pack_patch(name_of(raw), DATA, raw, between(raw, name_of(raws[-1]), raws[-1]))
        assert packed is not None
        vault.add([StoredChunk(packed.name, DATA, packed.codec, len(raw), packed.stored, depth)], [raw])
        raws.append(raw)
    with VaultBeside.open_beside(directory) as beside:
        assert raws == [beside.read(name_of(raw)) for raw in raws]


def test_a_vault_of_an_agent_that_is_down_is_read(directory: str) -> None:
    """What never came into the index is in the packs."""
    chunks, raws = some_chunks(90)
    with Vault.open(directory, PackEnd(0, 0), LIMITS) as vault:
        vault.add(chunks, raws)
        vault.sync()
    with VaultBeside.open_beside(directory) as beside:
        assert raws == [beside.read(one.name) for one in chunks]


def test_an_index_that_is_to_be_made_anew_is_said(directory: str) -> None:
    """It would not fit into memory; an agent that starts makes it."""
    chunks, raws = some_chunks(90)
    with Vault.open(directory, PackEnd(0, 0), LIMITS) as vault:
        vault.add(chunks, raws)
    remove_index(os.path.join(directory, "index.db"))
    Vault.open(os.path.join(directory, "other"), PackEnd(0, 0)).close()
    os.rename(os.path.join(directory, "other", "index.db"), os.path.join(directory, "index.db"))
    with pytest.raises(TryAgain, match="start the agent"):
        VaultBeside.open_beside(directory, VaultLimits(pending=20, flush=20))


def test_packs_that_went_are_let_go_of(vault: Vault, directory: str) -> None:
    """Their room comes back while somebody goes on to read."""
    chunks, raws = some_chunks(90)
    for one, raw in zip(chunks, raws, strict=True):
        vault.add([one], [raw])
    vault.sync()
    with VaultBeside.open_beside(directory) as beside:
        assert raws == [beside.read(one.name) for one in chunks]
        for number in numbers_in(os.path.join(directory, "packs"))[:-1]:
            os.unlink(os.path.join(directory, "packs", f"{number:08d}.pack"))
        for _ in range(300):
            beside.read(chunks[-1].name)
        assert [] == [pack for pack in beside._open._open.values() if not os.fstat(pack.fd).st_nlink]


def test_many_are_read_by_few_calls(vault: Vault, directory: str) -> None:
    """Those that lie whole in the packs, in the index or behind its end; what is damaged, a patch, or not there is left to be
    asked for."""
    raws = [os.urandom(900) for _ in range(40)] + [b"packed well " * 100]
    vault.add([chunk(raw) for raw in raws[:20]], raws[:20])
    with vault.collecting():
        vault.add([chunk(raw) for raw in raws[20:]], raws[20:])
    packed = pack_patch(name_of(raws[0][:-1]), DATA, raws[0][:-1], between(raws[0][:-1], name_of(raws[0]), raws[0]))
    assert packed is not None
    vault.add([StoredChunk(packed.name, DATA, packed.codec, 899, packed.stored, 1)], [raws[0][:-1]])
    vault.sync()
    names = [name_of(raw) for raw in raws]
    with VaultBeside.open_beside(directory) as beside:
        asked = [*names, packed.name, name_of(b"none")]
        assert dict(zip(names, raws, strict=True)) == {
            name: bytes(raw) for name, raw in beside.read_many(asked).items()
        }
        ((_, place),) = beside._index.places(names[7:8])
        with open(os.path.join(directory, "packs", f"{place.pack:08d}.pack"), "r+b") as pack:
            pack.seek(place.end - 1)
            pack.write(b"?" if raws[7][-1:] != b"?" else b"!")
        assert names[7] not in beside.read_many(asked)
        assert names[8] in beside.read_many(asked)
