"""What drives the making of a standby asks of who makes it: one applier for a tree, another for a device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from agent.apply.holds import Holds
from agent.apply.results import Applied, ApplyProgress, Report, VerifyReport
from agent.apply.stopping import Ending
from agent.core.commit import Commit
from agent.core.ids import CommitNumber


class SlicedVerify(Protocol):
    """One verify in slices, by the applying thread, between two converges."""

    @property
    def progress(self) -> ApplyProgress:
        """How far it is."""
        ...

    def rest_after(self, took: float) -> float:
        """How long nothing is to be done after a slice of so many seconds, where others come first."""
        ...

    def turn(self) -> VerifyReport | None:
        """A slice; the report once it is through. Raises ``HikaeError`` and OSError, which end the verify."""
        ...


class Applies(Protocol):
    """Makes what stands at a path equal to commits. Used by one thread; what says so may be called by others.

    What raises ``RootFull``, ``RootFailed`` or an error of our stores is called again later, and believes nothing then that it
    did not find true by itself."""

    @property
    def ending(self) -> Ending:
        """What ends a converge or a verify that takes long; any thread."""
        ...

    @property
    def holds(self) -> Holds:
        """Whether a commit may be applied by itself."""
        ...

    @property
    def is_away(self) -> bool:
        """Whether the standby was not there when it was looked for last, or is of another time."""
        ...

    @property
    def applied(self) -> CommitNumber:
        """The commit that the standby equals; after a crash that of the last checkpoint, though it may hold more. Any thread."""
        ...

    @property
    def stands(self) -> CommitNumber:
        """The commit that it equals but for what is still being written: not before ``applied``."""
        ...

    @property
    def checkpointed(self) -> bool:
        """Whether what was done is durable, or is not worth it: nobody knows what stands there."""
        ...

    @property
    def checkpointed_at(self) -> CommitNumber:
        """The commit of the last checkpoint: a redo goes back as far as this, so history must reach it."""
        ...

    @property
    def unfinished(self) -> bool:
        """Whether something is on its way to ``stands``: :meth:`finish`, or the next converge, goes on with it."""
        ...

    @property
    def redoes(self) -> bool:
        """Whether the next converge believes nothing."""
        ...

    @property
    def is_short(self) -> bool:
        """Whether something that is owed does not stand as ``stands`` says."""
        ...

    @property
    def adopting(self) -> bool | None:
        """Whether what was there before us is still to be made equal; None until :meth:`prepare` has found out."""
        ...

    def is_there(self) -> bool:
        """Whether the standby is there and ours, now. Raises ``RootFull``, ``RootFailed``."""
        ...

    def write_early(self) -> bool:
        """Write a little of what came ahead of its commit; whether there is more."""
        ...

    def accept(self, number: CommitNumber) -> None:
        """An operator lets the held commit ``number`` pass; durable. Any thread."""
        ...

    def prepare(self) -> None:
        """Make sure that the standby is there and ours. Raises ``Held``, ``RootFull``, ``RootFailed``."""
        ...

    def converge(
        self,
        target: Commit,
        progress: Report,
        has_newer: Callable[[], bool] | None = None,
        *,
        unheld: bool = False,
    ) -> Applied:
        """Make the standby equal to ``target``; without looking for a hold where it is ``unheld``. Where ``has_newer()`` it may
        return before all is whole. Raises ``Held``, ``RootFull``, ``RootFailed`` and errors of our stores."""
        ...

    def finish(self, progress: Report, interrupted: Callable[[], bool] | None = None) -> Applied:
        """Write what is on its way, whatever is newer; raises as :meth:`converge`."""
        ...

    def checkpoint(self) -> None:
        """Make what was applied durable: the standby first, then our knowledge of it. Raises ``RootFailed``."""
        ...

    def rest(self) -> None:
        """Nothing to do for now: give back what others may want meanwhile."""
        ...

    def verification(self, *, deep: bool, progress: Report, repair: bool = False) -> SlicedVerify:
        """A verify to be taken in slices."""
        ...

    def close(self) -> None:
        """Checkpoint, remember that the end was clean, give everything back."""
        ...
