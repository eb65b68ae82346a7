"""``verify --repair`` of a vault: what it lost is taken from the standby where that still has it, else from the primary."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol

from agent.core.errors import StoreFailed, TryAgain
from agent.repair.from_standby import Breath, Restoring
from agent.repair.lost_chunks import Mending
from agent.store.vault.vault import Vault

#: Seconds that the primary is given to send what only it has, and how often to look.
PRIMARY_SECONDS, LOOK_SECONDS = 60.0, 0.2
#: A primary that is not connected is waited for as long as it may take to dial again, seconds.
DIALS_WITHIN = 12.0
_NAMES_AT_ONCE = 100_000
#: So many chunks may not be given by the disk before nothing more is to be had from it.
UNREAD_MOST = 10_000


class Repairable(Protocol):
    """What a repair needs of a secondary (``node.standby.Standby``)."""

    @property
    def mending(self) -> Mending:
        """What the vault has lost."""
        ...

    @property
    def connected(self) -> bool:
        """Whether the primary is connected now."""
        ...

    def restoring(self) -> Restoring:
        """A pass over the newest commit that puts what the vault lacks back from the standby's files."""
        ...


@dataclass(frozen=True, slots=True)
class VaultFaults:
    """``damaged``: how many chunks were not what their name says, and are forgotten; ``unread``: those that the disk did not
    give: they stay, as it may give them tomorrow."""

    damaged: int
    unread: frozenset[bytes] = frozenset()


class Repaired(NamedTuple):
    """``restored``: chunks that are in the vault again, from here or from the primary; ``left``: those that are not;
    ``replaced``: those of the doubted ones that were written anew."""

    restored: int
    left: int
    replaced: frozenset[bytes] = frozenset()


def damaged_chunks(vault: Vault, mending: Mending, stopping: threading.Event, *, deep: bool) -> VaultFaults:
    """Look at every chunk of the vault; those that are not what their name says are forgotten, and asked for again.

    Raises ``TryAgain`` when the agent stops meanwhile, ``StoreFailed`` where the disk gives next to nothing."""
    count, reason = 0, ""
    names: list[bytes] = []
    unread: set[bytes] = set()
    for name, fault in vault.check(deep, partial(_go_on, stopping)):
        if isinstance(fault, StoreFailed):
            if len(unread) >= UNREAD_MOST:
                raise fault
            unread.add(name)
            continue
        reason = fault.reason
        names.append(name)
        count += 1
        if len(names) >= _NAMES_AT_ONCE:
            mending.forget(names, reason)
            names = []
    if names:
        mending.forget(names, f"{count:,} found by verify, the last: {reason}")
    return VaultFaults(count, frozenset(unread))


def _go_on(stopping: threading.Event) -> None:
    if stopping.is_set():
        raise TryAgain("verify", "the vault", "the agent is stopping")


def repair_vault(
    side: Repairable, stopping: threading.Event, breath: Breath, doubted: frozenset[bytes] = frozenset()
) -> Repaired:
    """Put back what is lost. ``doubted``: chunks that the disk does not give: one that the standby has is written anew; the
    others stay as they are.

    Raises as :meth:`Restoring.run`."""
    began = side.mending.begin()
    restored, left, replaced = _from_standby(side, stopping, breath, doubted)
    if not left and not side.mending.in_use:
        if began:
            side.mending.ended(began, 0)
        return Repaired(restored, 0, replaced)
    side.mending.lost(f"{left:,} that the standby does not have either")
    if _await_primary(side, stopping, breath):
        return Repaired(restored + left, 0, replaced)
    more, still, _ = _from_standby(side, stopping, breath)
    still += side.mending.in_use
    return Repaired(restored + more + max(0, left - more - still), still, replaced)


def _from_standby(
    side: Repairable, stopping: threading.Event, breath: Breath, doubted: frozenset[bytes] = frozenset()
) -> Repaired:
    restoring = side.restoring()

    def breathe() -> None:
        _go_on(stopping)
        breath()

    try:
        restoring.run(breathe, doubted)
    finally:
        restoring.close()
    return Repaired(restoring.restored, restoring.left, frozenset(restoring.replaced))


def _await_primary(side: Repairable, stopping: threading.Event, breath: Breath) -> bool:
    """Whether the primary has sent what was asked for."""
    begun = time.monotonic()
    while side.mending.lacks:
        waited = time.monotonic() - begun
        alone = not side.connected and waited > DIALS_WITHIN
        if alone or side.mending.unanswered or waited > PRIMARY_SECONDS or stopping.wait(LOOK_SECONDS):
            return False
        breath()
    return True
