"""Codes of history: what of it is not taken, not checked, or does not reach back as far as it should."""

from __future__ import annotations

from agent.core.problem import ProblemCode, Severity, Where

GENERATION_MISSED = ProblemCode(
    "generation-missed",
    Where.STANDBY,
    (Severity.WARNING,),
    "A generation of the schedule could not be taken. It is tried again every five minutes, and made up once.",
    "as the problem says; `hikae generations take DATASET` takes one by hand",
)
GENERATION_APART = ProblemCode(
    "generation-apart",
    Where.STANDBY,
    (Severity.WARNING,),
    "A generation of the schedule was taken of this dataset by itself: there was no one moment of all datasets of its group.",
    "as the problem says; the next by schedule tries it again, and `hikae generations take --group GROUP` at once",
)
ROLLED_BACK = ProblemCode(
    "rolled-back",
    Where.STANDBY,
    (Severity.WARNING,),
    "The standby was brought back to an earlier moment by `hikae rollback`, and stays there. Receiving goes on.",
    "`hikae resume DATASET` lets it go on to what was received meanwhile",
)
GENERATIONS_UNVERIFIED = ProblemCode(
    "generations-unverified",
    Where.STANDBY,
    (Severity.WARNING,),
    "A share of what is kept could not be read and checked by schedule, or it is longer ago that all of it was than twice what "
    "schedule and share promise.",
    "as the problem says; `hikae generations verify DATASET` on the node with the vault reads all of it now",
)
HISTORY_SHORT = ProblemCode(
    "history-short",
    Where.STANDBY,
    (Severity.WARNING,),
    "The vault's limit lets history reach back for less than `history` says.",
    "raise `vault_limit` to what the problem names, shorten `history`, or let generations go",
)
HISTORY_STOPPED = ProblemCode(
    "history-stopped",
    Where.PRIMARY,
    (Severity.WARNING,),
    "A node that was promoted keeps the history that it had, and no standby follows that would keep what is written since.",
    "start the agent of the other node and type there: `hikae rejoin DATASET`",
)
