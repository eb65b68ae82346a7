"""One look on its way: what it is for, what it has still to look at, and what it leaves to others."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass

from agent.capture.batch import Name
from agent.capture.files.large_queue import ReadOnce
from agent.core.ids import ObjectId
from agent.watch.hint import Hint, Look

Steps = Generator[None, None, None]


@dataclass(frozen=True, slots=True)
class Purpose:
    """What entries are looked at for.

    ``age``: of the hint that led there (0: no hint did); ``content``: whether what a name stands for may have changed, not only
    the name; ``moved_from``: the name that the hint says the object left. Of a walk: ``synced_at``, see :class:`Entry`;
    ``missing``: its removals that wait for its end (None: none wait); ``read_once``: files with several names that it has read
    at one of them."""

    age: int = 0
    content: bool = True
    moved_from: Name | None = None
    synced_at: int = 0
    missing: dict[Name, ObjectId] | None = None
    read_once: ReadOnce | None = None


@dataclass(frozen=True, slots=True)
class Saw:
    """What a look leaves to others. ``again``: hints to be given back to settle; ``appeared``: directories that are new, or can
    be listed again, to be walked."""

    again: tuple[Hint, ...] = ()
    appeared: tuple[ObjectId, ...] = ()


_NOTHING_LEFT = Saw()


class Trail:
    """Belongs to one look at a hint, one walk, one drop or one large file; others may look between its steps, with trails of
    their own. ``todo``: paths that it leads to; ``tops``: paths of the directories below which it drops, None for one without
    a name.

    Until ``todo`` is empty again it remembers ``followed``: how often each path was come to; ``asked``: objects that were asked
    where they are; ``nowhere``: objects that stood at none of their names, all of which are to be looked at."""

    __slots__ = ("_again", "_appeared", "asked", "followed", "nowhere", "purpose", "todo", "tops")

    def __init__(self, purpose: Purpose) -> None:
        self.purpose = purpose
        self.todo: deque[bytes] = deque()
        self.followed: dict[bytes, int] = {}
        self.asked: set[ObjectId] = set()
        self.nowhere: set[ObjectId] = set()
        self.tops: list[bytes | None] = []
        self._again: list[Hint] = []
        self._appeared: list[ObjectId] = []

    def look_again(self, path: bytes) -> None:
        """Somebody is to look at this path soon, with the age of the hint that led here."""
        self._again.append(Hint(path, Look.ENTRY, age=self.purpose.age))

    def to_walk(self, directory: ObjectId) -> None:
        """Somebody is to walk this directory."""
        self._appeared.append(directory)

    def is_followed_up(self) -> None:
        """Nothing is left to be looked at."""
        self.followed.clear()
        self.asked.clear()
        self.nowhere.clear()

    def take_appeared(self) -> list[ObjectId]:
        """Directories to be walked, for a walk, which does it itself; nobody else is told of them."""
        appeared, self._appeared = self._appeared, []
        return appeared

    def saw(self) -> Saw:
        """What it left to others since this was last asked."""
        if not self._again and not self._appeared:
            return _NOTHING_LEFT
        saw = Saw(tuple(self._again), tuple(self._appeared))
        self._again.clear()
        self._appeared.clear()
        return saw
