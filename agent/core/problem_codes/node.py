"""Codes of what is wrong with a node, whatever its datasets do: its certificate, its files, its clock, its disks."""

from __future__ import annotations

from agent.core.problem import ProblemCode, Severity, Where

CERTIFICATE = ProblemCode(
    "certificate",
    Where.NODE,
    (Severity.WARNING, Severity.ERROR),
    "The node's certificate ends within 30 days, has ended, or cannot be used. An ended one lets no peer in.",
    "`hikae pki renew NODE`, and copy certificate and key to the node; no restart is needed",
)
NOT_LISTENING = ProblemCode(
    "not-listening",
    Where.NODE,
    (Severity.ERROR,),
    "The address for peers is taken, so no peer can call this node.",
    "stop what listens there, or change `[node] listen` and restart; it is tried again each second",
)
REVOCATION_LIST = ProblemCode(
    "revocation-list",
    Where.NODE,
    (Severity.WARNING, Severity.ERROR),
    "The revocation list is older than it may be, or not there although it was. An error stops peers.",
    "copy the newest list from where the CA is",
)
EVENTS_FILE = ProblemCode(
    "events-file",
    Where.NODE,
    (Severity.WARNING,),
    "Events cannot be written to the state directory. They are kept in memory meanwhile.",
    "free space in the state directory",
)
CONFIG_INVALID = ProblemCode(
    "config-invalid",
    Where.NODE,
    (Severity.WARNING,),
    "A reload met a mistake in the configuration. The agent goes on with what it read before, and would not start again.",
    "correct the file (`hikae config check` names every mistake), then `hikae reload`",
)
CONFIG_NEEDS_RESTART = ProblemCode(
    "config-needs-restart",
    Where.NODE,
    (Severity.WARNING,),
    "The configuration differs from the one in force in keys that a reload does not take over.",
    "`systemctl restart hikae`; or undo the changes and `hikae reload`",
)
CLOCK = ProblemCode(
    "clock",
    Where.NODE,
    (Severity.WARNING,),
    "The clock of this node and that of a peer are far apart, or this node's was set by much. Commits carry the primary's time.",
    "on both nodes: `date` (beside a watch that is right); then, on the wrong one: `timedatectl set-ntp true`; hikae goes on "
    "meanwhile",
)
DISK_FILLING = ProblemCode(
    "disk-filling",
    Where.NODE,
    (Severity.WARNING,),
    "A disk that the node writes on has less than twice its reserve, or reaches it within a day at the last hour's rate.",
    "enlarge it (`hikae status` names the disk), or move away what is not hikae's; or have hikae keep less: `hikae generations "
    "expire DATASET --dry-run` shows what would go, a shorter `history`, a `vault_limit`; never delete there by hand",
)
HEALTH_NOT_SERVED = ProblemCode(
    "health-not-served",
    Where.NODE,
    (Severity.ERROR,),
    "`hikae web`, which the agent starts beside it, does not run: load balancers and monitoring get no answer.",
    "as the problem says; it is tried again by itself",
)
