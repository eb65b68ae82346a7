"""Large files: read in slices between commits, sent ahead, named in the first commit after they were read whole."""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Callable, Generator, Iterator
from functools import partial

from agent.capture.batch import Name
from agent.capture.files.changing_files import RESTS
from agent.capture.files.large_queue import LargeQueue, Told
from agent.capture.files.objects import Objects, Sighting
from agent.capture.files.read_budget import SPARED
from agent.capture.open_tree import OpenTree
from agent.capture.ports import Send
from agent.capture.refused import may_pass
from agent.capture.tree.names import Looker
from agent.capture.tree.trail import Purpose, Saw, Steps, Trail
from agent.chunking.reader import Content, ContentReader
from agent.chunking.stat_trust import unchanged
from agent.core.ids import ObjectId
from agent.core.rows import decode_object, size_of
from agent.fs.confined import open_file
from agent.fs.handles import handle_of, handle_of_fd
from agent.fs.metadata import Metadata, read_metadata


class LargeReads:
    """Reads what is in the queue, one file at a time. ``turn`` is one slice (about 4 MiB).

    ``tokens``: each file that is read takes one, under which it is sent."""

    def __init__(
        self,
        tree: OpenTree,
        objects: Objects,
        looker: Looker,
        queue: LargeQueue,
        send: Send,
        tokens: Iterator[int],
    ) -> None:
        #: Somebody waits for what changed: nothing is put off.
        self.hurry = False
        self._done = self._total = 0
        #: What the file in hand had when it was committed last; and by name, of what is in hand or to be read again, how many of
        #: the bytes beyond that were given away. ``ahead`` is their sum.
        self._had = 0
        #: Whether a commit has that, so that what differs may go as patches of it.
        self._is_patched = False
        self._given: dict[Name, int] = {}
        self.ahead = 0
        #: Under which the file in hand was sent ahead; None once its row is in the batch.
        self._token: int | None = None
        #: Whether the file in hand was left as it is being written.
        self._stopped = False
        self._queue = queue
        self._looker = looker
        self._batch = tree.batch
        self._directories = tree.directories
        self._objects = objects
        self._problems = tree.problems
        self._clock = tree.clock
        self._send = send
        self._tokens = tokens
        self._trail = Trail(Purpose())
        self._run: Generator[None, None, None] | None = None
        self._serials: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        self._queue.release(math.inf if self.hurry else self._clock.monotonic())
        return self._run is not None or len(self._queue) > 0

    def put_off(self) -> float:
        """For how long a change has waited for its file to be due, in seconds; 0 when none does. From any thread."""
        since = self._queue.waits_since()
        return 0.0 if since is None else self._clock.monotonic() - since

    @property
    def waiting(self) -> int:
        """How many files wait to be read."""
        return len(self._queue) + self._queue.later

    def waiting_names(self, most: int) -> list[tuple[Name, int]]:
        """The first of those with something new, and how many bytes that are, also the one in hand. From any thread."""
        return self._queue.waiting_names(most)

    @property
    def waits(self) -> int:
        """Bytes that are new and wait to be read, the file in hand included. From any thread."""
        return max(0, self._queue.bytes - self.ahead)

    @property
    def new_since(self) -> float | None:
        """Since when the first of these waits, monotonic seconds. From any thread."""
        return self._queue.new_since

    def rest(self, longest: float) -> float:
        """So many seconds at most may pass before something is due."""
        due = self._queue.next_due()
        return longest if due is None else min(longest, max(0.0, due - self._clock.monotonic()))

    def progress(self) -> tuple[int, int] | None:
        """Bytes read and bytes in all of the file in hand."""
        return (self._done, self._total) if self._run is not None else None

    def begin_next(self) -> tuple[int, ...]:
        """The serials of the work that the file in hand is, or the next one, which is in hand then; none when there is none."""
        if self._run is None:
            taken = self._queue.take()
            if taken is None:
                return ()
            self._trail = Trail(Purpose())
            self._run, self._serials = self._file(*taken), taken[1]
        return self._serials

    def turn(self) -> Saw:
        """Read a slice of the file in hand, or begin the next; what was seen on the way."""
        self.begin_next()
        if self._run is None:
            return self._trail.saw()
        try:
            next(self._run)
        except StopIteration:
            self._run = None
            self._done, self._total = 0, 0
        return self._trail.saw()

    def close(self) -> None:
        """Let go of the file in hand."""
        if self._run is not None:
            self._run.close()
            self._run = None
            self._give_up()

    def _file(self, name: Name, serials: tuple[int, ...]) -> Generator[None, None, None]:
        again, self._stopped, now = False, False, self._clock.monotonic
        try:
            again = yield from self._read(name)
        except OSError as error:
            if may_pass(error):
                self._give_back(name, error)
            else:
                self._problems.unreadable(self._batch.path(*name), error)
        self._give_up()
        rests_at = now() + RESTS if self._stopped else 0.0
        if not again:
            self.ahead -= self._given.pop(name, 0)
        self._queue.done(serials, again, rests_at if again else self._objects.spared.due(name), now())

    def _give_up(self) -> None:
        """What was sent ahead of the file in hand, if its row is not in the batch, no commit will name."""
        if self._token is not None:
            self._send(self._token, [], {}, False)
            self._token = None

    def _give_back(self, name: Name, why: OSError | None = None) -> None:
        """Another look finds out what stands there now."""
        self._looker.retries.give_back(self._trail, self._batch.path(*name), why)

    def _read(self, name: Name) -> Generator[None, None, bool]:
        """Read one file; True when it changed meanwhile and is to be read again.

        On exit its row is in the batch and its chunks were given away, or a look at its entry was enough, or it was left to
        another look or reading."""
        fd = open_file(self._directories.fd(name[0]), name[1])
        try:
            before = os.fstat(fd)
            if not stat.S_ISREG(before.st_mode) or not self._is_for_slices(before.st_size):
                self._give_back(name)
                return False
            return (yield from self._read_open(name, fd, before))
        finally:
            os.close(fd)

    def _is_for_slices(self, size: int) -> bool:
        return size >= SPARED or self._objects.link.is_ahead(size)

    def _read_open(self, name: Name, fd: int, before: os.stat_result) -> Generator[None, None, bool]:
        handle = handle_of_fd(fd)
        known = self._looker.entries.file_at(name, handle)
        told = self._queue.told(name)
        if known is not None and told is not None and self._looker.arrivals.is_only_named(known, told, before):
            yield from self._only_name(name, told)
            return False
        was = self._batch.object(known) if known is not None else None
        self._had = 0 if was is None else size_of(was)
        self._is_patched = known is not None and was is not None and _is_of(self._batch.committed(known), was)
        read_at = self._clock.now_ns()
        meta = read_metadata(-1, b"", before, fd)
        self._total = before.st_size
        token = next(self._tokens)
        id = known if known is not None else self._batch.fresh_id()
        reader, slices = self._objects.contents.open_slices(was, id, fd, before.st_size)
        committed = False
        try:
            gives = partial(self._give, name, token, reader, is_new=was is None)
            content = yield from self._slices(handle, reader, slices, gives)
            if content is None:
                return True
            self._send_found(token, reader, is_new=was is None)
            if was is not None:
                self._objects.spared.read(name, content.size, self._clock.monotonic())
            moved = self._queue.asked_again or not unchanged(before, os.fstat(fd))
            if self._objects.restless.is_read_again(handle, moved):
                yield
                return True
            if handle_of(self._directories.fd(name[0]), name[1]) != handle:
                # It was moved while it was read; whoever moved it is heard of, and what was sent is not asked for again.
                self._give_back(name)
                return False
            yield from self._looker.make_way(self._trail, name, handle)
            if was is not None and not self._stands(id, was):
                # Parts of its list were passed over as those of a version that may be gone by now; or it is gone itself.
                self._give_back(name)
                return False
            self._batch.pieces.update(reader.pieces)
            sighting = Sighting(before, handle, 0 if moved else read_at)
            named = self._name(name, meta, sighting, content, id)
            if told is not None and not moved:
                self._looker.arrivals.remember_read(told.read_once, named, before)
            committed = named == id
        finally:
            reader.settle(committed)
        self._batch.ahead.append((token, named))
        self._token = None
        self._batch.waited(self._queue.new_since)
        if moved:
            self._objects.say_restless(name)
        else:
            self._problems.well(lambda: self._batch.path(*name))
        yield from self._looker.follow_up(self._trail)
        return False

    def _only_name(self, name: Name, told: Told) -> Steps:
        """The file was read at another name: its entry is looked at as it was told of."""
        self._trail = Trail(Purpose(content=told.content, read_once=told.read_once))
        yield from self._looker.entry(self._trail, *name)
        yield from self._looker.follow_up(self._trail)

    def _stands(self, id: ObjectId, was: bytes) -> bool:
        """Whether an object's content in the catalog is still that of a row."""
        return _is_of(self._batch.object(id), was)

    def _slices(
        self, handle: bytes, reader: ContentReader, slices: Generator[int, None, Content], gives: Callable[[], None]
    ) -> Generator[None, None, Content | None]:
        """Read to the end; ``gives`` gives each slice away as it is read. None: over a slow link that would take long, and
        the file is being written."""
        while True:
            reader.slice = self._objects.link.slice
            try:
                self._done += next(slices)
            except StopIteration as end:
                content: Content = end.value
                return content
            gives()
            yield
            room = self._objects.link.room
            is_slow = room is not None and room.is_measured
            if is_slow and self._queue.asked_again and self._objects.restless.is_stopped(handle):
                self._stopped = True
                slices.close()
                return None

    def _give(self, name: Name, token: int, reader: ContentReader, *, is_new: bool) -> None:
        """What was read goes out. Of a file that is read again that much was given already, as far as it did not change."""
        self._send_found(token, reader, is_new=is_new)
        before = self._given.get(name, 0)
        self._given[name] = now = max(before, self._done - self._had)
        self.ahead += now - before

    def _send_found(self, token: int, reader: ContentReader, *, is_new: bool) -> None:
        """What was read goes out; as patches only of a version that is committed. One that is in the batch only goes out with
        that, later, or went out under a token of its own, perhaps before a peer called."""
        if not self._is_patched:
            reader.patches.clear()
        if reader.found:
            self._token = token
            self._send(token, reader.found, reader.patches, is_new)

    def _name(self, name: Name, meta: Metadata, sighting: Sighting, content: Content, planned: ObjectId) -> ObjectId:
        """Bring the file that was read into the batch, as ``planned`` unless it is known by now."""
        batch = self._batch
        known = self._looker.entries.file_at(name, sighting.handle)
        id = known if known is not None else planned
        was = batch.object(id) if known is not None else None
        self._objects.finish_file(id, was, meta, sighting, content)
        batch.touched.add(name[0])
        if known is None:
            self._looker.arrivals.name(self._trail, name, id)
        elif batch.child(*name) != id:
            self._give_back(name)
        return id


def _is_of(row: bytes | None, was: bytes) -> bool:
    """Whether a row, if there is one, has the same content as another."""
    return row is not None and (row == was or decode_object(row).content == decode_object(was).content)
