"""What an operator waits for: that all that was written before is on the standbys, or was looked at."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from agent.core.commit import ORDINARY, Provenance
from agent.core.errors import TryAgain
from agent.core.ids import CommitNumber, epoch_of, seq_of
from agent.core.standing import NEVER
from agent.operations.declaration import DatasetRequest, FromAfar, Json, Reached, dataset_operation, no_call
from agent.operations.obstacles import of_capture, of_opening, of_peer
from agent.operations.patience import OpenedAnew, Patience
from agent.operations.running import DatasetCall
from agent.status.figures import size_text, span_text
from agent.status.state import Role
from agent.stream.position import Level

if TYPE_CHECKING:
    from agent.node.member import Member
    from agent.node.primary import Primary
    from agent.status.facts import PeerFacts

T = TypeVar("T")

#: A dataset that is not open is looked for so often, in seconds.
_LOOK = 0.1


@dataclass(frozen=True, slots=True)
class WaitRequest(DatasetRequest[Json]):
    """Return once all that was written before the call is ``durable`` on, or ``applied`` by, every standby.

    ``{"dataset", "commit": {"epoch", "seq"}, "level", "seconds", "owed"}``; ``owed``: files of which the standby that lacks most
    has not all content, since it could not be read. ``TryAgain`` after ``timeout`` seconds."""

    level: Reached = "durable"
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class ReconcileRequest(DatasetRequest[Json]):
    """Walk the whole source now; return when all it found is committed:
    ``{"dataset", "commit": {"epoch", "seq"}, "found", "seconds"}``. ``checksum``: read every file, whatever its times say."""

    checksum: bool = False

    @property
    def operands(self) -> tuple[str, ...]:
        """See ``DatasetRequest``."""
        return ("--checksum",) if self.checksum else ()


def _only_looks(request: ReconcileRequest) -> bool:
    """What reads everything is typed on the node that it slows down."""
    return not request.checksum


@dataset_operation("wait", WaitRequest, role=Role.PRIMARY, long=True, changes=no_call, afar=FromAfar())
def _wait(call: DatasetCall, request: WaitRequest) -> Json:
    """A barrier through capture, then every standby's position."""
    patience = Patience("wait", call.dataset, request.timeout, call.progress, call.agent.stopping)
    number = on_open_primary(call, patience, partial(reached_everywhere, call, patience, wanted=Level(request.level)))
    return {
        "dataset": call.dataset,
        "commit": _commit(number),
        "level": request.level,
        "seconds": patience.seconds,
        "owed": call.member.facts().owed,
    }


@dataset_operation(
    "reconcile", ReconcileRequest, role=Role.PRIMARY, long=True, changes=no_call, afar=FromAfar(_only_looks)
)
def _reconcile(call: DatasetCall, request: ReconcileRequest) -> Json:
    patience = Patience("reconcile", call.dataset, None, call.progress, call.agent.stopping)

    def look(side: Primary, still: Callable[[], bool]) -> tuple[CommitNumber, int]:
        before = side.facts().by_reconcile
        ticket = side.pump.reconcile("asked for", believing=not request.checksum)

        def step(seconds: float) -> CommitNumber:
            sync = side.facts().sync
            if sync is not None:
                done = {"done_entries": sync.done_entries, "total_entries": sync.total_entries}
                call.progress({"phase": "reconcile", **done})
            return ticket.wait(seconds)

        number = patience.until(step, partial(of_capture, side, call.member.board), still)
        return number, side.facts().by_reconcile - before

    number, found = on_open_primary(call, patience, look)
    return {"dataset": call.dataset, "commit": _commit(number), "found": found, "seconds": patience.seconds}


def reached_everywhere(
    call: DatasetCall,
    patience: Patience,
    side: Primary,
    still: Callable[[], bool],
    *,
    wanted: Level,
    made: Provenance = ORDINARY,
) -> CommitNumber:
    """The commit that holds all that was written, once every standby has it as ``wanted``. ``made``: what is told of the
    commit."""
    member = call.member
    number = patience.until(side.pump.barrier(made).wait, partial(of_capture, side, member.board), still)
    for name, replica in side.replicas.items():
        met = partial(of_peer, side, name, wanted, member.pauses, member.standings.told, time.time_ns())
        left = partial(_left, member, name)
        patience.until(_or_again(partial(replica.positions.wait, wanted, number), name, wanted.value, left), met, still)
    return number


def on_open_primary(call: DatasetCall, patience: Patience, act: Callable[[Primary, Callable[[], bool]], T]) -> T:
    """``act(side, still)`` on the open side, once it is open; from its beginning again when the dataset was opened anew
    meanwhile, since nobody would ever answer on the old one."""
    met = partial(of_opening, call.member.board)
    side: Primary | None = None
    while True:
        side = patience.until(partial(_opened, call, side), met)
        try:
            return act(side, partial(_is_open, call, side))
        except OpenedAnew:
            continue


def _left(member: Member, peer: str) -> str:
    found = next((one for one in member.facts().peers if one.name == peer), None)
    return left_text(found) if found is not None else ""


def left_text(peer: PeerFacts) -> str:
    """``, 3.0 MiB are left: about 5.0 s``, as far as known; "" while nothing is left."""
    if not peer.behind_bytes:
        return ""
    seconds = peer.forecast_seconds
    when = "" if seconds is None or seconds == NEVER else f": about {span_text(seconds)}"
    is_more = not peer.behind_known or (peer.first_sync is not None and peer.first_sync.total_bytes is None)
    return f", {size_text(peer.behind_bytes)} are left{' so far' if is_more else when}"


def _commit(number: CommitNumber) -> Json:
    return {"epoch": epoch_of(number), "seq": seq_of(number)}


def _is_open(call: DatasetCall, side: Primary) -> bool:
    return call.member.side is side


def _opened(call: DatasetCall, old: Primary | None, seconds: float) -> Primary:
    try:
        side = call.member.primary()
    except TryAgain:
        side = None
    if side is not None and side is not old:
        return side
    call.agent.stopping.wait(min(seconds, _LOOK))
    raise TryAgain("use the dataset", call.dataset, "it is not running yet")


def _or_again(
    reached: Callable[[float], bool], peer: str, level: str, left: Callable[[], str]
) -> Callable[[float], None]:
    def step(seconds: float) -> None:
        if not reached(seconds):
            raise TryAgain("wait", peer, f"{peer} has not said that it is {level} there{left()}")

    return step
