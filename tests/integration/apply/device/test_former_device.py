"""The device of an old primary becomes a standby as it stands, and a vault is filled from it and mended by it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from agent.adopt.filling.fill_mark import begin_filling
from agent.adopt.filling.filling import Filling, FillingStores
from agent.apply.device.former_device import take_device_for_standby
from agent.apply.device.place import DevicePlace
from agent.apply.output.directory import no_step
from agent.apply.results import silent
from agent.core.chunks import DEVICE_CHUNK, name_of
from agent.core.ids import ObjectId
from agent.repair.from_device import StandingDevice
from agent.repair.from_standby import Restoring
from agent.store.vault.pack import PackEnd
from agent.store.vault.vault import Vault
from fakes.device_standby import DeviceStandby, device_standby


@pytest.fixture
def it(tmpfs_dir: Path) -> Iterator[DeviceStandby]:
    """A device of which nothing came yet."""
    with device_standby(tmpfs_dir / "it") as made:
        yield made


def _place(it: DeviceStandby) -> DevicePlace:
    return DevicePlace(str(it.path), "vm", str(it.base / "kept"), no_step)


def test_what_nobody_writes_is_believed(it: DeviceStandby) -> None:
    """It equals what was captured, so nothing is read."""
    image = random.Random(1).randbytes(300_000)
    newest = it.put(image)
    it.path.write_bytes(image)
    take_device_for_standby(_place(it), it.local, newest.number)
    applier = it.applier()
    applier.prepare()
    assert (applier.redoes, applier.applied) == (False, newest.number)


def test_what_somebody_writes_is_compared_whole_afterwards(it: DeviceStandby) -> None:
    """It was still open for writing when it was taken: what was written then does not stay."""
    image = random.Random(2).randbytes(200 * DEVICE_CHUNK)
    newest = it.put(image)
    it.path.write_bytes(image)
    with it.path.open("r+b") as file:
        take_device_for_standby(_place(it), it.local, newest.number, lambda _seconds: None)
        file.seek(99 * DEVICE_CHUNK)  # none of those that every opening compares
        file.write(b"late")
    it.applier().converge(newest, silent)
    assert it.content() == image


def test_who_lets_go_a_moment_later_is_waited_for(it: DeviceStandby) -> None:
    """A use that ends while it is waited for costs no comparison."""
    image = random.Random(5).randbytes(300_000)
    newest = it.put(image)
    it.path.write_bytes(image)
    held = it.path.open("r+b")
    take_device_for_standby(_place(it), it.local, newest.number, lambda _seconds: held.close())
    applier = it.applier()
    applier.prepare()
    assert (applier.redoes, applier.applied) == (False, newest.number)


def test_a_vault_is_filled_from_the_device(it: DeviceStandby) -> None:
    """All that the device holds comes into an empty vault, and what changed before is told as lost."""
    image = random.Random(3).randbytes(6 * DEVICE_CHUNK)
    newest = it.put(image)
    it.path.write_bytes(b"other" + image[5:])
    begin_filling(it.local, newest.number)
    lost: list[ObjectId] = []
    vault = Vault.open(str(it.base / "empty"), PackEnd(0, 0))
    stores = FillingStores(str(it.path), vault, it.local, it.kept.catalog.reader, is_device=True)
    filling = Filling(stores, lost.extend)
    while filling.step():
        pass
    names = [name_of(image[at : at + DEVICE_CHUNK]) for at in range(0, len(image), DEVICE_CHUNK)]
    missing: Sequence[bytes] = vault.missing_in_packs(names)
    filling.close()
    vault.close()
    assert (list(missing), lost) == ([names[0]], [ObjectId(1)])


def test_a_vault_is_mended_from_the_device(it: DeviceStandby) -> None:
    """What the vault lacks is read from where it stands."""
    image = random.Random(4).randbytes(4 * DEVICE_CHUNK)
    it.put(image)
    it.path.write_bytes(image)
    vault = Vault.open(str(it.base / "empty"), PackEnd(0, 0))
    restoring = Restoring(vault, it.kept.catalog.reader, StandingDevice(str(it.path)))
    restoring.run(lambda: None)
    restoring.close()
    vault.close()
    assert (restoring.restored, restoring.left) == (4, 0)
