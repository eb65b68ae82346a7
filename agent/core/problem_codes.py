"""Every code that a problem can have: its word, how much it matters, what it means, and what leads out of it.

The words are public and never change. A problem says more than its code does: which path or peer, and what to type there.
``docs/problems.md`` is made from this list.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from agent.core.problem import ProblemCode, Severity, Where

_INFO, _WARNING, _ERROR = Severity.INFO, Severity.WARNING, Severity.ERROR
_LISTED: list[ProblemCode] = []


def _code(word: str, where: Where, severity: Severity | tuple[Severity, ...], means: str, remedy: str) -> ProblemCode:
    severities = severity if isinstance(severity, tuple) else (severity,)
    code = ProblemCode(word, where, severities, means, remedy)
    _LISTED.append(code)
    return code


# -- the node ------------------------------------------------------------------------------------------------------------

CERTIFICATE = _code(
    "certificate",
    Where.NODE,
    (_WARNING, _ERROR),
    "The node's certificate ends within 30 days, has ended, or cannot be used. An ended one lets no peer in.",
    "`hikae pki renew NODE`, and copy certificate and key to the node; no restart is needed",
)
NOT_LISTENING = _code(
    "not-listening",
    Where.NODE,
    _ERROR,
    "The address for peers is taken, so no peer can call this node.",
    "stop what listens there, or change `[node] listen` and restart; it is tried again each second",
)
REVOCATION_LIST = _code(
    "revocation-list",
    Where.NODE,
    (_WARNING, _ERROR),
    "The revocation list is older than it may be, or not there although it was. An error stops peers.",
    "copy the newest list from where the CA is",
)
EVENTS_FILE = _code(
    "events-file",
    Where.NODE,
    _WARNING,
    "Events cannot be written to the state directory. They are kept in memory meanwhile.",
    "free space in the state directory",
)
CONFIG_INVALID = _code(
    "config-invalid",
    Where.NODE,
    _WARNING,
    "A reload met a mistake in the configuration. The agent goes on with what it read before, and would not start again.",
    "correct the file (`hikae config check` names every mistake), then `hikae reload`",
)
CONFIG_NEEDS_RESTART = _code(
    "config-needs-restart",
    Where.NODE,
    _WARNING,
    "The configuration differs from the one in force in keys that a reload does not take over.",
    "`systemctl restart hikae`; or undo the changes and `hikae reload`",
)
CLOCK = _code(
    "clock",
    Where.NODE,
    _WARNING,
    "The clock of this node and that of a peer are far apart, or this node's was set by much. Commits carry the primary's time.",
    "`timedatectl` on both nodes, beside a watch that is right; set the clock that is wrong, hikae goes on meanwhile",
)
DISK_FILLING = _code(
    "disk-filling",
    Where.NODE,
    _WARNING,
    "A disk that the node writes on has less than twice its reserve, or reaches it within a day at the last hour's rate.",
    "enlarge it (`hikae status` names the disk), or move away what is not hikae's; of what hikae keeps: `hikae generations "
    "expire DATASET --simulate`, a shorter `history`, a `vault_limit`; never delete there by hand",
)

# -- a dataset, on either node -------------------------------------------------------------------------------------------

NOT_RUNNING = _code(
    "not-running",
    Where.EITHER,
    _ERROR,
    "The dataset could not be opened, or gave up after an error of its own state. Nothing is captured or applied meanwhile.",
    "do what the problem says; it is tried again by itself",
)
DAMAGED = _code(
    "damaged",
    Where.EITHER,
    _ERROR,
    "State of the dataset that does not heal itself turned out to be damaged, here or on the peer that says so.",
    "do what the problem says on the node that is damaged",
)
STATE_DISK_FULL = _code(
    "state-disk-full",
    Where.EITHER,
    _ERROR,
    "The filesystem of the state directory or of the vault is full: nothing more is captured or received.",
    "free space there or enlarge it; it goes on by itself",
)
VAULT_FULL = _code(
    "vault-full",
    Where.STANDBY,
    _ERROR,
    "The vault takes as much as `vault_limit` allows, although history was shortened: nothing more is received. Generations that "
    "are pinned or younger than `immutable_for` never go for it.",
    "raise `vault_limit` in the file of the node with the vault and `hikae reload`, or let generations go (`hikae generations "
    "unpin`, a smaller `keep`); it goes on by itself once there is room",
)
STATE_DISK_RESERVE = _code(
    "state-disk-reserve",
    Where.EITHER,
    _ERROR,
    "What is kept free on the disk of the state or of the vault is reached: nothing more is captured or received.",
    "free space there or enlarge it; it goes on by itself from the size that the problem names",
)
CONFIG_DIFFERS = _code(
    "config-differs",
    Where.EITHER,
    _WARNING,
    "The dataset is configured otherwise on a peer, in keys that must be the same on all nodes. Replication goes on.",
    "compare `hikae config show` on both, make them the same; then, where the file changed: `hikae reload`",
)
VERSION = _code(
    "version",
    Where.EITHER,
    _ERROR,
    "The two nodes speak no version of the protocol in common.",
    "bring both to releases that follow one another",
)
OWED = _code(
    "owed",
    Where.EITHER,
    _WARNING,
    "A file could not be read on the primary when it was committed, and a standby lacks some of it: its last version stands "
    "there, or nothing.",
    "make it readable on the primary, then it is sent by itself; `hikae reconcile DATASET` there asks at once",
)
VERIFY_DIFFERENCES = _code(
    "verify-differences",
    Where.STANDBY,
    _ERROR,
    "The last verify found that the standby is not what its commit says.",
    "`hikae verify DATASET --repair` mends it; a verify that finds nothing ends this",
)
VERIFY_OVERDUE = _code(
    "verify-overdue",
    Where.STANDBY,
    _WARNING,
    "The last verify of the standby is more than two of its intervals ago, or there was none for so long: nobody knows whether "
    "the standby is what it should be.",
    "`hikae verify DATASET` on the standby's node; a verify that comes to its end ends this",
)
VAULT_DAMAGED = _code(
    "vault-damaged",
    Where.EITHER,
    _ERROR,
    "Chunks in the vault are lost or damaged.",
    "none needed while the primary is connected: what its files hold is fetched again; "
    "`hikae verify DATASET --repair` takes what the standby's files hold",
)
PRIMARY_IGNORED = _code(
    "primary-ignored",
    Where.EITHER,
    _WARNING,
    "The configuration names another primary than the one that the dataset has. That changes nothing: who is the primary stands "
    "in a record since both nodes met, and commands move it from then on.",
    "hikae switchover, or hikae promote where the primary is dead; else name the primary again that it has; or begin anew",
)
PROMOTING = _code(
    "promoting",
    Where.EITHER,
    _WARNING,
    "A standby was made the primary, and first applies what it has received.",
    "it goes on by itself; if it is held, `hikae status` says by what",
)
UNCONFIRMED = _code(
    "unconfirmed",
    Where.PRIMARY,
    _ERROR,
    "This primary was started, and not every peer has said that no other node was made primary meanwhile. It does not serve.",
    "start the agents of the peers; or, if no other node was made primary: `hikae serve DATASET --alone`",
)
STARTS_AT_BOOT = _code(
    "starts-at-boot",
    Where.EITHER,
    _WARNING,
    "What the start hook starts would start at boot by itself: an old primary would serve before it is fenced.",
    "`systemctl disable UNIT`: hikae starts it where the node may serve",
)
START_FAILED = _code(
    "start-failed",
    Where.PRIMARY,
    _ERROR,
    "This node may serve as the primary, and the start hook did not start the application.",
    "look at `[dataset.hooks] start`, then run it again: `hikae serve DATASET --alone`",
)
ON_FENCED_FAILED = _code(
    "on-fenced-failed",
    Where.PRIMARY,
    _ERROR,
    "This node must not serve, and the on_fenced hook failed: the application may still run here.",
    "look at `[dataset.hooks] on_fenced`, then run it again: `hikae fence DATASET`",
)
PROMOTION_FAILED = _code(
    "promotion-failed",
    Where.EITHER,
    _WARNING,
    "A promotion was begun and did not come to its end; the problem says at which step, and whether the node is the primary now.",
    "what it failed of stands in the problem; a standby that it still is may be promoted again",
)
REWOUND = _code(
    "rewound",
    Where.PRIMARY,
    _ERROR,
    "The state of this primary is an old copy: a peer holds commits of this very node that are not known here. Nothing is sent.",
    "stop the agent, put the newest copy of its state back and start it; or, if what stands here now is right: "
    "`hikae accept DATASET`",
)
FENCED = _code(
    "fenced",
    Where.PRIMARY,
    _ERROR,
    "A peer was made the primary in an epoch that does not come before this node's, or an operator stopped it. Nothing is sent.",
    "`hikae rejoin DATASET` makes it a standby of the peer; or, if this node is to go on: `hikae serve DATASET --alone`, or "
    "`hikae accept DATASET`, which does not ask the others",
)

# -- capture -------------------------------------------------------------------------------------------------------------

ROOT_GONE = _code(
    "root-gone",
    Where.PRIMARY,
    _ERROR,
    "The source's directory is not there, so capture is held.",
    "mount or restore it; capture goes on by itself",
)
ROOT_REPLACED = _code(
    "root-replaced",
    Where.PRIMARY,
    _ERROR,
    "Another directory or filesystem stands where the source was, so capture is held.",
    "bring the old one back, or, if this one is right: `hikae accept DATASET`",
)
DEVICE_GONE = _code(
    "device-gone",
    Where.PRIMARY,
    _ERROR,
    "The source's device or image file is not there, or cannot be opened, so capture is held.",
    "attach it; capture goes on by itself",
)
DEVICE_SHRUNK = _code(
    "device-shrunk",
    Where.PRIMARY,
    _ERROR,
    "The source's device is smaller than it was, or another one stands at its path, so capture is held.",
    "bring the old one back, or, if this one is right: `hikae accept DATASET`",
)
UNTRACKED = _code(
    "untracked",
    Where.PRIMARY,
    _WARNING,
    "What changes on a device is not told by the kernel: it is found by reading all of it, so much more may be lost.",
    "the problem says what is missing; `hikae reconcile DATASET` reads all of it now",
)
NOT_STILL = _code(
    "not-still",
    Where.PRIMARY,
    _WARNING,
    "A device could not be made to stand still, so its newest commit is of no one moment and can not be promoted.",
    "do what the problem says; it is tried again at the next commit",
)
DEVICE_BUSY = _code(
    "device-busy",
    Where.PRIMARY,
    _WARNING,
    "A device is written faster than it can be read within its freeze: it is committed less often, or stands still for longer.",
    "allow more in `[dataset.device]` (`rpo`, `freeze`), or write less",
)
STANDS_BACK = _code(
    "stands-back",
    Where.PRIMARY,
    _INFO,
    "The first copy of a device works for a part of each second only, since other programs need this host.",
    "none needed; it goes on at full speed once they do not",
)
CAPTURE_FAILED = _code(
    "capture-failed",
    Where.PRIMARY,
    _ERROR,
    "Capture stopped on an error that is not about one path.",
    "do what the problem says; a bug ends only with a restart of the agent",
)
WATCH = _code(
    "watch",
    Where.PRIMARY,
    _WARNING,
    "Part of the tree is not watched: changes there are found by the scheduled look only.",
    "`hikae reconcile DATASET` looks now; the problem says what the watcher lacks",
)
UNREADABLE = _code(
    "unreadable",
    Where.PRIMARY,
    _WARNING,
    "A path cannot be read. The standby keeps its last version, if it has one.",
    "let the agent's user read it, or exclude it",
)
UNFIT = _code(
    "unfit",
    Where.PRIMARY,
    _WARNING,
    "A path cannot be replicated as it is: a name, an attribute or a count of it is beyond what a row holds.",
    "make it smaller, or exclude it",
)
HELD_SHUT = _code(
    "held-shut",
    Where.PRIMARY,
    _WARNING,
    "A program keeps a file shut (a lease), or the file is being loaded or unmounted. It is read when it can be.",
    "none needed; see who has it open if this stays: `fuser`, `lsof`",
)
SOCKET_SKIPPED = _code(
    "socket-skipped",
    Where.PRIMARY,
    _INFO,
    "A socket stands in the tree. It means nothing on another machine and is not replicated.",
    "none needed; exclude it to silence this",
)
NESTED_MOUNT = _code(
    "nested-mount",
    Where.PRIMARY,
    _WARNING,
    "Something is mounted inside the tree. What is in it is not replicated.",
    "make it a dataset of its own, or exclude it",
)
SNAPSHOT_SKIPPED = _code(
    "snapshot-skipped",
    Where.PRIMARY,
    _WARNING,
    "A read-only btrfs subvolume stands in the tree and is not replicated.",
    "exclude it to silence this, or name it in `include` to replicate it as directories and files",
)
NEVER_RESTS = _code(
    "never-rests",
    Where.PRIMARY,
    _INFO,
    "A file changed every time while it was read, so it was taken as it was read.",
    "none needed; it is taken whole as soon as it rests",
)
HARD_LINKS_COPIED = _code(
    "hard-links-copied",
    Where.PRIMARY,
    _WARNING,
    "The source's filesystem shows each name of a file as a file of its own, so its names become copies on the standby.",
    "none needed where its other names stand outside the tree; else replicate the filesystem below, or exclude all names but one",
)

# -- apply ---------------------------------------------------------------------------------------------------------------

SOURCE_EMPTIED = _code(
    "held",
    Where.STANDBY,
    _ERROR,
    "The source became empty. The standby keeps what it has; receiving goes on.",
    "`hikae accept DATASET` if it is meant",
)
MASS_DELETION = _code(
    "mass-deletion",
    Where.STANDBY,
    _ERROR,
    "More of the entries were deleted within the brake's window than it lets pass. The standby keeps them; receiving goes on.",
    "`hikae accept DATASET` if it is meant",
)
MASS_REWRITING = _code(
    "mass-rewriting",
    Where.STANDBY,
    _ERROR,
    "More of the files were rewritten within the brake's window than it lets pass. The standby keeps them; receiving goes on.",
    "`hikae accept DATASET` if it is meant",
)
STANDBY_PATH_MISSING = _code(
    "standby-path-missing",
    Where.STANDBY,
    _ERROR,
    "The standby's directory is not there and cannot be created.",
    "create it, or correct the path",
)
STANDBY_NOT_EMPTY = _code(
    "standby-not-empty",
    Where.STANDBY,
    _ERROR,
    "The directory that is to be the standby holds something. Nothing in it was touched.",
    "empty it, choose another path, or write `adopt = true` to take over what stands in it",
)
STANDBY_GONE = _code(
    "standby-gone",
    Where.STANDBY,
    _ERROR,
    "The standby's directory is gone.",
    "mount its filesystem again; or, if it was deleted: `hikae resync DATASET --standby` (fills it from the vault there)",
)
STANDBY_REPLACED = _code(
    "standby-replaced",
    Where.STANDBY,
    _ERROR,
    "Another directory stands where the standby was. Nothing was written into it.",
    "mount the standby's filesystem again; or, to take this one: `hikae resync DATASET --standby`",
)
STANDBY_UNSAFE = _code(
    "standby-unsafe",
    Where.STANDBY,
    _ERROR,
    "What stands where the standby is, or `.hikae` in it, is nothing that the agent may write into. It was left alone.",
    "remove it, or move it away; of a device: name another",
)
STANDBY_FOREIGN = _code(
    "standby-foreign",
    Where.STANDBY,
    _ERROR,
    "The image or device that is to be the standby holds something of somebody else's. Nothing in it was touched.",
    "name another place; or, to write over it: `hikae resync DATASET --standby`",
)
STANDBY_IN_USE = _code(
    "standby-in-use",
    Where.STANDBY,
    _ERROR,
    "The image or device that is the standby is mounted, or used in another way. Nothing is written into it meanwhile.",
    "end that use; it goes on by itself",
)
STANDBY_TOO_SMALL = _code(
    "standby-too-small",
    Where.STANDBY,
    _ERROR,
    "The block device that is the standby is smaller than the primary's.",
    "enlarge it, or name one that is at least as large",
)
LINEAGE_WAITS = _code(
    "lineage-waits",
    Where.STANDBY,
    _INFO,
    "The primary started anew and has not been through its tree yet. The standby stays as it is.",
    "none needed; it goes on by itself",
)
ADOPT_WAITS = _code(
    "adopt-waits",
    Where.STANDBY,
    _INFO,
    "What stands at the standby's path and is not known here is kept as it is until the primary has been through its own tree.",
    "none needed; it goes on by itself",
)
STANDBY_DISK_FULL = _code(
    "standby-disk-full",
    Where.STANDBY,
    _ERROR,
    "The standby's filesystem is full: nothing more is applied; receiving goes on.",
    "free space there or enlarge it; it goes on by itself",
)
APPLY_STOPPED = _code(
    "apply-stopped",
    Where.STANDBY,
    _ERROR,
    "Applying stopped on an error that is not about one path.",
    "do what the problem says; it is tried again by itself",
)
APPLY_FAILED = _code(
    "apply-failed",
    Where.STANDBY,
    _ERROR,
    "A path of the standby could not be made as wanted. All else goes on.",
    "see what stands there; it is tried again",
)
SEEDING_STOPPED = _code(
    "seeding-stopped",
    Where.STANDBY,
    _ERROR,
    "Chunks of an adopted tree could not be taken into the vault for now.",
    "do what the problem says; it is tried again by itself",
)
REJOINING = _code(
    "rejoin-failed",
    Where.EITHER,
    _WARNING,
    "The last rejoin did not come to its end.",
    "do what the problem says, and type it again",
)
REHEARSAL_FAILED = _code(
    "rehearsal-failed",
    Where.STANDBY,
    _WARNING,
    "The last rehearsal did not come to its end: nobody knows by it whether the standby would serve.",
    "do what the problem says, then `hikae rehearse DATASET`",
)
PROBE_FAILED = _code(
    "probe-failed",
    Where.STANDBY,
    _ERROR,
    "The probe of the last rehearsal said that the standby would not serve.",
    "mend what it found; a `hikae rehearse DATASET` that goes well ends this",
)
REHEARSAL_OVERDUE = _code(
    "rehearsal-overdue",
    Where.STANDBY,
    _WARNING,
    "The last rehearsal of the standby is more than two of its intervals ago, or there was none for so long.",
    "`hikae rehearse DATASET` on the standby's node; one that comes to its end ends this",
)
AHEAD = _code(
    "ahead-of-primary",
    Where.STANDBY,
    _ERROR,
    "A node was promoted that lacks commits which this standby received; it takes nothing from it.",
    "`hikae rejoin DATASET` follows the new primary, and keeps what only this node has as a generation",
)
SWITCHOVER_PLANNED = _code(
    "switchover-planned",
    Where.PRIMARY,
    _INFO,
    "The place of the primary is handed over at a time that was named.",
    "nothing, or `hikae switchover DATASET --cancel`",
)
SWITCHING_OVER = _code(
    "switchover-failed",
    Where.EITHER,
    _WARNING,
    "The last switchover did not come to its end.",
    "do what the problem says, and type it again",
)
HANDED_OVER = _code(
    "handed-over",
    Where.STANDBY,
    _ERROR,
    "This node gave its place as the primary to another, which has not been seen to take it.",
    "`hikae switchover DATASET` asks that node again; if it does not come back: `hikae promote DATASET --force`",
)
REJOIN_NO_ROOM = _code(
    "rejoin-no-room",
    Where.PRIMARY,
    _WARNING,
    "The disk of the vault has no room for one of this dataset, which this node needs to become a standby after a promotion.",
    'free space there, or name another place: `vault = "/backup/hikae"` for the dataset',
)
SEEDING_LOST = _code(
    "seeding-lost",
    Where.STANDBY,
    _WARNING,
    "Files were changed on a node that rejoined before its vault had what stood in them.",
    "find out who writes into the standby; what the primary still has is fetched again",
)
CHUNK_DAMAGED = _code(
    "chunk-damaged",
    Where.STANDBY,
    _ERROR,
    "A path could not be written, since the vault could not give what it holds.",
    "none needed; it is fetched from the primary again",
)
IMPOSSIBLE_ROW = _code(
    "impossible-row",
    Where.STANDBY,
    _ERROR,
    "A commit names something where no directory can be. It is left out.",
    "`hikae reconcile DATASET` on the primary; if it stays, the primary's catalog is damaged",
)
DISPLACED = _code(
    "displaced",
    Where.STANDBY,
    _WARNING,
    "Something that no commit knows stood in the way and is now in `.hikae/displaced` of the standby.",
    "look at it, then remove it",
)
EXCLUDED_STAYS = _code(
    "excluded-stays",
    Where.STANDBY,
    _WARNING,
    "A directory that is not wanted any more stays, since it holds what `exclude` names, or a mount.",
    "remove it once nobody needs what is in it",
)
NOT_KEPT = _code(
    "not-kept",
    Where.STANDBY,
    _ERROR,
    "The standby's filesystem cannot hold some objects: their size, name or kind.",
    "put the standby on a filesystem that can; or name them in `exclude`",
)
IN_THE_WAY = _code(
    "in-the-way",
    Where.STANDBY,
    _ERROR,
    "What `exclude` names, or a mount, stands where something is wanted, and is not touched.",
    "move away what stands there, then `hikae verify DATASET --repair`",
)
PROJECT_DIFFERS = _code(
    "project-differs",
    Where.STANDBY,
    _ERROR,
    "A directory of the standby takes only what has its own project id.",
    "take inheritance off that directory (`xfs_io -x -c 'chattr -P' DIRECTORY`), then `hikae verify DATASET --repair`",
)
LINKS_NOT_KEPT = _code(
    "links-not-kept",
    Where.STANDBY,
    _WARNING,
    "The standby's filesystem has no more hard links, so files with several names became several files.",
    "put the standby on a filesystem that has them; until then a promoted node has copies",
)
TIMES_NOT_KEPT = _code(
    "times-not-kept",
    Where.STANDBY,
    _WARNING,
    "The standby's filesystem keeps coarser times than the primary's, or not so late or early ones.",
    "put the standby on a filesystem that keeps nanoseconds and such times",
)
ATTRIBUTES_NOT_KEPT = _code(
    "attributes-not-kept",
    Where.STANDBY,
    _WARNING,
    "The standby's filesystem does not keep some attributes, lists of access rights or flags.",
    "put the standby on a filesystem that keeps as many and as large ones as the primary's",
)
METADATA_NOT_PERMITTED = _code(
    "metadata-not-permitted",
    Where.STANDBY,
    _WARNING,
    "The agent may not give some objects the owner or mode that they have on the primary.",
    "run the agent as root, on a filesystem that has what the primary's has",
)

# -- a call: on the primary, which says what became of it ------------------------------------------------------------------

DISCONNECTED = _code(
    "disconnected",
    Where.PRIMARY,
    _ERROR,
    "A peer cannot be reached, or the call with it was lost.",
    "look at the peer and the network between; it is dialled again by itself",
)
PROTOCOL = _code(
    "protocol",
    Where.PRIMARY,
    _ERROR,
    "One of the two sent what the other does not believe.",
    "see the logs of both agents; where it stays, one of them is faulty or hostile",
)
DIGEST_DIFFERS = _code(
    "digest-differs",
    Where.PRIMARY,
    _ERROR,
    "A commit came out otherwise on the peer. Nothing of it counts there; the states are compared, and what differs is sent.",
    "none needed at first; if it stays, `hikae reconcile DATASET` on the primary, and see the logs of both agents",
)
STALLED = _code(
    "stalled",
    Where.PRIMARY,
    _ERROR,
    "A call brought nothing for a minute. It is ended and begun anew.",
    "none needed at first; if it stays, look at the file that the problem names",
)
FOREIGN_LINEAGE = _code(
    "foreign-lineage",
    Where.PRIMARY,
    _ERROR,
    "A peer has met an epoch of a third node that is not older than this node's.",
    "if the third node is the primary, begin anew as its standby: name it as primary, stop the agent, move the state away, "
    "start it",
)
REFUSED = _code(
    "refused",
    Where.PRIMARY,
    _ERROR,
    "A peer ended the call with a word that this release does not know.",
    "do what the problem says; compare the releases of both",
)
BUSY = _code(
    "busy",
    Where.PRIMARY,
    _ERROR,
    "A peer takes no call for now: it is being opened, or something must come to its end first.",
    "none needed; it is dialled again by itself",
)
DISK_RESERVE = _code(
    "disk-reserve",
    Where.PRIMARY,
    _ERROR,
    "A peer takes nothing more, since what it keeps free on its disk, or the limit of its vault, is reached.",
    "free space on the peer's disk, or do what its `vault-full` says; it goes on by itself",
)
SILENT = _code(
    "silent",
    Where.PRIMARY,
    _ERROR,
    "A peer ended the call, since it had heard nothing for too long.",
    "look at the network between; it is dialled again by itself",
)
STORE_FAILED = _code(
    "store-failed",
    Where.PRIMARY,
    _ERROR,
    "A write or sync of a peer's own state failed. It opens its state anew.",
    "look at the peer's disk and log; it is dialled again by itself",
)
FAILED = _code(
    "failed",
    Where.PRIMARY,
    _ERROR,
    "A peer ended the call for a reason that has no code of its own.",
    "do what the problem says; it is dialled again by itself",
)
IDENTITY = _code(
    "identity",
    Where.PRIMARY,
    _ERROR,
    "A peer does not accept who this node says it is.",
    "look at the certificates of both: `hikae pki show`",
)
UNKNOWN_DATASET = _code(
    "unknown-dataset",
    Where.PRIMARY,
    _ERROR,
    "A peer has no dataset of this name.",
    "add it to the configuration there, then type there: `hikae reload`",
)
KIND_DIFFERS = _code(
    "kind-differs",
    Where.PRIMARY,
    _ERROR,
    "The dataset is of another kind on a peer.",
    "make the configuration of both nodes the same",
)
NOT_PRIMARY = _code(
    "not-primary",
    Where.PRIMARY,
    _ERROR,
    "For a peer, another node is the primary of the dataset.",
    "make the configuration of both nodes the same; or do on the peer what the problem says",
)
NOT_STANDBY = _code(
    "not-standby",
    Where.PRIMARY,
    _ERROR,
    "A peer is a primary of the dataset itself, or no standby of it.",
    "make the configuration of both nodes the same; of two primaries one rejoins: `hikae rejoin DATASET`",
)
STALE_EPOCH = _code(
    "stale-epoch",
    Where.PRIMARY,
    _ERROR,
    "A peer has met a newer epoch than the one that this node writes in.",
    "see `hikae status` on the node that owns the newer epoch",
)
EPOCH_NOT_OWN = _code(
    "epoch-not-own",
    Where.PRIMARY,
    _ERROR,
    "A primary came with an epoch that is not its own.",
    "look at that node: its agent is faulty or hostile",
)
EPOCH_TOO_HIGH = _code(
    "epoch-too-high",
    Where.PRIMARY,
    _ERROR,
    "A primary came with an epoch that is too far above the newest one that its peer knows.",
    "look at that node: its agent is faulty or hostile",
)
ROLLING_BACK = _code(
    "rolling-back",
    Where.PRIMARY,
    (_INFO, _WARNING),
    "The tree goes back to an earlier moment, and nothing is captured until it is there; or the last rollback failed.",
    "it goes on by itself, also after a restart; what it waits for stands in the problem",
)

# -- generations ---------------------------------------------------------------------------------------------------------

GENERATION_MISSED = _code(
    "generation-missed",
    Where.STANDBY,
    _WARNING,
    "A generation of the schedule could not be taken. It is tried again every five minutes, and made up once.",
    "as the problem says; `hikae generations take DATASET` takes one by hand",
)
ROLLED_BACK = _code(
    "rolled-back",
    Where.STANDBY,
    _WARNING,
    "The standby was brought back to an earlier moment by `hikae rollback`, and stays there. Receiving goes on.",
    "`hikae resume DATASET` lets it go on to what was received meanwhile",
)
GENERATIONS_UNVERIFIED = _code(
    "generations-unverified",
    Where.STANDBY,
    _WARNING,
    "A share of what is kept could not be read and checked by schedule, or it is longer ago that all of it was than twice what "
    "schedule and share promise.",
    "as the problem says; `hikae generations verify DATASET` on the node with the vault reads all of it now",
)
HISTORY_SHORT = _code(
    "history-short",
    Where.STANDBY,
    _WARNING,
    "The vault's limit lets history reach back for less than `history` says.",
    "raise `vault_limit` to what the problem names, shorten `history`, or let generations go",
)
HISTORY_STOPPED = _code(
    "history-stopped",
    Where.PRIMARY,
    _WARNING,
    "A node that was promoted keeps the history that it had, and no standby follows that would keep what is written since.",
    "start the agent of the other node and type there: `hikae rejoin DATASET`",
)
HEALTH_NOT_SERVED = _code(
    "health-not-served",
    Where.NODE,
    _ERROR,
    "`hikae web`, which the agent starts beside it, does not run: load balancers and monitoring get no answer.",
    "as the problem says; it is tried again by itself",
)

#: What ended a call and the next one may be without; any other code of a call is ended by an operator's hand only.
PASSING = frozenset({BUSY, DISK_RESERVE, DISCONNECTED, STALLED, SILENT, PROTOCOL, STORE_FAILED, FAILED})

#: All of them by their words, in the order of this page.
PROBLEM_CODES: Mapping[str, ProblemCode] = MappingProxyType({str(code): code for code in _LISTED})
