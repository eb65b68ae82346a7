"""How far the standby is, and what may be believed of it: in memory, and as it stands durably among the local facts."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from agent.apply.commit_numbers import commit_at, is_broken, number_of, numbers_of, packed
from agent.apply.output.directory import foreign_errors
from agent.apply.output.seam import Lasting
from agent.apply.owed_versions import Short
from agent.apply.ports import CatalogView, LocalFacts
from agent.apply.results import RootFailed
from agent.apply.run.late_files import LateFiles
from agent.apply.run.wanted import Plan
from agent.apply.standby.standby_token import TOKEN, Age, Token, newest_token
from agent.core.clock import Clock
from agent.core.commit import Commit
from agent.core.ids import NOTHING, CommitNumber, ObjectId
from agent.fs.durable import has_silent_stores, timestamp_grain_ns
from agent.store.doubt import facts_mark

#: Names of the values: the commit that it equals; what it equals with files that were late, and which these are.
CHECKPOINT, LATE = "checkpoint", "late"
_ATTEMPTS = "attempts"
_ENDED = "ended-clean"
#: All that stands in local facts of how far one standby is; empty is nothing.
STATE = (CHECKPOINT, LATE, _ATTEMPTS, _ENDED, TOKEN)
#: So many targets since the checkpoint are remembered, to know again what a run that was cut short left.
_ATTEMPTS_KEPT = 64
#: After a power cut the list of attempts may be an old one: so many commits after the checkpoint stand for the rest of it.
_GUESSES = 300


def checkpoint_of(local: LocalFacts) -> CommitNumber:
    """The commit that the standby durably equals, large files included; ``NOTHING`` when that is not known."""
    return NOTHING if numbers_of(local.value(LATE)) else number_of(local.value(CHECKPOINT))


def believe_equal(local: LocalFacts, number: CommitNumber, private: int) -> None:
    """From now on it is believed that a root equals this commit, durably. ``private``: our open directory in it."""
    for key in (LATE, _ATTEMPTS):
        local.set_value(key, b"")
    local.set_value(TOKEN, newest_token(private))
    local.set_value(_ENDED, b"yes")
    local.set_value(CHECKPOINT, packed((number,)), durable=True)


class Checkpoint:
    """How far one standby is, for the applying thread.

    ``stands`` is what the standby equals but for the ``late`` files, ``whole`` what it equals with them; both go back to the last
    durable checkpoint where what was written since is in doubt. ``trusted``: the standby is known to equal ``stands`` but for
    what is late; ``lost``: nothing is known of it. ``made``: directories that are newer than the checkpoint."""

    def __init__(self, local: LocalFacts, late: LateFiles) -> None:
        self._local = local
        self._token = Token(local)
        self.late = late
        self.short = Short(local)
        self.stands = self._durable = number_of(local.value(CHECKPOINT))
        whole, *ids = numbers_of(local.value(LATE)) or (self.stands,)
        self.whole = whole
        #: Files that were late when nobody could go on with them: they may hold anything.
        self._doubted = frozenset(map(ObjectId, ids))
        self._noted = self._doubted
        #: Objects that a run changes although no commit did: nothing else leads the next run to them.
        self._in_hand: frozenset[ObjectId] = frozenset()
        #: Where runs went since the checkpoint; and since what stands was reached.
        self._attempts = self._unfinished = numbers_of(local.value(_ATTEMPTS))
        self._ended_clean = local.value(_ENDED) == b"yes"
        self.trusted = self._ended_clean and not self._attempts and not self._doubted
        self.lost = False
        self.made: set[ObjectId] = set()

    # -- what may be believed ------------------------------------------------------------------------------------------

    @property
    def is_durable(self) -> bool:
        """Whether what was done is durable, or is not worth it: nobody knows what stands there."""
        return self.lost or (self._durable == self.stands and self._noted == self.unsure and self.short.noted)

    @property
    def is_known(self) -> bool:
        """Whether anything was ever made in this root, as far as is known of it."""
        return self.stands != NOTHING or bool(self._attempts)

    @property
    def reaches_back_to(self) -> CommitNumber:
        """The commit to which a redo goes back: history must reach it."""
        return min(self._durable, self.whole)

    @property
    def stood(self) -> CommitNumber:
        """From where losses are judged: what the standby equals or, where that is not known any more, equalled when it was."""
        return self.stands or number_of(self._local.value(CHECKPOINT))

    @property
    def unsure(self) -> frozenset[ObjectId]:
        """Files that are not, or may not be, as what stands says."""
        return self._doubted | self._in_hand | self.late.ids()

    def was_opened(self, age: Age) -> bool:
        """The standby was opened just now, and is of this age: leave only that believed which holds of what stands there. Whether
        it turned out to be of another time."""
        is_other = age is Age.OTHER and not self.lost
        self.lost = self.lost or is_other
        if self.lost:
            self.stands = self.whole = self._durable = NOTHING
            self.trusted = False
        elif age is Age.AHEAD or not self.is_durable:
            self._go_back()
        return is_other

    def age(self, output: Lasting, view: CatalogView) -> Age:
        """Of what stands in an open root, beside what is known of it."""
        with foreign_errors(output.path, output.what):
            return self._token.age(output.private, lambda number: commit_at(view, number))

    def was_empty(self) -> bool:
        """The standby was taken as an empty directory just now, so nothing can stand in the way. Whether that is believed: not
        after a run that was cut short."""
        if not self._attempts:
            self.trusted = True
        return not self._attempts

    def plan(self, view: CatalogView, target: Commit, *, adopt: bool) -> Plan:
        """What a run to ``target`` is asked for; ``adopt``: what stands is a tree that was there before us."""
        base, short = self.stands, self.short.ids
        if not self.trusted and not all(map(view.is_readable, self._unfinished)):
            # What a run left that was cut short is found by the keys between, or nowhere.
            self.lost = True
        survey = adopt or self.lost or is_broken(view, base, target.number)
        trusted = self.trusted and not survey
        if not trusted:
            self._doubted |= self.late.give_up()
        doubted = self._doubted | self._in_hand | short
        if adopt or self.lost:
            return Plan(NOTHING, target, trusted=False, survey=True, adopt=adopt, doubted=doubted)
        if trusted:
            return Plan(base, target, trusted, doubted=doubted, short=short)
        guesses, span = self._guesses(view, base), self._span(target)
        return Plan(base, target, trusted, guesses, survey, span, doubted=doubted, short=short)

    def plan_repair(self, target: Commit, different: Iterable[ObjectId], *, all_doubted: bool) -> Plan:
        """What a run is asked for that lays the whole tree beside the commit that it equals. ``different`` objects are read
        whatever their stat says; ``all_doubted``: so are all."""
        self._doubted |= self.late.give_up()
        short = self.short.ids
        doubted = None if all_doubted else self.unsure.union(different, short)
        return Plan(self.stands, target, trusted=False, survey=True, doubted=doubted, short=short)

    def _guesses(self, view: CatalogView, base: CommitNumber) -> tuple[CommitNumber, ...]:
        later = (commit.number for commit in reversed(view.commits(base, _GUESSES)))
        return tuple(dict.fromkeys((*reversed(self._attempts), *later)))

    def _span(self, target: Commit) -> tuple[CommitNumber, CommitNumber]:
        """The first and the last commit of which anything may stand, or is to."""
        numbers = (self.stands, target.number, *self._unfinished)
        return min(numbers), max(numbers)

    def _go_back(self) -> None:
        """The root is at its checkpoint again, as far as is known: what was written since may be there or not."""
        self._unfinished = self._attempts
        self.stands, self.trusted = self._durable, False
        self.whole = min(self.whole, self._durable)

    # -- what was done -------------------------------------------------------------------------------------------------

    def begin(self, target: Commit, output: Callable[[], Lasting], *, durably: bool = False) -> None:
        """A run to ``target`` begins: until it is through nothing is believed, also after a crash. ``output``: opens the root;
        ``durably``: no power cut takes back what was begun, so that it need not be newer than all that was."""
        if self._ended_clean:
            # From here on an end is no clean one, also after a power cut, or where all that is known here is put back.
            self._draw(output(), target)
            self._local.set_value(_ENDED, b"no", durable=True)
            self._ended_clean = False
        self._attempts = (*self._attempts, target.number)[-_ATTEMPTS_KEPT:]
        self._unfinished = (*self._unfinished, target.number)
        if durably:
            self._local.set_value(_ATTEMPTS, packed(self._attempts), durable=True)
        else:
            self._local.note_value(_ATTEMPTS, packed(self._attempts))
        self.trusted = False

    def mistrust(self, ids: frozenset[ObjectId]) -> None:
        """The run is about to change these objects, which no commit changed: until it came to its end they may hold anything,
        also after a power cut. On entry what it did to those of before is noted down and synced; they are in doubt no more."""
        self._in_hand = ids
        unsure = self.unsure
        whole = self.reaches_back_to or number_of(self._local.value(CHECKPOINT))
        self._local.set_value(LATE, packed((whole, *sorted(unsure))), durable=True)
        self._noted = unsure

    def reached(self, target: CommitNumber, left: Iterable[ObjectId]) -> None:
        """A run to ``target`` came to its end, and ``left`` only what is owed."""
        self.stands, self.trusted, self.lost = target, True, False
        self._unfinished = ()
        self._doubted = self._in_hand = frozenset()
        self.short.only(left)
        self.late_came()

    def late_came(self) -> None:
        """Late files are whole, or some are."""
        if not self.late:
            self.whole = self.stands

    def repaired(self) -> None:
        """The whole tree was made equal, and synced: nothing of runs before is in it."""
        self._attempts = self._unfinished = ()
        self._local.set_value(_ATTEMPTS, b"", durable=True)

    def fail(self) -> None:
        """The standby could not be synced: what was written since the last checkpoint is doubtful, and is looked at again."""
        self._go_back()

    def write(self, output: Lasting, view: CatalogView, clock: Clock) -> None:
        """Make what was done durable: the standby's filesystem first, then our knowledge of it. Raises ``RootFailed``.

        On entry every run since the last checkpoint that came to its end is noted in local facts. On exit they and the standby
        are durable and of one time, and what is not in doubt is vouched for."""
        try:
            commit = commit_at(view, self.stands)
            if commit is not None:
                self._draw(output, commit)
            synced_at = clock.now_ns()
            output.sync()
        except RootFailed:
            self.fail()
            raise
        if self.trusted:
            self._attempts = self._unfinished = ()
            self._local.set_value(_ATTEMPTS, b"")
        unsure = self._note_unsure()
        if commit is not None:
            self._token.note()
            _vouch(self._local, output.root, synced_at, commit, unsure | self.short.ids)
        self._local.set_value(CHECKPOINT, packed((self.stands,)), durable=True)
        self._durable, self._noted = self.stands, unsure
        self.made.clear()

    def end(self) -> None:
        """The end is a clean one: the next process believes what stands."""
        self._local.set_value(_ENDED, b"yes", durable=True)

    def _note_unsure(self) -> frozenset[ObjectId]:
        unsure = self.unsure
        if unsure or self._noted:
            self._local.set_value(LATE, packed((self.whole, *sorted(unsure))) if unsure else b"")
        self.short.note()
        return unsure

    def _draw(self, output: Lasting, towards: Commit) -> None:
        with foreign_errors(output.path, output.what):
            self._token.draw(output.private, towards)


def _vouch(local: LocalFacts, root: int, synced_at: int, commit: Commit, unsure: Iterable[ObjectId]) -> None:
    """What stands equals ``commit`` but for ``unsure``, and a sync of the open root's filesystem that began at ``synced_at`` (ns)
    is over: what local facts say of all else is believed from now on, by a primary too (law 5)."""
    if doubted := list(unsure):
        local.doubt(doubted)
    if not has_silent_stores(root):
        local.vouch(synced_at - timestamp_grain_ns(root), facts_mark(commit))
