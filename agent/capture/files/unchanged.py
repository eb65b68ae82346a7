"""Entries that are as the catalog has them: most of a reconcile, in as few calls and objects as will do.

What is in any way unusual ends a run of them and is left to the walk, which knows all cases.
"""

from __future__ import annotations

from collections.abc import Callable
from stat import S_IFDIR, S_IFREG

from agent.capture.batch import TreeBatch
from agent.capture.files.hard_links import Linked
from agent.capture.files.objects import MOUNT_HANDLE
from agent.capture.open_tree import OpenTree
from agent.chunking.stat_trust import Trust
from agent.core.ids import ObjectId
from agent.store.local import Signature

_KIND = 0o170000


class KnownEntries:
    """What the catalog has in a directory, by name, a page at a time: ``page`` from ``at`` on is what comes next."""

    def __init__(self, batch: TreeBatch, directory: ObjectId) -> None:
        self.page: list[tuple[bytes, ObjectId]] = []
        self.signatures: dict[ObjectId, Signature] = {}
        self.at = 0
        self._batch = batch
        self._directory = directory
        self._after = b""
        self._ended = False

    def head(self) -> bytes | None:
        """The next name; None when there are no more."""
        if self.at >= len(self.page) and not self._ended:
            self._turn()
        return self.page[self.at][0] if self.at < len(self.page) else None

    def _turn(self) -> None:
        self.page, self.at = self._batch.children(self._directory, self._after), 0
        if self.page:
            self.signatures = self._batch.signatures([id for _, id in self.page])
            self._after = self.page[-1][0]
        else:
            self._ended = True


class Skimmer:
    """Belongs to one walk."""

    def __init__(self, tree: OpenTree, linked: Linked, trust: Trust) -> None:
        self._batch = tree.batch
        self._rules = tree.rules
        self._linked = linked
        self._trust = trust
        self._remote = tree.directories.remote
        self._stat = tree.access.stat

    def skim(
        self,
        directory: ObjectId,
        dir_fd: int,
        names: list[bytes],
        known: KnownEntries,
        below: Callable[[ObjectId, bool], None],
    ) -> tuple[int, int]:
        """How many of ``names``, from the first on, are believed to be just as the next of ``known``, which goes on so far; and
        how many bytes stand in the files among them.

        Directories among them are given to ``below``. The comparison is that of :func:`signature.believed`."""
        if self._trust is Trust.NONE:
            return 0, 0
        signatures, soft_too = known.signatures, self._trust is Trust.EQUAL
        above = self._batch.path(directory, b"") if self._rules else b""
        remote, look = self._remote.names, self._stat
        done = taken = 0
        for name, (expected, id) in zip(names, known.page[known.at : known.at + len(names)], strict=False):
            signature = signatures.get(id)
            if name != expected or signature is None or name in remote:
                break
            try:
                st = look(name, dir_fd=dir_fd, follow_symlinks=False)
            except OSError:
                break
            _, handle, ino, ctime, mtime, size, clean = signature
            if st.st_ino != ino or st.st_ctime_ns != ctime or st.st_mtime_ns != mtime or st.st_size != size:
                break
            kind = st.st_mode & _KIND
            if not (clean or soft_too) or (self._rules and self._rules.excluded(above + name, kind == S_IFDIR)):
                break
            if kind == S_IFREG:
                taken += size
                if st.st_nlink > 1:
                    self._linked.note(id, handle, st.st_mode, st.st_nlink)
            elif kind == S_IFDIR and not handle.startswith(MOUNT_HANDLE):
                below(id, False)
            done += 1
        known.at += done
        return done, taken
