"""One file of a moment, restored to a path of its own: made beside it under another name, and given its name once it is whole."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass

from agent.apply.results import ChunkLost
from agent.apply.writing.file_content import mend
from agent.core.errors import Damaged, NotFound, Refused, TryAgain, WireError
from agent.core.rows import ObjectRow
from agent.fs.confined import make_node, make_symlink, open_pinned, open_root, rename
from agent.fs.metadata import apply_metadata
from agent.generations.reading import MomentReader, ReadChunk
from agent.generations.restore.results import Done, Unmade
from agent.generations.restore.target import refusal_of_error

_SUFFIX = b".hikae-restore"


def restore_file(moment: MomentReader, path: bytes, row: ObjectRow, to: str, look: Callable[[Done], None]) -> Done:
    """Make the object that stands at ``path`` in the moment stand at ``to``, where nothing does. What a restore that was cut off
    left of it is gone on with. ``look``: called now and then with what is done so far. Raises ``Refused``, ``TryAgain`` (disk
    full, or another restore), ``StoreFailed``."""
    directory, name = os.path.split(os.fsencode(to))
    if os.path.lexists(to):
        raise Refused("restore", to, "it exists already", "move it away, or name another path")
    done = Done()
    try:
        fd = open_root(os.fsdecode(directory or b"."))
        try:
            _made(fd, name, moment, path, row, _FileDone(done, look))
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError as error:
        raise refusal_of_error(error, to) from error
    return done


def file_aside(to: str) -> str:
    """Under which path it is made."""
    directory, name = os.path.split(os.fsencode(to))
    return os.fsdecode(os.path.join(directory, _aside(name)))


def _aside(name: bytes) -> bytes:
    return b"." + name[: 255 - 1 - len(_SUFFIX)] + _SUFFIX


@dataclass(frozen=True, slots=True)
class _FileDone:
    """What is done, and who hears of it."""

    done: Done
    look: Callable[[Done], None]

    def checked(self, size: int) -> None:
        """So many bytes of the content more."""
        self.done.verified += size
        self.look(self.done)


def _made(fd: int, name: bytes, moment: MomentReader, path: bytes, row: ObjectRow, told: _FileDone) -> None:
    done = told.done
    aside = _aside(name)
    if row.kind != stat.S_IFREG:
        make_symlink(fd, name, row.content) if row.kind == stat.S_IFLNK else make_node(fd, name, row.mode, row.rdev)
        _with_metadata(fd, name, row, path, done)
        return
    if moment.owes(row.id):
        done.is_owed(path)
        return
    opened = _begun(fd, aside)
    try:
        done.written = mend(opened, row, _told(moment, told.checked), lambda: None)
        os.fsync(opened)
        _with_metadata(fd, aside, row._replace(flags=0), path, done)
        rename(fd, aside, fd, name, replace=False)
        if row.flags:
            apply_metadata(fd, name, row, None)
        done.verified = row.size
    except (ChunkLost, WireError) as error:
        os.unlink(aside, dir_fd=fd)
        done.not_made(Unmade(path, error.reason, error.subject if isinstance(error, ChunkLost) else ""))
    finally:
        os.close(opened)


def _told(moment: MomentReader, checked: Callable[[int], None]) -> ReadChunk:
    def read(name: bytes) -> bytes:
        try:
            raw = moment.chunk(name)
        except (Damaged, NotFound) as error:
            raise ChunkLost("restore", name.hex(), error.reason, error.remedy) from error
        checked(len(raw))
        return raw

    return read


def _begun(fd: int, aside: bytes) -> int:
    """What a restore has of the file, open and locked, ours alone."""
    opened = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600, dir_fd=fd)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(opened)
        raise TryAgain("restore", os.fsdecode(aside), "another restore writes it now", "wait for its end") from None
    st = os.fstat(opened)
    if not stat.S_ISREG(st.st_mode) or st.st_nlink != 1 or st.st_uid != os.geteuid() or st.st_mode & 0o077:
        os.close(opened)
        raise Refused("restore", os.fsdecode(aside), "a file stands there that is not ours", "move it away")
    return opened


def _with_metadata(fd: int, name: bytes, row: ObjectRow, path: bytes, done: Done) -> None:
    pinned = open_pinned(fd, name)
    try:
        refused = apply_metadata(pinned, b"", row, None)
    finally:
        os.close(pinned)
    done.entries, done.size = 1, row.size
    if refused:
        done.not_made(Unmade(path, f"without its {', '.join(refused)}", left_out=False))
