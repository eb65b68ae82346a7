"""The vault: chunks by name, dedup, what is cut and what is found again at the next start."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.chunks import PIECE, name_of
from agent.core.errors import Damaged, NotFound, Refused, StoreFailed
from agent.store.vault.limits import VaultLimits
from agent.store.vault.pack import numbers_in, path_of
from agent.store.vault.recent_chunks import ENTRY
from agent.store.vault.vault import PackEnd, StoredChunk, Vault
from fakes.idle import damaged_in
from fakes.store_fakes import chunk, some_chunks

ZERO = PackEnd(0, 0)


@pytest.fixture
def directory(tmpfs_dir: Path) -> str:
    """Where the vault lies."""
    return str(tmpfs_dir / "vault")


@pytest.fixture
def vault(directory: str) -> Iterator[Vault]:
    """Empty, with small packs and a cache of nothing, so that reads go to disk."""
    with Vault.open(directory, ZERO, VaultLimits(pack=20_000, cache=0)) as opened:
        yield opened


def test_what_was_added_is_read(vault: Vault) -> None:
    """Before and after a sync, from disk, of both kinds, compressed or not."""
    raws = [os.urandom(3000), b"text " * 1000, b"x"]
    chunks = [*(chunk(raw) for raw in raws), chunk(b"list", PIECE)]
    vault.add(chunks, [*raws, b"list"])
    for _ in range(2):
        assert [*raws, b"list"] == [vault.read(c.name) for c in chunks]
        vault.sync()


def test_missing_tells_what_it_does_not_hold(vault: Vault) -> None:
    """In the order asked."""
    chunks, raws = some_chunks(3)
    vault.add(chunks[1:2], raws[1:2])
    assert [chunks[2].name, chunks[0].name] == vault.missing([chunks[2].name, chunks[1].name, chunks[0].name])
    with pytest.raises(NotFound):
        vault.read(chunks[0].name)


def test_little_waits_for_a_sync(directory: str) -> None:
    """Large content is synced while it comes: a small commit behind it would have to wait for all of it."""
    synced: list[int] = []
    added = 0
    with Vault.open(directory, ZERO, VaultLimits(unsynced=10_000), sync_file=lambda _: synced.append(added)) as vault:
        for _ in range(10):
            chunks, raws = some_chunks(1)
            raw = os.urandom(3000)
            added += sum(map(len, raws)) + len(raw)
            vault.add([*chunks, chunk(raw)], [*raws, raw])
        assert len(synced) >= 2
        assert all(later - earlier < 16_000 for earlier, later in itertools.pairwise(synced))


def test_known_chunks_take_no_room(vault: Vault) -> None:
    """Added twice in one call, or again later, after the index was written too."""
    chunks, raws = some_chunks(2)
    vault.add([*chunks, *chunks], [*raws, *raws])
    end = vault.sync()
    vault.add(chunks, raws)
    vault._index.flush(end)
    vault.add(chunks, raws)
    assert end == vault.sync()


def test_packs_are_switched_at_their_limit(vault: Vault, directory: str) -> None:
    """Each but the last is full; all are read, also after the next start."""
    chunks, raws = some_chunks(60)
    for one, raw in zip(chunks, raws, strict=True):
        vault.add([one], [raw])
    end = vault.sync()
    assert [0, 1, 2, 3] == numbers_in(f"{directory}/packs")
    vault.close()
    with Vault.open(directory, end) as again:
        assert raws == [again.read(c.name) for c in chunks]


def test_the_cache_spares_the_disk_and_is_bounded(directory: str) -> None:
    """What came first is there although its pack is not, until it was read; what found no room is not."""
    with Vault.open(directory, ZERO, VaultLimits(cache=5 * (1000 + ENTRY))) as vault:
        chunks, raws = some_chunks(8)
        vault.add(chunks, raws)
        os.unlink(path_of(f"{directory}/packs", 0))
        assert raws[:3] == [vault.read(c.name) for c in chunks[:3]]
        with pytest.raises(Damaged, match="pack is gone"):
            vault.read(chunks[-1].name)


def test_what_was_not_synced_is_cut(directory: str) -> None:
    """Law 1: what lies behind the last end known to be durable is thrown away, and can come again."""
    kept, kept_raws = some_chunks(30)
    lost, lost_raws = some_chunks(30)
    with Vault.open(directory, ZERO) as vault:
        vault.add(kept, kept_raws)
        end = vault.sync()
        vault.add(lost, lost_raws)
    with Vault.open(directory, end) as again:
        assert ([], [c.name for c in lost]) == (
            again.missing([c.name for c in kept]),
            again.missing([c.name for c in lost]),
        )
        assert end == again.sync()
        again.add(lost, lost_raws)
        assert lost_raws == [again.read(c.name) for c in lost]


def test_a_pack_that_was_left_is_durable(vault: Vault, directory: str) -> None:
    """It was synced before the next began; only the last one is cut."""
    chunks, raws = some_chunks(50)
    for one, raw in zip(chunks, raws, strict=True):
        vault.add([one], [raw])
    vault.close()
    with Vault.open(directory, ZERO) as again:
        lost = again.missing([c.name for c in chunks])
        assert [c.name for c in chunks[-len(lost) :]] == lost
        assert 0 < len(lost) < 20


def test_the_index_knows_an_end_without_the_catalog(directory: str) -> None:
    """A catalog that was lost does not take the vault with it."""
    chunks, raws = some_chunks(5)
    with Vault.open(directory, ZERO, VaultLimits(flush=1)) as vault:
        vault.add(chunks, raws)
        vault.sync()
    with Vault.open(directory, ZERO) as again:
        assert raws == [again.read(c.name) for c in chunks]


@pytest.mark.parametrize("how", ["gone", "noise", "behind"])
def test_an_index_is_rebuilt_from_the_packs(vault: Vault, directory: str, how: str) -> None:
    """Missing, damaged, or of an earlier day."""
    chunks, raws = some_chunks(70)
    for one, raw in zip(chunks, raws, strict=True):
        vault.add([one], [raw])
    end = vault.sync()
    vault.close()
    for name in Path(directory).glob("index.db*"):
        if how == "gone":
            name.unlink()
        elif how == "noise":
            name.write_bytes(os.urandom(9000))
    with Vault.open(directory, end) as again:
        assert ([], raws) == (again.damage, [again.read(c.name) for c in chunks])
        assert {c.name for c in chunks} == set(again.names())
        assert [] == damaged_in(again)


def test_an_index_ahead_of_the_packs_is_made_anew(directory: str) -> None:
    """Packs brought back from an older copy: what is gone is missing, not damaged."""
    chunks, raws = some_chunks(4)
    with Vault.open(directory, ZERO, VaultLimits(flush=1)) as vault:
        vault.add(chunks[:2], raws[:2])
        early = vault.sync()
        vault.add(chunks[2:], raws[2:])
        vault.sync()
    os.truncate(path_of(f"{directory}/packs", 0), early.offset)
    with Vault.open(directory, early) as again:
        assert [c.name for c in chunks[2:]] == again.missing([c.name for c in chunks])


@pytest.mark.parametrize("left", [None, 10])
def test_records_that_were_durable_and_are_gone_are_told(vault: Vault, directory: str, left: int | None) -> None:
    """A pack that lost its tail, or all: new records go to a fresh pack, behind the end that was committed."""
    chunks, raws = some_chunks(3)
    vault.add(chunks, raws)
    end = vault.sync()
    vault.close()
    last = path_of(f"{directory}/packs", 0)
    if left is None:
        os.unlink(last)
    else:
        os.truncate(last, left)
    with Vault.open(directory, end) as again:
        assert f"pack 0: it ends at {left or 0}, {end.offset} was committed" in again.damage
        assert [c.name for c in chunks] == again.missing([c.name for c in chunks])
        again.add(chunks, raws)
        assert again.sync() > end
        assert raws == [again.read(c.name) for c in chunks]


def test_damaged_bytes_are_never_given(vault: Vault, directory: str) -> None:
    """Read and deep check find them; the shallow check finds a header; forgetting and adding repairs."""
    chunks, raws = some_chunks(6)
    vault.add(chunks, raws)
    vault.sync()
    places = [vault._index.place(c.name) for c in chunks]
    assert places[1] is not None
    assert places[4] is not None
    _flip(path_of(f"{directory}/packs", 0), places[1].end - 3)
    _flip(path_of(f"{directory}/packs", 0), places[4].offset + 12)
    for victim in (1, 4):
        with pytest.raises(Damaged, match="fetched from the primary again"):
            vault.read(chunks[victim].name)
    assert [chunks[4].name] == [name for name, _ in damaged_in(vault, deep=False)]
    assert {chunks[1].name, chunks[4].name} == {name for name, _ in damaged_in(vault)}
    damaged = [chunks[1], chunks[4]]
    vault.forget([c.name for c in damaged])
    vault.add(damaged, [raws[1], raws[4]])
    assert ([], raws) == (damaged_in(vault), [vault.read(c.name) for c in chunks])


def test_pinned_chunks_are_not_forgotten(vault: Vault) -> None:
    """Law 2: what an offer in flight relies on stays until it is settled."""
    chunks, raws = some_chunks(2)
    vault.add(chunks, raws)
    names = [c.name for c in chunks]
    vault.pin(names[:1], "a call")
    with pytest.raises(Refused):
        vault.forget(names)
    assert [] == vault.missing(names)
    vault.unpin("a call")
    vault.forget(names)
    assert names == vault.missing(names)


def test_who_pins_unpins_only_its_own(vault: Vault) -> None:
    """Two rely on one chunk: it stays until both have let go, in whatever order."""
    chunks, raws = some_chunks(1)
    vault.add(chunks, raws)
    names = [c.name for c in chunks]
    for first, second in (("a call", "another"), ("another", "a call")):
        vault.add(chunks, raws)
        vault.pin(names, first)
        vault.pin(names, second)
        vault.unpin(first)
        with pytest.raises(Refused):
            vault.lose(names)
        vault.unpin(second)
        assert names == vault.lose(names)


def test_pins_that_are_too_many_to_remember_pin_all(vault: Vault) -> None:
    """A commit may name any number of chunks, and memory stays bounded: until it is settled nothing at all is forgotten."""
    chunks, raws = some_chunks(1)
    vault.add(chunks, raws)
    names = [c.name for c in chunks]
    vault.pin((number.to_bytes(32, "big") for number in range(200_001)), "a call")
    with pytest.raises(Refused):
        vault.forget(names)
    vault.unpin("a call")
    vault.forget(names)
    assert names == vault.missing(names)


def failing_disk(directory: str, broken: list[bool]) -> Vault:
    """A vault whose packs cannot be synced any more once ``broken`` holds something."""

    def sync(fd: int) -> None:
        if broken:
            raise OSError(5, "Input/output error")

    return Vault.open(directory, ZERO, VaultLimits(pack=20_000, cache=0), sync_file=sync)


def test_a_failed_sync_ends_the_vault(directory: str) -> None:
    """Law 1: it is never tried again on the same descriptors, though it would work now."""
    chunks, raws = some_chunks(2)
    broken: list[bool] = []
    with failing_disk(directory, broken) as vault:
        vault.add(chunks, raws)
        broken.append(True)
        with pytest.raises(StoreFailed):
            vault.sync()
        broken.clear()
        for refused in (vault.sync, lambda: vault.add(chunks, raws), lambda: vault.read(chunks[0].name)):
            with pytest.raises(StoreFailed):
                refused()


def test_a_failed_sync_of_a_pack_that_is_left_ends_the_vault(directory: str) -> None:
    """Every pack but the last counts as durable, so that sync must not fail unseen."""
    (late, *chunks), (late_raw, *raws) = some_chunks(30)
    broken: list[bool] = []
    with failing_disk(directory, broken) as vault:
        broken.append(True)
        vault.add(chunks, raws)
        with pytest.raises(StoreFailed):
            vault.add([late], [late_raw])
        with pytest.raises(StoreFailed):
            vault.add(chunks, raws)


def test_entries_in_memory_are_bounded(directory: str) -> None:
    """Many chunks without a sync: the vault syncs by itself and writes the index."""
    chunks, raws = some_chunks(25)
    with Vault.open(directory, ZERO, VaultLimits(pending=10, flush=10)) as vault:
        vault.add(chunks[:15], raws[:15])
        assert 0 == vault._index.waiting()
        vault.add(chunks[15:], raws[15:])
        assert 10 == vault._index.waiting()
        assert {c.name for c in chunks} == set(vault.names())


def test_many_threads_at_once(vault: Vault) -> None:
    """Receiver, applier and verifier: every read gives the right bytes while chunks come and packs change."""
    chunks, raws = some_chunks(300, 500)
    failures: list[BaseException] = []
    begun = threading.Event()

    def read() -> None:
        try:
            begun.wait(40)
            for one, raw in zip(chunks, raws, strict=True):
                if not vault.missing([one.name]):
                    assert raw == vault.read(one.name)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for start in range(0, 300, 10):
        vault.add(chunks[start : start + 10], raws[start : start + 10])
        begun.set()
        vault.sync()
    for thread in threads:
        thread.join()
    assert [] == failures


def test_wrong_bytes_under_a_name_in_the_pack_are_not_believed(vault: Vault) -> None:
    """Even when somebody managed to store them."""
    liar = StoredChunk(name_of(b"right"), 0, 0, 5, b"wrong")
    vault.add([liar], [b"wrong"])
    with pytest.raises(Damaged):
        vault.read(liar.name)


def _flip(path: str, at: int) -> None:
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))
