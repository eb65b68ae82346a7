"""A device's rows and chunks through the whole of it: captured, streamed, sealed, kept through time, and refused in a tree."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.chunks import DEVICE_CHUNK
from agent.core.errors import HikaeError
from agent.core.ids import NOTHING, Epoch, ObjectId
from agent.stream.messages import Offer, Seal
from agent.stream.receiving.owed_here import Debts
from agent.stream.receiving.presence import Presence
from fakes.device import DevicePrimary, DeviceSecondary
from fakes.eventually import eventually
from fakes.idle import goes_on
from fakes.memory_link import MemoryTransport
from fakes.store_fakes import expire
from fakes.stream_fakes import Call, Primary, Secondary, digest_of, noise, sync, until_durable

SIZE = 10 * DEVICE_CHUNK + 512


@pytest.fixture
def device(tmp_path: Path) -> Iterator[DevicePrimary]:
    one = DevicePrimary(tmp_path / "alpha", bytes(SIZE))
    yield one
    one.close()


@pytest.fixture
def standby(tmp_path: Path) -> Iterator[DeviceSecondary]:
    one = DeviceSecondary(tmp_path / "beta")
    yield one
    one.close()


def test_a_device_of_zeros_is_its_end(device: DevicePrimary, standby: DeviceSecondary) -> None:
    """Only the last chunk of an empty device has a row, and it says how long the device is."""
    sync(device, MemoryTransport(standby))
    newest = standby.catalog.newest()
    assert newest is not None
    assert (1, 512, bytes(SIZE)) == (newest.entries, newest.bytes, standby.image_at(newest.number))


def test_random_writes_arrive_and_every_moment_stays(
    device: DevicePrimary, standby: DeviceSecondary, rng: random.Random
) -> None:
    """Writes, zeros and other sizes, live and caught up after being away: equal digests, and every commit that came is what the
    device was then, by its rows and by its difference from any other."""
    for _ in range(6):
        call = Call(device, MemoryTransport(standby))
        call.until_streaming()
        for _ in range(rng.randrange(4)):
            change(device, rng)
        until_durable(call, device)
        call.stop()
        assert None is call.failure
        assert digest_of(device) == standby.digest()
        for _ in range(rng.randrange(3)):
            change(device, rng)
    kept = [commit.number for commit in standby.catalog.commits(NOTHING, 100)]
    for a in kept:
        assert device.moments[a] == standby.image_at(a)
        for b in (NOTHING, *kept):
            expected = device.moments[b] if b else b""
            assert expected == standby.changed(device.moments[a], a, b)


def change(device: DevicePrimary, rng: random.Random) -> None:
    """One random commit."""
    if rng.random() < 0.3:
        device.resize(rng.randrange(1, SIZE * 2))
        return
    writes = []
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(device.image))
        length = min(rng.randrange(1, 3 * DEVICE_CHUNK), len(device.image) - at)
        writes.append((at, bytes(length) if rng.random() < 0.4 else rng.randbytes(length)))
    device.put(*writes)


def test_a_chunk_that_changes_while_it_is_sent_is_captured_again(
    device: DevicePrimary, standby: DeviceSecondary
) -> None:
    """Its row is withdrawn, and capture is asked for that chunk by its number."""
    device.put((0, noise(3 * DEVICE_CHUNK)))
    device.image[DEVICE_CHUNK : 2 * DEVICE_CHUNK] = noise(DEVICE_CHUNK, 7)
    sync(device, MemoryTransport(standby))
    assert ([ObjectId(2)], digest_of(device)) == (device.forced, standby.digest())


def test_a_chunk_that_cannot_be_read_is_owed_by_its_number(device: DevicePrimary, standby: DeviceSecondary) -> None:
    """The commit is sealed without it, and it comes once it can be read."""
    device.put((0, noise(3 * DEVICE_CHUNK)))
    device.unreadable = {ObjectId(2)}
    sync(device, MemoryTransport(standby))
    assert ([ObjectId(2)], digest_of(device)) == (standby.catalog.owed(), standby.digest())
    assert b"bytes 65536-131071" == standby.catalog.place_of(ObjectId(2))
    debts = Debts(standby.catalog, Presence(standby.vault, goes_on))
    # The second question is about what was told by the first and may have come.
    assert [(ObjectId(2),)] * 2 == [debts.ask(ObjectId(0)).objects for _ in range(2)]
    device.unreadable = set()
    call = Call(device, MemoryTransport(standby))
    call.until_streaming()
    eventually(lambda: standby.catalog.owing == 0)
    call.stop()
    newest = standby.catalog.newest()
    assert newest is not None
    assert bytes(device.image) == standby.image_at(newest.number)


def test_what_is_owed_and_became_something_else_is_captured_again(
    device: DevicePrimary, standby: DeviceSecondary
) -> None:
    """No event tells that a bad place can be read again."""
    device.put((0, noise(3 * DEVICE_CHUNK)))
    device.unreadable = {ObjectId(2)}
    sync(device, MemoryTransport(standby))
    device.image[DEVICE_CHUNK : 2 * DEVICE_CHUNK] = noise(DEVICE_CHUNK)
    device.unreadable = set()
    call = Call(device, MemoryTransport(standby))
    call.until_streaming()
    eventually(lambda: device.forced == [ObjectId(2)])
    eventually(lambda: standby.catalog.owing == 0)
    call.stop()
    newest = standby.catalog.newest()
    assert newest is not None
    assert bytes(device.image) == standby.image_at(newest.number)


def test_a_device_away_longer_than_history(device: DevicePrimary, standby: DeviceSecondary) -> None:
    """All rows go, what differs alone is asked for, what is not named ends, and the standby's past stays."""
    device.put((0, noise(6 * DEVICE_CHUNK)))
    sync(device, MemoryTransport(standby))
    old = standby.catalog.newest()
    assert old is not None
    device.put((DEVICE_CHUNK, bytes(DEVICE_CHUNK)), (3 * DEVICE_CHUNK, noise(10, 5)))
    expire(device.catalog, device.resize(9 * DEVICE_CHUNK).number)
    transport = MemoryTransport(standby)
    sync(device, transport)
    newest = standby.catalog.newest()
    assert newest is not None
    assert (old.number, digest_of(device)) == (newest.parent, newest.digest)
    asked = [part.asked for batch in transport.up for part in batch if isinstance(part, Offer) and part.asked]
    # The chunk that was written, and the new end, which is full now.
    assert [2] == [len(names) for names in asked]
    images = [standby.image_at(one.number) for one in (old, newest)]
    assert [device.moments[old.number], bytes(device.image)] == images


@pytest.mark.parametrize("met", [True, False])
def test_a_device_goes_back_to_the_common_commit(
    tmp_path: Path, device: DevicePrimary, standby: DeviceSecondary, met: bool
) -> None:
    """Two standbys part and one is promoted: what the other had alone is taken back, and only what changed here since they
    ``met`` travels. Where they never had a commit in common, the rows of the buckets that differ do."""
    common = device.put((0, noise(6 * DEVICE_CHUNK)))
    ahead = DeviceSecondary(tmp_path / "ahead")
    sync(device, MemoryTransport(ahead))
    ahead.close()
    if met:
        sync(device, MemoryTransport(standby))
    device.put((DEVICE_CHUNK, noise(2 * DEVICE_CHUNK, 1)))
    device.resize(SIZE + DEVICE_CHUNK)
    sync(device, MemoryTransport(standby))
    new = DevicePrimary(ahead.directory, device.moments[common.number], epoch=Epoch(2, "alpha", b"2" * 16))
    new.put((2 * DEVICE_CHUNK, noise(DEVICE_CHUNK, 2)))
    transport = MemoryTransport(standby)
    sync(new, transport)
    seals = [part for batch in transport.up for part in batch if isinstance(part, Seal)]
    newest = standby.catalog.newest()
    assert newest is not None
    assert (digest_of(new), bytes(new.image)) == (newest.digest, standby.image_at(newest.number))
    assert [1 if met else 3] == [seal.rows for seal in seals if seal.rows]
    new.close()


def test_a_primary_without_a_catalog_begins_anew(
    tmp_path: Path, device: DevicePrimary, standby: DeviceSecondary
) -> None:
    """Every chunk of before ends, so a shorter device fits, and ends where it does."""
    device.put((0, noise(6 * DEVICE_CHUNK)))
    sync(device, MemoryTransport(standby))
    new = DevicePrimary(tmp_path / "new", noise(2 * DEVICE_CHUNK + 5, 9), epoch=Epoch(2, "alpha", b"2" * 16))
    sync(new, MemoryTransport(standby))
    newest = standby.catalog.newest()
    assert newest is not None
    assert (digest_of(new), bytes(new.image)) == (newest.digest, standby.image_at(newest.number))
    new.close()


def test_a_device_that_changes_at_every_read_goes_by_the_spool(tmp_path: Path, standby: DeviceSecondary) -> None:
    """Rounds that do not shrink end in the spool, and the device is equal at last."""
    device = DevicePrimary(tmp_path / "alpha", bytes(SIZE), limit=DEVICE_CHUNK)
    device.put((0, noise(5 * DEVICE_CHUNK)))
    seeds = iter(range(12))

    def rewrite() -> None:
        if (seed := next(seeds, None)) is not None:
            device.put((0, noise(4 * DEVICE_CHUNK, seed)))
            device.put((DEVICE_CHUNK, noise(DEVICE_CHUNK, seed + 100)))

    device.before_read = rewrite
    call = Call(device, MemoryTransport(standby))
    eventually(lambda: digest_of(device) == standby.digest() or call.failure)
    call.stop()
    assert None is call.failure
    newest = standby.catalog.newest()
    assert newest is not None
    assert bytes(device.image) == standby.image_at(newest.number)
    assert device.spools
    device.close()


@pytest.mark.parametrize("which", ["tree", "device"])
def test_rows_of_the_other_kind_are_refused(tmp_path: Path, which: str) -> None:
    """A tree's receiver takes no device and a device's no tree, whatever their digests say; nothing is stored."""
    primary: Primary = (
        DevicePrimary(tmp_path / "alpha", bytes(SIZE)) if which == "tree" else Primary(tmp_path / "alpha")
    )
    secondary = Secondary(tmp_path / "beta") if which == "tree" else DeviceSecondary(tmp_path / "beta")
    if which == "device":
        primary.write((b"f", b"1"))
    call = Call(primary, MemoryTransport(secondary))
    call.join()
    assert isinstance(call.failure, HikaeError)
    assert f"in a {which}" in str(call.failure)
    assert None is secondary.catalog.newest()
    primary.close()
    secondary.close()
