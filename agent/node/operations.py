"""What operators ask of a running node (``api.controls.Controls``). Any thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, TypeAlias, TypeVar

from agent.apply.results import ApplyProgress, VerifyReport
from agent.core.errors import NotFound, Refused, TryAgain
from agent.core.ids import CommitNumber, epoch_of, seq_of
from agent.core.problem_codes import ROOT_REPLACED
from agent.core.standing import Verified
from agent.node.member import Member
from agent.node.obstacles import of_capture, of_opening, of_peer
from agent.node.patience import OpenedAnew, Patience
from agent.node.pauses import APPLY, SEND
from agent.node.primary import Primary
from agent.node.standby import Standby
from agent.repair.repair_vault import damaged_chunks, repair_vault
from agent.status.events import EventLog
from agent.status.figures import stamp
from agent.status.publish import Publisher
from agent.status.state import Role
from agent.status.text import shown
from agent.stream.position import Level

Json: TypeAlias = dict[str, Any]  # Any: JSON is a foreign edge
Report: TypeAlias = Callable[[Json], None]
T = TypeVar("T")

_STEP = 0.5
#: A dataset that is not open is looked for so often, in seconds.
_LOOK = 0.1


class Operations:
    """The operators' side of a node. :meth:`stop` ends long calls. ``reload`` reads the configuration again."""

    def __init__(
        self, members: Mapping[str, Member], publisher: Publisher, events: EventLog, reload: Callable[[], Json]
    ) -> None:
        self._members = members
        self._publisher = publisher
        self._events = events
        self._reload = reload
        self._stopping = threading.Event()

    def stop(self) -> None:
        """The node stops: long calls end with ``TryAgain``."""
        self._stopping.set()

    def status(self) -> Json:
        """The state now."""
        return self._publisher.publish()

    def events(self, since: int, limit: int) -> list[Json]:
        """The newest events after ``since``."""
        return self._events.since(since, limit)

    def reload(self) -> Json:
        """See ``Controls``."""
        return self._reload()

    def wait(self, dataset: str, level: Literal["durable", "applied"], timeout: float | None, progress: Report) -> Json:
        """See ``Controls``: a barrier through capture, then every standby's position."""
        member = self._member(dataset, Role.PRIMARY, f"wait {dataset}")
        patience = Patience("wait", dataset, timeout, progress, self._stopping)
        wanted = Level(level)

        def reach(side: Primary, still: Callable[[], bool]) -> CommitNumber:
            number = patience.until(side.pump.barrier().wait, partial(of_capture, side, member.board), still)
            for name, board in side.boards.items():
                met = partial(of_peer, side, name, wanted, member.pauses, member.standings.told, time.time_ns())
                patience.until(_or_again(partial(board.wait, wanted, number), name, level), met, still)
            return number

        number = self._on_primary(member, patience, reach)
        return {"dataset": dataset, "commit": _commit(number), "level": level, "seconds": patience.seconds}

    def verify(self, dataset: str, deep: bool, progress: Report, repair: bool = False) -> Json:
        """See ``Controls``."""
        member = self._member(dataset, Role.STANDBY, f"verify {dataset}")
        side = member.standby()
        told = _Told(progress)
        damaged = damaged_chunks(side.vault, side.mending, self._stopping, deep=deep) if deep or repair else 0
        restored = 0
        if repair:
            restored, damaged = repair_vault(side, self._stopping, told.breath)
        report = side.loop.verify(deep=deep, progress=told, repair=repair, waits=told.waits)
        result = _verified(report, deep)
        result["repaired"] += restored
        if damaged:
            result["equal"] = False
            what = "are lost and cannot be had now" if repair else "are damaged; they are fetched again"
            result["differences"].append({"path": "", "what": f"vault: {damaged:,} chunks {what}"})
        found = len(report.differences) + report.more + bool(damaged)
        whats = [*(one.what for one in report.differences), *(["vault"] if damaged else [])]
        member.verifies.ended(Verified(time.time_ns(), result["equal"], deep, found), whats)
        member.steer()
        return result

    def reconcile(self, dataset: str, progress: Report) -> Json:
        """See ``Controls``."""
        member = self._member(dataset, Role.PRIMARY, f"reconcile {dataset}")
        patience = Patience("reconcile", dataset, None, progress, self._stopping)

        def look(side: Primary, still: Callable[[], bool]) -> tuple[CommitNumber, int]:
            before = side.facts().by_reconcile
            ticket = side.pump.reconcile("asked for")

            def step(seconds: float) -> CommitNumber:
                sync = side.facts().sync
                if sync is not None:
                    progress(
                        {"phase": "reconcile", "done_entries": sync.done_entries, "total_entries": sync.total_entries}
                    )
                return ticket.wait(seconds)

            number = patience.until(step, partial(of_capture, side, member.board), still)
            return number, side.facts().by_reconcile - before

        number, found = self._on_primary(member, patience, look)
        return {"dataset": dataset, "commit": _commit(number), "found": found, "seconds": patience.seconds}

    def pause(self, dataset: str, what: Literal["send", "apply", "both"], seconds: float | None) -> Json:
        """See ``Controls``."""
        member = self._member(dataset)
        for one in _activities("pause", member, what):
            member.pauses.pause(one, seconds)
        member.steer()
        return {"dataset": dataset, "paused": _paused(member)}

    def resume(self, dataset: str, what: Literal["send", "apply", "both"]) -> Json:
        """See ``Controls``."""
        member = self._member(dataset)
        for one in _activities("resume", member, what):
            member.pauses.resume(one)
        member.steer()
        return {"dataset": dataset, "paused": _paused(member)}

    def accept(self, dataset: str) -> Json:
        """See ``Controls``: an old copy of the state or another root on the primary, what the brake holds on a secondary."""
        side = self._member(dataset).side
        if isinstance(side, Primary) and side.mark is not None:
            code = side.mark.code
            side.accept_mark(side.mark)
            return {"dataset": dataset, "accepted": code}
        if isinstance(side, Primary):
            root = side.facts().hold
            if root is None or root.code != ROOT_REPLACED:
                where = f"an emptied source, a mass deletion or rewriting is accepted on {', '.join(side.assigned.standbys)}"
                raise Refused("accept", dataset, "nothing that can be accepted is held on this node", where)
            side.pump.accept_root()
            return {"dataset": dataset, "accepted": root.value}
        if isinstance(side, Standby):
            hold = side.loop.facts().hold
            if hold is None:
                where = f"another root or filesystem is accepted on {side.assigned.primary}"
                raise Refused("accept", dataset, "nothing that can be accepted is held on this node", where)
            side.loop.accept()
            return {"dataset": dataset, "accepted": shown(hold.sentence)}
        raise TryAgain("accept", dataset, "the dataset is not running now", "see hikae status for why")

    def resync(self, dataset: str) -> Json:
        """See ``Controls``."""
        side = self._member(dataset).side
        if isinstance(side, Standby):
            side.resync()
            return {"dataset": dataset, "path": side.dataset.path}
        if isinstance(side, Primary):
            where = f"type it on {', '.join(side.assigned.standbys)}"
            raise Refused("resync", dataset, "this node is its primary", where)
        raise TryAgain("resync", dataset, "the dataset is not running now", "see hikae status for why")

    def _member(self, dataset: str, role: Role | None = None, typed: str = "") -> Member:
        member = self._members.get(dataset)
        if member is None:
            known = ", ".join(sorted(self._members)) or "none"
            raise NotFound("find the dataset", dataset, f"this node has: {known}", "see hikae config show")
        if role is not None and member.role is not role:
            where = member.assigned.primary if role is Role.PRIMARY else ", ".join(member.assigned.standbys)
            raise Refused(
                typed.split(maxsplit=1)[0],
                dataset,
                f"{member.dataset.name} is {member.role.value} here",
                f"on {where}: hikae {typed}",
            )
        return member

    def _on_primary(self, member: Member, patience: Patience, act: Callable[[Primary, Callable[[], bool]], T]) -> T:
        """``act(side, still)`` on the open side, once it is open; from its beginning again when the dataset was opened anew
        meanwhile, since nobody would ever answer on the old one."""
        met = partial(of_opening, member.board)
        side: Primary | None = None
        while True:
            side = patience.until(partial(self._opened, member, side), met)
            try:
                return act(side, partial(self._is_open, member, side))
            except OpenedAnew:
                continue

    def _is_open(self, member: Member, side: Primary) -> bool:
        return member.side is side

    def _opened(self, member: Member, old: Primary | None, seconds: float) -> Primary:
        side = member.side
        if isinstance(side, Primary) and side is not old:
            return side
        self._stopping.wait(min(seconds, _LOOK))
        raise TryAgain("use the dataset", member.dataset.name, "it is not running yet")


class _Told:
    """Passes a verify's progress on, at most each half second."""

    def __init__(self, progress: Report) -> None:
        self._progress = progress
        self._due = 0.0

    def breath(self) -> None:
        """The vault is looked at; there is nothing to count."""
        self(ApplyProgress())

    def waits(self) -> None:
        """It has not begun."""
        self._progress({"phase": "verify", "waits_for": "what is being applied is to come to its end first"})

    def __call__(self, at: ApplyProgress) -> None:
        now = time.monotonic()
        if now >= self._due:
            self._due = now + _STEP
            self._progress(
                {
                    "phase": "verify",
                    "done_entries": at.done_entries,
                    "total_entries": at.total_entries,
                    "done_bytes": at.done_bytes,
                    "total_bytes": at.total_bytes,
                }
            )


def _or_again(reached: Callable[[float], bool], peer: str, level: str) -> Callable[[float], None]:
    def step(seconds: float) -> None:
        if not reached(seconds):
            raise TryAgain("wait", peer, f"{peer} has not said that it is {level} there")

    return step


def _activities(operation: str, member: Member, what: str) -> list[str]:
    """What ``pause`` and ``resume`` mean here. Raises ``Refused`` for what this node does not do."""
    own = SEND if member.role is Role.PRIMARY else APPLY
    if what == "both" or what == own:
        return [own]
    where = ", ".join(member.assigned.standbys) if what == APPLY else member.assigned.primary
    raise Refused(
        operation,
        member.dataset.name,
        f"this node does not {what}: it is the {member.role.value}",
        f"type it on {where}",
    )


def _paused(member: Member) -> Json | None:
    """As in ``status``: what stands still, and until when (null: until resumed)."""
    return {what: stamp(until) for what, until in member.pauses.until_ns().items()} or None


def _commit(number: CommitNumber) -> Json:
    return {"epoch": epoch_of(number), "seq": seq_of(number)}


def _verified(report: VerifyReport, deep: bool) -> Json:
    found = [{"path": shown(one.path), "what": one.what} for one in report.differences]
    if report.more:
        found.append({"path": "", "what": f"and {report.more:,} more"})
    return {
        "equal": report.equal,
        "deep": deep,
        "checked_entries": report.checked_entries,
        "checked_bytes": report.checked_bytes,
        "differences": found,
        "repaired": report.repaired,
        "owed": report.owed,
        "owed_paths": [shown(path) for path in report.owed_paths],
    }
