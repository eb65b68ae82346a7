"""One root is made equal to any commit that can be read, whatever it equals: the standby to the newest, another directory to an
older one, and back.

The root is behind an ``Output``, and what is known of it stands in local facts of its own: who converges a second root takes a
file of facts for it, beside the standby's. Nothing here knows what the root is for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agent.apply.checkpoint import Checkpoint
from agent.apply.commit_numbers import counts_at
from agent.apply.converge.late_steps import go_on
from agent.apply.converge.phases import converge
from agent.apply.converge.touched import finish_touched
from agent.apply.output.directory import whole
from agent.apply.output.ledger import Ledger
from agent.apply.output.seam import Output
from agent.apply.output.unkept import UnkeptReport
from agent.apply.ports import CatalogView, LocalFacts
from agent.apply.results import Applied, Report, RootFailed, silent
from agent.apply.run.late_files import LateFiles
from agent.apply.run.one_run import Means, Run
from agent.apply.run.standing_entries import StandingEntries
from agent.apply.run.tally import Due, Tally
from agent.apply.run.wanted import Plan, WantedRows
from agent.core.commit import Commit
from agent.core.errors import NotFound
from agent.core.problem_codes import APPLY_FAILED, CHUNK_DAMAGED, IMPOSSIBLE_ROW
from agent.core.rows import PRIVATE_DIR
from agent.fs.walk import entries

_AGAIN = "it is tried again"
_PASSING = (CHUNK_DAMAGED, APPLY_FAILED, IMPOSSIBLE_ROW)


@dataclass(frozen=True, slots=True)
class AnyRoot:
    """A root that is to be made equal to commits. ``facts``: of this root alone; ``adopt``: what stands in it and equals no
    commit may be rewritten, else it goes to ``.hikae/displaced``, and is told on the means' board."""

    output: Output
    view: CatalogView
    facts: LocalFacts
    means: Means
    adopt: bool = False


def converge_root(root: AnyRoot, target: Commit) -> Applied:
    """Make a root equal to a commit that can be read and stays so meanwhile (kept, or younger than ``history``), and durable.

    What it equals now is known from its facts, may be newer or older, and is believed only where the last run came to its end.
    Of a root that is not known all is compared. What a run left that was cut short is found by the keys of every commit between,
    as long as its own can be read; else all is compared. Raises ``RootFull``, ``RootFailed``, ``Held`` and errors of our
    stores; ``Applied.failed`` counts objects that could not be made, each with a problem."""
    converger = Converger(root.facts, root.means)
    reached = converger.reached
    reached.was_opened(reached.age(root.output, root.view))
    if not reached.is_known and _is_empty(root.output):
        reached.was_empty()
    elif not reached.is_known:
        reached.lost = True
    plan = reached.plan(root.view, target, adopt=root.adopt)
    if plan.trusted and plan.base == target.number:
        return Applied(target.number)
    reached.begin(target, lambda: root.output, durably=True)
    done = converger.run(plan, root.output, root.view, silent)
    written = done.tally.done_bytes
    if not done.tally.failed and reached.late:
        written += converger.write_late(target, lambda: root.output, root.view, silent).bytes
    if reached.trusted:
        reached.write(root.output, root.view, root.means.clock)
        reached.end()
    tally = done.tally
    return Applied(reached.whole, tally.done_entries, written, tally.displaced, tally.failed, redo=not plan.trusted)


def _is_empty(output: Output) -> bool:
    return all(name == PRIVATE_DIR for name in entries(output.root))


class Converger:
    """Runs of one root, for one thread, and how far they brought it (``reached``)."""

    def __init__(self, facts: LocalFacts, means: Means) -> None:
        self.reached = Checkpoint(facts, LateFiles(means.limits))
        self.unkept = UnkeptReport(facts.unkept, means.board)
        self._facts = facts
        self._means = means

    def run(self, plan: Plan, output: Output, view: CatalogView, progress: Report) -> Run:
        """Carry a plan out that is begun; the run, which is over.

        On entry nothing of what stands is believed but what the plan says. On exit, if nothing failed, the root equals the target
        but for late files."""
        for code in _PASSING:
            self._means.board.clear_code(code)
        run = self._acted(plan, output, view, progress, converge)
        if not run.tally.failed:
            self.reached.reached(plan.target.number, run.wanted.left)
        return run

    def write_late(
        self,
        target: Commit,
        output: Callable[[], Output],
        view: CatalogView,
        progress: Report,
        interrupted: Callable[[], bool] | None = None,
    ) -> Applied:
        """Go on with late files, at least by a step, of a root that equals ``target`` but for them, until they are whole or
        ``interrupted()``. ``output`` is asked before each step."""
        reached, written = self.reached, 0
        reached.trusted = False
        while True:
            plan = Plan(reached.stands, target, trusted=True)
            tally = self._acted(plan, output(), view, progress, _late_step).tally
            written += tally.done_bytes
            if tally.failed:
                return Applied(reached.whole, bytes=written, failed=tally.failed)
            if not reached.late or (interrupted is not None and interrupted()):
                break
        reached.trusted = True
        reached.late_came()
        return Applied(reached.whole, bytes=written)

    def tell_unkept(self, view: CatalogView, *, whole: bool) -> None:
        """Put on the board what the root's filesystem does not keep. ``whole``: also what is kept again."""
        self.unkept.tell(self._means.clock.now_ns(), view.path_of, whole=whole)

    def _acted(
        self, plan: Plan, output: Output, view: CatalogView, progress: Report, act: Callable[[Run], None]
    ) -> Run:
        """Do something to the root with all that a run knows; what ended it is raised as ours."""
        run = self._begun(plan, output, view, progress)
        try:
            act(run)
        except OSError as error:
            raise whole(error, output.path, output.what) or RootFailed(
                "apply", output.path, str(error), _AGAIN
            ) from error
        except NotFound as error:
            # The history that the difference needs is pruned: what stands is laid beside the whole commit.
            self.reached.lost = True
            raise RootFailed("apply", output.path, error.reason, _AGAIN) from error
        finally:
            self.reached.short.add(run.wanted.left)
            run.close()
        self.unkept.ran(run.standing.newly_unkept)
        self.tell_unkept(view, whole=False)
        return run

    def _begun(self, plan: Plan, output: Output, view: CatalogView, progress: Report) -> Run:
        wanted = WantedRows(view, plan)
        standing = StandingEntries(output, Ledger(self._facts), wanted, self.reached.made, self.unkept.bits)
        tally = Tally(progress, total_bytes=max(0, plan.target.bytes - counts_at(view, plan.base).bytes))
        reached = self.reached
        return Run(plan, wanted, standing, output, self._means, reached.late, tally, Due(), reached.mistrust)


def _late_step(run: Run) -> None:
    go_on(run)
    finish_touched(run)
    run.standing.ledger.flush()
