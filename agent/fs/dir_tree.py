"""Which directories of a tree are held open, and how is any other reached? By object id, whatever the tree's depth."""

from __future__ import annotations

import errno
import os
from collections import OrderedDict
from collections.abc import Callable
from itertools import islice

from agent.core.ids import ROOT, ObjectId
from agent.fs.confined import StaleDirectory, open_dir
from agent.fs.handles import handle_of_fd


class DirTree:
    """Open directories by object id, for trees of any depth, in at most ``limit`` descriptors.

    ``locate(id)`` gives (parent id, name) or None when the catalog knows no such directory; ``expect(id)`` the handle
    that the directory must have, or None when any will do. For the thread that made it only. A descriptor that
    :meth:`fd` returned stays open for at least the next seven calls of it and of :meth:`adopt`, so that a rename can
    hold both its parents; ``root_fd`` stays its giver's.

    Besides those used last, a share of the others stays open, drawn by their ids: landmarks, from which whatever was closed is
    reached in a few steps. So a look at any place of a tree costs little, whatever its depth, and drives nothing else out."""

    _HELD = 8
    #: One directory in so many is a landmark, to begin with; fewer as there are too many. A power of two.
    _SPACING = 16

    def __init__(
        self,
        root_fd: int,
        locate: Callable[[ObjectId], tuple[ObjectId, bytes] | None],
        expect: Callable[[ObjectId], bytes | None] = lambda _: None,
        limit: int = 512,
    ) -> None:
        self._root_fd = root_fd
        self._locate = locate
        self._expect = expect
        limit = max(limit, 2 * self._HELD)
        #: So many landmarks, and so many directories above one that was asked for stay open with it.
        self._share = limit // 4
        #: One more is open while it is only passed.
        self._most = limit - self._share - 1
        # In order of use; the last _HELD are always those that were returned last.
        self._open: OrderedDict[ObjectId, int] = OrderedDict()
        self._landmarks: dict[ObjectId, int] = {}
        self._spacing = self._SPACING

    def fd(self, object_id: ObjectId) -> int:
        """The open directory. Not to be closed by the caller.

        FileNotFoundError: unknown, or not there. NotADirectoryError: something else stands there. ``StaleDirectory``:
        another directory does. ``OtherFilesystem``: a mount point. OSError ELOOP: ``locate`` goes in a circle."""
        if object_id == ROOT:
            return self._root_fd
        fd = self._open.get(object_id)
        if fd is None:
            fd = self._landmarks.pop(object_id, None)
            if fd is None:
                fd = self._descend(object_id)
            else:
                self._keep(object_id, fd)
        self._open.move_to_end(object_id)
        return fd

    def adopt(self, object_id: ObjectId, fd: int) -> None:
        """Take over an open descriptor (a directory just made or walked into); it is closed with the others."""
        if object_id == ROOT:
            raise ValueError("the root's descriptor stays its giver's")
        self.forget(object_id)
        self._keep(object_id, fd)

    def forget(self, object_id: ObjectId) -> None:
        """Close a directory that was removed or replaced. One that was only moved may stay: a descriptor goes with
        it."""
        for kept in (self._open, self._landmarks):
            fd = kept.pop(object_id, None)
            if fd is not None:
                os.close(fd)

    def close(self) -> None:
        """Close every descriptor but the root's."""
        for kept in (self._open, self._landmarks):
            while kept:
                os.close(kept.popitem()[1])
        self._spacing = self._SPACING

    def _descend(self, object_id: ObjectId) -> int:
        way, fd = self._way_to(object_id)
        held = list(islice(reversed(self._open), self._HELD))
        passed: int | None = None
        try:
            for left in reversed(range(len(way))):
                child, name = way[left]
                fd = self._open_child(child, fd, name)
                if passed is not None:
                    os.close(passed)
                passed = None
                if left < self._share:
                    self._keep(child, fd, held)
                elif not self._marked(child, fd):
                    passed = fd
        finally:
            if passed is not None:
                os.close(passed)
            for recent in reversed(held):
                self._open.move_to_end(recent)
        return fd

    def _way_to(self, object_id: ObjectId) -> tuple[list[tuple[ObjectId, bytes]], int]:
        """Names from the object up to its nearest open ancestor, and that ancestor's descriptor."""
        way: list[tuple[ObjectId, bytes]] = []
        seen: set[ObjectId] = set()
        at = object_id
        while at != ROOT and at not in self._open and at not in self._landmarks:
            located = self._locate(at)
            if located is None:
                raise FileNotFoundError(errno.ENOENT, f"no known place for object {at}")
            if at in seen:
                raise OSError(errno.ELOOP, f"object {at} stands below itself")
            seen.add(at)
            way.append((at, located[1]))
            at = located[0]
        if at == ROOT:
            return way, self._root_fd
        return way, self._open[at] if at in self._open else self._landmarks[at]

    def _open_child(self, child: ObjectId, parent_fd: int, name: bytes) -> int:
        fd = open_dir(parent_fd, name)
        try:
            expected = self._expect(child)
            if expected is not None and handle_of_fd(fd) != expected:
                raise StaleDirectory(errno.ESTALE, "another directory stands here", name)
        except OSError:
            os.close(fd)
            raise
        return fd

    def _keep(self, object_id: ObjectId, fd: int, held: list[ObjectId] | None = None) -> None:
        """Add a descriptor, closing the one unused for longest that is neither held nor this one, unless it is a landmark."""
        if len(self._open) >= self._most:
            spared = frozenset(held if held is not None else islice(reversed(self._open), self._HELD))
            oldest = next(one for one in self._open if one not in spared)
            unused = self._open.pop(oldest)
            if not self._marked(oldest, unused):
                os.close(unused)
        self._open[object_id] = fd

    def _marked(self, object_id: ObjectId, fd: int) -> bool:
        """Whether a directory is kept as a landmark. Where there are too many of them, every second one is closed."""
        while self._is_landmark(object_id):
            if len(self._landmarks) < self._share:
                self._landmarks[object_id] = fd
                return True
            self._spacing *= 2
            for one in [one for one in self._landmarks if not self._is_landmark(one)]:
                os.close(self._landmarks.pop(one))
        return False

    def _is_landmark(self, object_id: ObjectId) -> bool:
        # Multiplied by the golden ratio, so that ids given out at any stride are spread evenly (Knuth 6.4).
        return not (object_id * 0x9E3779B97F4A7C15 >> 40) & (self._spacing - 1)
