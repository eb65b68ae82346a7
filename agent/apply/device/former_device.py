"""The device of a node that was the primary becomes its standby: it stays as it is, and is known to equal what was captured."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import structlog

from agent.apply.checkpoint import STATE, believe_equal
from agent.apply.device.claimed import looked_at
from agent.apply.device.opened import OpenDevice, device_errors
from agent.apply.device.place import DevicePlace, mark_as_ours, open_private
from agent.apply.holds import PINNED
from agent.apply.owed_versions import SHORT
from agent.apply.standby.kept_problems import REMEMBERED
from agent.apply.standby.taken import expect_found_again, expect_standby
from agent.core.ids import CommitNumber
from agent.fs.root import device_identity
from agent.store.local import Local

#: So often it is looked whether somebody still uses it, and so many seconds apart.
_LOOKS, _PAUSE = 20, 0.1
_log = structlog.get_logger("apply")


def take_device_for_standby(
    place: DevicePlace, local: Local, commit: CommitNumber, pause: Callable[[float], None] = time.sleep
) -> None:
    """On entry the device equals ``commit``, as far as nobody writes into it. On exit the next applier knows it as the standby,
    durably; where somebody uses it still after two seconds of ``pause``, it is compared whole once that has ended. Raises
    ``RootFailed``, ``Held``."""
    for key in (*STATE, PINNED, SHORT, REMEMBERED):
        local.set_value(key, b"")
    with device_errors(place.path):
        fd, is_block, used = _looked_at(place.path, pause)
        try:
            identity = device_identity(fd, is_block=is_block)
            private = open_private(place.private(is_block=is_block))
        except BaseException:
            os.close(fd)
            raise
        device = OpenDevice(place.path, fd, private, is_block, place.step)
        try:
            mark_as_ours(device, place.dataset, identity)
            expect_standby(local, identity)
            if used:
                _log.warning("the device is in use: all of it is compared afterwards", dataset=place.dataset, by=used)
                expect_found_again(local)
            else:
                believe_equal(local, commit, private)
        finally:
            device.close()


def _looked_at(path: str, pause: Callable[[float], None]) -> tuple[int, bool, str]:
    """``looked_at``, once nobody uses it, or after a while: what was unmounted a moment ago may be let go of a moment later."""
    for _ in range(_LOOKS):
        fd, is_block, used = looked_at(path)
        if not used:
            return fd, is_block, used
        os.close(fd)
        pause(_PAUSE)
    return looked_at(path)
