"""One hint that waits to settle: what was said of one path, or of one object, since it was handed out last."""

from __future__ import annotations

from collections.abc import Iterator

from agent.watch.hint import Hint, Look

#: So many other places are kept for one path; a scheduled look finds what passes for more.
_OTHERS = 8


class SettlingHint:
    """``due``: when to look at it next; ``gone``: handed out or merged, still in a queue; ``others``: ``(within, handle)`` of
    other places that had this path of late, as directories above were renamed."""

    __slots__ = (
        "age",
        "content",
        "due",
        "first",
        "gone",
        "handle",
        "last",
        "look",
        "moved_from",
        "others",
        "path",
        "within",
    )

    def __init__(self, path: bytes, look: Look, handle: bytes, within: bytes, now: float, age: int, due: float) -> None:
        self.path = path
        self.look = look
        self.handle = handle
        self.within = within
        self.others: set[tuple[bytes, bytes]] | None = None
        self.moved_from: bytes | None = None
        self.first = now
        self.last = now
        self.age = age
        self.due = due
        self.gone = False
        self.content = True

    def meet(self, handle: bytes, within: bytes) -> None:
        """Another hint for its path. If that was one for another place, both are kept; else the newer one knows better."""
        if self.within and within not in (b"", self.within):
            self._keep_too(within, handle)
            return
        self.handle = handle or self.handle
        self.within = within or self.within

    def meet_directory(self, handle: bytes) -> None:
        """An entry of the directory with this handle disappears in a look at all children of its path."""
        if not self.handle:
            self.handle = handle
        elif handle not in (b"", self.handle):
            self._keep_too(b"", handle)

    def hints(self) -> Iterator[Hint]:
        """What is handed out: one hint, and one more for each other place."""
        yield Hint(self.path, self.look, self.handle, self.moved_from, self.age, self.within, self.content)
        for within, handle in self.others or ():
            yield Hint(self.path, self.look, handle, None, self.age, within)

    def _keep_too(self, within: bytes, handle: bytes) -> None:
        if self.others is None:
            self.others = set()
        if len(self.others) < _OTHERS:
            self.others.add((within, handle))
