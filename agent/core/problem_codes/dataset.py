"""Codes of what is wrong with what a node keeps of a dataset: its stores, its copy of what the peer has, its configuration."""

from __future__ import annotations

from agent.core.problem import ProblemCode, Severity, Where

NOT_RUNNING = ProblemCode(
    "not-running",
    Where.EITHER,
    (Severity.ERROR,),
    "The dataset could not be opened, or gave up after an error of its own state. Nothing is captured or applied meanwhile.",
    "do what the problem says; it is tried again by itself",
)
DAMAGED = ProblemCode(
    "damaged",
    Where.EITHER,
    (Severity.ERROR,),
    "State of the dataset that does not heal itself turned out to be damaged, here or on the peer that says so.",
    "do what the problem says on the node that is damaged",
)
STATE_DISK_FULL = ProblemCode(
    "state-disk-full",
    Where.EITHER,
    (Severity.ERROR,),
    "The filesystem of the state directory or of the vault is full: nothing more is captured or received.",
    "free space there or enlarge it; it goes on by itself",
)
VAULT_FULL = ProblemCode(
    "vault-full",
    Where.STANDBY,
    (Severity.ERROR,),
    "The vault takes as much as `vault_limit` allows, although history was shortened: nothing more is received. Generations that "
    "are pinned or younger than `immutable_for` never go for it.",
    "raise `vault_limit` in the file of the node with the vault and `hikae reload`, or let generations go (`hikae generations "
    "unpin`, a smaller `keep`); it goes on by itself once there is room",
)
STATE_DISK_RESERVE = ProblemCode(
    "state-disk-reserve",
    Where.EITHER,
    (Severity.ERROR,),
    "What is kept free on the disk of the state or of the vault is reached: nothing more is captured or received.",
    "free space there or enlarge it; it goes on by itself from the size that the problem names",
)
CONFIG_DIFFERS = ProblemCode(
    "config-differs",
    Where.EITHER,
    (Severity.WARNING,),
    "The dataset is configured otherwise on a peer, in keys that must be the same on all nodes. Replication goes on.",
    "compare `hikae config show` on both, make them the same; then, where the file changed: `hikae reload`",
)
VERSION = ProblemCode(
    "version",
    Where.EITHER,
    (Severity.ERROR,),
    "The two nodes speak no version of the protocol in common.",
    "bring both to releases that follow one another",
)
OWED = ProblemCode(
    "owed",
    Where.EITHER,
    (Severity.WARNING,),
    "A file could not be read on the primary when it was committed, and a standby lacks some of it: its last version stands "
    "there, or nothing.",
    "make it readable on the primary, then it is sent by itself; `hikae reconcile DATASET` there asks at once",
)
VERIFY_DIFFERENCES = ProblemCode(
    "verify-differences",
    Where.STANDBY,
    (Severity.ERROR,),
    "The last verify found that the standby is not what its commit says.",
    "`hikae verify DATASET --repair` mends it; a verify that finds nothing ends this",
)
VERIFY_OVERDUE = ProblemCode(
    "verify-overdue",
    Where.STANDBY,
    (Severity.WARNING,),
    "The last verify of the standby is more than two of its intervals ago, or there was none for so long: nobody knows whether "
    "the standby is what it should be.",
    "`hikae verify DATASET` on the standby's node; a verify that comes to its end ends this",
)
VAULT_DAMAGED = ProblemCode(
    "vault-damaged",
    Where.EITHER,
    (Severity.ERROR,),
    "Chunks in the vault are lost or damaged.",
    "none needed while the primary is connected: what its files hold is fetched again; "
    "`hikae verify DATASET --repair` takes what the standby's files hold",
)
