"""One run of the converge: what is wanted, what stands, the tally, and by what means. The phases share it and add verbs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agent.apply.bounds import ApplyLimits
from agent.apply.output.directory import whole
from agent.apply.output.seam import Output
from agent.apply.output.unkept import of_error
from agent.apply.ports import Early, LeftOut, ReadChunk, ReadPatch
from agent.apply.results import ChunkLost
from agent.apply.run.late_files import LateFiles
from agent.apply.run.standing_entries import StandingEntries
from agent.apply.run.tally import Due, Tally
from agent.apply.run.wanted import Plan, WantedRows
from agent.apply.writing.file_content import Look
from agent.core.clock import Clock
from agent.core.errors import WireError
from agent.core.ids import ROOT, ObjectId
from agent.core.problem import Problem, ProblemBoard, ProblemCode, Severity
from agent.core.problem_codes import APPLY_FAILED, CHUNK_DAMAGED


@dataclass(frozen=True, slots=True)
class Means:
    """What every run of one root works with. ``left_out``: what is not the dataset's, whatever stands there; ``look_for_end`` is
    called at every step of what may take long, and raises what is to end it."""

    read: ReadChunk
    patch_of: ReadPatch
    early: Early
    left_out: LeftOut
    look_for_end: Look
    board: ProblemBoard
    clock: Clock
    limits: ApplyLimits


@dataclass(frozen=True, slots=True)
class Run:
    """For one thread. ``close`` gives the directory descriptors back. ``mistrust``: see ``Checkpoint.mistrust``."""

    plan: Plan
    wanted: WantedRows
    standing: StandingEntries
    output: Output
    means: Means
    late: LateFiles
    tally: Tally
    due: Due
    mistrust: Callable[[frozenset[ObjectId]], None]

    def close(self) -> None:
        """The run is over. What it held must not wait until garbage is looked for: the tree of directories refers back to us."""
        self.standing.close()
        self.wanted.rows = None
        self.due.touched.clear()

    def doubt(self, id: ObjectId) -> None:
        """A directory was taken for this object by its place alone: what is in it is to be looked through."""
        self.standing.guessed(id)
        self.due.doubtful.append(id)

    def problem(
        self, code: ProblemCode, path: bytes, message: str, remedy: str, severity: Severity = Severity.ERROR
    ) -> None:
        """Put it on the board."""
        self.means.board.put(Problem(code, severity, self.means.clock.now_ns(), path, message, remedy))


class Attempt:
    """``with Attempt(run, id, parent, name):`` one object fails alone: a problem on the board, and the run goes on.

    What concerns the whole root (full, broken, our store) is raised as what ends the run."""

    __slots__ = ("_id", "_name", "_parent", "_run")

    def __init__(self, run: Run, id: ObjectId, parent: ObjectId = ROOT, name: bytes = b"") -> None:
        self._run, self._id, self._parent, self._name = run, id, parent, name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if error is None:
            return False
        if isinstance(error, (ChunkLost, WireError)):
            self._failed(CHUNK_DAMAGED, error.sentence, "it is fetched from the primary again; the rest goes on")
            return True
        if not isinstance(error, OSError):
            return False
        output = self._run.output
        mapped = whole(error, output.path, output.what)
        if mapped is not None:
            output.clear_temp()
            raise mapped from error
        if self._is_left_out(error):
            return True
        reason = error.strerror or str(error)
        self._failed(APPLY_FAILED, f"cannot be made as wanted: {reason}", "see what stands there; it is tried again")
        return True

    def _is_left_out(self, error: OSError) -> bool:
        return False

    def _failed(self, code: ProblemCode, message: str, remedy: str) -> None:
        run, wanted = self._run, self._run.wanted
        run.output.clear_temp()
        run.tally.failed += 1
        path = wanted.path(self._parent, self._name) if self._name else wanted.view.path_of(self._id, wanted.at) or b""
        run.problem(code, path, message, remedy)


class Making(Attempt):
    """An :class:`Attempt` to make the object itself. What the root's filesystem cannot hold is left out, and no failure."""

    __slots__ = ()

    def _is_left_out(self, error: OSError) -> bool:
        what = of_error(error)
        if not what:
            return False
        self._run.output.clear_temp()
        self._run.late.drop(self._id)
        self._run.standing.leave_out(self._id, what)
        return True
