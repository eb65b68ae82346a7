"""What is still to be done, and who waits for it: barriers, reconciles, and the doubt of law 3."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from agent.capture.batch import Name
from agent.core.errors import CalledOff, TryAgain
from agent.core.ids import NOTHING, CommitNumber, ObjectId
from agent.watch.hint import Passing
from agent.watch.settle import Settle


class Outstanding:
    """Work that was begun and did not end, by rising serials. Belongs to the pump's thread."""

    def __init__(self) -> None:
        self.last = 0
        self._active: set[int] = set()

    def begin(self) -> int:
        """Something begins."""
        self.last += 1
        self._active.add(self.last)
        return self.last

    def end(self, serial: int) -> None:
        """It ended, with everything it found in the batch or given back as hints."""
        self._active.discard(serial)

    def goes_on(self) -> bool:
        """Whether anything does."""
        return bool(self._active)

    def passed(self, serial: int) -> bool:
        """Whether nothing begun up to ``serial`` goes on."""
        return not self._active or min(self._active) > serial


@dataclass(frozen=True, slots=True)
class PutOff:
    """A file that is not to be read before it is ``due``, ``asked`` for first then (monotonic seconds), and the serials of the
    work that ends with its reading."""

    due: float
    asked: float
    serials: tuple[int, ...]


#: Files with several names that a walk has read, with the ctime (ns) that they had before: it need not read them at the others.
ReadOnce = dict[ObjectId, int]


@dataclass(frozen=True, slots=True)
class Told:
    """Why a name of a file with several is asked for, where that alone is no reason to read the file: by a walk, which reads it
    at one of them (``read_once``), or by a hint that is about the name, not the ``content``."""

    read_once: ReadOnce | None
    content: bool


class LargeQueue:
    """Names of large files that wait to be read, each once, in order.

    Each carries the serials of the work that ends with its reading; one that was read of late waits until it is due
    (``spared``), unless somebody waits for it. ``bytes``: that are new in what waits or is read; ``new_since``: since when the
    first of these has waited, monotonic seconds. What is asked for while it is read is work of its own: that
    reading may already be past what changed, and a file that is then taken as read must still be read again."""

    def __init__(self, outstanding: Outstanding) -> None:
        self._outstanding = outstanding
        self._waiting: OrderedDict[Name, tuple[int, ...]] = OrderedDict()
        self._later: dict[Name, PutOff] = {}
        self._told: dict[Name, Told] = {}
        #: Until it was read: bytes that are new in a file, and when it was asked for (monotonic seconds).
        self._new: OrderedDict[Name, tuple[int, float]] = OrderedDict()
        self.bytes = 0
        self.new_since: float | None = None
        self._reading: Name | None = None
        self._asked: tuple[int, ...] = ()

    @property
    def asked_again(self) -> bool:
        """Whether what is being read was asked for again meanwhile."""
        return bool(self._asked)

    def __len__(self) -> int:
        """How many are to be read now."""
        return len(self._waiting)

    @property
    def later(self) -> int:
        """How many wait until they are due."""
        return len(self._later)

    def next_due(self) -> float | None:
        """When the first of those is, monotonic seconds."""
        return min((one.due for one in self._later.values()), default=None)

    def waits_since(self) -> float | None:
        """Since when the first of those waits, monotonic seconds. From any thread."""
        return min((one.asked for one in tuple(self._later.values())), default=None)

    def release(self, now: float) -> None:
        """What is due by now is to be read."""
        for name in [name for name, one in self._later.items() if one.due <= now]:
            self._waiting[name] = self._later.pop(name).serials

    def add(self, name: Name, due: float = 0.0, now: float = 0.0, told: Told | None = None, new: int = 0) -> None:
        """Ask for one, to be read once it is due; it may be asked for while it waits or is read. ``told``: it need not be read if
        the file is at another name; whoever asks for the same one without that is right. ``new``: bytes that are new in it."""
        if new:
            self._count(name, new, now)
        if told is None or name == self._reading:
            self._told.pop(name, None)
        elif name not in self._waiting and name not in self._later:
            self._told[name] = told
        if name == self._reading:
            self._asked = self._asked or (self._outstanding.begin(),)
        elif name not in self._waiting and name not in self._later:
            self._put(name, (self._outstanding.begin(),), due, now)

    def told(self, name: Name) -> Told | None:
        """Why the one that was taken is asked for; only once: after that it is read."""
        return self._told.pop(name, None)

    def take(self) -> tuple[Name, tuple[int, ...]] | None:
        """The next one and its serials; to be given to :meth:`done`."""
        if not self._waiting:
            return None
        name, serials = self._waiting.popitem(last=False)
        self._reading, self._asked = name, ()
        return name, serials

    def done(self, serials: tuple[int, ...], again: bool, due: float = 0.0, now: float = 0.0) -> None:
        """Reading ended; ``again``: it must be read once more, which is the same piece of work; what is left waits until it
        is due."""
        left = (serials if again else ()) + self._asked
        if left and self._reading is not None:
            self._put(self._reading, left, due, now)
        if not again:
            self._uncount(self._reading)
            for serial in serials:
                self._outstanding.end(serial)
        self._reading, self._asked = None, ()

    def _count(self, name: Name, size: int, now: float) -> None:
        before, since = self._new.get(name, (0, now))
        self._new[name] = size, since
        self.bytes += size - before
        self._tell()

    def _uncount(self, name: Name | None) -> None:
        if name is not None and name in self._new:
            self.bytes -= self._new.pop(name)[0]
            self._tell()

    def _tell(self) -> None:
        first = next(iter(self._new.values()), None)
        self.new_since = None if first is None else first[1]

    def _put(self, name: Name, serials: tuple[int, ...], due: float, now: float) -> None:
        if due > now:
            self._later[name] = PutOff(due, now, serials)
        else:
            self._waiting[name] = serials


class Ticket:
    """Waits until everything up to some moment is in a commit that is durable here."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._done = threading.Event()
        self._number = NOTHING
        self._cancelled: str | None = None

    def wait(self, timeout: float | None) -> CommitNumber:
        """The newest commit that covers it. Raises ``TryAgain`` when it takes longer, ``CalledOff`` when capture stopped."""
        if not self._done.wait(timeout):
            raise TryAgain(self._what, "", "it is not captured yet", "wait longer, or look at status")
        if self._cancelled is not None:
            raise CalledOff(self._what, "", self._cancelled, "try again when capture runs")
        return self._number

    def finish(self, number: CommitNumber) -> None:
        """By the pump only: it is covered by this commit."""
        self._number = number
        self._done.set()

    def cancel(self, reason: str) -> None:
        """By the pump only: nobody will cover it."""
        if not self._done.is_set():
            self._cancelled = reason
            self._done.set()


class Barrier:
    """Waits until everything that system calls had written when it was made is in a commit that is durable here: first for
    the watcher, which has to have told of it, then for a ticket. For one thread.

    ``set_barrier``: the watcher's; ``enlist`` gives a ticket that covers what was told so far."""

    def __init__(self, set_barrier: Callable[[], Passing], enlist: Callable[[], Ticket]) -> None:
        self._set_barrier = set_barrier
        self._enlist = enlist
        self._passing = set_barrier()
        self._ticket: Ticket | None = None
        self._passes(0.0)

    def wait(self, timeout: float) -> CommitNumber:
        """As :meth:`Ticket.wait`; it may be called again, and goes on where it was."""
        deadline = time.monotonic() + timeout
        ticket = self._passes(timeout)
        if ticket is None:
            raise TryAgain("barrier", "", "the watcher has not told yet what was written", "wait longer, or reconcile")
        return ticket.wait(max(0.0, deadline - time.monotonic()))

    def _passes(self, timeout: float) -> Ticket | None:
        if self._ticket is None:
            passed = self._passing(timeout)
            if passed:
                self._ticket = self._enlist()
            elif passed is None:
                # The watch broke, or is none yet: the next one covers what was written before it, since all is looked at.
                self._passing = self._set_barrier()
        return self._ticket


@dataclass(slots=True)
class Awaited:
    """How far something that is waited for has come: the end of a walk of the whole root (if it waits for one), every hint
    from before ``mark`` (None: from before that end), then all work that those began. ``alone``: it waits for no walk."""

    ticket: Ticket | None
    walk: int | None = None
    mark: int | None = None
    serial: int | None = None
    alone: bool = False

    def wait_for_walk(self, walk: int) -> None:
        """It is not covered before this walk of the whole root, and hints from before its mark, if it has one already."""
        if not self.alone:
            self.walk = walk

    def restart(self) -> None:
        """What it waited for went with a root that was closed: the next walk covers it."""
        self.walk = self.mark = self.serial = None

    def covered(self, settle: Settle, walks: Outstanding, outstanding: Outstanding) -> bool:
        """Whether all of it is in the batch or committed. Called with settle's lock held, when no hint is in hand."""
        if self.walk is not None:
            if not walks.passed(self.walk):
                return False
            self.walk = None
        if self.mark is None:
            self.mark = settle.mark()
            settle.flush(self.mark)
        if not settle.passed(self.mark):
            return False
        if self.serial is None:
            self.serial = outstanding.last
        return outstanding.passed(self.serial)
