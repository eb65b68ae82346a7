"""Which image or device is the standby, and is it still the same one? Nothing is written into any other (law 8)."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from agent.apply.device.claimed import claim, create_image, is_missing, used_by_others
from agent.apply.device.opened import OpenDevice, device_errors
from agent.apply.output.directory import Step
from agent.apply.ports import LocalFacts
from agent.apply.results import Held
from agent.apply.standby.taken import TakenStandby, mark_in, mark_standby
from agent.core.problem_codes import STANDBY_FOREIGN, STANDBY_GONE, STANDBY_REPLACED, STANDBY_UNSAFE
from agent.fs.block_device import BlockPlaces, standing_on
from agent.fs.root import device_identity
from agent.fs.writers.device_holders import holder_of

#: What our directory beside an image is called: the image's name with this.
BESIDE = ".hikae"
#: So many bytes at either end of a block device are zeros where it is taken for empty: what says what a device holds (a
#: partition table, a filesystem, a part of a stack) stands there.
_ENDS = 4 << 20
#: So often it is looked whether an image is used, in seconds.
_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class DevicePlace:
    """Where the standby of a device is. ``kept``: a directory for what belongs to a block device, which has no room for anything
    of ours; ``adopt``: what stands there may be written over; ``step`` is called with a word before every change."""

    path: str
    dataset: str
    kept: str
    step: Step
    adopt: bool = False

    def private(self, *, is_block: bool) -> str:
        """The directory of our own that belongs to it."""
        return self.kept if is_block else self.path + BESIDE


class StandbyDevice(TakenStandby[OpenDevice]):
    """The standby's place, its remembered identity, and the open device. For one thread.

    ``found_again``: it was known by our mark beside it alone; ``fresh``: it is all zeros; ``doubtful``: it was taken for empty by
    its ends, or was used by others meanwhile."""

    def __init__(
        self, place: DevicePlace, local: LocalFacts, step: Step, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(place.path, local)
        self._monotonic = monotonic
        self._look_at = 0.0
        self._was_used = False
        self._place = place
        self._step = step

    def open(self) -> OpenDevice:
        """The device, made sure to be ours, and held by us alone until :meth:`close`. Each call looks again.

        Raises ``Held``: "standby-path-missing", "standby-gone", "standby-replaced", "standby-foreign", "standby-in-use",
        "standby-unsafe"; ``RootFull``, ``RootFailed``."""
        with device_errors(self.path):
            device = self._standing
            if device is not None and self._stands(device):
                self._require_unused(device)
                return device
            self.close()
            device = self._standing = self._opened()
        self.opened = True
        return device

    def _require_unused(self, device: OpenDevice) -> None:
        """Nothing keeps a loop device from standing on an image, and what is mounted by it from being written: looked at once a
        second. Raises ``Held``."""
        now = self._monotonic()
        if device.is_block or now < self._look_at:
            return
        self._look_at = now + _LOOK_SECONDS
        if use := standing_on(self.path, BlockPlaces()):
            self.close()
            self._was_used = True
            raise used_by_others(self.path, use, "end that use")

    def _stands(self, device: OpenDevice) -> bool:
        """Whether the path still leads to what is open."""
        try:
            there = os.stat(self.path)
        except FileNotFoundError:
            return False
        own = os.fstat(device.root)
        if device.is_block:
            return stat.S_ISBLK(there.st_mode) and there.st_rdev == own.st_rdev and device.length > 0
        return (there.st_dev, there.st_ino) == (own.st_dev, own.st_ino)

    def _opened(self) -> OpenDevice:
        if is_missing(self.path):
            self._require_unknown()
            os.close(create_image(self.path))
        fd, is_block = claim(self.path)
        try:
            if is_block and (holder := holder_of(os.fstat(fd).st_rdev)):
                raise used_by_others(self.path, holder, "end that use, or name another device")
            identity = device_identity(fd, is_block=is_block)
            taken = self._is_known(identity)
            private = open_private(self._place.private(is_block=is_block))
        except BaseException:
            os.close(fd)
            raise
        device = OpenDevice(self.path, fd, private, is_block, self._step)
        try:
            if taken:
                self.found_again = self._was_found_again
                self.doubtful, self._was_used = self._was_used, False
            else:
                self._take(device, identity)
        except BaseException:
            device.close()
            raise
        return device

    def _require_unknown(self) -> None:
        if self._identity:
            what = f"the standby's image or device {self.path} is gone"
            remedy = (
                f"bring it back; or, if it is lost: hikae resync {self._place.dataset} --standby (fills a new one from the "
                "vault)"
            )
            raise Held(STANDBY_GONE, self.path, what, remedy)

    def _is_known(self, identity: bytes) -> bool:
        """Whether we took it before; False when nothing was taken."""
        known = self._identity
        if known and known != identity:
            reason = (
                f"another image or device stands at {self.path}, where the standby was; nothing was written into it"
            )
            remedy = f"bring the standby back; or, to take this one: hikae resync {self._place.dataset} --standby"
            raise Held(STANDBY_REPLACED, self.path, reason, remedy)
        return bool(known)

    def _take(self, device: OpenDevice, identity: bytes) -> None:
        """It is the standby from now on, durably. Raises ``Held`` where it holds something that is not ours."""
        self.found_again = mark_in(device.private) == _mark_of(self._place.dataset, identity)
        vacant = _is_vacant(device)
        foreign = not self.found_again and not vacant
        if foreign and not self._place.adopt and not self._takes_all:
            reason = f"{self.path} holds something that is not this dataset's; nothing in it was touched"
            remedy = f"name another place; or, to write over it: hikae resync {self._place.dataset} --standby"
            raise Held(STANDBY_FOREIGN, self.path, reason, remedy)
        if not device.is_block:
            os.fchmod(device.root, 0o600)
        self.fresh = vacant and not self.found_again and not device.is_block
        self.doubtful = device.is_block and not foreign
        self._note_how(adopts=foreign)
        mark_as_ours(device, self._place.dataset, identity)
        self._note_identity(identity)


def mark_as_ours(device: OpenDevice, dataset: str, identity: bytes) -> None:
    """By the mark an image is known again where local facts are lost; durable. OSError, ``RootFailed``."""
    mark_standby(device.private, _mark_of(dataset, identity))
    device.sync()
    _sync_above(device.path)


def _mark_of(dataset: str, identity: bytes) -> bytes:
    return dataset.encode() + b"\n" + identity


def open_private(path: str) -> int:
    """Our own directory, made where there is none. Raises ``Held`` for what is not ours, OSError."""
    with suppress(FileExistsError):
        os.mkdir(path, 0o700)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except NotADirectoryError as error:
        raise _no_place(path) from error
    if os.fstat(fd).st_uid != os.geteuid():
        os.close(fd)
        raise _no_place(path)
    return fd


def _no_place(path: str) -> Held:
    reason = f"{path} is not a directory of the agent's; what stands there was left alone"
    return Held(STANDBY_UNSAFE, path, reason, "remove it, or move it away")


def _is_vacant(device: OpenDevice) -> bool:
    """Whether an image holds nothing but holes, and a block device nothing that says what it is."""
    if not device.is_block:
        return device.next_data(0) >= device.length
    ends = min(_ENDS, device.length)
    return not any(any(device.read(at, ends)) for at in (0, device.length - ends))


def _sync_above(path: str) -> None:
    fd = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
