"""Hints wait here until they are worth a look: merged by path, bounded, handed out in an order that capture can use.

Pure: time is passed in (seconds, any one clock that never falls). Not thread-safe: its owner guards it.

- Hints of one path are one. More than ``busy`` hinted names in a directory become ``CHILDREN`` of it; a hint below a
  held ``SUBTREE`` disappears in it. Over ``limit`` the deepest directories become ``SUBTREE``, at worst the root does.
- A path of more than ``LONGEST`` bytes, which no system call would take, is held as a ``SUBTREE`` of what it lies in: with each
  path go those of all directories above it, and users make them a hundred thousand levels deep at no cost (law 9).
- When a directory is renamed, what is held below its old path is held below the new one too. (Too: of two names that
  were exchanged, only looking at both is right.)
- An **age** is a number that rises with every mark. A held hint keeps the lowest age of all that it stands for, so
  "everything before mark M was handed out" is "no held hint has an age up to M".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

from agent.watch.held_directories import (
    HeldDirectory,
    close_directory,
    depth_of,
    held_below,
    open_directory,
    parent_of,
)
from agent.watch.hint import Hint, Look
from agent.watch.waiting import SettlingHint

#: PATH_MAX, with which a path of the system ends.
LONGEST = 4096
#: Of a hint that was not made by ``Settle.ready``: older than every mark.
GIVEN_BACK = 0


class Settle:
    """Merges hints until nothing was said about a path for ``quiet`` seconds, or it waited for ``longest`` seconds.

    ``limit``: how many hints are held at most, ``most``: how many bytes of paths. ``busy``: how many names of one directory are
    held."""

    def __init__(
        self,
        *,
        quiet: float = 0.004,
        longest: float = 0.5,
        limit: int = 100_000,
        busy: int = 256,
        most: int = 64 << 20,
    ) -> None:
        self._quiet = quiet
        self._longest = longest
        self._limit = limit
        self._most = most
        self._busy = busy
        #: Of the paths that are held, and of the directories in which they are.
        self._bytes = 0
        self._held: dict[bytes, SettlingHint] = {}
        self._objects: dict[bytes, SettlingHint] = {}
        self._directories: dict[bytes, HeldDirectory] = {}
        self._covers = 0
        self._moved_to: dict[bytes, set[bytes]] = {}
        self._queue: deque[SettlingHint] = deque()
        self._urgent: deque[SettlingHint] = deque()
        self._flushed = 0
        self._age = 1
        self._ages: dict[int, int] = {}
        self.added = 0
        """How many hints came, those that were given back included."""
        self.merged = 0
        """How many of them disappeared in others."""
        self.collapsed = 0
        """How often a directory came to stand for what is in it or below it."""

    def add(self, hints: Iterable[Hint], now: float) -> None:
        """Take hints in the order in which they were made."""
        held, age, count, entry = self._held, self._age, 0, Look.ENTRY
        for hint in hints:
            count += 1
            path = hint.path
            waiting = held.get(path) if path else None
            if waiting is not None and hint.moved_from is None and hint.look <= waiting.look:
                waiting.last = now
                if hint.content:
                    waiting.content = True
                if hint.handle != waiting.handle or hint.within != waiting.within:
                    waiting.meet(hint.handle, hint.within)
                self.merged += 1
            elif (
                waiting is None
                and 0 < len(path) < LONGEST
                and hint.look is entry
                and hint.moved_from is None
                and not self._covers
            ):
                self._begin(path, entry, hint.handle, hint.within, now, age).content = hint.content
                if len(held) > self._limit or self._bytes > self._most:
                    self._shrink(now)
            else:
                self._take_in(hint, now, age)
        self.added += count
        self._compact()

    def returned(self, hints: Iterable[Hint], now: float) -> None:
        """Hints that ``ready`` handed out and that could not be dealt with (a file changed while it was read).

        They wait for quiet again and keep their age, so a mark from before stays unpassed. A hint that was not made by
        ``ready`` has the age ``GIVEN_BACK``, which holds back every mark."""
        for hint in hints:
            self.added += 1
            self._take_in(hint, now, hint.age)
        self._compact()

    def ready(self, now: float, limit: int) -> list[Hint]:
        """Hand out what is quiet or old enough: about ``limit`` hints, sorted by path, so parents come before children.

        What must be looked at together comes together, even past the limit or before its time: a held parent with its
        child, and both names of a move."""
        out: list[SettlingHint] = []
        seen: set[bytes] = set()
        urgent, queue = self._urgent, self._queue
        while urgent and len(out) < limit:
            waiting = urgent.popleft()
            if not waiting.gone:
                self._hand_out(waiting, out, seen)
        while queue and len(out) < limit and queue[0].due <= now:
            waiting = queue.popleft()
            if waiting.gone:
                continue
            due = min(waiting.last + self._quiet, waiting.first + self._longest)
            if due > now:
                waiting.due = due
                queue.append(waiting)
            else:
                self._hand_out(waiting, out, seen)
        out.sort(key=_by_path)
        return [hint for one in out for hint in one.hints()]

    def next_due(self, now: float) -> float | None:
        """When to call ``ready`` again, on the clock of ``now`` (never before ``now``); None: nothing is held.

        It may be early: what was touched since waits on."""
        _skip_gone(self._urgent)
        _skip_gone(self._queue)
        if self._urgent:
            return now
        return max(now, self._queue[0].due) if self._queue else None

    def mark(self) -> int:
        """A mark that covers every hint added before this call."""
        self._age += 1
        return self._age - 1

    def passed(self, mark: int) -> bool:
        """Whether everything that the mark covers was handed out, and nothing of it given back."""
        return not self._ages or min(self._ages) > mark

    def flush(self, mark: int) -> None:
        """What the mark covers now is ready at once. What is given back later waits for quiet again, until flushed again."""
        if self.passed(mark):
            return
        self._flushed = max(self._flushed, mark)
        self._urgent = deque(waiting for waiting in self._all() if waiting.age <= self._flushed)

    def held(self) -> int:
        """How many hints wait."""
        return len(self._held) + len(self._objects)

    def waiting(self, most: int) -> list[tuple[bytes, float]]:
        """The paths of the first hints that wait, at most so many, and since when each has; those of objects have none."""
        return [(one.path, one.first) for one in islice(self._held.values(), most)]

    @property
    def bytes_held(self) -> int:
        """How many bytes the paths of hints that wait and those of the directories that they are in have."""
        return self._bytes

    # ---- taking in

    def _take_in(self, hint: Hint, now: float, age: int) -> None:
        if not hint.path and hint.handle and hint.look is Look.ENTRY:
            self._put_object(hint.handle, now, age, hint.content)
        else:
            self._put(hint.path, hint.look, hint.handle, hint.moved_from, now, age, hint.within)
        if self.held() > self._limit or self._bytes > self._most:
            self._shrink(now)

    def _put_object(self, handle: bytes, now: float, age: int, content: bool) -> None:
        waiting = self._objects.get(handle)
        if waiting is not None:
            self._touch(waiting, now, age)
            waiting.content = waiting.content or content
            return
        waiting = SettlingHint(b"", Look.ENTRY, handle, b"", now, age, now + self._quiet)
        waiting.content = content
        self._objects[handle] = waiting
        self._queue.append(waiting)
        self._ages[age] = self._ages.get(age, 0) + 1

    def _put(
        self,
        path: bytes,
        look: Look,
        handle: bytes,
        moved_from: bytes | None,
        now: float,
        age: int,
        within: bytes = b"",
    ) -> None:
        if max(len(path), len(moved_from or b"")) >= LONGEST:
            self._put_near(path, look, moved_from, now, age)
            return
        if moved_from == path:
            moved_from = None
        if moved_from is not None:
            look = self._follow(moved_from, path, look, now)
        waiting = self._held.get(path)
        if waiting is None:
            cover = self._cover(path, look) if self._covers else None
            if cover is not None:
                self._touch(cover, now, age)
                if cover.look is Look.CHILDREN:
                    cover.meet_directory(within)
                if moved_from is not None:
                    self._put(moved_from, Look.ENTRY, b"", None, now, age)
                return
            waiting = self._begin(path, look, handle, within, now, age)
        else:
            self._touch(waiting, now, age)
            waiting.content = True
            waiting.meet(handle, within)
            if look > waiting.look:
                self._deepen(waiting, look)
        if moved_from is None:
            return
        if waiting.gone:
            self._put(moved_from, Look.ENTRY, b"", None, now, age)
        else:
            self._note_move(waiting, moved_from, now)

    def _put_near(self, path: bytes, look: Look, moved_from: bytes | None, now: float, age: int) -> None:
        """Of paths, or of a move between paths, of which one is too long: whatever is below either place may be another."""
        for one in (path, moved_from):
            if one is not None:
                near = one[:LONGEST].rpartition(b"/")[0] if len(one) >= LONGEST else one
                deep = len(one) >= LONGEST or moved_from is not None or look is Look.SUBTREE
                self._put(near, Look.SUBTREE if deep else look, b"", None, now, age)

    def _begin(self, path: bytes, look: Look, handle: bytes, within: bytes, now: float, age: int) -> SettlingHint:
        waiting = SettlingHint(path, Look.ENTRY, handle, within, now, age, now + self._quiet)
        self._held[path] = waiting
        self._bytes += len(path)
        self._queue.append(waiting)
        self._ages[age] = self._ages.get(age, 0) + 1
        if path:
            parent = path[: max(path.rfind(b"/"), 0)]
            directory = self._directories.get(parent)
            if directory is None:
                self._bytes += open_directory(self._directories, parent)
                directory = self._directories[parent]
            directory.entries.add(path)
            if look:
                self._deepen(waiting, look)
            elif len(directory.entries) > self._busy:
                self.collapsed += 1
                self._put(parent, Look.CHILDREN, within, None, now, age)
        elif look:
            self._deepen(waiting, look)
        return waiting

    def _deepen(self, waiting: SettlingHint, look: Look) -> None:
        """A held hint comes to mean more, and swallows what it now stands for."""
        path = waiting.path
        if waiting.look is Look.ENTRY:
            self._covers += 1
            if path:
                directory = self._directories[parent_of(path)]
                directory.entries.discard(path)
                directory.deep.add(path)
        waiting.look = look
        directory_below = self._directories.get(path)
        if directory_below is None:
            return
        inside = list(directory_below.entries) if look is Look.CHILDREN else held_below(self._directories, path)
        for name in inside:
            child = self._held.get(name)
            if child is not None:
                self._swallow(waiting, child)

    def _swallow(self, waiting: SettlingHint, child: SettlingHint) -> None:
        self._forget(child)
        waiting.first = min(waiting.first, child.first)
        self._touch(waiting, child.last, child.age)
        if child.moved_from is not None:
            self._put(child.moved_from, Look.ENTRY, b"", None, child.last, child.age)

    def _touch(self, waiting: SettlingHint, now: float, age: int) -> None:
        self.merged += 1
        waiting.last = max(waiting.last, now)
        if age < waiting.age:
            self._less(waiting.age)
            waiting.age = age
            self._ages[age] = self._ages.get(age, 0) + 1

    def _cover(self, path: bytes, look: Look) -> SettlingHint | None:
        """The held hint that already stands for a look at ``path``."""
        if not path:
            return None
        held, above = self._held, parent_of(path)
        nearest = held.get(above)
        if nearest is not None and look is Look.ENTRY and nearest.look:
            return nearest
        while True:
            found = held.get(above)
            if found is not None and found.look is Look.SUBTREE:
                return found
            if not above:
                return None
            above = parent_of(above)

    # ---- moves

    def _follow(self, old: bytes, new: bytes, look: Look, now: float) -> Look:
        """Hold what is held below ``old`` below ``new`` as well; returns how deep to look at ``new`` itself.

        What disappeared in a SUBTREE above ``old`` can only be found by a walk of ``new``."""
        moved = self._held.get(old)
        if moved is not None:
            look = max(look, moved.look)
        elif self._covers and self._cover(old, Look.SUBTREE) is not None:
            look = Look.SUBTREE
        if old in self._directories:
            for path in held_below(self._directories, old):
                was = self._held.get(path)
                if was is not None:
                    self._put(new + path[len(old) :], was.look, was.handle, None, now, was.age, was.within)
        return look

    def _note_move(self, waiting: SettlingHint, moved_from: bytes, now: float) -> None:
        """``waiting`` came from ``moved_from``. Of several steps the first and the last count; names between are looked at."""
        origin = moved_from
        age = waiting.age
        step = self._held.get(moved_from)
        if step is not None and step.moved_from is not None:
            origin = step.moved_from
            self._drop_move(step)
        earlier = waiting.moved_from
        self._drop_move(waiting)
        if origin != waiting.path:
            waiting.moved_from = origin
            self._moved_to.setdefault(origin, set()).add(waiting.path)
        for name in (moved_from, earlier):
            if name is not None and name != origin:
                self._put(name, Look.ENTRY, b"", None, now, age)

    def _drop_move(self, waiting: SettlingHint) -> None:
        if waiting.moved_from is None:
            return
        news = self._moved_to[waiting.moved_from]
        news.discard(waiting.path)
        if not news:
            del self._moved_to[waiting.moved_from]
        waiting.moved_from = None

    # ---- handing out

    def _hand_out(self, waiting: SettlingHint, out: list[SettlingHint], seen: set[bytes]) -> None:
        together = [waiting]
        while together:
            one = together.pop()
            if one.gone:
                continue
            self._forget(one)
            out.append(one)
            path = one.path
            if one.moved_from is not None:
                self._push(one.moved_from, together)
            if path in self._moved_to:
                for name in self._moved_to[path]:
                    self._push(name, together)
            while path:
                path = path[: max(path.rfind(b"/"), 0)]
                if path in seen:
                    break
                seen.add(path)
                self._push(path, together)

    def _push(self, path: bytes, together: list[SettlingHint]) -> None:
        waiting = self._held.get(path)
        if waiting is not None:
            together.append(waiting)

    def _forget(self, waiting: SettlingHint) -> None:
        """No longer held. Its move is kept in the value for whoever hands it out or swallows it."""
        waiting.gone = True
        path = waiting.path
        self._less(waiting.age)
        if not path and self._objects.get(waiting.handle) is waiting:
            del self._objects[waiting.handle]
            return
        del self._held[path]
        self._bytes -= len(path)
        moved_from = waiting.moved_from
        if moved_from is not None:
            self._drop_move(waiting)
            waiting.moved_from = moved_from
        if waiting.look:
            self._covers -= 1
        if path:
            parent = path[: max(path.rfind(b"/"), 0)]
            directory = self._directories[parent]
            (directory.deep if waiting.look else directory.entries).discard(path)
            if not (directory.entries or directory.deep or directory.inner):
                self._bytes -= close_directory(self._directories, parent)

    def _less(self, age: int) -> None:
        if self._ages[age] == 1:
            del self._ages[age]
        else:
            self._ages[age] -= 1

    # ---- keeping within bounds

    def _shrink(self, now: float) -> None:
        """Fold the deepest directories until half of the limits is free, so that it happens rarely."""
        target, most = self._limit // 2, self._most // 2
        for path in sorted(self._directories, key=depth_of, reverse=True):
            if self.held() <= target and self._bytes <= most:
                break
            if path in self._directories:
                self.collapsed += 1
                self._put(path, Look.SUBTREE, b"", None, now, self._age)
        if self.held() > target or self._bytes > most:
            self._put(b"", Look.SUBTREE, b"", None, now, self._age)
            root = self._held[b""]
            for waiting in list(self._objects.values()):
                self._swallow(root, waiting)

    def _compact(self) -> None:
        if len(self._queue) > 2 * self._limit:
            self._queue = deque(waiting for waiting in self._queue if not waiting.gone)

    def _all(self) -> Iterator[SettlingHint]:
        yield from self._held.values()
        yield from self._objects.values()


def _by_path(waiting: SettlingHint) -> bytes:
    return waiting.path


def _skip_gone(queue: deque[SettlingHint]) -> None:
    while queue and queue[0].gone:
        queue.popleft()
