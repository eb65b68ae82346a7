"""A catalog without a source: trees as values, random histories of them, and a standby beside to be compared."""

from __future__ import annotations

import hashlib
import os
import random
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from agent.apply.applier import Applier, Supply
from agent.apply.bounds import USUAL, ApplyLimits
from agent.apply.loop import ApplyCalls
from agent.apply.ports import NOTHING_EARLY, CatalogView, Early, LeftOut, NothingAdopted, no_patch, nothing_left_out
from agent.apply.standby.standby_root import StandbyPlace
from agent.config.values import Brake
from agent.core import chunks
from agent.core.chunks import DATA, HOLE, Chunk
from agent.core.clock import ManualClock
from agent.core.commit import ORDINARY, Changes, Commit, Provenance
from agent.core.errors import NotFound
from agent.core.ids import NOTHING, ROOT, CommitNumber, Epoch, ObjectId, commit_number, object_id
from agent.core.problem import ProblemBoard
from agent.core.rows import ObjectRow, encode_name, encode_object, name_key, object_key
from agent.fs.confined import create_nameless
from agent.fs.expected import BY_HANDLE, Expect
from agent.store.catalog.catalog import Catalog, Header
from agent.store.local import Local
from agent.store.vault.pack import PackEnd
from fakes.trees import Seen, snapshot

Place = tuple[ObjectId, bytes]
PAGE = 4096
#: Random trees lose most of what they have all the time.
UNBRAKED = Brake(deleted=1, rewritten=1)


class Crash(BaseException):
    """The process dies here."""


@dataclass
class Bytes:
    """Chunks by name, as the vault would give them; ``lost`` are damaged."""

    stored: dict[bytes, bytes] = field(default_factory=dict)
    lost: set[bytes] = field(default_factory=set)
    reads: int = 0

    def keep(self, data: bytes) -> bytes:
        name = chunks.name_of(data)
        self.stored[name] = data
        return name

    def read(self, name: bytes) -> bytes:
        self.reads += 1
        if name in self.lost or name not in self.stored:
            raise NotFound("read a chunk", name.hex(), "it is not there")
        return self.stored[name]


@dataclass
class Tree:
    """One state of a dataset: rows as a catalog holds them, and verbs that change them as a user would."""

    store: Bytes
    objects: dict[ObjectId, ObjectRow] = field(default_factory=dict)
    names: dict[Place, ObjectId] = field(default_factory=dict)
    epoch: int = 1
    counter: int = 1
    clock: int = 1_700_000_000_123_456_789

    @classmethod
    def empty(cls, store: Bytes, epoch: int = 1) -> Tree:
        tree = cls(store, epoch=epoch)
        tree.objects[ROOT] = ObjectRow(ROOT, stat.S_IFDIR | 0o755, os.getuid(), os.getgid(), tree.tick())
        return tree

    def copy(self) -> Tree:
        return replace(self, objects=dict(self.objects), names=dict(self.names))

    def tick(self) -> int:
        self.clock += 1_234_567_891
        return self.clock

    def fresh(self) -> ObjectId:
        self.counter += 1
        return object_id(self.epoch, self.counter)

    # -- verbs ---------------------------------------------------------------------------------------------------------

    def add(self, parent: ObjectId, name: bytes, mode: int, **fields: object) -> ObjectId:
        """A new object at a name, whatever stood there."""
        self.remove(parent, name)
        id = self.fresh()
        self.objects[id] = ObjectRow(id, mode, os.getuid(), os.getgid(), self.tick(), **fields)  # type: ignore[arg-type]
        self.names[parent, name] = id
        return id

    def file(self, parent: ObjectId, name: bytes, *runs: bytes | int, mode: int = 0o644) -> ObjectId:
        """A new regular file; ``runs`` are chunks (bytes) and holes (lengths)."""
        size, content = self.content(*runs)
        return self.add(parent, name, stat.S_IFREG | mode, size=size, content=content)

    def directory(self, parent: ObjectId, name: bytes) -> ObjectId:
        return self.add(parent, name, stat.S_IFDIR | 0o755)

    def content(self, *runs: bytes | int) -> tuple[int, bytes]:
        entries: list[Chunk] = []
        for run in runs:
            if isinstance(run, int):
                entries.append(Chunk(HOLE, run))
            elif run:
                entries.append(Chunk(DATA, len(run), self.store.keep(run)))
        size = sum(entry.length for entry in entries)
        return size, chunks.fold(entries, self.store.stored.__setitem__)

    def write(self, id: ObjectId, *runs: bytes | int) -> None:
        """New content."""
        size, content = self.content(*runs)
        self.objects[id] = self.objects[id]._replace(size=size, content=content, mtime=self.tick())

    def alter(self, id: ObjectId, **fields: object) -> None:
        """New metadata."""
        self.objects[id] = self.objects[id]._replace(**fields)  # type: ignore[arg-type]

    def link(self, parent: ObjectId, name: bytes, id: ObjectId) -> None:
        if self.names.get((parent, name)) != id:
            self.remove(parent, name)
            self.names[parent, name] = id

    def remove(self, parent: ObjectId, name: bytes) -> None:
        """Unlink, or remove with all that is in it."""
        id = self.names.pop((parent, name), None)
        if id is None or id in self.names.values():
            return
        row = self.objects.pop(id)
        if row.kind == stat.S_IFDIR:
            for place in [place for place in self.names if place[0] == id]:
                self.remove(*place)

    def move(self, old: Place, new: Place) -> None:
        if old != new:
            id = self.names.pop(old)
            row = self.objects[id]
            self.remove(*new)
            self.objects[id] = row  # its last other name may have stood in what was removed
            self.names[new] = id

    def at(self, path: bytes) -> ObjectId:
        id = ROOT
        for part in path.split(b"/"):
            id = self.names[id, part]
        return id

    # -- looking -------------------------------------------------------------------------------------------------------

    def below(self, id: ObjectId) -> set[ObjectId]:
        """The directory and everything in it."""
        found, waiting = {id}, [id]
        while waiting:
            at = waiting.pop()
            for (parent, _), child in self.names.items():
                if parent == at and child not in found:
                    found.add(child)
                    waiting.append(child)
        return found

    def changes_to(self, other: Tree) -> Changes:
        """What makes this tree the other."""
        puts = [encode_object(row) for id, row in other.objects.items() if self.objects.get(id) != row]
        puts += [encode_name(*place, id) for place, id in other.names.items() if self.names.get(place) != id]
        drops = [object_key(id) for id in self.objects if id not in other.objects]
        drops += [name_key(*place) for place in self.names if place not in other.names]
        return Changes(puts, drops)

    def expected(self) -> dict[bytes, Seen]:
        """What ``fakes.trees.snapshot`` must see."""
        found = {b"": self._seen(self.objects[ROOT], ())}
        paths: dict[ObjectId, list[bytes]] = {}
        children: dict[ObjectId, list[tuple[bytes, ObjectId]]] = {}
        for (parent, name), id in self.names.items():
            children.setdefault(parent, []).append((name, id))
        waiting = [(ROOT, b"")]
        while waiting:
            at, prefix = waiting.pop()
            for name, id in children.get(at, []):
                path = prefix + b"/" + name if prefix else name
                paths.setdefault(id, []).append(path)
                if self.objects[id].kind == stat.S_IFDIR:
                    waiting.append((id, path))
        for id, own in paths.items():
            links = tuple(sorted(own)) if len(own) > 1 else ()
            for path in own:
                found[path] = self._seen(self.objects[id], links)
        return found

    def _seen(self, row: ObjectRow, links: tuple[bytes, ...]) -> Seen:
        digest, holes, offset = "", [], 0
        if row.kind == stat.S_IFREG:
            hashed = hashlib.blake2b(digest_size=16)
            for entry in chunks.unfold(row.content, self.store.stored.__getitem__):
                if entry.kind == HOLE:
                    hashed.update(bytes(entry.length))
                    holes.append((offset, offset + entry.length))
                else:
                    hashed.update(self.store.stored[entry.name])
                offset += entry.length
            digest = hashed.hexdigest()
        target = row.content if row.kind == stat.S_IFLNK else b""
        xattrs = tuple((name.decode(), value) for name, value in row.xattrs)
        mode = row.mode | 0o777 if row.kind == stat.S_IFLNK else row.mode
        return Seen(
            mode,
            row.uid,
            row.gid,
            row.mtime,
            row.size,
            row.rdev,
            target,
            digest,
            tuple(holes),
            xattrs,
            row.flags,
            links,
        )


class Chance:
    """A user who does anything, by a seed."""

    NAMES = (b"a", b"b", b"c", b"d\n", b"\xff\xfe", b"e" * 200)

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def evolve(self, tree: Tree, steps: int) -> Tree:
        """A later state."""
        tree = tree.copy()
        verbs: list[Callable[[Tree], None]] = [
            self._create, self._create, self._create, self._remove, self._rename, self._rename, self._swap,
            self._rotate, self._link, self._metadata, self._rewrite, self._rewrite, self._replace,
        ]  # fmt: skip
        for _ in range(steps):
            self.rng.choice(verbs)(tree)
        if not tree.names:
            tree.file(ROOT, b"never empty", b"x")
        return tree

    def _directory(self, tree: Tree) -> ObjectId:
        return self.rng.choice([id for id, row in sorted(tree.objects.items()) if row.kind == stat.S_IFDIR])

    def _place(self, tree: Tree) -> Place:
        return self._directory(tree), self.rng.choice(self.NAMES)

    def _taken(self, tree: Tree) -> Place | None:
        return self.rng.choice(sorted(tree.names)) if tree.names else None

    def _runs(self) -> list[bytes | int]:
        runs: list[bytes | int] = []
        for _ in range(self.rng.choice((0, 1, 1, 1, 2, 5))):
            if runs and isinstance(runs[-1], bytes) and len(runs[-1]) % PAGE == 0 and self.rng.random() < 0.4:
                runs.append(PAGE * self.rng.randint(1, 4))
            else:
                runs.append(self.rng.randbytes(self.rng.choice((1, 700, PAGE, 3 * PAGE))))
            if isinstance(runs[-1], bytes) and len(runs[-1]) % PAGE:
                break
        return runs

    def _create(self, tree: Tree) -> None:
        parent, name = self._place(tree)
        held = tree.names.get((parent, name))
        if held is not None and tree.objects[held].kind == stat.S_IFDIR and self.rng.random() < 0.8:
            return
        self._new(tree, parent, name)

    def _new(self, tree: Tree, parent: ObjectId, name: bytes) -> None:
        kind = self.rng.choice("fffddlpn")
        if kind == "f":
            tree.file(parent, name, *self._runs())
        elif kind == "d":
            tree.directory(parent, name)
        elif kind == "l":
            tree.add(parent, name, stat.S_IFLNK | 0o777, content=self.rng.choice((b"../x", b"/etc/passwd", b"a")))
        elif kind == "p" or os.getuid():
            tree.add(parent, name, stat.S_IFIFO | 0o600)
        else:
            tree.add(parent, name, stat.S_IFCHR | 0o600, rdev=os.makedev(1, self.rng.choice((3, 5))))

    def _remove(self, tree: Tree) -> None:
        place = self._taken(tree)
        if place:
            tree.remove(*place)

    def _rename(self, tree: Tree) -> None:
        place = self._taken(tree)
        if place is None:
            return
        inside = tree.below(tree.names[place])
        new = self._place(tree)
        if new[0] in inside or tree.names.get(new) == tree.names[place]:
            return
        if new in tree.names and place[0] in tree.below(tree.names[new]):
            return
        tree.move(place, new)

    def _swap(self, tree: Tree) -> None:
        one, other = self._taken(tree), self._taken(tree)
        if one is None or other is None or one == other:
            return
        a, b = tree.names[one], tree.names[other]
        if one[0] in tree.below(b) or other[0] in tree.below(a):
            return
        tree.names[one], tree.names[other] = b, a

    def _rotate(self, tree: Tree) -> None:
        """``/a`` with b and c in it becomes ``/b/c/a`` and so on: a chain of directories turned over."""
        chain = [place for place in sorted(tree.names) if tree.objects[tree.names[place]].kind == stat.S_IFDIR]
        for place in chain:
            outer = tree.names[place]
            inner = [n for n in chain if n[0] == outer and n in tree.names]
            if not inner:
                continue
            child = tree.names.pop(inner[0])
            tree.names[place] = child
            tree.remove(child, b"turned")
            if outer in tree.objects:
                tree.names[child, b"turned"] = outer
            return

    def _link(self, tree: Tree) -> None:
        files = [id for id, row in sorted(tree.objects.items()) if row.kind != stat.S_IFDIR]
        parent, name = self._place(tree)
        held = tree.names.get((parent, name))
        if not files or (held is not None and tree.objects[held].kind == stat.S_IFDIR):
            return
        tree.link(parent, name, self.rng.choice(files))

    def _metadata(self, tree: Tree) -> None:
        id = self.rng.choice(sorted(tree.objects))
        row = tree.objects[id]
        if row.kind == stat.S_IFLNK:
            tree.alter(id, mtime=tree.tick())
            return
        choice = self.rng.randrange(4)
        if choice == 0:
            bits = (0o700, 0o755, 0o1777) if row.kind == stat.S_IFDIR else (0o600, 0o640, 0o4755, 0)
            tree.alter(id, mode=row.kind | self.rng.choice(bits))
        elif choice == 1:
            tree.alter(id, mtime=tree.tick())
        elif choice == 2 and not os.getuid():
            tree.alter(id, uid=self.rng.choice((0, 1000)), gid=self.rng.choice((0, 1001)))
        elif row.kind in (stat.S_IFREG, stat.S_IFDIR):
            tree.alter(id, xattrs=((b"user.colour", self.rng.randbytes(3)),) if self.rng.random() < 0.7 else ())

    def _rewrite(self, tree: Tree) -> None:
        files = [id for id, row in sorted(tree.objects.items()) if row.kind == stat.S_IFREG]
        if files:
            tree.write(self.rng.choice(files), *self._runs())

    def _replace(self, tree: Tree) -> None:
        place = self._taken(tree)
        if place:
            self._new(tree, *place)


@dataclass
class Rig:
    """A secondary's catalog, local facts and standby in ``base``, and trees to commit into it."""

    base: Path
    store: Bytes = field(default_factory=Bytes)
    board: ProblemBoard = field(default_factory=ProblemBoard)
    clock: ManualClock = field(default_factory=ManualClock)
    early: Early = NOTHING_EARLY
    limits: ApplyLimits = USUAL
    make_nameless: Callable[[int], int] = create_nameless
    seq: int = 0
    epoch: int = 1
    opened: list[Applier] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.root = self.base / "standby"
        self.catalog = Catalog.open(str(self.base / "catalog.db"))
        self.catalog.begin_epoch(Epoch(1, "alpha", bytes(16)))
        self.local = Local.open(str(self.base / "local.db"))
        self.tree = Tree(self.store)

    def commit(self, tree: Tree, *, consistent: bool = True, made: Provenance = ORDINARY) -> Commit:
        """Seal the tree as the newest commit."""
        changes = self.tree.changes_to(tree)
        self.seq += 1
        newest = self.catalog.newest()
        parent = newest.number if newest else NOTHING
        self.tree = tree.copy()
        number = commit_number(self.epoch, self.seq)
        now = self.clock.now_ns()
        return self.catalog.write(changes, Header(number, parent, now, now, consistent, provenance=made))

    def commit_short(self, tree: Tree, *owed: ObjectId) -> Commit:
        """Seal the tree although some of these objects did not come."""
        changes = self.tree.changes_to(tree)
        self.seq += 1
        newest = self.catalog.newest()
        number = commit_number(self.epoch, self.seq)
        self.catalog.stage(number, changes)
        self.catalog.owe(number, owed)
        self.tree = tree.copy()
        now = self.clock.now_ns()
        return self.catalog.seal(
            Header(number, newest.number if newest else NOTHING, now, now, True), self.catalog.pack_end()
        )

    def commit_anew(self, tree: Tree, *, consistent: bool = True) -> Commit:
        """Seal the tree as the first commit of a new lineage."""
        self.epoch += 1
        self.seq = 1
        self.catalog.begin_epoch(Epoch(self.epoch, "alpha", bytes([self.epoch] * 16)))
        number = commit_number(self.epoch, 1)
        self.catalog.restart_from_nothing(number)
        self.catalog.stage(number, Tree(self.store).changes_to(tree))
        self.tree = tree.copy()
        now = self.clock.now_ns()
        return self.catalog.seal(Header(number, NOTHING, now, now, consistent), PackEnd(0, 0))

    def applier(
        self,
        step: Callable[[str], None] = lambda what: None,
        brake: Brake = UNBRAKED,
        expect: Expect = BY_HANDLE,
        left_out: LeftOut = nothing_left_out,
        adopt: bool = False,
        reader: Callable[[], CatalogView] | None = None,
    ) -> Applier:
        """An applier as a new process would have it."""
        place = StandbyPlace(
            str(self.root), "web", str(self.base), step, adopt, NothingAdopted(), left_out, expect, self.make_nameless
        )
        supply = Supply(reader or self.catalog.reader, self.store.read, no_patch, self.early)
        made = Applier(place, supply, self.local, self.board, clock=self.clock, brake=brake, limits=self.limits)
        self.opened.append(made)
        return made

    def dies(self, applier: Applier) -> None:
        """The process of this applier is gone: only its descriptors are given back."""
        applier.rest()
        if applier._view is not None:
            applier._view.close()

    def seen(self) -> dict[bytes, Seen]:
        return snapshot(str(self.root))

    def problems(self) -> list[str]:
        return [problem.code for problem in self.board.listed()[0]]

    def close(self) -> None:
        for applier in self.opened:
            self.dies(applier)
        self.local.close()
        self.catalog.close()


@contextmanager
def rig(base: Path) -> Iterator[Rig]:
    """A rig that is closed at the end."""
    base.mkdir(parents=True, exist_ok=True)
    made = Rig(base)
    try:
        yield made
    finally:
        made.close()


class DiesAt:
    """A step that ends the run at its ``number``-th call (from 1)."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.count = 0

    def __call__(self, what: str) -> None:
        self.count += 1
        if self.count == self.number:
            raise Crash(what)


def calls_of(published: Callable[[CommitNumber], None]) -> ApplyCalls:
    """Only what is applied is heard."""
    return ApplyCalls(published, lambda: None, lambda _: None, lambda: False)


def number_of(commit: Commit) -> CommitNumber:
    return commit.number
