"""The journal of a dataset's changes of role, as its member keeps it: what commands did, and what happened by itself."""

from __future__ import annotations

from typing import Any

from agent.core.ids import NOTHING
from agent.node.primary import Primary
from agent.node.standby import Standby
from agent.roles.journal import RoleChange, RoleJournal
from agent.status.state import Role
from agent.status.text import shown
from agent.steps.record import StepsRecord

#: In the arguments of a list of steps: who typed it, and what this node was then, and where it stood.
TYPED = "typed"
#: The lists that are changes of role whatever came of them, and what they are called by who types them.
COMMANDS = {"promotion": "promote", "switchover": "switchover", "take-over": "switchover", "rejoin": "rejoin"}


def role_now(side: Primary | Standby | None) -> tuple[str, int] | None:
    """What an open side is, in which epoch; None where that is not known yet."""
    if isinstance(side, Primary):
        mark = side.reign.mark
        role = Role.PRIMARY.value if mark is None else str(mark.code)
        return role, side.reign.epoch.number
    if isinstance(side, Standby) and side.epoch:
        return Role.STANDBY.value, side.epoch
    return None


def observe(journal: RoleJournal, side: Primary | Standby | None, now_ns: int) -> None:
    """Keep what changed that no command did."""
    now = role_now(side)
    if now is not None and side is not None:
        journal.observe(*now, lambda: stood_at(side), now_ns)


def steps_ended(journal: RoleJournal, record: StepsRecord, side: Primary | Standby | None) -> None:
    """Keep what a command did. One that failed and changed nothing is no change of role."""
    last, typed = journal.newest, _typed(record)
    before = str(typed.get("before", last.after if last is not None else ""))
    after, epoch = role_now(side) or (before, last.epoch if last is not None else 0)
    stood = (last.after, last.epoch) if last is not None else (before, epoch)
    if (after, epoch) == stood and (record.failed is not None or record.kind not in COMMANDS):
        return
    # Where it stands now is what came of it, and not from where it began.
    known = (record.facts.get("commit"), typed.get("commit"))
    commit = next((one for one in known if isinstance(one, int)), None)
    journal.add(
        RoleChange(
            time=record.began,
            kind=COMMANDS.get(record.kind, record.kind),
            before=before,
            after=after,
            epoch=epoch,
            commit=stood_at(side) if commit is None else commit,
            uid=typed.get("uid"),
            by=str(typed.get("by", "")),
            reason=shown(str(record.arguments.get("reason", ""))),
            approved_by=shown(str(record.arguments.get("approved_by", ""))),
            lost=tuple(map(str, record.facts.get("lost", ()))),
            lost_sizes=tuple(map(int, record.facts.get("lost_sizes", ()))),
            steps=tuple(one.as_json() for one in record.done),
            failed=record.failed.result if record.failed is not None else "",
        )
    )


def _typed(record: StepsRecord) -> dict[str, Any]:  # Any: see ``steps.record.Facts``
    found = record.arguments.get(TYPED)
    return found if isinstance(found, dict) else {}


def stood_at(side: Primary | Standby | None) -> int:
    """The number of its newest commit; ``NOTHING`` where it has none, or is not open."""
    newest = side.newest() if side is not None else None
    return newest.number if newest is not None else NOTHING
