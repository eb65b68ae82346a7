"""The brake's sliding window: how much of what stood a while ago has ended since. Pure; costs a few steps a commit.

The window is cut into stretches of time. Of each the last commit is kept as a **mark**, with how many of the names and
objects that stood there have ended since: what is deleted or rewritten since then can be no more, and a file that is
written a thousand times counts once. So memory is the same for every dataset, and history is asked only when one of
these counts passes a limit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from agent.core.commit import Commit
from agent.core.ids import CommitNumber

#: The window is exact to this part of it: what happened so much before its beginning may count too.
STRETCHES = 32


@dataclass(slots=True)
class WindowMark:
    """A commit, and how many of its ``names`` and ``objects`` have ended since. ``files``: how many of its
    objects are regular files."""

    number: CommitNumber
    received: int
    entries: int
    files: int
    names: int = 0
    objects: int = 0


def window_mark(commit: Commit) -> WindowMark:
    """The mark of a commit that nothing followed yet."""
    return WindowMark(commit.number, commit.received, commit.entries, commit.files)


class Window:
    """Marks, oldest first. ``seconds``: the window's length."""

    def __init__(self, seconds: float) -> None:
        self._width = int(seconds * 1e9)
        self.stretch = max(1, self._width // STRETCHES)
        self.marks: list[WindowMark] = []
        #: Where history was last asked: what ended since then comes on top of that answer.
        self.asked: WindowMark | None = None

    def begin(self, mark: WindowMark) -> None:
        """Start afresh: nothing before this counts."""
        self.marks = [mark]
        self.asked = None

    def start(self, received: int) -> int:
        """When the window of a commit that was received then begins (UTC ns): at the beginning of a stretch."""
        return self.stretch_of(received - self._width)

    def stretch_of(self, received: int) -> int:
        """The beginning of the stretch in which a moment lies."""
        return received // self.stretch * self.stretch

    def add(self, mark: WindowMark) -> None:
        """The last commit of a stretch; what ended after it must come later."""
        if mark.number > self.marks[-1].number:
            self.marks.append(mark)

    def names_ended(self, ended: Iterable[tuple[int, int, int]]) -> None:
        """So many names that stood from one commit until another ended: ``(since, until, how many)``."""
        for since, until, count in ended:
            for mark in self._marked():
                if since <= mark.number < until:
                    mark.names += count

    def objects_ended(self, ended: Iterable[tuple[int, int, int]]) -> None:
        """So many objects that stood at marks of the window ended, also those that live on in another form."""
        for since, until, count in ended:
            for mark in self._marked():
                if since <= mark.number < until:
                    mark.objects += count

    def base(self, received: int, floor: CommitNumber) -> WindowMark:
        """Where the window of a commit that was received then begins, and no later than at ``floor``, as far as is known."""
        start = self.start(received)
        found = [mark for mark in self.marks if mark.number <= floor and mark.received < start]
        return found[-1] if found else self.marks[0]

    def trim(self, received: int, floor: CommitNumber) -> None:
        """Forget marks that neither this window nor a later one begins with; ``floor`` as for :meth:`base`."""
        start = self.start(received)
        first = self.base(received, floor)
        before = [mark for mark in self.marks if first.number < mark.number and mark.received < start]
        after = [mark for mark in self.marks if first.number < mark.number and mark.received >= start]
        self.marks = [first, *before[-1:], *after]

    def _marked(self) -> list[WindowMark]:
        return self.marks if self.asked is None else [*self.marks, self.asked]
