"""Codes of who may serve as the primary, and of the changes of role: promotion, switchover, rejoin, rehearsal, rollback."""

from __future__ import annotations

from agent.core.problem import ProblemCode, Severity, Where

PRIMARY_IGNORED = ProblemCode(
    "primary-ignored",
    Where.EITHER,
    (Severity.WARNING,),
    "The configuration names another primary than the one that the dataset has. That changes nothing: who is the primary stands "
    "in a record since both nodes met, and commands move it from then on.",
    "nothing is broken: write the primary and the standbys that it has into the files, then `hikae reload`; or, if the one in "
    "the file is to be the primary: `hikae switchover DATASET --to NODE`",
)
PROMOTING = ProblemCode(
    "promoting",
    Where.EITHER,
    (Severity.WARNING,),
    "A standby was made the primary, and first applies what it has received.",
    "it goes on by itself; if it is held, `hikae status` says by what",
)
UNCONFIRMED = ProblemCode(
    "unconfirmed",
    Where.PRIMARY,
    (Severity.ERROR,),
    "This primary was started, and not every peer has said that no other node was made primary meanwhile. It does not serve.",
    "start the agents of the peers; or, if no other node was made primary: `hikae serve DATASET --alone`",
)
STARTS_AT_BOOT = ProblemCode(
    "starts-at-boot",
    Where.EITHER,
    (Severity.WARNING,),
    "What the start hook starts would start at boot by itself: an old primary would serve before it is fenced.",
    "`systemctl disable UNIT`: hikae starts it where the node may serve",
)
START_FAILED = ProblemCode(
    "start-failed",
    Where.PRIMARY,
    (Severity.ERROR,),
    "This node may serve as the primary, and the start hook did not start the application.",
    "look at `[dataset.hooks] start`, then run it again: `hikae serve DATASET --alone`",
)
ON_FENCED_FAILED = ProblemCode(
    "on-fenced-failed",
    Where.PRIMARY,
    (Severity.ERROR,),
    "This node must not serve, and the on_fenced hook failed: the application may still run here.",
    "look at `[dataset.hooks] on_fenced`, then run it again: `hikae fence DATASET`",
)
PROMOTION_FAILED = ProblemCode(
    "promotion-failed",
    Where.EITHER,
    (Severity.WARNING,),
    "A promotion was begun and did not come to its end; the problem says at which step, and whether the node is the primary now.",
    "what it failed of stands in the problem; a standby that it still is may be promoted again",
)
REWOUND = ProblemCode(
    "rewound",
    Where.PRIMARY,
    (Severity.ERROR,),
    "The state of this primary is an old copy: a peer holds commits of this very node that are not known here. Nothing is sent.",
    "stop the agent, put the newest copy of its state back and start it; or, if what stands here now is right: "
    "`hikae accept DATASET`",
)
FENCED = ProblemCode(
    "fenced",
    Where.PRIMARY,
    (Severity.ERROR,),
    "A peer was made the primary in an epoch that does not come before this node's, or an operator stopped it. Nothing is sent.",
    "`hikae rejoin DATASET` makes it a standby of the peer; or, if this node is to go on: `hikae serve DATASET --alone`, or "
    "`hikae accept DATASET`, which does not ask the others",
)
AHEAD = ProblemCode(
    "ahead-of-primary",
    Where.STANDBY,
    (Severity.ERROR,),
    "A node was promoted that lacks commits which this standby received; it takes nothing from it.",
    "`hikae rejoin DATASET` follows the new primary, and keeps what only this node has as a generation",
)
REJOINING = ProblemCode(
    "rejoin-failed",
    Where.EITHER,
    (Severity.WARNING,),
    "The last rejoin did not come to its end.",
    "do what the problem says, and type it again",
)
REJOIN_NO_ROOM = ProblemCode(
    "rejoin-no-room",
    Where.PRIMARY,
    (Severity.WARNING,),
    "The disk of the vault has no room for one of this dataset, which this node needs to become a standby after a promotion.",
    'free space there, or name another place: `vault = "/backup/hikae"` for the dataset',
)
SEEDING_LOST = ProblemCode(
    "seeding-lost",
    Where.STANDBY,
    (Severity.WARNING,),
    "Files were changed on a node that rejoined before its vault had what stood in them.",
    "find out who writes into the standby; what the primary still has is fetched again; `hikae generations show` of the "
    "divergence names what it lacks",
)
REHEARSAL_FAILED = ProblemCode(
    "rehearsal-failed",
    Where.STANDBY,
    (Severity.WARNING,),
    "The last rehearsal did not come to its end: nobody knows by it whether the standby would serve.",
    "do what the problem says, then `hikae rehearse DATASET`",
)
PROBE_FAILED = ProblemCode(
    "probe-failed",
    Where.STANDBY,
    (Severity.ERROR,),
    "The probe of the last rehearsal said that the standby would not serve.",
    "mend what it found; a `hikae rehearse DATASET` that goes well ends this",
)
REHEARSAL_OVERDUE = ProblemCode(
    "rehearsal-overdue",
    Where.STANDBY,
    (Severity.WARNING,),
    "The last rehearsal of the standby is more than two of its intervals ago, or longer than `rehearsed_within`, or there was "
    "none for so long.",
    "`hikae rehearse DATASET` on the standby's node; one that comes to its end ends this",
)
SWITCHOVER_PLANNED = ProblemCode(
    "switchover-planned",
    Where.PRIMARY,
    (Severity.INFO,),
    "The place of the primary is handed over at a time that was named.",
    "nothing, or `hikae switchover DATASET --cancel`",
)
SWITCHING_OVER = ProblemCode(
    "switchover-failed",
    Where.EITHER,
    (Severity.WARNING,),
    "The last switchover did not come to its end.",
    "do what the problem says, and type it again",
)
HANDED_OVER = ProblemCode(
    "handed-over",
    Where.STANDBY,
    (Severity.ERROR,),
    "This node gave its place as the primary to another, which has not been seen to take it.",
    "`hikae switchover DATASET` asks that node again; if it does not come back: `hikae promote DATASET --force`",
)
ROLLING_BACK = ProblemCode(
    "rolling-back",
    Where.PRIMARY,
    (Severity.INFO, Severity.WARNING),
    "The tree goes back to an earlier moment, and nothing is captured until it is there; or the last rollback failed.",
    "it goes on by itself, also after a restart; what it waits for stands in the problem",
)
