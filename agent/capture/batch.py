"""Catalog and local facts as they will be after the batch that is being gathered.

Everything that capture asks goes through here, so what an earlier entry of the batch changed is seen by the next one. Nothing is
written before the pump commits the batch; a batch that cannot be right is simply forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from stat import S_IFDIR

from agent.capture.new_facts import NewFacts
from agent.capture.paths import Paths
from agent.chunking.reader import Found
from agent.core.commit import Changes
from agent.core.ids import NOTHING, ROOT, CommitNumber, ObjectId
from agent.core.patch import Runs
from agent.core.recent_map import RecentMap
from agent.core.rows import encode_name, file_type_of, name_key, object_key
from agent.store.catalog.catalog import Catalog
from agent.store.local import Local, LocalRow
from agent.store.pages import Pages

Name = tuple[ObjectId, bytes]

#: A commit of what just happened is cut at about so many rows.
ROWS = 1000
#: A commit of a walk: larger, as each costs a sync on both sides; not so large that the standby waits for the first one,
#: or has to read back from the vault what the cache still held a moment ago (measured, docs/performance.md).
BULK_ROWS = 3000
BYTES = 16 << 20

_IDS_AT_ONCE = 256
#: So many bytes of paths of directories are remembered, the least used go first: users make directories of any depth.
_PATHS = 4 << 20
#: Of so many objects it is kept how many names they have.
_COUNTED = 10_000
#: Of so many objects the rows are kept that the catalog has, where a row is not longer than this many bytes.
_ASKED, _SHORT = 16, 4096
_PAGE = 1000


class TreeBatch:
    """One batch over the catalog. Belongs to the pump's thread."""

    def __init__(self, catalog: Catalog, local: Local) -> None:
        self._catalog = catalog
        self._local = local
        self._ids: Iterator[int] = iter(())
        self.at: CommitNumber = NOTHING
        #: Bytes of content at which a commit is cut.
        self.most = BYTES
        #: Rises with all that is put into a batch, and with each directory that is to be looked at before its commit.
        self.changed = 0
        self._counts = RecentMap[ObjectId, int](_COUNTED)
        self._paths = Paths(self.names_of, _PATHS)
        #: Local facts, as of this batch.
        self._new_facts = facts = NewFacts(local, self.object)
        self.fact, self.signatures, self.by_handle = facts.fact, facts.signatures, facts.by_handle
        self.set_fact, self.facts_to_write = facts.set, facts.to_write
        self.begin()

    def forget(self) -> None:
        """What was gathered and not committed is forgotten; a new batch begins."""
        self._counts.clear()
        self.begin()

    def begin(self) -> None:
        """A new empty batch over the newest commit, after the last one was committed."""
        newest = self._catalog.newest()
        self.at = newest.number if newest is not None else NOTHING
        self._objects: dict[ObjectId, bytes | None] = {}
        self._born: set[ObjectId] = set()
        self._names: dict[Name, ObjectId | None] = {}
        self._base: dict[Name, ObjectId | None] = {}
        #: What the catalog was asked for last: a look asks for the same object and its directories several times.
        self._asked: dict[ObjectId, bytes] = {}
        self._names_added: dict[ObjectId, set[Name]] = {}
        self._added_below: dict[ObjectId, set[bytes]] = {}
        self._new_facts.begin()
        self.chunks: dict[bytes, tuple[int, bytes]] = {}
        #: How some of them are made of chunks of the version before.
        self.patches: dict[bytes, Runs] = {}
        self.pieces: dict[bytes, bytes] = {}
        self.bytes = 0
        #: Since when the oldest of what is in it has waited for the link, monotonic seconds; None: nothing did.
        self.since: float | None = None
        self.ahead: list[tuple[int, ObjectId]] = []
        self.fuzzy = 0
        #: Directories whose entries were looked at: their own metadata is looked at before the commit.
        self.touched: set[ObjectId] = set()
        #: Objects that lost their last name and were not found elsewhere yet. A batch with such cannot be committed.
        self.orphans: set[ObjectId] = set()
        #: Directory paths whose every component was compared with the filesystem during this batch.
        self.verified: dict[bytes, ObjectId] = {}
        self._verified_bytes = 0
        self._paths.clear()

    def waited(self, since: float | None) -> None:
        """A row of the batch has waited for the link, since then."""
        if since is not None and (self.since is None or since < self.since):
            self.since = since

    @property
    def rows(self) -> int:
        """About how many rows the commit would have."""
        return len(self._objects) + len(self._names)

    @property
    def full(self) -> bool:
        """Whether it is time to commit what just happened."""
        return self.rows >= ROWS or self.bytes >= self.most

    @property
    def full_of_bulk(self) -> bool:
        """Whether it is time to commit what a walk found."""
        return self.rows >= BULK_ROWS or self.bytes >= self.most

    @property
    def has_facts(self) -> bool:
        """Whether local facts wait to be written."""
        return bool(self._new_facts)

    @property
    def is_fresh(self) -> bool:
        """Whether nothing was put into it or asked of it since it began."""
        put = (
            self._objects or self._names or self.touched or self.orphans or self._new_facts or self.chunks or self.ahead
        )
        return not (put or self._asked or self._base or self.verified)

    # --- the catalog, as of this batch

    def fresh_id(self) -> ObjectId:
        """An object id that was never used."""
        found = next(self._ids, None)
        if found is None:
            first = self._catalog.allocate(_IDS_AT_ONCE)
            self._ids = iter(range(first + 1, first + _IDS_AT_ONCE))
            found = first
        return ObjectId(found)

    def object(self, id: ObjectId) -> bytes | None:
        """The row of a live object."""
        if id in self._objects:
            return self._objects[id]
        row = self._asked.get(id)
        return self._ask(id) if row is None else row

    def committed(self, id: ObjectId) -> bytes | None:
        """The row of an object in the newest commit, whatever the batch has of it."""
        return self._catalog.object(id, self.at) if id in self._objects else self.object(id)

    def _ask(self, id: ObjectId) -> bytes | None:
        row = self._catalog.object(id, self.at)
        if row is not None and len(row) <= _SHORT:
            if len(self._asked) >= _ASKED:
                self._asked.clear()
            self._asked[id] = row
        return row

    def is_directory(self, id: ObjectId) -> bool:
        """Whether this is a live directory."""
        row = self.object(id)
        return row is not None and file_type_of(row) == S_IFDIR

    def child(self, parent: ObjectId, name: bytes) -> ObjectId | None:
        """The object that a name stands for."""
        key = (parent, name)
        if key in self._names:
            return self._names[key]
        if key not in self._base:
            self._base[key] = self._catalog.child(parent, name, self.at)
        return self._base[key]

    def names_of(self, id: ObjectId) -> list[Name]:
        """Every name of an object."""
        added = self._names_added.get(id, set())
        if id in self._born:
            return sorted(added)
        found = [name for name in self._catalog.names_of(id, self.at) if self._names.get(name, id) == id]
        return found + sorted(added.difference(found)) if added else found

    def names_count(self, id: ObjectId) -> int:
        """How many names an object has. Counted once and kept: one may have very many, which are told of one by one."""
        count = self._counts.get(id)
        if count is None:
            count = len(self.names_of(id))
            self._counts.remember(id, count)
        return count

    def _name_counts(self, id: ObjectId, more: int) -> None:
        if id in self._counts:
            self._counts[id] += more

    def children(self, parent: ObjectId, after: bytes = b"") -> list[tuple[bytes, ObjectId]]:
        """Some entries with names greater than ``after``, by name; empty when there are no more."""
        found = [] if parent in self._born else self._catalog.children(parent, self.at, after, _PAGE)
        if not self._names:
            return found
        last = found[-1][0] if len(found) == _PAGE else None
        live = {name: id for name, id in found if self._names.get((parent, name), id) == id}
        for name in self._added_below.get(parent, ()):
            id = self._names[parent, name]
            if id is not None and name > after and (last is None or name <= last):
                live[name] = id
        if not live and last is not None:
            return self.children(parent, last)
        return sorted(live.items())

    def has_children(self, parent: ObjectId) -> bool:
        """Whether a directory has entries."""
        return bool(self.children(parent))

    def path_of(self, id: ObjectId) -> bytes | None:
        """The path of a directory by its first name; None when no way leads to the root."""
        return self._paths.of(id)

    def path(self, parent: ObjectId, name: bytes) -> bytes:
        """The path of an entry, for people and rules; only the name when its directory has none."""
        above = self.path_of(parent)
        return above + b"/" + name if above else name

    def kept_pieces(self, names: Sequence[bytes]) -> dict[bytes, bytes]:
        """Those of some parts of chunk lists that the catalog has, by name."""
        return self._catalog.pieces(names)

    def knows(self, path: bytes) -> bool:
        """Whether anything is known of what stands at a path; of a directory, of what is in it."""
        id = ROOT
        for name in filter(None, path.split(b"/")):
            below = self.child(id, name)
            if below is None:
                return False
            id = below
        return not self.is_directory(id) or self.has_children(id)

    def passed(self, path: bytes, id: ObjectId) -> None:
        """A directory was found at the path, as were those above it."""
        self._verified_bytes += len(path)
        if self._verified_bytes > _PATHS:
            self.verified.clear()
            self._verified_bytes = len(path)
        self.verified[path] = id

    def is_below(self, id: ObjectId, above: ObjectId) -> bool:
        """Whether ``id`` is ``above`` or stands below it."""
        return above in self.way_to(id)

    def way_to(self, id: ObjectId) -> Iterator[ObjectId]:
        """``id`` and the directories above it by first names, up to the root or to one without a name."""
        seen: set[ObjectId] = set()
        while id not in seen:
            yield id
            seen.add(id)
            names = self.names_of(id) if id != ROOT else []
            if not names:
                return
            id = names[0][0]

    # --- changing it

    def touch(self, directory: ObjectId) -> None:
        """Entries of this directory were looked at: its own metadata is looked at before the commit."""
        self.changed += 1
        self.touched.add(directory)

    def add_object(self, id: ObjectId, row: bytes) -> None:
        """A new object."""
        self.changed += 1
        self._objects[id] = row
        self._born.add(id)

    def put_object(self, id: ObjectId, row: bytes, was: bytes | None) -> None:
        """An object as it is now; nothing when it is as it ``was``."""
        if row != was:
            self.changed += 1
            self._objects[id] = row

    def drop_object(self, id: ObjectId) -> None:
        """An object is gone. Its names must be dropped too. Nothing when it does not live: whoever was dropping it may have
        been overtaken by a hint, whose batch is committed."""
        self.changed += 1
        self._counts.pop(id, None)
        if id in self._born:
            del self._objects[id]
            self._born.discard(id)
        elif self.object(id) is not None:
            self._objects[id] = None
        self._new_facts.drop(id)
        self.orphans.discard(id)
        self.touched.discard(id)

    def put_name(self, parent: ObjectId, name: bytes, id: ObjectId) -> None:
        """A name stands for ``id`` from now on. What it stood for before has lost it: see :meth:`lose_name`."""
        self.changed += 1
        before = self.child(parent, name)
        if before is not None:
            self._unname(parent, name, before)
            self._names_changed(before)
        if id not in self._born or self._names_added.get(id):
            self._names_changed(id)
        self._name_counts(id, 1)
        self._names[parent, name] = id
        self._names_added.setdefault(id, set()).add((parent, name))
        self._added_below.setdefault(parent, set()).add(name)
        self.orphans.discard(id)

    def drop_name(self, parent: ObjectId, name: bytes) -> None:
        """A name is gone."""
        self.changed += 1
        before = self.child(parent, name)
        if before is not None:
            self._name_goes(parent, name, before)
        self._names[parent, name] = None
        if before is not None:
            self._unname(parent, name, before)

    def add_file(self, parent: ObjectId, name: bytes, id: ObjectId, row: bytes, fact: LocalRow) -> None:
        """A new object that is no directory under its only name, where nothing stood before: :meth:`add_object`,
        :meth:`put_name` and :meth:`set_fact` in short."""
        self.changed += 1
        key = (parent, name)
        self._objects[id] = row
        self._born.add(id)
        self._names[key] = id
        self._base[key] = None
        self._names_added[id] = {key}
        below = self._added_below.get(parent)
        if below is None:
            below = self._added_below[parent] = set()
        below.add(name)
        self._new_facts.rows[id] = fact
        self._new_facts.handles[fact.handle] = id

    def _unname(self, parent: ObjectId, name: bytes, id: ObjectId) -> None:
        self._name_counts(id, -1)
        added = self._names_added.get(id)
        if added is not None:
            added.discard((parent, name))
        self._added_below.get(parent, set()).discard(name)

    def _names_changed(self, id: ObjectId) -> None:
        """An object that may have been on the way to others is called otherwise, or nothing, now."""
        if (self.verified or self._paths) and self.is_directory(id):
            self.verified.clear()
            self._paths.clear()

    def _name_goes(self, parent: ObjectId, name: bytes, id: ObjectId) -> None:
        """A name is about to go. On the way to others is only a directory that has entries: deep trees are removed from below."""
        if not (self.verified or self._paths) or not self.is_directory(id):
            return
        if self.has_children(id):
            self._names_changed(id)
        else:
            self.verified.pop(self.path(parent, name), None)
            self._paths.forget(id)

    def add_chunks(self, found: list[Found]) -> None:
        """Chunks that were read for this batch; ``found`` is emptied."""
        for name, kind, data in found:
            if name not in self.chunks:
                self.chunks[name] = (kind, data)
                self.bytes += len(data)
        found.clear()

    def changes(self) -> Changes:
        """The batch as rows and keys, net."""
        puts = [row for row in self._objects.values() if row is not None]
        drops = [object_key(id) for id, row in self._objects.items() if row is None]
        for key, id in self._names.items():
            before = self._base[key]
            if id is not None and id != before:
                puts.append(encode_name(key[0], key[1], id))
            elif id is None and before is not None:
                drops.append(name_key(key[0], key[1]))
        return Changes(puts, drops)

    # --- local facts

    def pages(self, seed: int) -> Pages:
        """Digests of large files' pages, made with this seed."""
        self._local.pages.begin(seed.to_bytes(8, "big"))
        return self._local.pages
