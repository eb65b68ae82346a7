"""Which epoch a primary writes in: always one of its own, which begins with a commit. No peer's word changes that.

The role record is written before the catalog begins an epoch, so a number is never used twice by one node. An operator's request
for a higher epoch is a durable file, so a crash between its steps does no harm. What the catalog holds stays as history.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from agent.apply.standby.taken import root_kept
from agent.capture.root import expect_root
from agent.core.errors import Damaged, DiskFull, Refused, StoreFailed
from agent.core.ids import NOTHING, Epoch, commit_number, epoch_of
from agent.fs.durable import sync_dir, write_durably
from agent.roles import rewound
from agent.roles.record import ROLE, RoleRecord, following, keeps_with, read_record, write_record
from agent.status.state import Role
from agent.store.catalog.catalog import Catalog, Header
from agent.store.local import Local
from agent.stream.guards import EVERY_GUARD, RoleGuards

CATALOG, LOCAL, NEW_EPOCH = "catalog.db", "local.db", "new-epoch"
#: Local facts turned out to be damaged while they were in use.
LOCAL_DAMAGED = "local-damaged"
_log = structlog.get_logger("node")


def open_stores(home: Path, node: str, now_ns: int) -> tuple[Catalog, Local]:
    """The catalog of a primary, in an epoch of ``node``'s own that is durably begun, and its local facts. Raises ``HikaeError``.

    A catalog that was not there takes the next epoch: object ids and commits of the lost one are never used again. So does one
    that went on in the epoch of another node until now (law 7)."""
    asked = _asked(home)
    with ExitStack() as stack:
        catalog = stack.enter_context(Catalog.open(str(home / CATALOG)))
        _settle_epoch(home / ROLE, catalog, node, asked.above)
        local = stack.enter_context(open_local(home))
        if catalog.created or asked.anew:
            local.forget_objects()
        _begin_with_commit(catalog, local, now_ns, anew=asked.anew)
        _was_given(home)
        stack.pop_all()
    return catalog, local


def open_local(home: Path) -> Local:
    """Local facts; damaged ones are moved aside, since losing them costs only time."""
    path, noted = home / LOCAL, home / LOCAL_DAMAGED
    if noted.exists():
        _move_aside(path)
        noted.unlink()
    try:
        return Local.open(str(path))
    except Damaged:
        _move_aside(path)
        return Local.open(str(path))


def heals_itself(home: Path, error: Damaged) -> bool:
    """Whether it is the local facts that are damaged: then the next opening begins new ones, and nobody need do anything."""
    if error.subject != str(home / LOCAL):
        return False
    with suppress(OSError):
        (home / LOCAL_DAMAGED).touch(0o600)
        return True
    return False


@dataclass(frozen=True, slots=True)
class _Asked:
    """An epoch above ``above``. ``anew``: no object of before is one of then, since a peer knows others by the same ids."""

    above: int = 0
    anew: bool = False


def ask_for_epoch(home: Path, above: int, *, anew: bool) -> None:
    """The next opening begins an epoch higher than ``above``; ``anew``: from nothing, with what was before as history."""
    write_durably(str(home / NEW_EPOCH), json.dumps({"above": above, "anew": anew}).encode())


def _asked(home: Path) -> _Asked:
    with suppress(FileNotFoundError, ValueError, KeyError, TypeError):
        found = json.loads((home / NEW_EPOCH).read_text())
        return _Asked(int(found["above"]), bool(found["anew"]))
    return _Asked()


def _was_given(home: Path) -> None:
    """The epoch that was asked for is begun; in this order, so that a crash asks for it again rather than not at all."""
    if not (home / NEW_EPOCH).exists():
        return
    rewound.forget_mark(home)
    (home / NEW_EPOCH).unlink()
    # Else a power cut could bring the request back, and another epoch would begin.
    sync_dir(str(home))


def _move_aside(local: Path) -> None:
    _log.warning("local facts are damaged and are gathered anew", path=str(local))
    with suppress(FileNotFoundError):
        os.replace(local, local.with_suffix(".damaged"))
    _remove_logs(local)


def _remove_logs(database: Path) -> None:
    for suffix in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            database.with_name(database.name + suffix).unlink()


def recorded_role(home: Path, node: str) -> RoleRecord | None:
    """The role record of ``node``; of one that is gone or older than the catalog, what that says of the newest reign. None before
    any. Raises ``HikaeError``, ``OSError``."""
    record = read_record(home / ROLE)
    if not (home / CATALOG).exists():
        return record
    with Catalog.open(str(home / CATALOG)) as catalog:
        newest = catalog.known_epoch
    found = role_of(record, newest, node)
    if record is not None and found is not None and found != record:
        _log.warning("the role record is older than the catalog and is put right", path=str(home / ROLE))
        with suppress(OSError):
            write_record(home / ROLE, found)
    return found


def role_of(
    record: RoleRecord | None, newest: Epoch | None, node: str, guards: RoleGuards = EVERY_GUARD
) -> RoleRecord | None:
    """What ``node`` is by its record, and by the newest reign that its catalog knows, which is the later word of both where its
    number is higher. Pure."""
    if newest is None:
        return record
    if record is not None and (record.epoch.number >= newest.number or not guards.older_record):
        return record
    named = record.named if record is not None else ""
    return RoleRecord(Role.PRIMARY if newest.owner == node else Role.STANDBY, newest, named=named)


def keep_role(home: Path, record: RoleRecord) -> None:
    """This node is what ``record`` says, durably. The catalog meets the reign of another first: else whoever loses the record, or
    puts an older one back, would be what it was before. Raises ``HikaeError``, ``OSError``."""
    met = to_meet(record)
    if met is not None and (home / CATALOG).exists():
        with Catalog.open(str(home / CATALOG)) as catalog:
            _meet(catalog, met)
    write_record(home / ROLE, record)


def to_meet(record: RoleRecord, guards: RoleGuards = EVERY_GUARD) -> Epoch | None:
    """The reign that the catalog is to know of when the role is taken; None for one that nobody has begun yet. Pure."""
    return record.epoch if record.role is Role.STANDBY and record.begun and guards.reign_met else None


def _meet(catalog: Catalog, met: Epoch) -> None:
    known = catalog.known_epoch
    if known is not None and known.number >= met.number:
        return
    if any(one.token == met.token for one in catalog.lineage):
        reason, remedy = "it has the id of another epoch", f"look at {met.owner}: its agent is faulty or hostile"
        raise Refused("follow a reign", f"epoch {met.number}", reason, remedy)
    catalog.begin_epoch(met)


def was_confirmed(home: Path) -> bool:
    """Whether peers, or an operator, have ever said of this state that it is the primary's. Raises ``Damaged``."""
    record = read_record(home / ROLE)
    return record is not None and record.confirmed


def keep_confirmed(home: Path) -> bool:
    """They have, durably; False where that cannot be kept now."""
    record = read_record(home / ROLE)
    if record is None:
        return False
    with suppress(OSError):
        write_record(home / ROLE, replace(record, confirmed=True))
        return True
    return False


def keep_met(home: Path, met: Epoch) -> None:
    """A standby has met the reign ``met`` of its primary, who is so from now on, whatever a configuration says later. Raises
    ``DiskFull``, ``StoreFailed``, ``Damaged``."""
    role = home / ROLE
    try:
        record = read_record(role)
        if keeps_with(record, met):
            write_record(role, RoleRecord(Role.STANDBY, met, named=record.named if record is not None else ""))
    except OSError as error:
        reason = error.strerror or str(error)
        kind = DiskFull if error.errno in (errno.ENOSPC, errno.EDQUOT) else StoreFailed
        raise kind("keep the role record", str(role), reason, "free space in the state directory") from error


def reign_of(
    recorded: RoleRecord | None, known: Sequence[Epoch], node: str, above: int, guards: RoleGuards = EVERY_GUARD
) -> Epoch:
    """The epoch above ``above`` that ``node`` reigns in. ``known``: those of its catalog, in order. It goes on in its own newest
    one, begins the one that is recorded and was never begun, or takes the next number of all."""
    newest = known[-1] if known else None
    own = newest is not None and (newest.owner == node or not guards.own_reign) and newest.number > above
    if newest is not None and own and (recorded is None or recorded.epoch == newest):
        return newest
    highest = max((above, *(epoch.number for epoch in known if guards.above_all or epoch.owner == node)))
    if recorded is None:
        return following(highest, node)
    to_begin = recorded.epoch.owner == node and not recorded.begun
    if to_begin and recorded.epoch.number > highest:
        return recorded.epoch
    return following(max(highest, recorded.epoch.number), node)


def _settle_epoch(role: Path, catalog: Catalog, node: str, above: int) -> None:
    recorded, known = read_record(role), catalog.lineage
    reign = reign_of(recorded, known, node, above)
    # Where nothing was before, this node may have been the primary, a standby, or neither.
    confirmed = recorded.confirmed if recorded is not None else bool(known)
    named = recorded.named if recorded is not None else ""
    settled = RoleRecord(Role.PRIMARY, reign, confirmed=confirmed, named=named)
    if not known or known[-1] != reign:
        write_record(role, replace(settled, begun=False))
        catalog.begin_epoch(reign)
    if recorded != settled:
        if recorded is not None and recorded.epoch == reign:
            rewound.forget_fence(role.parent, reign)
        write_record(role, settled)


def _begin_with_commit(catalog: Catalog, local: Local, now_ns: int, *, anew: bool) -> None:
    """The first commit of an epoch that follows others: what was before, or ``anew`` nothing. Where nothing was, the first walk
    makes it."""
    newest, epoch = catalog.newest(), catalog.lineage[-1]
    if newest is None or epoch_of(newest.number) == epoch.number:
        return
    _go_on_with_root(catalog.lineage, epoch_of(newest.number), local)
    number, time = commit_number(epoch.number, 1), max(now_ns, newest.time)
    parent = NOTHING if anew else newest.number
    if anew:
        catalog.restart_from_nothing(number)
    catalog.seal(Header(number, parent, time, time, newest.consistent and not anew), catalog.pack_end())


def _go_on_with_root(known: Sequence[Epoch], before: int, local: Local) -> None:
    """A standby that becomes the primary captures the directory that was the standby. Whatever else stands at its path by now, an
    empty mount point at worst, is not what was received, and is captured by an operator's word only."""
    was_standby = known[-1].owner not in {epoch.owner for epoch in known if epoch.number == before}
    kept = root_kept(local)
    if was_standby and kept is not None:
        expect_root(local, kept)
