"""Codes of a call with a peer. They stand on the primary, which says what became of it."""

from __future__ import annotations

from agent.core.problem import ProblemCode, Severity, Where

DISCONNECTED = ProblemCode(
    "disconnected",
    Where.PRIMARY,
    (Severity.ERROR,),
    "A peer cannot be reached, or the call with it was lost.",
    "look at the peer and the network between; it is dialled again by itself",
)
PROTOCOL = ProblemCode(
    "protocol",
    Where.PRIMARY,
    (Severity.ERROR,),
    "One of the two sent what the other does not believe.",
    "see the logs of both agents; where it stays, one of them is faulty or hostile",
)
DIGEST_DIFFERS = ProblemCode(
    "digest-differs",
    Where.PRIMARY,
    (Severity.ERROR,),
    "A commit came out otherwise on the peer. Nothing of it counts there; the states are compared, and what differs is sent.",
    "none needed at first; if it stays, `hikae reconcile DATASET` on the primary, and see the logs of both agents",
)
STALLED = ProblemCode(
    "stalled",
    Where.PRIMARY,
    (Severity.ERROR,),
    "A call brought nothing for a minute. It is ended and begun anew.",
    "none needed at first; if it stays, look at the file that the problem names",
)
FOREIGN_LINEAGE = ProblemCode(
    "foreign-lineage",
    Where.PRIMARY,
    (Severity.ERROR,),
    "A peer has met an epoch of a third node that is not older than this node's.",
    "if the third node is the primary, begin anew as its standby: name it as primary, stop the agent, move the state away, "
    "start it",
)
REFUSED = ProblemCode(
    "refused",
    Where.PRIMARY,
    (Severity.ERROR,),
    "A peer ended the call with a word that this release does not know.",
    "do what the problem says; compare the releases of both",
)
BUSY = ProblemCode(
    "busy",
    Where.PRIMARY,
    (Severity.ERROR,),
    "A peer takes no call for now: it is being opened, or something must come to its end first.",
    "none needed; it is dialled again by itself",
)
DISK_RESERVE = ProblemCode(
    "disk-reserve",
    Where.PRIMARY,
    (Severity.ERROR,),
    "A peer takes nothing more, since what it keeps free on its disk, or the limit of its vault, is reached.",
    "free space on the peer's disk, or do what its `vault-full` says; it goes on by itself",
)
SILENT = ProblemCode(
    "silent",
    Where.PRIMARY,
    (Severity.ERROR,),
    "A peer ended the call, since it had heard nothing for too long.",
    "look at the network between; it is dialled again by itself",
)
STORE_FAILED = ProblemCode(
    "store-failed",
    Where.PRIMARY,
    (Severity.ERROR,),
    "A write or sync of a peer's own state failed. It opens its state anew.",
    "look at the peer's disk and log; it is dialled again by itself",
)
FAILED = ProblemCode(
    "failed",
    Where.PRIMARY,
    (Severity.ERROR,),
    "A peer ended the call for a reason that has no code of its own.",
    "do what the problem says; it is dialled again by itself",
)
IDENTITY = ProblemCode(
    "identity",
    Where.PRIMARY,
    (Severity.ERROR,),
    "A peer does not accept who this node says it is.",
    "look at the certificates of both: `hikae pki show`",
)
UNKNOWN_DATASET = ProblemCode(
    "unknown-dataset",
    Where.PRIMARY,
    (Severity.ERROR,),
    "A peer has no dataset of this name.",
    "add it to the configuration there, then type there: `hikae reload`",
)
KIND_DIFFERS = ProblemCode(
    "kind-differs",
    Where.PRIMARY,
    (Severity.ERROR,),
    "The dataset is of another kind on a peer.",
    "make the configuration of both nodes the same",
)
NOT_PRIMARY = ProblemCode(
    "not-primary",
    Where.PRIMARY,
    (Severity.ERROR,),
    "For a peer, another node is the primary of the dataset.",
    "make the configuration of both nodes the same; or do on the peer what the problem says",
)
NOT_STANDBY = ProblemCode(
    "not-standby",
    Where.PRIMARY,
    (Severity.ERROR,),
    "A peer is a primary of the dataset itself, or no standby of it.",
    "make the configuration of both nodes the same; of two primaries one rejoins: `hikae rejoin DATASET`",
)
STALE_EPOCH = ProblemCode(
    "stale-epoch",
    Where.PRIMARY,
    (Severity.ERROR,),
    "A peer has met a newer epoch than the one that this node writes in.",
    "see `hikae status` on the node that owns the newer epoch",
)
EPOCH_NOT_OWN = ProblemCode(
    "epoch-not-own",
    Where.PRIMARY,
    (Severity.ERROR,),
    "A primary came with an epoch that is not its own.",
    "look at that node: its agent is faulty or hostile",
)
EPOCH_TOO_HIGH = ProblemCode(
    "epoch-too-high",
    Where.PRIMARY,
    (Severity.ERROR,),
    "A primary came with an epoch that is too far above the newest one that its peer knows.",
    "look at that node: its agent is faulty or hostile",
)

#: What ended a call and the next one may be without; any other code of a call is ended by an operator's hand only.
PASSING = frozenset({BUSY, DISK_RESERVE, DISCONNECTED, STALLED, SILENT, PROTOCOL, STORE_FAILED, FAILED})
