"""What a peer's refusal means on the primary: its word is a code of ours, or none that counts."""

from __future__ import annotations

from collections.abc import Mapping

from agent.core.errors import Refused
from agent.core.problem import ProblemCode
from agent.core.problem_codes import (
    BUSY,
    DAMAGED,
    DIGEST_DIFFERS,
    DISK_RESERVE,
    EPOCH_NOT_OWN,
    EPOCH_TOO_HIGH,
    FAILED,
    IDENTITY,
    KIND_DIFFERS,
    NOT_PRIMARY,
    NOT_STANDBY,
    PROTOCOL,
    REFUSED,
    SILENT,
    STALE_EPOCH,
    STORE_FAILED,
    UNKNOWN_DATASET,
    VERSION,
)
from agent.stream.messages import Refuse

#: Why a peer of this release may end a call.
_REASONS: Mapping[str, ProblemCode] = {
    str(code): code
    for code in (
        *(
            BUSY,
            DAMAGED,
            DIGEST_DIFFERS,
            DISK_RESERVE,
            EPOCH_NOT_OWN,
            EPOCH_TOO_HIGH,
            FAILED,
            IDENTITY,
            KIND_DIFFERS,
            NOT_PRIMARY,
        ),
        *(NOT_STANDBY, PROTOCOL, SILENT, STALE_EPOCH, STORE_FAILED, UNKNOWN_DATASET, VERSION),
    )
}


class RefusedByPeer(Refused):
    """The peer ended the call. ``code``: its word for why, ``refused`` for any that no peer would say: it becomes that of a
    problem, and must be none of ours. Nothing proves it, so nothing else may follow from it; what it says is to be done is
    shown as its word."""

    def __init__(self, peer: str, refuse: Refuse) -> None:
        # Room is made where it is missing: "this node" in its words is the peer.
        where = f"on {peer}: " if refuse.code == DISK_RESERVE else ""
        remedy = f"{where}{refuse.remedy} (says {peer})" if refuse.remedy else ""
        super().__init__("replicate", peer, refuse.reason, remedy)
        self.code = _REASONS.get(refuse.code, REFUSED)
