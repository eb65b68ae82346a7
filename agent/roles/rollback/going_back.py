"""A primary's root is made equal to the newest commit, which is an earlier moment taken up again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass

from agent.apply.bounds import ApplyLimits
from agent.apply.converger import AnyRoot, converge_root
from agent.apply.output.directory import Handling, foreign_errors, open_output
from agent.apply.ports import NOTHING_EARLY, LeftOut, no_patch
from agent.apply.run.one_run import Means
from agent.apply.writing.file_content import told_lost
from agent.core.clock import Clock
from agent.core.commit import Commit
from agent.core.ids import NOTHING, CommitNumber, ObjectId
from agent.core.problem import ProblemBoard
from agent.fs.confined import open_root
from agent.generations.afar import OpenMoment
from agent.generations.mounting.from_afar import fetching
from agent.roles.rollback.fetched_ahead import FetchedAhead, small_files_between
from agent.roles.rollback.meanwhile import KeptChanges
from agent.roles.rollback.root_facts import RootFacts
from agent.store.catalog.catalog import Catalog
from agent.store.catalog.reader import CatalogReader

_WHAT = "the tree"
#: Large files are made anew at once: nothing is written into what stands.
_LIMITS = ApplyLimits(late=0)
#: So often what could not be made is tried again.
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class PrimaryRoot:
    """The tree: its ``path``, a directory for temporary files, and what is not the dataset's."""

    path: str
    scratch: str
    left_out: LeftOut


@dataclass(frozen=True, slots=True)
class WentBack:
    """``entries`` that were made, ``displaced`` that somebody had changed, ``failed`` that could not be made."""

    entries: int = 0
    displaced: int = 0
    failed: int = 0

    def sentence(self) -> str:
        """For people."""
        words = [f"{self.entries:,} entries"]
        if self.displaced:
            words.append(f"{self.displaced:,} that somebody changed are in .hikae/displaced")
        if self.failed:
            words.append(f"{self.failed:,} could not be made: hikae status names them")
        return "; ".join(words)


@dataclass(frozen=True, slots=True)
class RollbackMeans:
    """What a root or a device goes back with: ``target`` is the newest commit of ``catalog``, and ``moment`` gives its bytes.
    ``kept``: the commit that the generation from before holds, ``NOTHING`` where that is not known.
    ``look`` is called before every change, and raises what is to end it; then, and after a crash, the next call goes on."""

    catalog: Catalog
    facts: RootFacts
    target: Commit
    kept: CommitNumber
    moment: OpenMoment
    board: ProblemBoard
    clock: Clock
    look: Callable[[], None]


def until_made(attempt: Callable[[], WentBack]) -> WentBack:
    """What attempts did together, until one failed of nothing; a few at most."""
    done = WentBack()
    for _ in range(_ATTEMPTS):
        made = attempt()
        done = WentBack(done.entries + made.entries, done.displaced + made.displaced, made.failed)
        if not done.failed:
            break
    return done


def go_back(root: PrimaryRoot, way: RollbackMeans) -> WentBack:
    """Make the tree equal to the target, durably; only what stands as capture knows it is overwritten.

    Raises ``RootFull``, ``RootFailed``, ``Held``, and what reading the moment raises."""
    facts, target, moment = way.facts, way.target, way.moment
    if facts.is_there(target.number):
        return WentBack()
    with (
        foreign_errors(root.path, _WHAT),
        closing(way.catalog.reader()) as view,
        closing(way.catalog.reader()) as other,
        ExitStack() as opened,
    ):
        kept = KeptChanges(facts.signature_of, changed_since(view, way.kept, target.parent), way.board, way.clock)
        how = Handling(_WHAT, lambda _what: way.look(), kept, root.scratch)
        output = opened.enter_context(closing(open_output(root.path, open_root(root.path), how)))
        kept.output = output
        facts.begin(target.parent, target.number, output.private)
        names = small_files_between(other, target)
        ahead = FetchedAhead(moment.chunk, fetching(moment), names)
        read = told_lost(ahead.chunk, way.look)
        means = Means(read, no_patch, NOTHING_EARLY, root.left_out, way.look, way.board, way.clock, _LIMITS)

        def attempt() -> WentBack:
            applied = converge_root(AnyRoot(output, view, facts, means), target)
            return WentBack(applied.entries, applied.displaced, applied.failed)

        done = until_made(attempt)
        output.sync()
    facts.end(target.number)
    return WentBack(done.entries, done.displaced + kept.displaced, done.failed)


def changed_since(view: CatalogReader, kept: CommitNumber, now: CommitNumber) -> Callable[[ObjectId], bool]:
    """Whether an object was captured after the generation from before was taken: that does not have it as it is ``now``. What
    history has passed is not needed: a row of that moment that is gone is another than that of ``now``."""
    if kept in (NOTHING, now):
        return lambda _id: False
    return lambda id: view.object(id, kept) != view.object(id, now)
