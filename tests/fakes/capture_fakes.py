"""A peer in memory that believes only what the pump gives it, and a station that runs a pump on real directories."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.capture.exclude import Rules
from agent.capture.files.hard_links import Linked
from agent.capture.outlet import ReadChunk, Room
from agent.capture.ports import CaptureContext
from agent.capture.pump import Pump
from agent.capture.pumping.thread import PumpCalls
from agent.capture.tree.session import TreeSessions
from agent.chunking.window import FileReads
from agent.core import chunks
from agent.core.clock import Clock, SystemClock
from agent.core.commit import Changes, Commit
from agent.core.digest import digest_of
from agent.core.ids import ROOT, Epoch, ObjectId
from agent.core.patch import Runs
from agent.core.problem import ProblemBoard
from agent.core.row_checks import check_row
from agent.core.rows import ChunkRow, NameRow, ObjectRow, decode_object, is_object, key_of, object_key
from agent.fs.handles import can_open_by_handle
from agent.store.catalog.catalog import Catalog, CatalogReader
from agent.store.catalog.expiring.expiry import ALL_HISTORY
from agent.store.local import Local
from agent.store.pieces import VaultChunks
from agent.watch.hint import Hint, Look, Passing, waits_for_nothing
from agent.watch.settle import Settle
from fakes.idle import nothing_first
from fakes.trees import Seen, snapshot

WAIT = 60.0


def wait_for(holds: Callable[[], bool]) -> None:
    """Until the pump has come so far; fails after ``WAIT`` seconds."""
    never, deadline = threading.Event(), time.monotonic() + WAIT
    while not holds():
        assert time.monotonic() < deadline, "it did not come so far"
        never.wait(0.005)


class RecordingOutlet:
    """Keeps rows and chunks as a peer would that began with nothing. Checks every commit as it comes.

    ``fresh`` and ``asked`` collect the chunk names given either way; ``has`` may be cleared to hold the bulk back."""

    #: Whether a chunk may be fresh once only; a station that lost its local facts does not know better.
    strict = True

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}
        self.chunks: dict[bytes, bytes] = {}
        self.commits: list[Commit] = []
        self.changes: list[Changes] = []
        self.content_calls: list[tuple[int, int]] = []
        self.given_up_tokens: list[int] = []
        self.ahead: list[tuple[int, ObjectId]] = []
        self.fresh: list[bytes] = []
        self.asked: list[bytes] = []
        self.looks = 0
        self.has = threading.Event()
        self.has.set()
        #: What a slow link has room for; None: it is fast.
        self.link: Room | None = None
        self.since: list[float] = []
        self.on_content: Callable[[], None] = lambda: None
        self.on_commit: Callable[[], None] = lambda: None
        self.on_runs: Callable[[Runs], None] = lambda _: None

    def has_room(self, timeout: float) -> bool:
        return self.has.wait(timeout)

    def room(self) -> Room | None:
        return self.link

    def waited(self, since: float) -> None:
        self.since.append(since)

    def looked(self) -> None:
        self.looks += 1

    def content(self, token: int, chunks: Sequence[ReadChunk], is_new: bool = False) -> None:
        self._keep(chunks)
        self.content_calls.append((token, len(chunks)))
        self.on_content()

    def given_up(self, token: int) -> None:
        self.given_up_tokens.append(token)

    def commit(
        self,
        commit: Commit,
        changes: Changes,
        chunks: Sequence[ReadChunk],
        ahead: Sequence[tuple[int, ObjectId]],
    ) -> None:
        self._keep(chunks)
        for key in changes.drops:
            del self.rows[key]
        for row in changes.puts:
            check_row(row)
            self.rows[key_of(row)] = row
        self.commits.append(commit)
        self.changes.append(changes)
        self.ahead += ahead
        check_tree(self.rows)
        assert digest_of(self.rows.values()) == commit.digest
        self.on_commit()

    def _keep(self, given: Sequence[ReadChunk]) -> None:
        for chunk in given:
            name = chunks.name_of(chunk.data) if chunk.kind == chunks.DATA else chunks.name_of_list(chunk.data)
            assert name == chunk.name
            assert not (chunk.fresh and self.strict and chunk.name in self.chunks)
            (self.fresh if chunk.fresh else self.asked).append(chunk.name)
            self.chunks[chunk.name] = chunk.data
            if chunk.runs:
                self.on_runs(chunk.runs)

    def forget_traffic(self) -> None:
        """Count from here."""
        self.commits.clear()
        self.changes.clear()
        self.fresh.clear()
        self.asked.clear()
        self.content_calls.clear()
        self.ahead.clear()

    def entries(self, number: int) -> list[Entry_]:
        """The changes of one commit, decoded: rows that were put."""
        found = [check_row(row) for row in self.changes[number].puts]
        return [row for row in found if not isinstance(row, ChunkRow)]


Entry_ = ObjectRow | NameRow


class LightOutlet(RecordingOutlet):
    """The same without looking at the whole tree at every commit, and for stations that lose their local facts."""

    strict = False

    def commit(
        self,
        commit: Commit,
        changes: Changes,
        chunks: Sequence[ReadChunk],
        ahead: Sequence[tuple[int, ObjectId]],
    ) -> None:
        self._keep(chunks)
        for key in changes.drops:
            del self.rows[key]
        for row in changes.puts:
            self.rows[key_of(row)] = row
        self.commits.append(commit)
        self.changes.append(changes)
        self.ahead += ahead


def check_tree(rows: dict[bytes, bytes]) -> None:
    """Every commit leaves a valid tree: names lead from live directories to live objects, every object but the root has one,
    directories have exactly one, and all hang together."""
    decoded = [check_row(row) for row in rows.values()]
    objects = {row.id: row for row in decoded if isinstance(row, ObjectRow)}
    names = [row for row in decoded if isinstance(row, NameRow)]
    named: dict[ObjectId, list[NameRow]] = {}
    for name in names:
        assert name.object in objects, f"a name of nothing: {name}"
        assert name.parent in objects, f"a name in nothing: {name}"
        assert objects[name.parent].kind == 0o040000, f"a name in what is no directory: {name}"
        named.setdefault(name.object, []).append(name)
    for id, row in objects.items():
        count = len(named.get(id, ()))
        if id == ROOT:
            assert count == 0
        elif row.kind == 0o040000:
            assert count == 1, f"a directory with {count} names: {row}"
            seen = {id}
            while id != ROOT:
                id = named[id][0].parent
                assert id not in seen, "a directory below itself"
                seen.add(id)
        else:
            assert count >= 1, f"an object without a name: {row}"


def rebuilt(rows: dict[bytes, bytes], stored: dict[bytes, bytes]) -> dict[bytes, Seen]:
    """The tree that rows and chunks describe, in the words of ``fakes.trees.snapshot``."""
    objects = {
        row.id: row for row in map(check_row, (r for r in rows.values() if is_object(r))) if isinstance(row, ObjectRow)
    }
    names = [row for row in map(check_row, (r for r in rows.values() if not is_object(r))) if isinstance(row, NameRow)]
    below: dict[ObjectId, list[NameRow]] = {}
    for name in names:
        below.setdefault(name.parent, []).append(name)
    paths: dict[ObjectId, list[bytes]] = {ROOT: [b""]}
    todo: list[tuple[ObjectId, bytes]] = [(ROOT, b"")]
    while todo:
        id, path = todo.pop()
        for name in below.get(id, ()):
            inner = path + b"/" + name.name if path else name.name
            paths.setdefault(name.object, []).append(inner)
            todo.append((name.object, inner))
    found: dict[bytes, Seen] = {}
    for id, places in paths.items():
        links = tuple(sorted(places)) if len(places) > 1 else ()
        for place in places:
            found[place] = _as_seen(objects[id], stored, links)
    return found


def _as_seen(row: ObjectRow, stored: dict[bytes, bytes], links: tuple[bytes, ...]) -> Seen:
    content, holes, target = "", [], b""
    if row.kind == 0o100000:
        digest, at = hashlib.blake2b(digest_size=16), 0
        for entry in chunks.unfold(row.content, stored.__getitem__):
            if entry.kind == chunks.HOLE:
                holes.append((at, at + entry.length))
                digest.update(bytes(entry.length))
            else:
                assert len(stored[entry.name]) == entry.length
                digest.update(stored[entry.name])
            at += entry.length
        assert at == row.size
        content = digest.hexdigest()
    elif row.kind == 0o120000:
        target = row.content
    xattrs = tuple((os.fsdecode(name), value) for name, value in row.xattrs)
    return Seen(
        row.mode,
        row.uid,
        row.gid,
        row.mtime,
        row.size,
        row.rdev,
        target,
        content,
        tuple(holes),
        xattrs,
        row.flags,
        links,
    )


def unequal(expected: dict[bytes, Seen], actual: dict[bytes, Seen], limit: int = 10) -> list[str]:
    """What differs, in words."""
    words = []
    for path in sorted(expected.keys() | actual.keys()):
        a, b = expected.get(path), actual.get(path)
        if a is None or b is None:
            words.append(f"{path!r}: only in the {'copy' if a is None else 'source'}")
        elif a != b:
            words += [
                f"{path!r}: {field} {getattr(a, field)!r} != {getattr(b, field)!r}"
                for field in Seen.__slots__
                if getattr(a, field) != getattr(b, field)
            ]
    return words[:limit]


class SlowReader:
    """Rows as read by somebody slow: ``looked`` is called after each look at names, before anything is opened by them."""

    def __init__(self, reader: CatalogReader, looked: Callable[[], None]) -> None:
        self._reader = reader
        self._looked = looked
        self.piece = reader.piece
        self.close = reader.close

    def names_of(self, id: ObjectId) -> Sequence[tuple[ObjectId, bytes]]:
        names = self._reader.names_of(id)
        self._looked()
        return names


@dataclass(frozen=True, slots=True)
class Wiring:
    """What a station's pump is handed: a watcher's barrier, a check of the disk, whether objects can be located, what it
    received as a standby, and how it reads."""

    set_barrier: Callable[[], Passing] = lambda: waits_for_nothing
    require_room: Callable[[int], None] = lambda _: None
    can_locate: Callable[[int], bool] = can_open_by_handle
    vault: VaultChunks | None = None
    reads: FileReads = os


class Station:
    """A root, a state directory, and the pump that captures the one into the other."""

    def __init__(
        self,
        root: Path,
        state: Path,
        outlet: RecordingOutlet,
        rules: Rules | None = None,
        clock: Clock | None = None,
        linked: Linked | None = None,
        open_catalog: Callable[[str], Catalog] = Catalog.open,
        wiring: Wiring = Wiring(),
    ) -> None:
        self.root = root
        self.state = state
        self.outlet = outlet
        self.board = ProblemBoard()
        self.failed: list[Exception] = []
        state.mkdir(exist_ok=True)
        self.catalog = open_catalog(str(state / "catalog.db"))
        if not self.catalog.lineage:
            self.catalog.begin_epoch(Epoch(1, "alpha", b"t" * 16))
        self.local = Local.open(str(state / "local.db"))
        self.settle = Settle()
        context = CaptureContext("test", self.catalog, self.local, wiring.vault, self.board, clock or SystemClock())
        self.pump = Pump(
            context,
            self.settle,
            TreeSessions(context, str(root), rules or Rules(), linked or Linked(), wiring.can_locate, wiring.reads),
            outlet,
            PumpCalls(wiring.set_barrier, self.failed.append, lambda: ALL_HISTORY, wiring.require_room, nothing_first),
        )

    def start(self) -> None:
        """Run, without waiting for the first sync."""
        self.pump.start()

    def synced(self) -> None:
        """Run, and wait for the first sync or the reconcile after a restart."""
        self.pump.start()
        self.pump.reconcile("test").wait(WAIT)
        self.pump.barrier().wait(WAIT)

    def hint(self, *paths: bytes, look: Look = Look.ENTRY) -> None:
        """Tell the pump of paths and wait until what they show is committed."""
        self.pump.hint([Hint(path, look) for path in paths])
        self.pump.barrier().wait(WAIT)

    def give(self, *hints: Hint) -> None:
        """Tell the pump hints and wait until what they show is committed."""
        self.pump.hint(list(hints))
        self.pump.barrier().wait(WAIT)

    def reconcile(self) -> None:
        """Walk everything."""
        self.pump.reconcile("test").wait(WAIT)

    def stop(self) -> None:
        """End, and close everything."""
        self.pump.stop()
        self.catalog.close()
        self.local.close()
        if self.failed:
            raise self.failed[0]

    def copied(self, path: bytes) -> bytes:
        """A file's bytes as the peer has them."""
        id = self.id_of(path)
        assert id is not None
        row = decode_object(self.outlet.rows[object_key(id)])
        return b"".join(
            self.outlet.chunks[entry.name] if entry.kind == chunks.DATA else bytes(entry.length)
            for entry in chunks.unfold(row.content, self.outlet.chunks.__getitem__)
        )

    def mirror(self) -> list[str]:
        """What differs between the root and what the peer holds, and between the peer and the catalog."""
        catalog = {key_of(row): row for rows in self._rows() for row in rows}
        words = [] if catalog == self.outlet.rows else ["the catalog's rows are not those that were given out"]
        return words + unequal(snapshot(str(self.root)), rebuilt(self.outlet.rows, self.outlet.chunks))

    def id_of(self, path: bytes) -> ObjectId | None:
        """The object at a path, by the peer's rows."""
        names = {
            (row.parent, row.name): row.object
            for row in map(check_row, self.outlet.rows.values())
            if isinstance(row, NameRow)
        }
        id: ObjectId | None = ROOT
        for name in path.split(b"/"):
            id = names.get((id, name)) if id is not None else None
        return id

    def problems(self) -> list[tuple[str, bytes]]:
        """Code and path of every problem."""
        return [(problem.code, problem.path) for problem in self.board.listed()[0]]

    def _rows(self) -> Iterator[list[bytes]]:
        with self.catalog.reader() as reader:
            yield from reader.rows_at()


@contextmanager
def station(
    root: Path,
    state: Path,
    outlet: RecordingOutlet | None = None,
    rules: Rules | None = None,
    clock: Clock | None = None,
    linked: Linked | None = None,
    open_catalog: Callable[[str], Catalog] = Catalog.open,
    wiring: Wiring = Wiring(),
) -> Iterator[Station]:
    """A station that is stopped and closed in the end."""
    outlet = outlet if outlet is not None else RecordingOutlet()
    made = Station(root, state, outlet, rules, clock, linked, open_catalog, wiring)
    try:
        yield made
    finally:
        made.stop()
