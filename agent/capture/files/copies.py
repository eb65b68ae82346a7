"""Hard links that become copies: where the filesystem shows each name of a file as a file of its own (bindfs and other FUSE,
shares of other machines), two names of one file are two files here and on the standby. Their content is right; that is said."""

from __future__ import annotations

import os
from collections.abc import Iterator

from agent.capture.files.hard_links import Linked
from agent.capture.open_tree import OpenTree
from agent.core.ids import ObjectId
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import HARD_LINKS_COPIED

#: Looking at all of them takes at most this part of the time, and is done no more often than this, in seconds.
_SHARE, _EVERY = 0.02, 1.0
_NAMED = 100
_REMEDY = (
    "none needed where its other names stand outside the tree; else replicate the filesystem that lies below, or exclude all "
    "names but one"
)


class Copies:
    """Of one opening of a root; used by the pump's thread."""

    def __init__(self, tree: OpenTree, linked: Linked, board: ProblemBoard) -> None:
        self._batch = tree.batch
        self._directories = tree.directories
        self._linked = linked
        self._board = board
        self._clock = tree.clock
        self._seen: object = None
        self._due = 0.0

    def tell(self, news: object) -> None:
        """Nothing is to be done, and all is committed. ``news``: what differs whenever something was committed or gone over."""
        begun = self._clock.monotonic()
        if not self._linked.apart or news == self._seen or begun < self._due:
            return
        found = list(self._found())
        problems = [self._problem(*one) for one in found[:_NAMED]]
        self._board.replace(HARD_LINKS_COPIED, problems, len(found))
        now = self._clock.monotonic()
        self._seen, self._due = news, now + max(_EVERY, (now - begun) / _SHARE)

    def _found(self) -> Iterator[tuple[bytes, int, int]]:
        """Path, names by its stat, and names that are known here, of each file that lacks some."""
        for id in list(self._linked.objects):
            names, known = self._names(id), self._batch.names_count(id)
            if names <= 1 or not known:
                del self._linked.objects[id]
            elif known < names and (path := self._batch.path_of(id)) is not None:
                yield path, names, known

    def _names(self, id: ObjectId) -> int:
        """How many names it has now; 0 for none."""
        for parent, name in self._batch.names_of(id)[:1]:
            try:
                return os.stat(name, dir_fd=self._directories.fd(parent), follow_symlinks=False).st_nlink
            except OSError:
                return 0
        return 0

    def _problem(self, path: bytes, names: int, known: int) -> Problem:
        told = "one is" if known == 1 else f"{known:,} are"
        message = (
            f"it has {names:,} names, of which {told} known to be this file: this filesystem shows each name as a file "
            "of its own, so that its other names in this tree become copies on the standby"
        )
        return Problem(HARD_LINKS_COPIED, Severity.WARNING, self._clock.now_ns(), path, message, _REMEDY)
