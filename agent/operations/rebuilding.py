"""A vault that was lost is filled anew from the standby's own files and from the primary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from agent.core.errors import Refused
from agent.operations.declaration import DatasetRequest, Json, dataset_operation
from agent.operations.running import DatasetCall
from agent.operations.upkeep.progress import UpkeepProgress
from agent.status.state import Role
from agent.status.text import shown

if TYPE_CHECKING:
    from agent.node.standby import Standby
    from agent.repair.lost_files import LostFiles


@dataclass(frozen=True, slots=True)
class ResyncVaultRequest(DatasetRequest[Json]):
    """Put back what the vault lacks: ``{"dataset", "path", "lacking", "obtainable", "restored", "left", "incomplete":
    [{"generation", "files"}]}``. ``lacking``: chunks, counted with each version of a file that needs them; ``obtainable``: those
    that the newest state names too; ``incomplete``: the generations that are not whole, with how many files are lost for each.
    With ``dry_run`` nothing is put back: ``restored`` and ``left`` are 0. ``Refused`` where the vault lacks nothing."""

    dry_run: bool = False


def _puts_back(request: ResyncVaultRequest) -> bool:
    return not request.dry_run


@dataset_operation("resync-vault", ResyncVaultRequest, role=Role.STANDBY, long=True, changes=_puts_back)
def _resync_vault(call: DatasetCall, request: ResyncVaultRequest) -> Json:
    # Only in the agent: the command line imports this module for its request.
    from agent.repair.repair_vault import damaged_chunks, repair_vault

    side, breath = call.member.standby(), _breath(call)
    if request.dry_run:
        lost = _lost(side, breath)
        _require_losses(call, bool(lost.chunks))
        return _answer(call, side, lost, lost)
    # What lies in packs that are gone may be there by the index only: its records are looked at first.
    faults = damaged_chunks(side.vault, side.mending, call.agent.stopping, deep=False)
    lost = _lost(side, breath)
    _require_losses(call, bool(lost.chunks or faults.unread))
    done = repair_vault(side, call.agent.stopping, breath, faults.unread)
    still = _lost(side, breath)
    side.errands.run("note what moments lost", lambda catalog: side.keeper.note_lost(catalog, still.files))
    return _answer(call, side, lost, still) | {"restored": done.restored, "left": done.left}


def _require_losses(call: DatasetCall, lacks: bool) -> None:
    if not lacks:
        remedy = f"hikae verify {call.dataset} --deep --repair reads every chunk"
        raise Refused("resync", call.dataset, "its vault lacks nothing", remedy)


def _answer(call: DatasetCall, side: Standby, lost: LostFiles, still: LostFiles) -> Json:
    return {
        "dataset": call.dataset,
        "path": shown(str(side.vault_path)),
        "lacking": lost.chunks,
        "obtainable": lost.obtainable,
        "restored": 0,
        "left": 0,
        "incomplete": [{"generation": name, "files": files} for name, files in sorted(still.files.items())],
    }


def _lost(side: Standby, breath: Callable[[], None]) -> LostFiles:
    from agent.repair.lost_files import lost_files

    with side.reader() as reader:
        return lost_files(reader, side.vault, reader.generations(), breath)


def _breath(call: DatasetCall) -> Callable[[], None]:
    """Says that it goes on; ends it when the agent stops."""
    return partial(UpkeepProgress(call, "resync", "resync"), waits_for="what the vault lacks is looked for")
