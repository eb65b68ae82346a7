"""The secondary's side of one call: decides what is believed, and makes it durable in the order of law 1.

Not a thread: :mod:`agent.stream.receiving.intake` drives it. Nothing here waits for the peer.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from agent.core import chunks
from agent.core.commit import Changes, Commit, Position
from agent.core.ids import (
    NOTHING,
    CommitNumber,
    epoch_of,
    is_local,
    may_be_sealed,
    shown_commit,
)
from agent.stream import messages
from agent.stream.differing import differing_groups, sums_of_groups
from agent.stream.locator import CommitMark
from agent.stream.messages import (
    Absent,
    Announce,
    Answers,
    AskBarrier,
    AskOwed,
    BarrierReached,
    Batch,
    Begin,
    Data,
    Heartbeat,
    Hello,
    Need,
    Offer,
    Owing,
    Progress,
    Seal,
    SecondaryPart,
    Sums,
    Withdraw,
    bad,
)
from agent.stream.packing import implied_names, open_rows
from agent.stream.receiving.going_back import GoingBack, way_back
from agent.stream.receiving.greeting import Greeting
from agent.stream.receiving.making import CommitMaker, Incoming, ReceivingContext
from agent.stream.receiving.open_chunks import open_chunks
from agent.stream.receiving.owed_here import ABSENT_MAX
from agent.stream.receiving.presence import goes_on
from agent.stream.rows_blob import changes_in
from agent.stream.telling import Telling
from agent.stream.weights import check_opened, weight

#: Bytes of rows that may wait in memory behind a seal that waits for its sync.
HELD_MAX = 64 << 20
#: What each row takes there beside its bytes.
_HELD_ROW = 50


class Receiver:
    """Stores what one primary sends for one dataset. Used by one thread at a time; owns the writing side of
    ``catalog`` from :meth:`open` to :meth:`close`.

    ``lacking``: the vault has lost chunks, so the primary is asked to offer all; :meth:`mended` is told how that ended.
    ``asks_first``: see ``Welcome``.
    Any exception ends the call: the caller must then only :meth:`close`."""

    def __init__(
        self,
        hello: Hello,
        context: ReceivingContext,
        *,
        lacking: bool = False,
        asks_first: bool = False,
    ) -> None:
        self.dataset = hello.dataset
        self.lacking = lacking
        self.asks_first = asks_first
        self.board = context.board
        self.consumed = 0
        self._node = context.node
        self._hello = hello
        self._catalog = context.catalog
        self._vault = context.vault
        self._limits = context.limits
        self._pace = context.pace
        self._making = CommitMaker(context, hello.epoch.number, self._look)
        self._presence, self._debts = self._making.presence, self._making.debts
        self._incoming: Incoming | None = None
        self._sealed: list[Incoming] = []
        self._held = 0
        #: Called at every step of what may take long; raises what is to end it. Set by who drives us.
        self.ends: Callable[[], None] = goes_on
        self.standings = context.standings
        self.telling = Telling(context.standings, hello.node, context.clock)

    def _look(self) -> None:
        self.ends()

    def open(self) -> Answers:
        """Answer the ``Hello``; a ``Refuse`` at the end ends the call. A higher epoch is durably met before anything else is said
        (law 7); a primary that is not of the newest one is told so by the Welcome, which is proven, before it is refused."""
        greeting = Greeting(self._node, self._hello, self._catalog, self._pace)
        refusal = greeting.refusal()
        if refusal is not None:
            return (refusal,)
        self._catalog.withdraw()
        stale = greeting.meet()
        welcome = greeting.welcome(
            self.board.position.applied, self.lacking, self.asks_first, patches=self._making.takes_patches
        )
        self._making.opened(welcome.durable)
        self.board.durable(welcome.durable)
        return (welcome,) if stale is None else (welcome, stale)

    def handle(self, batch: Batch) -> list[SecondaryPart]:
        """Take one batch; returns what is to be answered at once.

        Raises ``WireError`` (the peer is not believed), ``TryAgain`` (disk full), ``StoreFailed``, ``Damaged``."""
        check_opened(batch)
        answers: list[SecondaryPart] = []
        for part in batch:
            if isinstance(part, Data):
                self._store(part)
            elif isinstance(part, Offer):
                answers.extend(self._offered(part))
            elif isinstance(part, Seal):
                self._seal_came(part)
                self.sealed_one()
            elif isinstance(part, Withdraw):
                self._withdraw(part)
            elif isinstance(part, Absent):
                self._absent(part)
            elif isinstance(part, AskOwed):
                answers.append(self._owing(part))
            elif isinstance(part, Begin):
                answers.extend(self._begin(part))
            elif isinstance(part, Sums):
                answers.append(self._compare(part))
            elif isinstance(part, Announce):
                self.announced(part)
            elif isinstance(part, Heartbeat):
                answers.append(self._heard(part))
            else:
                raise bad("a second hello")
        self.consumed += weight(batch)
        return answers

    def _heard(self, part: Heartbeat) -> Progress:
        self.telling.heard(part)
        if part.barrier is not None:
            self.barrier_reached(part.barrier)
        return replace(self.progress(), clock=self.telling.answer(part))

    @property
    def waiting(self) -> bool:
        """Whether seals wait for :meth:`flush`."""
        return bool(self._sealed)

    @property
    def rests(self) -> bool:
        """Whether no commit is under way: what is to be done between two may be done."""
        return self._incoming is None and not self._sealed

    @property
    def full(self) -> bool:
        """Whether they must not wait any longer, for memory's sake."""
        return self._held > HELD_MAX

    def flush(self) -> None:
        """Make every sealed commit durable: one sync of the packs, then one catalog transaction each. Raises as
        :meth:`handle`."""
        if not self._sealed:
            return
        moves = self._catalog.owed_moves
        # Also where nothing came: what a commit relies on may stand in an adopted tree, or have been put into the packs by
        # another thread, and be durable only now. The vault knows when there is nothing to do.
        end = self._vault.sync()
        while self._sealed:
            incoming = self._sealed.pop(0)
            self._making.finish(incoming, end)
            if is_local(incoming.parent):
                self.came_back(incoming.number, incoming.parent)
            self.board.durable(incoming.number)
        self._presence.forget()
        if self._catalog.owed_moves != moves:
            self.owed_moved()
        following = self._incoming
        if following is not None:
            self._making.begin_if_new(following)
            held, following.held = following.held, []
            for changes in held:
                self._making.stage(following, changes)
        self._held = 0

    def questions(self) -> Iterable[AskBarrier]:
        """What the primary is to be asked now."""
        return ()

    def barrier_reached(self, barrier: BarrierReached) -> None:
        """What became of one that it was asked for."""

    def sealed_one(self) -> None:
        """A seal came, and no row of the next commit yet."""

    def came_back(self, number: CommitNumber, alone: CommitNumber) -> None:
        """This commit was sealed on top of ``alone``, one of this node only. Nobody knows of it yet."""

    def content_came(self, token: int, came: Sequence[tuple[bytes, bytes | memoryview]]) -> None:
        """Chunks of the large new file ``token``, names and bytes, in order, ahead of its commit; the vault does not keep them at
        hand."""

    def announced(self, word: Announce) -> None:
        """This waits on the primary."""

    def owed_moved(self) -> None:
        """What is owed has changed, or some of it came."""

    def mended(self, left: int) -> None:
        """Every name was offered, and all but ``left`` of the missing chunks are durable now."""

    def progress(self) -> Progress:
        """How far we are."""
        position = self.board.position
        told = Position(position.durable, min(position.durable, position.applied))
        return Progress(told, self.consumed, owed=self._catalog.owing)

    def close(self) -> None:
        """Take back what was never sealed. Safe to call twice; never commits."""
        self._incoming = None
        self._sealed.clear()
        try:
            self._presence.forget()
        finally:
            self._catalog.withdraw()

    # --- chunks

    def _store(self, data: Data) -> None:
        stored, raws, bases = open_chunks(data, self._vault, self._presence, self._look)
        # What is written to the standby at once is not kept at hand; nothing else is a view.
        self._vault.add(stored, () if data.content else [bytes(raw) for raw in raws])
        if data.content:
            came = [(chunk.name, raw) for chunk, raw in zip(stored, raws, strict=True) if chunk.kind == chunks.DATA]
            self.content_came(data.content, came)
        self._presence.arrived([chunk.name for chunk in stored])
        if bases:
            self._presence.made_of(bases)

    # --- rows

    def _offered(self, offer: Offer) -> list[SecondaryPart]:
        changes = Changes()
        if offer.whole:
            return self._laid(offer)
        if offer.rows:
            incoming = self._expect(offer.number, offer.parent)
            changes = changes_in(open_rows(offer))
            incoming.rows += len(changes)
            if self._sealed:
                incoming.held.append(changes)
                self._held += (offer.rows_length or len(offer.rows)) + _HELD_ROW * len(changes)
            else:
                self._making.stage(incoming, changes)
        asked = offer.asked or (implied_names(changes.puts) if offer.implied else ())
        if not asked:
            return []
        return [Need(offer.id, self._presence.wanted([name for _, name in asked]))]

    def _begin(self, begin: Begin) -> list[SecondaryPart]:
        """The next commit begins otherwise than on top of what is here."""
        if self._incoming is not None or begin.parent == NOTHING:
            raise bad(f"a beginning of {shown_commit(begin.number)} that is none")
        self.flush()
        incoming = self._expect(begin.number, begin.parent, whole=begin.back is None)
        if begin.back is None:
            incoming.buckets = begin.buckets
            self._making.lay(incoming, ())
            return []
        incoming.back = self.way_back(begin.back)
        if incoming.back is None:
            self._incoming = None
        return [Need(begin.id, () if incoming.back is not None else (0,))]

    def way_back(self, mark: CommitMark) -> GoingBack | None:
        """The way back to a commit of ours; None where there is none."""
        return way_back(self._catalog, mark, self._limits, self._look)

    def _compare(self, sums: Sums) -> Sums:
        """Where the primary's state differs from the newest here."""
        if self._incoming is not None or not sums.groups:
            raise bad("sums of nothing, or while a commit is open")
        self.flush()
        newest, ours = self._catalog.newest(), self._catalog.sums
        groups = differing_groups(ours.groups(), sums.groups)
        return Sums(newest.number if newest else NOTHING, b"", groups, sums_of_groups(ours.group, groups))

    def _laid(self, offer: Offer) -> list[SecondaryPart]:
        """A part of all rows that the commit has. Of what is here as it is nothing more is asked for."""
        self.flush()
        incoming = self._expect(offer.number, offer.parent, whole=True)
        rows = changes_in(open_rows(offer))
        if rows.drops or (offer.id and len(rows) > messages.NAMES_MAX):
            raise bad("a whole that drops rows, or holds too many at once")
        incoming.rows += len(rows)
        changed = self._making.lay(incoming, rows.puts)
        self._making.stage(incoming, Changes([rows.puts[index] for index in changed]))
        return [Need(offer.id, tuple(changed))] if offer.id else []

    def _expect(self, number: CommitNumber, parent: CommitNumber, *, whole: bool = False) -> Incoming:
        """The commit that is being received; begins it with its first row. Raises ``WireError`` when another is due."""
        incoming = self._incoming
        if incoming is None:
            self._check_follows(number, parent)
            if whole and parent == NOTHING:
                raise bad("a whole on top of nothing")
            incoming = self._incoming = Incoming(number, parent, whole)
            if not self._sealed:
                self._making.begin_if_new(incoming)
        elif (incoming.number, incoming.parent, incoming.whole) != (number, parent, whole):
            raise bad(f"rows of {shown_commit(number)} while {shown_commit(incoming.number)} is open")
        return incoming

    def _check_follows(self, number: CommitNumber, parent: CommitNumber) -> None:
        last = self._last()
        if number <= last or epoch_of(number) > self._hello.epoch.number or not may_be_sealed(number):
            raise bad(f"commit {shown_commit(number)} after {shown_commit(last)} in epoch {self._hello.epoch.number}")
        if parent != last and not (parent == NOTHING and self._making.may_restart):
            raise bad(
                f"commit {shown_commit(number)} on top of {shown_commit(parent)} where {shown_commit(last)} is the newest"
            )

    def _last(self) -> CommitNumber:
        if self._sealed:
            return self._sealed[-1].number
        newest: Commit | None = self._catalog.newest()
        return newest.number if newest else NOTHING

    # --- what could not be read

    def _absent(self, part: Absent) -> None:
        opened = self._incoming
        incoming = self._expect(part.number, part.parent, whole=opened is not None and opened.whole)
        incoming.absences += len(part.objects)
        # What was asked for and is absent does not come.
        self._presence.ask_again()
        objects = array("Q", part.objects)
        incoming.absent += objects if self._sealed else self._debts.absent(incoming.number, objects)
        if len(incoming.absent) > ABSENT_MAX:
            raise bad("too many absent objects before their rows")

    def _owing(self, part: AskOwed) -> Owing:
        if self._incoming is not None:
            raise bad(f"a question while {shown_commit(self._incoming.number)} is open")
        self.flush()
        self._presence.ask_again()
        moves = self._catalog.owed_moves
        if self._debts.awaited:
            # What came is owed no more from now on, and no commit says that the packs have it.
            self._vault.note_end()
        answer = self._debts.ask(part.after)
        if self._catalog.owed_moves != moves:
            self.owed_moved()
        return answer

    # --- seals

    def _seal_came(self, seal: Seal) -> None:
        opened = self._incoming
        incoming = self._expect(seal.number, seal.parent, whole=opened is not None and opened.whole)
        if (seal.rows, seal.absent) != (incoming.rows, incoming.absences) or len(seal.digest) != chunks.NAME_SIZE:
            raise bad(f"a seal of {seal.rows} rows after {incoming.rows}, or of other absences")
        incoming.seal = seal
        self._sealed.append(incoming)
        self._incoming = None

    def _withdraw(self, part: Withdraw) -> None:
        incoming = self._incoming
        if incoming is None:
            if self.lacking:
                self._vault.note_end()
                self.lacking = False
                self.mended(self._presence.unanswered)
            if not self._sealed:
                self._presence.forget()
            self._presence.ask_again()
            return
        if incoming.number != part.number:
            raise bad(f"a withdrawal of {shown_commit(part.number)} while {shown_commit(incoming.number)} is open")
        self._incoming = None
        self._debts.over()
        self._presence.ask_again()
        if self._sealed:
            return
        self._making.withdraw()
        self._presence.forget()
