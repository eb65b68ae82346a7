"""Both ends of a stream in one process: a primary with a made-up source, a secondary with a real catalog and vault, and
a link between them that can be cut at any batch."""

from __future__ import annotations

import random
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from agent.capture.outlet import Lack, ReadChunk
from agent.core import chunks
from agent.core.chunks import ChunkRef
from agent.core.clock import Clock, ManualClock
from agent.core.commit import Changes, Commit
from agent.core.dataset_kind import DatasetKind
from agent.core.digest import Digest
from agent.core.ids import NOTHING, ROOT, CommitNumber, Epoch, ObjectId, commit_number, epoch_of, seq_of
from agent.core.patch import between
from agent.core.rows import ObjectRow, Xattrs, encode_name, encode_object, name_key, object_key
from agent.store.catalog.catalog import Catalog, CatalogReader, Header
from agent.store.spool import Spool
from agent.store.vault.vault import Vault
from agent.stream.locator import CommitMark, is_known, locator_in
from agent.stream.messages import Answers, Batch, Data, Hello, Refuse, SecondaryPart, Welcome
from agent.stream.position import Level, PositionBoard
from agent.stream.receiving.intake import Intake
from agent.stream.receiving.making import ReceivingContext
from agent.stream.receiving.one_call import Seats
from agent.stream.receiving.receiver import Receiver
from agent.stream.sending.link import Transport
from agent.stream.sending.pace import Pace
from agent.stream.sending.sender import CallPhase, Sender, SendingContext
from agent.stream.sending.source import PendingMark
from agent.stream.sending.talk.call import Conversation
from agent.stream.versions import SPOKEN
from fakes.idle import feed_at_all_hours

EPOCH = Epoch(1, "alpha", b"1" * 16)


CHUNK = 1 << 12


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that do not compress."""
    return random.Random(seed).randbytes(size)


def file_row(object_id: int, content: bytes, size: int, xattrs: Xattrs = ()) -> bytes:
    """A regular file's row."""
    mode = stat.S_IFREG | 0o644
    return encode_object(ObjectRow(ObjectId(object_id), mode, 0, 0, 1, size=size, xattrs=xattrs, content=content))


def directory_row(object_id: int) -> bytes:
    """A directory's row."""
    return encode_object(ObjectRow(ObjectId(object_id), stat.S_IFDIR | 0o755, 0, 0, 1))


class Done:
    """A ticket that has come through."""

    def __init__(self, number: CommitNumber) -> None:
        self._number = number

    def wait(self, timeout: float | None) -> CommitNumber:
        return self._number


class Primary:
    """A catalog, and files as a dictionary. ``disk`` is what reading finds; capture happens when told."""

    def __init__(self, directory: Path, epoch: Epoch = EPOCH, limit: int = 64 << 20) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.catalog = Catalog.open(str(directory / "catalog.db"))
        self.catalog.begin_epoch(epoch)
        self.epoch = epoch
        self.feed = feed_at_all_hours(limit)
        self.spools: list[Spool] = []
        self.spool_limits: tuple[int, ...] = ()
        self.spool_directory = str(directory)
        self.disk: dict[ObjectId, bytes] = {}
        self.names: dict[bytes, ObjectId] = {}
        self.reads: list[ChunkRef] = []
        self.forced: list[ObjectId] = []
        self.unreadable: set[ObjectId] = set()
        #: What capture cannot read.
        self.blind: set[ObjectId] = set()
        #: What was told of peers that owe something; and the senders' clock.
        self.owed: list[tuple[int, list[bytes]]] = []
        self.clock = ManualClock()
        self.before_read: Callable[[], None] = lambda: None
        self._known: set[bytes] = set()
        self._lock = threading.RLock()
        self._rooted = False
        self._token = 0
        #: Chunks are given with what they are made of: the one that stood in their place, where some of it still stands.
        self.patching = False
        self.make_source: Callable[[Primary, CatalogReader], FakeSource] = FakeSource
        self._before: dict[ObjectId, bytes] = {}

    def close(self) -> None:
        self.catalog.close()

    def write(self, *files: tuple[bytes, bytes], consistent: bool = True, xattrs: Xattrs = ()) -> Commit:
        """Write files into the root and capture them as one commit."""
        with self._lock:
            puts, found, pieces = self._root(), [], []
            for name, data in files:
                object_id = self.names.get(name)
                if object_id is None:
                    object_id = self.names[name] = self.catalog.allocate()
                    puts.append(encode_name(ROOT, name, object_id))
                self.disk[object_id] = data
                row, some, inner = self._row(object_id, data, xattrs)
                puts.insert(0, row)
                found += some
                pieces += inner
            return self._commit(Changes(puts), found, pieces, consistent)

    def write_ahead(self, name: bytes, data: bytes, between: Callable[[], None] = lambda: None) -> int:
        """Capture a large new file: its content first, ``between`` in the middle of it, then the commit. Returns its bytes."""
        with self._lock:
            object_id = self.names[name] = self.catalog.allocate()
            self.disk[object_id] = data
            row, found, pieces = self._row(object_id, data)
        self._token += 1
        half = len(found) // 2
        self.feed.content(self._token, found[:half])
        between()
        self.feed.content(self._token, found[half:])
        changes = Changes([row, encode_name(ROOT, name, object_id)])
        with self._lock:
            self._commit(changes, [], pieces, True, [(self._token, object_id)])
        return len(data)

    def edit_ahead(self, name: bytes, data: bytes) -> None:
        """Capture a large file that is known: its content first, then the commit."""
        with self._lock:
            object_id = self.names[name]
            self.disk[object_id] = data
            row, found, pieces = self._row(object_id, data)
            self._token += 1
            self.feed.content(self._token, found)
            self._commit(Changes([row]), [], pieces, True, [(self._token, object_id)])

    def remove(self, name: bytes) -> Commit:
        """Remove a file and capture that."""
        with self._lock:
            object_id = self.names.pop(name)
            del self.disk[object_id]
            return self._commit(Changes((), (object_key(object_id), name_key(ROOT, name))), [], [], True)

    def change_unseen(self, name: bytes, data: bytes) -> None:
        """Change a file; nothing captures it yet."""
        self.disk[self.names[name]] = data

    def capture(self, objects: Sequence[ObjectId]) -> Commit:
        """Capture what these objects hold now."""
        with self._lock:
            puts, found, pieces = [], [], []
            for object_id in objects:
                if object_id in self.disk and object_id not in self.blind:
                    row, some, inner = self._row(object_id, self.disk[object_id])
                    puts.append(row)
                    found += some
                    pieces += inner
            return self._commit(Changes(puts), found, pieces, True)

    def told_owed(self, total: int, paths: Sequence[bytes]) -> None:
        """See ``stream.sending.owed_by_peer``."""
        self.owed.append((total, list(paths)))

    def spool(self) -> Spool:
        """For a sender."""
        self.spools.append(Spool.open(self.spool_directory, *self.spool_limits))
        return self.spools[-1]

    def source(self) -> FakeSource:
        """For a sender; opened in its thread."""
        return self.make_source(self, self.catalog.reader())

    def _root(self) -> list[bytes]:
        if self._rooted or self.catalog.newest() is not None:
            return []
        self._rooted = True
        return [directory_row(ROOT)]

    def _row(
        self, object_id: ObjectId, data: bytes, xattrs: Xattrs = ()
    ) -> tuple[bytes, list[ReadChunk], list[tuple[bytes, bytes]]]:
        entries, found, pieces = [], [], []
        before = self._before.get(object_id, b"") if self.patching else b""
        self._before[object_id] = data
        for at in range(0, len(data), CHUNK):
            raw = data[at : at + CHUNK]
            name = chunks.name_of(raw)
            old = before[at : at + CHUNK]
            entries.append(chunks.Chunk(chunks.DATA, len(raw), name))
            if raw == old:
                continue
            runs = between(raw, chunks.name_of(old), old) if old else ()
            found.append(ReadChunk(name, chunks.DATA, raw, self._is_new(name), runs))
        content = chunks.fold(entries, lambda name, inner: pieces.append((name, inner)))
        found += [ReadChunk(name, chunks.PIECE, inner, self._is_new(name)) for name, inner in pieces]
        return file_row(object_id, content, len(data), xattrs), found, pieces

    def _is_new(self, name: bytes) -> bool:
        new = name not in self._known
        self._known.add(name)
        return new

    def _commit(
        self,
        changes: Changes,
        found: list[ReadChunk],
        pieces: list[tuple[bytes, bytes]],
        consistent: bool,
        ahead: Sequence[tuple[int, ObjectId]] = (),
    ) -> Commit:
        newest = self.catalog.newest()
        parent = newest.number if newest else NOTHING
        same = newest is not None and epoch_of(parent) == self.epoch.number
        number = commit_number(self.epoch.number, seq_of(parent) + 1 if same else 1)
        commit = self.catalog.write(changes, Header(number, parent, 1000, 1000, consistent), pieces)
        self.feed.commit(commit, changes, found, ahead)
        return commit


class FakeSource:
    """The sender's view of a :class:`Primary`."""

    def __init__(self, primary: Primary, reader: CatalogReader) -> None:
        self._primary = primary
        self._reader = reader
        self.anew_since = reader.anew_since
        self.piece = reader.piece
        self.path_of = reader.path_of
        self.fuzzy = reader.fuzzy_between
        self.close = reader.close
        self.object = reader.object

    def difference(self, a: CommitNumber, b: CommitNumber) -> Iterator[list[tuple[bytes, bytes | None, bytes | None]]]:
        return self._reader.difference(a, b, 50)

    def newest(self) -> Commit | None:
        return self._reader.newest()

    def commit_at(self, number: CommitNumber) -> Commit | None:
        return self._reader.commit_at(number) if self._reader.is_readable(number) else None

    def knows(self, mark: CommitMark) -> bool:
        return is_known(self._reader, mark)

    def sums(self, at: CommitNumber) -> Digest:
        return self._reader.sums_at(at)

    def knows_epoch(self, epoch: Epoch) -> bool:
        return epoch in self._reader.lineage

    def read(self, refs: Sequence[ChunkRef]) -> list[bytes | Lack]:
        self._primary.before_read()
        self._primary.reads += refs
        return [self._read(ref) for ref in refs]

    def rest(self) -> None:
        """Nothing is open."""

    def force(self, objects: Sequence[ObjectId]) -> PendingMark:
        self._primary.forced += objects
        return Done(self._primary.capture(objects).number)

    def _read(self, ref: ChunkRef) -> bytes | Lack:
        if ref.kind == chunks.PIECE:
            return self._reader.piece(ref.name) or Lack.CHANGED
        if ref.object in self._primary.unreadable:
            return Lack.UNREADABLE
        data = self._primary.disk.get(ref.object, b"")[ref.offset : ref.offset + ref.length]
        blind = ref.object in self._primary.blind
        return data if chunks.name_of(data) == ref.name else Lack.UNREADABLE if blind else Lack.CHANGED


class OldReceiver(Receiver):
    """One of the release before, which knows no patches."""

    def open(self) -> Answers:
        return tuple(replace(one, patches=False) if isinstance(one, Welcome) else one for one in super().open())

    def handle(self, batch: Batch) -> list[SecondaryPart]:
        codecs = b"".join(part.codecs for part in batch if isinstance(part, Data))
        assert b"" == codecs.strip(b"\x00\x01")
        return super().handle(batch)


class MendingReceiver(Receiver):
    """Remembers how the mending ended."""

    left: int | None = None

    def mended(self, left: int) -> None:
        self.left = left


class Secondary:
    """A real catalog and vault, and the directory that hands out their receiver."""

    dataset_kind = DatasetKind.TREE

    def __init__(self, directory: Path, name: str = "beta", primary: str = "alpha") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.primary = primary
        self.directory = directory
        self.clock = ManualClock()
        self.seats = Seats()
        self.board = PositionBoard()
        self.receiver: Receiver | None = None
        self.lacking = self.asks_first = False
        self.kind: type[Receiver] = Receiver
        self.open()

    def open(self) -> None:
        self.catalog = Catalog.open(str(self.directory / "catalog.db"))
        self.vault = Vault.open(str(self.directory / "vault"), self.catalog.pack_end())

    def close(self) -> None:
        self.vault.close()
        self.catalog.close()

    @property
    def context(self) -> ReceivingContext:
        """What its receivers work with."""
        return ReceivingContext(self.name, self.catalog, self.vault, self.board, self.clock, self.dataset_kind, None)

    def accept(self, peer: str, hello: Hello) -> Receiver | Answers:
        if peer != self.primary or hello.dataset != "web":
            reason = f"{peer} is not the primary of {hello.dataset} here"
            return (Refuse("not-primary", reason, "see the configuration"),)
        make = MendingReceiver if self.lacking else self.kind
        self.receiver = make(hello, self.context, lacking=self.lacking, asks_first=self.asks_first)
        return self.receiver

    def intake(self, peer: str, cancel: Callable[[], None]) -> Intake:
        return Intake(peer, self, self.seats, self.clock, cancel=cancel)

    def digest(self) -> bytes | None:
        newest = self.catalog.newest()
        return newest.digest if newest else None


def make_sender(
    primary: Primary, board: PositionBoard | None = None, peer: str = "beta", pace: Pace | None = None
) -> Sender:
    """A sender for one call."""
    newest = primary.catalog.newest()
    number = newest.number if newest else NOTHING
    with primary.catalog.reader() as reader:
        locator = locator_in(reader)
    hello = Hello("alpha", "web", SPOKEN, primary.epoch, number, b"n" * 32, locator=locator)
    board = board or PositionBoard()
    told = primary.told_owed
    context = SendingContext(primary.source, primary.spool, primary.feed, primary.clock, None)
    return Sender(peer, hello, context, board=board, pace=pace, owed=told)


def conversation(
    clock: Clock, pace: Pace | None = None, judge: Callable[[Welcome], None] = lambda _: None
) -> Conversation:
    """What the two threads of a call to beta share."""
    return Conversation("beta", clock, pace=pace, judge=judge, standings=None)


class Call:
    """One call driven by a thread of its own; ended by :meth:`stop` or by itself."""

    def __init__(self, primary: Primary, transport: Transport, peer: str = "beta") -> None:
        self.board = PositionBoard()
        self.sender = make_sender(primary, self.board, peer)
        self.peer = peer
        self.failure: Exception | None = None
        self._transport = transport
        self._thread = threading.Thread(target=self._run, name="call")
        self._thread.start()

    def until_streaming(self) -> None:
        """Wait until the peer has caught up."""
        for _ in range(20_000):
            if self.sender.phase is CallPhase.STREAMING:
                return
            self.sender.talk.watch(0.001)
        raise AssertionError(self.failure)

    def stop(self) -> None:
        """A clean shutdown."""
        self.sender.close()
        self.join()

    def join(self) -> None:
        """Wait for its end."""
        self._thread.join(20)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        try:
            for answers in self._transport.exchange(self.peer, self.sender.outgoing()):
                self.sender.incoming(answers)
            self.failure = self.sender.talk.failure
        except Exception as error:
            self.failure = self.sender.talk.failure or error
        finally:
            self.sender.talk.end()


def digest_of(primary: Primary) -> bytes:
    """Of the primary's newest commit."""
    newest = primary.catalog.newest()
    assert newest is not None
    return newest.digest


def until_durable(call: Call, primary: Primary) -> None:
    """Wait until the peer has everything, also what is captured while we wait."""
    newest = primary.catalog.newest()
    while newest is not None and call.board.position.durable < newest.number:
        assert call.board.wait(Level.DURABLE, newest.number, 40), call.failure
        newest = primary.catalog.newest()


def sync(primary: Primary, transport: Transport) -> Call:
    """One call that brings the peer up to date and ends."""
    call = Call(primary, transport)
    until_durable(call, primary)
    call.stop()
    assert call.failure is None
    return call
