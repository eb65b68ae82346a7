"""The catalog: the objects and names of one dataset through time, its commits and epochs. Only truths.

One thread writes. What it changes is staged under the number of the coming commit and seen by nobody; ``seal`` (or
``write``, which does both) makes it the newest commit in one durable transaction. Whatever fails on the way leaves
nothing staged.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import apsw

from agent.core.commit import ORDINARY, Changes, Commit, Provenance
from agent.core.digest import Digest
from agent.core.errors import NotFound, OtherDigest, Refused, WireError
from agent.core.ids import EPOCH_LIMIT, NOTHING, CommitNumber, Epoch, ObjectId, epoch_of, shown_commit
from agent.store.catalog import commits, generation, kept, leases, lists, owed, schema
from agent.store.catalog.generation import Generation
from agent.store.catalog.kept import KeptCommit
from agent.store.catalog.overlay import Overlay
from agent.store.catalog.reader import CatalogReader
from agent.store.catalog.row_tables import Difference
from agent.store.catalog.writing import CatalogWriter
from agent.store.sqlite import UNFIT, Synchronous, ensure_schema, failure, open_database, query, settle_log, store_error
from agent.store.vault.pack import PackEnd

__all__ = ["Catalog", "CatalogReader", "Header"]

_CACHE_KIB = 32768
#: A commit of one change touches six to eight pages, and each goes to the log: small ones (docs/decisions/0036).
_PAGE_SIZE = 2048

#: What follows from a commit that came out otherwise.
COMPARED = "the states are compared at the next connection, and what differs is sent"


@dataclass(frozen=True, slots=True)
class CatalogLimits:
    """``staged``: rows that one transaction takes before it is cut, so that the log does not grow with a commit."""

    staged: int = 20_000


_LIMITS = CatalogLimits()


@dataclass(frozen=True, slots=True)
class Header:
    """What the catalog cannot know of a commit by itself; see ``core.commit.Commit``.

    ``digest``: what the other side claims (None: not claimed); the commit is refused unless it is what comes out
    here."""

    number: CommitNumber
    parent: CommitNumber
    time: int
    received: int
    consistent: bool
    fuzzy: int = 0
    digest: bytes | None = None
    provenance: Provenance = ORDINARY


def _goes_on() -> None:
    """What is done when nothing may end a long write."""


class Catalog(CatalogWriter):
    """The writing side; owned by one thread. Its reading methods serve that thread; others take a :meth:`reader`.

    ``created``: whether there was no catalog before."""

    @classmethod
    def open(cls, path: str, limits: CatalogLimits = _LIMITS) -> Catalog:
        """Open or create; what a crash left staged is taken back.

        Raises ``Damaged`` (with what to do), ``TryAgain`` (disk full), ``StoreFailed``."""
        connection = open_database(path, Synchronous.FULL, _CACHE_KIB, page_size=_PAGE_SIZE)
        catalog = cls(path, connection, limits)
        try:
            catalog.created = ensure_schema(connection, path, schema.APPLICATION, schema.VERSION, schema.TABLES)
            query(connection, schema.GROWN)
            settle_log(connection)
            catalog._recover()
            catalog._known_epoch = next(reversed(catalog.lineage), None)
        except apsw.Error as error:
            catalog.close()
            raise failure(error, "open the catalog", path) from error
        except UNFIT as error:
            catalog.close()
            raise store_error(error, "open the catalog", path) from error
        except BaseException:
            catalog.close()
            raise
        return catalog

    def __init__(self, path: str, connection: apsw.Connection, limits: CatalogLimits) -> None:
        super().__init__(path, connection)
        self._limits = limits

    def reader(self) -> CatalogReader:
        """A reader for another thread; it closes it."""
        return CatalogReader.open(self.path)

    # --- epochs and ids

    def begin_epoch(self, epoch: Epoch, reason: str = "") -> None:
        """Durably begin an epoch above all before; the same one again is no error. ``reason``: for people.

        Raises ``Refused`` for a lower number, the same with another token, and while a commit is staged."""
        lineage = self.lineage
        if lineage and lineage[-1] == epoch:
            return
        if not 0 < epoch.number < EPOCH_LIMIT or (lineage and epoch.number <= lineage[-1].number):
            newest = lineage[-1].number if lineage else 0
            raise Refused("begin an epoch", str(epoch.number), f"epoch {newest} is known and must be lower")
        if self._staged is not None:
            raise Refused("begin an epoch", str(epoch.number), f"commit {shown_commit(self._staged)} is being staged")
        with self._writing("begin an epoch"):
            row = (epoch.number, epoch.token, epoch.owner, reason)
            query(self._connection, "insert into epoch values (?, ?, ?, ?, null)", row)
            query(self._connection, "commit")
            self._first_object = epoch.first_object
            self._known_epoch = epoch

    def allocate(self, count: int = 1) -> ObjectId:
        """The first of ``count`` fresh ids of the newest epoch; durable with the next commit.

        Raises ``NotFound`` before the first epoch."""
        if not self._first_object:
            raise NotFound("allocate an object id", self.path, "no epoch has begun")
        first = max(self._last_object + 1, self._first_object)
        self._last_object = first + count - 1
        return ObjectId(first)

    # --- commits

    def write(self, changes: Changes, header: Header, pieces: Sequence[tuple[bytes, bytes]] = ()) -> Commit:
        """Stage and seal in one transaction; durable when it returns. ``pieces``: ``(name, bytes)`` of chunk lists to
        keep.

        Raises as :meth:`stage` and :meth:`seal`."""
        self.stage(header.number, changes)
        return self._seal(header, self.pack_end(), lambda: lists.keep(self._connection, pieces, changes.puts))

    def stage(self, number: CommitNumber, changes: Changes) -> None:
        """Add rows to the coming commit. May be called often.

        Raises ``WireError`` (a key twice, a drop of what does not live, a number that is not ahead, malformed bytes),
        ``TryAgain`` (disk full), ``StoreFailed``. Nothing is staged then: all of the commit must come again."""
        with self._writing("stage a commit"):
            self._expect(number)
            self._staging.apply(number, changes)
            self._rows += len(changes)
            if self._rows >= self._limits.staged:
                self._cut()

    def keep_lists(self, number: CommitNumber, pieces: Sequence[tuple[bytes, bytes]], rows: Sequence[bytes]) -> None:
        """Keep parts of chunk lists, ``(name, bytes)``, that ``rows``, which are staged for the coming commit, name. Raises as
        :meth:`stage`."""
        with self._writing("stage a commit"):
            self._expect(number)
            lists.keep(self._connection, pieces, rows)

    def owe(self, number: CommitNumber, objects: Iterable[ObjectId]) -> None:
        """The coming commit is sealed although these objects, whose rows are staged, are not all here. Raises as
        :meth:`stage`."""
        with self._writing("stage a commit"):
            self._expect(number)
            self._staging.owe(number, objects)

    def owe_not(self, number: CommitNumber, objects: Iterable[ObjectId]) -> None:
        """They are all here, so the coming commit does not owe them. Raises as :meth:`stage`."""
        with self._writing("stage a commit"):
            self._expect(number)
            self._connection.executemany(owed.FORGET, [(id, schema.FOREVER) for id in objects])

    def came(self, objects: Sequence[ObjectId]) -> None:
        """Content that these objects owed is durable here now. To be called between commits.

        Raises ``Refused`` while one is staged, ``TryAgain``, ``StoreFailed``."""
        with self.between_commits("note what came") as connection:
            for id in objects:
                owed.forget_debt(connection, id)
        self.owing, self.owed_moves = self.owed_count(), self.owed_moves + 1

    def restart_from_nothing(self, number: CommitNumber, look: Callable[[], None] = _goes_on) -> None:
        """Every live row ends with the commit that is to come, whose parent is ``NOTHING``; to be called before its
        first row. ``look`` is called at every step, some 50 ms each: what it raises ends it, and nothing has happened.

        Raises as :meth:`stage`; ``WireError`` when rows are staged already."""
        with self._writing("start over"):
            if self._staged is not None:
                raise WireError("start over", shown_commit(number), "rows of the commit came before")
            self._expect(number)
            self._staging.restart(number, look)

    def lay(
        self,
        number: CommitNumber,
        rows: Sequence[bytes],
        dropped: Callable[[Sequence[bytes]], None],
        among: bytes = b"",
    ) -> list[int]:
        """A part of all rows of the state after the coming commit, in the order of their keys. What lives here before them and
        was not named ends, and ``dropped`` is called with its keys; which of ``rows`` are not here as they are, and are to be
        staged, is returned, by index. Ended by :meth:`lay_rest`. ``among``: the rows are all that there are in these buckets, the
        same each time. Raises as :meth:`stage`."""
        with self._writing("stage a commit"):
            self._expect(number)
            if self._overlay is None:
                self._overlay = Overlay(self._connection, number, self._dropping(number, dropped), among)
            return self._overlay.lay(rows)

    def lay_rest(self) -> None:
        """All rows were laid: what none of them named ends. Raises as :meth:`stage`."""
        with self._writing("stage a commit"):
            if self._overlay is not None:
                self._overlay.finish()
                self._overlay = None

    def _dropping(
        self, number: CommitNumber, dropped: Callable[[Sequence[bytes]], None]
    ) -> Callable[[Sequence[bytes]], None]:
        def drop(keys: Sequence[bytes]) -> None:
            self.stage(number, Changes((), keys))
            dropped(keys)

        return drop

    def staged_digest(self) -> bytes:
        """The digest that the coming commit would have now."""
        return self._staging.digest.value()

    @property
    def sums(self) -> Digest:
        """The sums of the state with what is staged; to be read only, and not kept."""
        return self._staging.digest

    def staged_counts(self) -> tuple[int, int]:
        """``(entries, bytes)`` that the coming commit would have now."""
        return self._staging.entries, self._staging.size

    def seal(self, header: Header, pack_end: PackEnd) -> Commit:
        """Make what is staged (it may be nothing) the newest commit; durable when it returns.

        ``pack_end``: what ``Vault.sync`` gave after the commit's chunks were in. The commit's time is never before its
        parent's. Raises ``WireError`` when parent or digest differ, ``TryAgain`` (disk full), ``StoreFailed``; then
        nothing is staged."""
        return self._seal(header, pack_end, lambda: None)

    def _seal(self, header: Header, pack_end: PackEnd, with_it: Callable[[], None]) -> Commit:
        with self._writing("seal a commit"):
            self._expect(header.number)
            self._check_parent(header)
            commit = self._commit_of(header)
            if self._sliced:
                self._cut()
                self._sync_commits(Synchronous.FULL)
                query(self._connection, "begin immediate")
            with_it()
            self._insert(commit, pack_end)
            query(self._connection, "commit")
            self._newest = commit
            self._staged, self._sliced, self._rows = None, False, 0
            if self._staging.owed_moved:
                self._staging.owed_moved = False
                self.owing, self.owed_moves = self.owed_count(), self.owed_moves + 1
        return commit

    def withdraw(self) -> None:
        """Take back all that is staged; no error when there is nothing.

        Raises ``TryAgain``, ``StoreFailed``."""
        if self._staged is not None:
            self._take_back("withdraw a commit")

    # --- between two commits

    def keep(self, commits: Sequence[KeptCommit]) -> None:
        """Durably keep these beyond history, each for its owner.

        Raises ``NotFound`` for one that can be read no more, or is no commit; ``Refused`` while one is staged; ``TryAgain``,
        ``StoreFailed``."""
        for one in commits:
            if self.commit_at(one.number) is None or (one.rows and not self.is_readable(one.number)):
                raise NotFound(
                    "keep a commit", shown_commit(one.number), "it is no commit here, or history has passed it"
                )
        with self.between_commits("keep a commit") as connection:
            kept.keep_for_owners(connection, commits)

    def keep_leased(self, readings: Sequence[leases.LeasedCommit]) -> None:
        """Keep what is read now for its readers: those of whose rows none has gone. Raises as :meth:`keep`."""
        known = {one.number for one in self.kept(leases.OWNER)}
        new = [one for one in readings if one.number not in known and self.commit_at(one.number) is not None]
        if new:
            with self.between_commits("keep what is read") as connection:
                kept.keep_for_owners(connection, [KeptCommit(one.number, leases.OWNER, one.who) for one in new])

    def let_go(self, owner: str, numbers: Sequence[CommitNumber] | None = None) -> None:
        """``owner`` keeps these no more, None: nothing at all. What others keep stays. Raises as :meth:`keep`."""
        held = [one.number for one in self.kept(owner)]
        gone = held if numbers is None else [number for number in numbers if number in held]
        if gone:
            with self.between_commits("let go of a commit") as connection:
                kept.give_up(connection, owner, gone)
            self.let_go_moves += 1

    def keep_generations(self, generations: Sequence[Generation]) -> None:
        """Durably have these generations as they are given, new ones and those that changed. Raises as :meth:`keep`."""
        for one in generations:
            if self.commit_at(one.number) is None or not self.is_readable(one.number):
                reason = "its commit is none here, or history has passed it"
                raise NotFound("keep a generation", one.name, reason)
        with self.between_commits("keep a generation") as connection:
            generation.put_generations(connection, generations)
            kept.keep_for_owners(
                connection, [KeptCommit(one.number, generation.OWNER, time=one.taken) for one in generations]
            )
        self.generation_moves += 1

    def drop_generations(self, generations: Sequence[Generation]) -> None:
        """Durably have these generations no more; a commit is let go once none stands for it. Raises as :meth:`keep`."""
        with self.between_commits("expire generations") as connection:
            named = generation.drop_generations(connection, [one.name for one in generations])
            gone = sorted({one.number for one in generations} - named)
            if gone:
                kept.give_up(connection, generation.OWNER, gone)
        self.generation_moves += 1
        self.let_go_moves += 1

    def raise_horizon(self, upto: CommitNumber) -> None:
        """No moment before ``upto`` can be read from now on that nobody keeps. Raises as :meth:`keep`."""
        newest = self.newest()
        # Durable, since chunks that only rows before it name may go: no power cut brings back a moment that wants them.
        with self.between_commits("expire history"):
            self._set("horizon", upto)
            # Rows that ended are about to go, by which the sums are found again.
            self._staging.save(newest.number if newest is not None else NOTHING)

    def begin_thinning(self, upto: CommitNumber) -> None:
        """Of the moments before ``upto`` only the last one of each second can be read from now on. Raises as :meth:`keep`."""
        newest = self.newest()
        # Durable, and the sums with it, as where the horizon is raised.
        with self.between_commits("thin history"):
            self._set("thinning", upto)
            self._staging.save(newest.number if newest is not None else NOTHING)

    @contextmanager
    def between_commits(self, operation: str, *, durable: bool = True) -> Iterator[apsw.Connection]:
        """A transaction of its own while nothing is staged. Not ``durable``: it is with the next commit, or after a power cut
        never was.

        Raises ``Refused`` while a commit is staged, ``TryAgain``, ``StoreFailed``."""
        if self._staged is not None:
            raise Refused(operation, self.path, f"commit {shown_commit(self._staged)} is being staged")
        with self._writing(operation, durable=durable):
            yield self._connection
            query(self._connection, "commit")

    # --- whole states, on a connection of their own: a withdrawn commit must not take a reader's scratch with it

    def difference(
        self, a: CommitNumber, b: CommitNumber, batch: int = 1000
    ) -> Generator[list[Difference], None, None]:
        """See ``CatalogReader.difference``."""
        return self._own_reader().difference(a, b, batch)

    def touched(self, a: CommitNumber, b: CommitNumber, batch: int = 1000) -> Generator[list[bytes], None, None]:
        """See ``CatalogReader.touched``."""
        return self._own_reader().touched(a, b, batch)

    def rows_at(self, at: CommitNumber | None = None, batch: int = 1000) -> Generator[list[bytes], None, None]:
        """See ``CatalogReader.rows_at``."""
        return self._own_reader().rows_at(at, batch)

    def _own_reader(self) -> CatalogReader:
        if self._bulk is None:
            self._bulk = self.reader()
        return self._bulk

    # --- sealing

    def _check_parent(self, header: Header) -> None:
        expected = NOTHING if self._staging.restarted else self._at(None)
        if header.parent != expected:
            subject = f"it follows {shown_commit(header.parent)}, and {shown_commit(expected)} was expected"
            raise WireError("seal a commit", shown_commit(header.number), subject)

    def _commit_of(self, header: Header) -> Commit:
        digest = self._staging.digest.value()
        if header.digest is not None and header.digest != digest:
            reason = "its digest is not that of its rows"
            raise OtherDigest("seal a commit", shown_commit(header.number), reason, COMPARED)
        newest = self._newest
        return Commit(
            number=header.number,
            parent=header.parent,
            digest=digest,
            time=header.time if newest is None else max(header.time, newest.time),
            received=header.received if newest is None else max(header.received, newest.received),
            consistent=header.consistent,
            entries=self._staging.entries,
            bytes=self._staging.size,
            fuzzy=header.fuzzy,
            files=self._staging.files,
            provenance=header.provenance,
        )

    def _insert(self, commit: Commit, end: PackEnd) -> None:
        if self._staging.restarted:
            self._set("anew", commit.number)
        self._staging.sealed(commit.number)
        if self._newest is None or epoch_of(self._newest.number) != epoch_of(commit.number):
            query(self._connection, _FIRST_OF_EPOCH, (commit.number, epoch_of(commit.number)))
        commits.insert(self._connection, commit, end)
        if self._last_object != self._saved_object:
            self._set("last_object", self._last_object)
            self._saved_object = self._last_object


#: An epoch that has begun here before keeps its first commit, also where that is pruned.
_FIRST_OF_EPOCH = """
update epoch set first = ?1
where number = ?2 and first is null and not exists (select 1 from epoch where number = ?2 and first is not null)
"""
