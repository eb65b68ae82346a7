"""A directory that is written into: its descriptors, our private directory in it, and thin actions on entries.

Every change of the root begins with ``step(what)``: the boundary at which tests end a run. All entries are
``(directory descriptor, one name)``; no link is ever followed.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from agent.apply.ports import Adopted
from agent.apply.results import Held, RootFailed, RootFull
from agent.core.problem_codes import STANDBY_UNSAFE
from agent.core.rows import PRIVATE_DIR
from agent.fs import confined, project
from agent.fs.durable import sync_filesystem
from agent.fs.expected import BY_HANDLE, Expect, is_ours_alone, link_pinned
from agent.fs.metadata import clear_flags
from agent.fs.snapshots.subvolume import drop_left_moment
from agent.fs.walk import entries

HELD_DIR = b"m"
TEMP_DIR = b"t"
DISPLACED_DIR = b"displaced"
#: Of a directory of ours that has not got its metadata yet: nobody else can make one that is ours, and nobody makes such ones.
HALF_MADE = 0o1700
MARK = b"standby"
#: A new ext4 filesystem is not quite empty.
LOST_AND_FOUND = b"lost+found"
#: The one temporary entry: one thread builds one thing at a time.
TEMP = b"new"
_OF_PROJECT = b"project"
#: So often what others make at a name that is to be given is set aside, until it stays theirs.
_TRIES = 10

_FULL = (errno.ENOSPC, errno.EDQUOT)
_BROKEN = (errno.EIO, errno.EROFS, errno.ENODEV, errno.ESHUTDOWN, errno.EMFILE, errno.ENFILE, errno.ENOMEM)

Step = Callable[[str], None]


def no_step(what: str) -> None:
    """A :data:`Step` at which no run is ended."""


@dataclass(frozen=True, slots=True)
class Handling:
    """How a root is written into. ``what`` it is, in messages ("the standby"); ``step`` is called with a word before every
    change; ``adopted``: what is known of a tree that was there before us; ``scratch``: where temporary files may stand (None: the
    system's place); ``expect`` proves that an entry is still what was looked at; ``make_nameless`` makes a file without a name in
    an open directory, OSError where there are none."""

    what: str
    step: Step
    adopted: Adopted
    scratch: str | None
    expect: Expect = BY_HANDLE
    make_nameless: Callable[[int], int] = confined.create_nameless


@dataclass(frozen=True, slots=True)
class DirectoryOutput:
    """Open descriptors of the root and of ``.hikae`` and what is in it. ``fresh``: ``.hikae`` was made just now. The rest is as
    in :class:`Handling`."""

    path: str
    root: int
    private: int
    held: int
    temp: int
    displaced: int
    fresh: bool
    what: str
    step: Step
    adopted: Adopted
    scratch: str | None
    expect: Expect
    make_nameless: Callable[[int], int]

    def close(self) -> None:
        """Close every descriptor; an unmount is possible again."""
        for fd in (self.displaced, self.temp, self.held, self.private, self.root):
            os.close(fd)

    def empty_temp(self) -> None:
        """Remove what a run that was cut short left half-built."""
        for name in entries(self.temp):
            try:
                self.unlink(self.temp, name)
            except IsADirectoryError:
                self.rmdir(self.temp, name)

    def unlink(self, fd: int, name: bytes) -> None:
        """Remove anything but a directory. Gone already is fine."""
        self.step("unlink")
        if self.adopted.before_change(fd, name):
            return
        try:
            os.unlink(name, dir_fd=fd)
        except FileNotFoundError:
            return
        except PermissionError:
            ease(fd, name)
            os.unlink(name, dir_fd=fd)

    def rmdir(self, fd: int, name: bytes) -> bool:
        """Remove a directory if it is empty; whether it is gone."""
        self.step("rmdir")
        try:
            return _rmdir(fd, name)
        except PermissionError:
            ease(fd, name)
            return _rmdir(fd, name)

    def rename(self, src_fd: int, src: bytes, dst_fd: int, dst: bytes, *, replace: bool = False) -> None:
        """Move an entry. FileExistsError without ``replace`` if something stands at the other end, and with it where somebody
        makes another there again and again."""
        self.step("rename")
        if dst_fd == self.displaced:
            self.adopted.before_change(src_fd, src)
        left = _TRIES
        while replace and self.adopted.before_change(dst_fd, dst):
            # Who makes another there before we are is not to lose it either.
            try:
                self._move(src_fd, src, dst_fd, dst, replace=False)
            except FileExistsError:
                left -= 1
                if not left:
                    raise
            else:
                return
        self._move(src_fd, src, dst_fd, dst, replace=replace)

    def _move(self, src_fd: int, src: bytes, dst_fd: int, dst: bytes, *, replace: bool) -> None:
        try:
            confined.rename(src_fd, src, dst_fd, dst, replace=replace)
        except PermissionError:
            ease(src_fd, src)
            ease(dst_fd, dst)
            confined.rename(src_fd, src, dst_fd, dst, replace=replace)
        except OSError as error:
            if error.errno != errno.EXDEV or not project.give(src_fd, src, dst_fd):
                raise
            confined.rename(src_fd, src, dst_fd, dst, replace=replace)

    def mkdir(self, fd: int, name: bytes) -> None:
        """A new directory, ours alone until its metadata is set; until then it is known by its mode."""
        self.step("mkdir")
        try:
            confined.make_dir(fd, name, HALF_MADE)
        except PermissionError:
            ease(fd, b"")
            confined.make_dir(fd, name, HALF_MADE)

    def create_nameless(self, directory: int) -> int:
        """A new file without a name, for a name in the filesystem of an open directory; -1 where there are none."""
        try:
            return self.make_nameless(directory)
        except OSError as error:
            if error.errno not in confined.NO_NAMELESS:
                raise
            return -1

    def link(self, pinned: int, dst_fd: int, dst: bytes) -> None:
        """A further name for an object that is open by O_PATH; the step is the caller's, before he opens it."""
        try:
            link_pinned(pinned, dst_fd, dst)
        except PermissionError:
            with suppress(OSError):
                confined.set_flags_pinned(pinned, 0)
            ease(dst_fd, b"")
            link_pinned(pinned, dst_fd, dst)
        except OSError as error:
            if error.errno != errno.EXDEV or not project.give_pinned(pinned, dst_fd):
                raise
            link_pinned(pinned, dst_fd, dst)

    def clear_temp(self) -> None:
        """Make room for the temporary entry."""
        try:
            os.unlink(TEMP, dir_fd=self.temp)
        except FileNotFoundError:
            return
        except IsADirectoryError:
            os.rmdir(TEMP, dir_fd=self.temp)
        except PermissionError:
            ease(self.temp, TEMP)
            os.unlink(TEMP, dir_fd=self.temp)

    @contextmanager
    def temp_of_project(self, directory: int) -> Iterator[int]:
        """A directory of ours, empty and open, in which what is made is of the project of an open one."""
        self.clear_temp()
        with suppress(FileExistsError):
            confined.make_dir(self.temp, _OF_PROJECT)
        made = confined.open_dir(self.temp, _OF_PROJECT)
        try:
            project.give(self.temp, _OF_PROJECT, directory)
            with suppress(FileNotFoundError):
                os.unlink(TEMP, dir_fd=made)
            yield made
        finally:
            os.close(made)
            with suppress(OSError):
                os.rmdir(_OF_PROJECT, dir_fd=self.temp)

    def sync(self) -> None:
        """Write everything out. Raises ``RootFailed``: what was applied since the checkpoint is doubtful then."""
        try:
            sync_filesystem(self.root)
        except OSError as error:
            raise RootFailed(f"sync {self.what}", self.path, error.strerror or str(error)) from error


def _rmdir(fd: int, name: bytes) -> bool:
    try:
        os.rmdir(name, dir_fd=fd)
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        return False
    return True


def open_output(path: str, root: int, how: Handling) -> DirectoryOutput:
    """Take over the root's descriptor (also if this fails) and open or make our directories in it.

    Raises ``Held`` ("standby-unsafe") when ``.hikae`` is somebody else's: what we keep there must be ours alone."""
    opened = [root]
    try:
        with foreign_errors(path, how.what):
            drop_left_moment(root)
            private, fresh = _own_dir(root, PRIVATE_DIR, path)
            opened.append(private)
            for name in (HELD_DIR, TEMP_DIR, DISPLACED_DIR):
                opened.append(_own_dir(private, name, path)[0])
    except BaseException:
        for fd in opened:
            os.close(fd)
        raise
    _, _, held, temp, displaced = opened
    return DirectoryOutput(
        path, root, private, held, temp, displaced, fresh,
        how.what, how.step, how.adopted, how.scratch, how.expect, how.make_nameless,
    )  # fmt: skip


def _own_dir(parent: int, name: bytes, path: str) -> tuple[int, bool]:
    made = True
    try:
        confined.make_dir(parent, name)
    except FileExistsError:
        made = False
    try:
        fd = confined.open_dir(parent, name)
    except OSError as error:
        raise _unsafe(path) from error
    st = os.fstat(fd)
    if st.st_uid != os.geteuid():
        os.close(fd)
        raise _unsafe(path)
    if stat.S_IMODE(st.st_mode) != 0o700:
        if not is_ours_alone(parent):
            # Who owns the root may have given another directory its name.
            os.close(fd)
            raise _unsafe(path)
        os.fchmod(fd, 0o700)
    project.let_in_all(fd)
    return fd, made


def _unsafe(path: str) -> Held:
    return Held(
        STANDBY_UNSAFE,
        path,
        "its .hikae is not a directory of ours; what stands there was left alone",
        f"remove {path}/.hikae, or move it away",
    )


def ease(fd: int, name: bytes) -> None:
    """After EPERM or EACCES: lift immutable and append-only off an entry and its directory, and, unprivileged, let us write
    into that directory, and into the entry if it is one (moving it needs that). What was lifted comes back with the metadata.

    By name, since what is immutable or append-only cannot be renamed or linked: nobody exchanges it for another."""
    with suppress(FileNotFoundError, PermissionError):
        if name:
            clear_flags(fd, name)
    with suppress(PermissionError):
        clear_flags(fd, b"")
        if os.geteuid() != 0:
            _let_write(fd)
            if name:
                _let_write_inside(fd, name)


def _let_write_inside(fd: int, name: bytes) -> None:
    try:
        inside = confined.open_dir(fd, name)
    except OSError:
        return
    try:
        _let_write(inside)
    finally:
        os.close(inside)


def _let_write(fd: int) -> None:
    if not os.fstat(fd).st_mode & stat.S_IWUSR:
        os.fchmod(fd, 0o700)


@contextmanager
def foreign_errors(path: str, what: str) -> Iterator[None]:
    """Errors of the operating system that concern the whole root at ``path``, as ours; others pass. ``what``: see
    :class:`Handling`."""
    try:
        yield
    except OSError as error:
        mapped = whole(error, path, what)
        if mapped is None:
            raise
        raise mapped from error


def whole(error: OSError, path: str, what: str) -> RootFull | RootFailed | None:
    """The error as one that ends the run, or None when it concerns a single entry."""
    reason = error.strerror or str(error)
    if error.errno in _FULL:
        return RootFull("apply", path, reason, f"free room on {what}'s filesystem; it goes on by itself")
    if error.errno in _BROKEN:
        return RootFailed("apply", path, reason, f"look at {what}'s filesystem; it is tried again")
    return None
