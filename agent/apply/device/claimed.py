"""A device or an image opened so that nobody else writes it: who uses it already is named, and nothing is changed then."""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import suppress

from agent.apply.results import Held
from agent.core.errors import NotFound, NotPermitted, Refused
from agent.core.problem_codes import STANDBY_IN_USE, STANDBY_PATH_MISSING, STANDBY_UNSAFE
from agent.fs.block_device import BlockPlaces, is_among_devices, is_block_device, open_claimed, standing_on, used_by
from agent.fs.file_leases import take_file_lease
from agent.fs.leading import foreign_link
from agent.fs.writers.held_open import is_open_for_writing

_OPENED = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC


def is_missing(path: str) -> bool:
    """Whether nothing stands at a path, not even a link that leads nowhere."""
    return not os.path.lexists(path)


def create_image(path: str) -> int:
    """A new, empty image, ours alone. Raises ``Held`` where there can be none."""
    if is_among_devices(path):
        raise Held(STANDBY_PATH_MISSING, path, f"there is no device {path}", "plug it in, or correct the path")
    _require_own_way(path)
    try:
        return os.open(path, _OPENED | os.O_CREAT | os.O_EXCL, 0o600)
    except (FileExistsError, FileNotFoundError, NotADirectoryError, PermissionError) as error:
        reason = f"the image cannot be created: {error.strerror}"
        remedy = f"create the directory {os.path.dirname(path)}, or correct the path"
        raise Held(STANDBY_PATH_MISSING, path, reason, remedy) from error


def claim(path: str, places: BlockPlaces | None = None) -> tuple[int, bool]:
    """What stands there, open for reading and writing, and whether it is a block device.

    Raises ``Held``: "standby-in-use", "standby-unsafe"; OSError."""
    places = places or BlockPlaces()
    _require_own_way(path)
    if is_block_device(path):
        return _claim_block(os.path.realpath(path), places), True
    st = os.lstat(path)
    if stat.S_ISLNK(st.st_mode):
        raise _unsafe(path, "a symbolic link that leads to no block device", "name the image itself")
    if not stat.S_ISREG(st.st_mode):
        what = "a directory" if stat.S_ISDIR(st.st_mode) else "neither a file nor a block device"
        raise _unsafe(path, what, "name an image file or a block device")
    if is_among_devices(path):
        remedy = f"attach the device and remove the file (rm {path}), or name another place"
        raise _unsafe(path, "a file where the kernel shows its devices, gone with the next start", remedy)
    if through := standing_on(path, places):
        raise used_by_others(path, through, "end that use")
    fd = os.open(path, _OPENED)
    try:
        require_alone(fd, path)
    except BaseException:
        os.close(fd)
        raise
    return fd, False


def _require_own_way(path: str) -> None:
    """No link of another user says what is written over. Raises ``Held``."""
    if (link := foreign_link(os.path.abspath(path))) is not None:
        what = f"reached by {link.path}, a symbolic link of another user (uid {link.uid}), who can turn it to any disk"
        raise _unsafe(path, what, "name the image or device itself")


def _claim_block(path: str, places: BlockPlaces) -> int:
    try:
        return open_claimed(path, "apply", places)
    except Refused as error:
        raise Held(STANDBY_IN_USE, path, error.reason, error.remedy) from error
    except (NotPermitted, NotFound) as error:
        raise Held(STANDBY_UNSAFE, path, error.reason, error.remedy) from error


def looked_at(path: str, places: BlockPlaces | None = None) -> tuple[int, bool, str]:
    """What stands there, open for reading alone; whether it is a block device; who may be writing it, "" for nobody. OSError."""
    places = places or BlockPlaces()
    real, is_block, used = os.path.realpath(path), is_block_device(path), standing_on(path, places)
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    if is_block and not used:
        try:
            os.close(os.open(real, flags | os.O_EXCL))
        except OSError as error:
            used = used_by(real, places) or str(error)
    fd = os.open(real, flags)
    if not is_block and not used and is_open_for_writing(fd):
        used = "a program has it open for writing"
    return fd, is_block, used


def claim_beside_readers(path: str) -> tuple[int, bool]:
    """What stands there, open for reading and writing, and whether it is a block device; who only reads it does not count.
    Raises ``Held`` while somebody may be writing it; OSError."""
    _require_own_way(path)
    looked, is_block, used = looked_at(path)
    os.close(looked)
    if used:
        raise used_by_others(path, used, "end that use")
    real = os.path.realpath(path)
    return os.open(real, _OPENED | os.O_EXCL if is_block else _OPENED), is_block


def require_alone(fd: int, path: str) -> None:
    """The open image is a file of ours, and nobody else has it open, as far as the kernel tells: a lease for writing is given to
    who is alone (fcntl(2)). Raises ``Held``."""
    st = os.fstat(fd)
    if st.st_uid != os.geteuid():
        remedy = f"chown {os.geteuid()} {path} if it may be written over, or name another file"
        raise _unsafe(path, f"a file of another user (uid {st.st_uid})", remedy)
    if st.st_nlink > 1:
        raise _unsafe(path, f"a file with {st.st_nlink} names", "name a file that has no other name (hard link)")
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise used_by_others(
            path, "another agent, or a restore, writes it now", "wait for its end, or stop it"
        ) from error
    try:
        take_file_lease(fd, fcntl.F_WRLCK)
    except BlockingIOError as error:
        raise used_by_others(path, "a program has it open", f"fuser -v {path} says which; end that use") from error
    except OSError:
        return  # A filesystem without leases.
    with suppress(OSError):
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)


def used_by_others(path: str, by: str, remedy: str) -> Held:
    """Nothing is written into what somebody uses."""
    return Held(STANDBY_IN_USE, path, f"{path} is in use: {by}", f"{remedy}; it goes on by itself then")


def _unsafe(path: str, what: str, remedy: str) -> Held:
    return Held(STANDBY_UNSAFE, path, f"{path} is {what}; nothing in it was touched", remedy)
