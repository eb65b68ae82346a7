"""The commit in the making: its rows are checked and staged, and it is sealed once all of it is here (laws 1, 2 and 6)."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from agent.core.clock import Clock, SystemClock
from agent.core.commit import Changes, Provenance
from agent.core.dataset_kind import DatasetKind
from agent.core.errors import OtherDigest, TryAgain
from agent.core.ids import NOTHING, CommitNumber, ObjectId, epoch_of, shown_commit
from agent.core.row_checks import check_key, check_row
from agent.core.rows import NameRow, holder_of_key
from agent.store.catalog.catalog import COMPARED, Catalog, Header
from agent.store.vault.pack import PackEnd
from agent.store.vault.vault import Vault
from agent.stream.locator import is_known
from agent.stream.messages import Seal, bad, told_bytes
from agent.stream.position import PositionBoard
from agent.stream.receiving.epoch_pace import EpochPace
from agent.stream.receiving.going_back import BackLimits, GoingBack
from agent.stream.receiving.in_tree import NOTHING_IN_TREE, InTree
from agent.stream.receiving.owed_here import Debts, HasContent
from agent.stream.receiving.presence import Presence
from agent.stream.receiving.structure_of_kind import structure_of
from agent.stream.telling import Standings


@dataclass(frozen=True, slots=True)
class ReceivingContext:
    """What a receiver works with. ``node``: who receives; ``board``: is told how far it is; ``kind``: what the dataset is here;
    ``standings``: how the dataset stands on either side, None: nothing is told; ``limits``: of going back;
    ``in_tree``: chunks that the vault has not yet; ``pace``: of the epochs that others come with."""

    node: str
    catalog: Catalog
    vault: Vault
    board: PositionBoard
    clock: Clock
    kind: DatasetKind
    standings: Standings | None
    limits: BackLimits = field(default_factory=BackLimits)
    in_tree: InTree = NOTHING_IN_TREE
    pace: EpochPace = field(default_factory=lambda: EpochPace(SystemClock()))


@dataclass(slots=True)
class Incoming:
    """A commit whose rows come in. ``whole``: they are all rows that there are; ``held``: blobs that wait until the commits
    before it are sealed; ``back``: what is to be taken back with it; ``buckets``: a whole of these alone."""

    number: CommitNumber
    parent: CommitNumber
    whole: bool = False
    back: GoingBack | None = None
    buckets: bytes = b""
    rows: int = 0
    held: list[Changes] = field(default_factory=list)
    #: Objects said to be absent whose rows are not staged yet; and how many were said to be.
    absent: array[int] = field(default_factory=lambda: array("Q"))
    absences: int = 0
    seal: Seal | None = None


class CommitMaker:
    """One commit after the other, in the catalog's writing side. Used by the receiving thread. ``epoch``: the number of the
    primary's; ``look`` is called at every step of what may take long, and raises what is to end it."""

    def __init__(self, context: ReceivingContext, epoch: int, look: Callable[[], None]) -> None:
        catalog = self._catalog = context.catalog
        self._vault = context.vault
        self._clock = context.clock
        self._epoch = epoch
        self._look = look
        self.presence = Presence(context.vault, look)
        self._in_tree = context.in_tree
        self.debts = Debts(catalog, self.presence, self._in_tree)
        self._structure = structure_of(context.kind, catalog, look)
        #: Whether a commit may come on top of nothing, and end all that lives here: once, in an epoch that is newer.
        self.may_restart = False

    @property
    def takes_patches(self) -> bool:
        """Whether a patch can be opened of whatever is here: what the tree alone has is read for its own object only."""
        return not self._in_tree.at_work

    def opened(self, durable: CommitNumber) -> None:
        """The call begins, or begins again, at what is durable here."""
        self.may_restart = self._epoch > epoch_of(durable)

    def begin_if_new(self, incoming: Incoming) -> None:
        """A commit on top of nothing ends all that lives, once, before its first row."""
        newest = self._catalog.newest()
        if incoming.parent == NOTHING and newest is not None and self.may_restart:
            self._require_all_in_vault(incoming.number)
            self._catalog.restart_from_nothing(incoming.number, self._look)
            self._structure.begun_anew()
            self.may_restart = False

    def stage(self, incoming: Incoming, changes: Changes) -> None:
        """Check rows and stage them. Raises ``WireError``."""
        rows = [check_row(row) for row in changes.puts]
        for key in changes.drops:
            check_key(key)
        if incoming.back is not None:
            changes = incoming.back.adjusted(changes)
        self._structure.check_types(rows)
        self._catalog.stage(incoming.number, changes)
        self._structure.look(incoming.number, rows, changes.drops)
        files: Sequence[HasContent] = self._structure.with_content(rows)
        if self._in_tree.at_work:
            put = [(row.id, row.content) for row in rows if not isinstance(row, NameRow)]
            stay = self._into_vault(put, changes.drops)
            files = [row for row in files if row.id not in stay]
        self.presence.require(self.debts.required(incoming.number, files))

    def lay(self, incoming: Incoming, rows: Sequence[bytes]) -> list[int]:
        """Rows of a whole; which of them are not here as they are, by index, is to be staged. Raises ``WireError``."""
        return self._catalog.lay(incoming.number, rows, partial(self._dropped, incoming.number), incoming.buckets)

    def _dropped(self, number: CommitNumber, keys: Sequence[bytes]) -> None:
        self._structure.look(number, (), keys)
        if self._in_tree.at_work:
            self._into_vault((), keys)

    def _into_vault(self, puts: Sequence[tuple[ObjectId, bytes]], drops: Sequence[bytes]) -> Collection[ObjectId]:
        """What is about to change is in the vault, as it stands in the tree. Those of ``puts`` that do not change."""
        gone = [ObjectId(holder) for key in drops if (holder := holder_of_key(key))]
        return self._in_tree.before(puts, gone, self._look)

    def _require_all_in_vault(self, number: CommitNumber) -> None:
        if self._in_tree.at_work:
            reason = "the vault has not yet all that stands here, and all of that would end"
            raise TryAgain("stage a commit", shown_commit(number), reason, "it goes on by itself once it has")

    def finish(self, incoming: Incoming, end: PackEnd) -> None:
        """Check the whole commit and seal it; what it names is in packs that are synced."""
        seal = incoming.seal
        assert seal is not None
        self.begin_if_new(incoming)
        for changes in incoming.held:
            self.stage(incoming, changes)
        if incoming.whole:
            self._catalog.lay_rest()
        if incoming.back is not None:
            # What is put back may name content that is kept here no more: it is owed, and asked for like any other.
            self.debts.may_lack()
            for changes in incoming.back.rest():
                self.stage(incoming, changes)
        self._structure.settle()
        if self._in_tree.at_work:
            # What was staged just now may have put more into the packs, and its commit lets the applier change the tree.
            end = self._vault.sync()
        incoming.absent = self.debts.absent(incoming.number, incoming.absent)
        with self._vault.keeping:
            self._seal(incoming, seal, end)
        self.debts.over()
        self.may_restart = False

    def _seal(self, incoming: Incoming, seal: Seal, end: PackEnd) -> None:
        """Nothing that is found here may be collected before the commit that names it is there (law 2)."""
        self.debts.settle(incoming.number)
        entries, size = self._catalog.staged_counts()
        if (entries, told_bytes(size)) != (seal.entries, seal.bytes):
            reason = "its counts are not those of its rows"
            raise OtherDigest("seal a commit", shown_commit(incoming.number), reason, COMPARED)
        now = self._clock.now_ns()
        self._catalog.seal(
            Header(
                number=seal.number,
                parent=seal.parent,
                time=max(0, min(seal.time, now)),
                received=now,
                consistent=seal.consistent,
                fuzzy=seal.fuzzy,
                digest=seal.digest,
                provenance=self._provenance(seal),
            ),
            end,
        )

    def _provenance(self, seal: Seal) -> Provenance:
        """What is told of the commit; that whose state it has again counts where it is known here."""
        same = seal.same_as
        if same is None:
            return seal.provenance
        if same.digest != seal.digest:
            raise bad("a seal of the state of a commit that has another digest")
        known = is_known(self._catalog, same)
        return replace(seal.provenance, same_as=same.number if known else NOTHING)

    def withdraw(self) -> None:
        """Nothing of it counts. Raises ``TryAgain``, ``StoreFailed``."""
        self._catalog.withdraw()
        self._structure.withdrawn()
        newest = self._catalog.newest()
        self.opened(newest.number if newest else NOTHING)
