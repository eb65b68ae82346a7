"""A device as a secondary has received it, and appliers that bring a standby to it, in one process after the other."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from agent.apply.device.applier import DeviceApplier
from agent.apply.device.place import DevicePlace
from agent.apply.device.ports import USUAL_DEVICE, DeviceLimits, DeviceSupply
from agent.apply.output.directory import no_step
from agent.apply.ports import ReadChunk, no_patch
from agent.core.chunks import DEVICE_CHUNK
from agent.core.clock import ManualClock
from agent.core.commit import Commit
from agent.core.ids import CommitNumber
from agent.core.problem import ProblemBoard
from agent.store.local import Local
from fakes.apply_fakes import UNBRAKED
from fakes.kept_device import KeptDevice


@dataclass
class DeviceStandby:
    """``kept``: what was received; ``path``: where the standby is to be; ``board``: what the appliers tell."""

    base: Path
    path: Path
    kept: KeptDevice
    local: Local
    board: ProblemBoard = field(default_factory=ProblemBoard)
    clock: ManualClock = field(default_factory=ManualClock)
    opened: list[DeviceApplier] = field(default_factory=list)

    def applier(
        self,
        step: Callable[[str], None] = no_step,
        *,
        adopt: bool = False,
        limits: DeviceLimits = USUAL_DEVICE,
        read: ReadChunk | None = None,
    ) -> DeviceApplier:
        """As a process that starts makes it."""
        place = DevicePlace(str(self.path), "vm", str(self.base / "kept"), step, adopt)
        supply = DeviceSupply(self.kept.catalog.reader, read or self.kept.vault.read, no_patch)
        made = DeviceApplier(place, supply, self.local, self.board, clock=self.clock, brake=UNBRAKED, limits=limits)
        self.opened.append(made)
        return made

    def put(self, image: bytes) -> Commit:
        """A commit comes by which the device holds this."""
        return self.commit(self.kept.put(image))

    def commit(self, number: CommitNumber) -> Commit:
        """One that came."""
        found = self.kept.catalog.commit_at(number)
        assert found is not None
        return found

    def dies(self) -> None:
        """The process that has the standby open is gone, without an end; what it wrote is in memory and not lost."""
        for one in self.opened:
            one._standby.close()
        self.opened.clear()

    def content(self) -> bytes:
        """What the standby holds."""
        return self.path.read_bytes()


@contextmanager
def device_standby(base: Path, received: Path | None = None) -> Iterator[DeviceStandby]:
    """For as long as the block lasts. ``received``: where catalog and vault are, if not beside the standby."""
    base.mkdir(parents=True, exist_ok=True)
    with KeptDevice.make(received or base / "received") as kept:
        local = Local.open(str(base / "local.db"))
        made = DeviceStandby(base, base / "vm.img", kept, local)
        try:
            yield made
        finally:
            made.dies()
            local.close()


def scattered(rng: random.Random, before: bytes, writes: int = 6) -> bytes:
    """The device after some writes, discards, and now and then another length."""
    image = bytearray(before)
    if rng.random() < 0.3:
        size = rng.randrange(1, 40) * 16384
        image = image[:size].ljust(size, b"\0")
    for _ in range(writes):
        at = rng.randrange(len(image))
        length = min(rng.choice((512, 4096, DEVICE_CHUNK, 3 * DEVICE_CHUNK)), len(image) - at)
        image[at : at + length] = rng.randbytes(length) if rng.random() < 0.7 else bytes(length)
    return bytes(image)
