"""From the adopted tree into the vault, step by step.

:meth:`Seeding.step` belongs to the applying thread: so nothing is moved while it reads, and what is applied comes first. What the
vault and the applier ask meanwhile is answered by ``tree_chunks`` and ``change_guard``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import structlog

from agent.adopt.adopted_tree import AdoptedTree
from agent.adopt.change_guard import ChangeGuard
from agent.adopt.copying import CHANGED, Copier, Lost, runs
from agent.adopt.first_reading import Indexer
from agent.adopt.placements import ChunkPlace, Placements
from agent.adopt.tree_chunks import TreeChunks
from agent.apply.ports import LeftOut
from agent.core.chunks import PIECE
from agent.core.clock import Clock
from agent.core.errors import TryAgain
from agent.store.vault.codec import pack_chunk
from agent.store.vault.vault import Vault

#: How long one step of reading takes, seconds.
STEP_SECONDS = 0.05
_STEP_CHUNKS = 256
_GONE_MAX = 100_000
_START = (-1, -1)
_log = structlog.get_logger("adopt")


class Seeding:
    """See the module. ``expected``: a tree may have to be adopted, so :attr:`ready` is false until :meth:`step` knows. Except for
    :meth:`step`, any thread. ``lost`` is told of chunks that were relied on and are others by now."""

    def __init__(
        self,
        tree: AdoptedTree,
        vault: Vault,
        clock: Clock,
        *,
        lost: Lost,
        left_out: LeftOut,
        expected: bool,
    ) -> None:
        self._tree = tree
        self._vault = vault
        self._clock = clock
        self._left_out = left_out
        self._expected = expected
        self._copier = Copier(vault, lost)
        self._chunks = TreeChunks(tree)
        self.guard = ChangeGuard(tree, self._copier)
        self._walk: Iterator[int] | None = None
        self._cursor = _START
        self._gone: set[bytes] = set()
        if tree.known is not None:
            vault.elsewhere = self._chunks

    def close(self) -> None:
        """Give everything back; safe to call twice."""
        self._walk = None
        self._tree.close()

    # --- for status and for calls

    @property
    def ready(self) -> bool:
        """Whether it is known what stands in the tree, so that the primary can be asked for the rest."""
        known = self._tree.known
        return known.indexed if known is not None else not self._expected

    @property
    def at_work(self) -> bool:
        """Whether there is, or may be, something to do."""
        return self._tree.known is not None or self._expected

    @property
    def seeds(self) -> bool:
        """Whether chunks lie in the tree only."""
        known = self._tree.known
        return known is not None and known.indexed

    @property
    def found(self) -> bool:
        """Whether anything that the primary has may be here already."""
        return self.seeds

    @property
    def read(self) -> tuple[int, int]:
        """Files that were read so far, and their bytes."""
        known = self._tree.known
        return known.files if known is not None else (0, 0)

    @property
    def left(self) -> tuple[int, int]:
        """Chunks that are still to be copied, and their bytes."""
        known = self._tree.known
        return known.left if known is not None else (0, 0)

    @property
    def progress(self) -> tuple[int, int]:
        """Bytes that were copied since this agent was started, of how many."""
        return self._copier.copied, self._copier.copied + self.left[1]

    # --- the work

    def step(self, adopting: bool | None) -> bool:
        """A little work, if there is any; whether there is more. ``adopting``: whether the applier found a tree that is still
        to be taken over; None: it does not know yet."""
        if self._tree.known is None and not self._begun(adopting):
            return False
        known = self._tree.known
        assert known is not None
        return self._read_some(known) if not known.indexed else self._seed(known, done=not adopting)

    def _begun(self, adopting: bool | None) -> bool:
        """Begin where the applier found a tree to be adopted; whether it did."""
        if not self._expected or adopting is None:
            return False
        self._expected = False
        if adopting:
            self._tree.begin()
            self._vault.elsewhere = self._chunks
        return adopting

    def _read_some(self, known: Placements) -> bool:
        """On exit the tree is read whole and ``known`` says where each chunk lies, or there is more to read."""
        if self._walk is None:
            _log.info("reading the tree that stands there", path=self._tree.root)
            self._walk = Indexer(
                self._tree.root, known, self._keep_piece, self._vault.read, self._clock, self._left_out
            ).run()
        until = time.monotonic() + STEP_SECONDS
        try:
            while time.monotonic() < until:
                next(self._walk)
        except StopIteration:
            self._walk = None
            files, size = known.files
            _log.info("what stands there is known", files=files, bytes=size)
        except OSError as error:
            self._walk = None
            reason = error.strerror or str(error)
            raise TryAgain("read the standby's tree", self._tree.root, reason, "it is tried again") from error
        except BaseException:
            self._walk = None
            raise
        return True

    def _keep_piece(self, name: bytes, data: bytes) -> None:
        self._vault.add([pack_chunk(name, PIECE, data)], [data])

    def _seed(self, known: Placements, *, done: bool) -> bool:
        """Copy what comes next after the cursor. Nothing is dropped from ``known`` before the vault has it durably, or it is told
        as lost. ``done``: the tree equals a commit, so nothing more will be relied on."""
        known.sync()
        due = known.due(self._cursor, _STEP_CHUNKS)
        if not due:
            return self._end_of_pass(known, done=done)
        some = next(runs(due))
        self._cursor = (some[-1].file, some[-1].offset)
        gone = self._copied(known, some)
        # An opening cuts what no commit names and nobody noted.
        self._vault.note_end()
        known.drop([place.name for place in some if place.name not in gone])
        self._gone |= gone
        if len(self._gone) > _GONE_MAX:
            self._tell_gone(known)
        return True

    def _copied(self, known: Placements, some: list[ChunkPlace]) -> set[bytes]:
        gone: set[bytes] = set()
        for file in sorted({place.file for place in some}):
            with self._tree.opened(known, file) as opened:
                gone.update(self._copier.gather([place for place in some if place.file == file], opened))
        return gone

    def _end_of_pass(self, known: Placements, *, done: bool) -> bool:
        """All was gone through: once more from the start, until a whole pass found nothing."""
        self._tell_gone(known)
        if self._cursor != _START:
            self._cursor = _START
            return True
        if done and known.forget_rest():
            self._vault.elsewhere = None
            self._tree.end()
            _log.info("the vault holds all that was taken from the standby")
        return False

    def _tell_gone(self, known: Placements) -> None:
        """Told together, at the end of a pass: each telling makes the primary offer everything."""
        if self._gone:
            self._copier.lost(list(self._gone), CHANGED)
            known.drop(self._gone)
            self._gone = set()
