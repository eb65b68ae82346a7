"""A loop device over a file, which goes with whoever holds it open: nothing of it outlives a crash.

It is attached in one call together with the flag that the kernel detaches it by once nobody has it open any more (loop(4)).
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct

from agent.core.errors import Refused

_CONTROL = "/dev/loop-control"
_GET_FREE, _CONFIGURE = 0x4C82, 0x4C0A
#: LO_FLAGS_AUTOCLEAR; where it stands in struct loop_config: file, block size, then struct loop_info64 with its offset
#: and length at 24 (0: all of it), its flags at 52.
_AUTOCLEAR, _PART_AT, _FLAGS_AT, _CONFIG_SIZE = 4, 8 + 24, 8 + 52, 304
WHOLE = (0, 0)
_MAJOR = 7
_TRIES = 20


def attach_loop(file: int, place: str, operation: str, part: tuple[int, int] = WHOLE) -> tuple[int, str]:
    """A loop device over an open file, or over ``part`` of it (offset, length): its descriptor, which keeps it, and the path of
    its node; one that the system has not made is made in ``place``. Raises ``Refused`` where there can be none."""
    config = bytearray(_CONFIG_SIZE)
    struct.pack_into("=I", config, 0, file)
    struct.pack_into("=QQ", config, _PART_AT, *part)
    struct.pack_into("=I", config, _FLAGS_AT, _AUTOCLEAR)
    try:
        control = os.open(_CONTROL, os.O_RDWR | os.O_CLOEXEC)
        try:
            for _ in range(_TRIES):
                number = fcntl.ioctl(control, _GET_FREE)
                path = _node(number, place)
                fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
                try:
                    fcntl.ioctl(fd, _CONFIGURE, bytes(config))
                except OSError as error:
                    os.close(fd)
                    if error.errno != errno.EBUSY:
                        raise
                    continue  # Somebody else took it meanwhile.
                return _kept(fd, path), path
        finally:
            os.close(control)
    except OSError as error:
        reason = f"no loop device can be had: {error.strerror or error}"
        raise Refused(operation, _CONTROL, reason, "modprobe loop; in a container, let it have loop devices") from error
    raise Refused(operation, _CONTROL, "others take each loop device first", "type it again")


def _kept(fd: int, path: str) -> int:
    """It is kept by reading alone: who looks for writers finds none in us."""
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(fd)


def _node(number: int, place: str) -> str:
    path = f"/dev/loop{number}"
    if os.path.exists(path):
        return path
    path = os.path.join(place, f"loop{number}")
    os.mknod(path, 0o600 | 0o060000, os.makedev(_MAJOR, number))
    return path
