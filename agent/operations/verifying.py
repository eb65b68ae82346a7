"""Is the standby what its commit says, and the vault whole?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.core.standing import Verified
from agent.operations.declaration import DatasetRequest, FromAfar, Json, Progress, dataset_operation
from agent.operations.running import DatasetCall
from agent.status.figures import count_text
from agent.status.published import number_json
from agent.status.state import Role
from agent.status.text import shown

if TYPE_CHECKING:
    from agent.apply.results import ApplyProgress, VerifyReport
    from agent.node.standby import Standby

#: Seconds between two words of progress.
_STEP = 0.5


@dataclass(frozen=True, slots=True)
class VerifyRequest(DatasetRequest[Json]):
    """Compare the standby with its commit: metadata, with ``deep`` every byte too. ``repair``: make it equal, put back what the
    vault lost, and tell what is left.

    ``{"equal", "commit", "newest", "deep", "checked_entries", "checked_bytes", "differences": [{"path", "what"}], "repaired",
    "owed", "owed_paths", "changing"}``; ``commit``: what stood at its end; ``newest``: what was received, and may wait;
    ``changing``: paths of files that are written faster than they can be read: their content was not compared."""

    deep: bool = False
    repair: bool = False


def _repairs(request: VerifyRequest) -> bool:
    return request.repair


def _only_looks(request: VerifyRequest) -> bool:
    return not request.repair


@dataset_operation("verify", VerifyRequest, role=Role.STANDBY, long=True, changes=_repairs, afar=FromAfar(_only_looks))
def _verify(call: DatasetCall, request: VerifyRequest) -> Json:
    side, told = call.member.standby(), _Told(call.progress)
    if request.repair:
        side.require_no_rehearsal("repair the standby")
    vault = _look_at_vault(call, side, request, told)
    report = side.loop.verify(deep=request.deep, progress=told, repair=request.repair, waits=told.waits)
    result = _answer(report, request, vault)
    newest = side.newest()
    result["newest"] = number_json(newest.number) if newest is not None else None
    found = len(report.differences) + report.more + vault.is_damaged
    whats = [*(one.what for one in report.differences), *(["vault"] if vault.is_damaged else [])]
    call.member.verifies.ended(Verified(time.time_ns(), result["equal"], request.deep, found), whats)
    call.member.steer()
    return result


@dataclass(frozen=True, slots=True)
class _Vault:
    """How many chunks were put back, how many are damaged or lost, and how many the disk did not give."""

    restored: int
    damaged: int
    unread: int

    @property
    def is_damaged(self) -> bool:
        """Whether it is not whole."""
        return bool(self.damaged or self.unread)

    def found(self, repairs: bool) -> list[str]:
        """In words."""
        said = []
        if self.damaged:
            what = "lost and cannot be had now" if repairs else "damaged and fetched again"
            said.append(f"vault: {count_text(self.damaged, 'chunk')} {what}")
        if self.unread:
            chunks = count_text(self.unread, "chunk")
            said.append(f"vault: {chunks} that the disk does not give: none was forgotten, see the kernel log")
        return said


def _look_at_vault(call: DatasetCall, side: Standby, request: VerifyRequest, told: _Told) -> _Vault:
    # Only in the agent: the command line imports this module for its request.
    from agent.repair.repair_vault import VaultFaults, damaged_chunks, repair_vault

    stopping = call.agent.stopping
    deep = request.deep
    looks = deep or request.repair
    faults = damaged_chunks(side.vault, side.mending, stopping, deep=deep) if looks else VaultFaults(0)
    if not request.repair:
        return _Vault(0, faults.damaged, len(faults.unread))
    repaired = repair_vault(side, stopping, told.breath, faults.unread)
    return _Vault(repaired.restored, repaired.left, len(faults.unread - repaired.replaced))


def _answer(report: VerifyReport, request: VerifyRequest, vault: _Vault) -> Json:
    found = [{"path": shown(one.path), "what": one.what} for one in report.differences]
    if report.more:
        found.append({"path": "", "what": f"and {report.more:,} more"})
    found += [{"path": "", "what": what} for what in vault.found(request.repair)]
    return {
        "equal": report.equal and not vault.is_damaged,
        "commit": number_json(report.number),
        "deep": request.deep,
        "checked_entries": report.checked_entries,
        "checked_bytes": report.checked_bytes,
        "differences": found,
        "repaired": report.repaired + vault.restored,
        "owed": report.owed,
        "owed_paths": [shown(path) for path in report.owed_paths],
        "changing": [shown(path) for path in report.changing],
    }


class _Told:
    """Passes a verify's progress on, at most each half second."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._due = 0.0

    def breath(self) -> None:
        """The vault is looked at; there is nothing to count."""
        self._tell((0, 0), (0, 0))

    def waits(self) -> None:
        """It has not begun."""
        self._progress({"phase": "verify", "waits_for": "what is being applied is to come to its end first"})

    def __call__(self, at: ApplyProgress) -> None:
        self._tell((at.done_entries, at.total_entries), (at.done_bytes, at.total_bytes))

    def _tell(self, entries: tuple[int, int], content: tuple[int, int]) -> None:
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + _STEP
        done = {"done_entries": entries[0], "total_entries": entries[1]}
        self._progress({"phase": "verify", **done, "done_bytes": content[0], "total_bytes": content[1]})
