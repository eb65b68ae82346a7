"""Names of large files that wait to be read, and why each was asked for."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from agent.capture.batch import Name
from agent.capture.outstanding import Outstanding
from agent.core.ids import ObjectId


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
        #: What is new in the one that is read, as it was asked for meanwhile, and since when.
        self._asked_new: tuple[int, float] | None = None

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

    def waiting_names(self, most: int) -> list[tuple[Name, int]]:
        """The first of those with something new, and how many bytes that are. From any thread."""
        return [(name, size) for name, (size, _) in tuple(self._new.items())[:most]]

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

    def add(
        self, name: Name, due: float = 0.0, now: float = 0.0, told: Told | None = None, new: int | None = 0
    ) -> None:
        """Ask for one, to be read once it is due; it may be asked for while it waits or is read. ``told``: it need not be read if
        the file is at another name; whoever asks for the same one without that is right. ``new``: by how many bytes it grew;
        None: perhaps nothing changed."""
        if new is not None:
            self._count(name, new, now)
            if name == self._reading:
                self._asked_new = new, self._asked_new[1] if self._asked_new else now
        if told is None or name == self._reading:
            self._told.pop(name, None)
        elif name not in self._waiting and name not in self._later:
            self._told[name] = told
        put_off = self._later.get(name)
        waiting = self._asked if name == self._reading else put_off.serials if put_off else self._waiting.get(name, ())
        for serial in waiting:
            self._outstanding.join(serial)
        if waiting:
            return
        if name == self._reading:
            self._asked = (self._outstanding.begin(),)
        else:
            self._put(name, (self._outstanding.begin(),), due, now)

    def told(self, name: Name) -> Told | None:
        """Why the one that was taken is asked for; only once: after that it is read."""
        return self._told.pop(name, None)

    def take(self) -> tuple[Name, tuple[int, ...]] | None:
        """The next one and its serials; to be given to :meth:`done`."""
        if not self._waiting:
            return None
        name, serials = self._waiting.popitem(last=False)
        self._reading, self._asked, self._asked_new = name, (), None
        return name, serials

    def done(self, serials: tuple[int, ...], again: bool, due: float = 0.0, now: float = 0.0) -> None:
        """Reading ended; ``again``: it must be read once more, which is the same piece of work; what is left waits until it
        is due."""
        left = (serials if again else ()) + self._asked
        if left and self._reading is not None:
            self._put(self._reading, left, due, now)
        if not again:
            self._uncount(self._reading)
            if self._asked_new is not None and self._reading is not None:
                self._count(self._reading, *self._asked_new)
            for serial in serials:
                self._outstanding.end(serial)
        self._reading, self._asked, self._asked_new = None, (), None

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
