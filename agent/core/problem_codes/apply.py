"""Codes of a standby: what holds it, and what of it is not as its commit says."""

from __future__ import annotations

from agent.core.problem import ProblemCode, Severity, Where

SOURCE_EMPTIED = ProblemCode(
    "held",
    Where.STANDBY,
    (Severity.ERROR,),
    "The source became empty. The standby keeps what it has; receiving goes on.",
    "`hikae accept DATASET` if it is meant",
)
MASS_DELETION = ProblemCode(
    "mass-deletion",
    Where.STANDBY,
    (Severity.ERROR,),
    "More of the entries were deleted within the brake's window than it lets pass. The standby keeps them; receiving goes on.",
    "`hikae accept DATASET` if it is meant",
)
MASS_REWRITING = ProblemCode(
    "mass-rewriting",
    Where.STANDBY,
    (Severity.ERROR,),
    "More of the files were rewritten within the brake's window than it lets pass. The standby keeps them; receiving goes on.",
    "`hikae accept DATASET` if it is meant",
)
STANDBY_PATH_MISSING = ProblemCode(
    "standby-path-missing",
    Where.STANDBY,
    (Severity.ERROR,),
    "The standby's directory is not there and cannot be created.",
    "create it, or correct the path",
)
STANDBY_NOT_EMPTY = ProblemCode(
    "standby-not-empty",
    Where.STANDBY,
    (Severity.ERROR,),
    "The directory that is to be the standby holds something. Nothing in it was touched.",
    "empty it, choose another path, or write `adopt = true` to take over what stands in it",
)
STANDBY_GONE = ProblemCode(
    "standby-gone",
    Where.STANDBY,
    (Severity.ERROR,),
    "The standby's directory is gone.",
    "if a filesystem of its own belongs there (`/etc/fstab`, mount units), mount it; only if none does, and it was deleted: "
    "`hikae resync DATASET --standby` (fills it from the vault there, the store of every version)",
)
STANDBY_REPLACED = ProblemCode(
    "standby-replaced",
    Where.STANDBY,
    (Severity.ERROR,),
    "Another directory stands where the standby was. Nothing was written into it.",
    "mount the standby's filesystem again; or, to take this one: `hikae resync DATASET --standby`",
)
STANDBY_UNSAFE = ProblemCode(
    "standby-unsafe",
    Where.STANDBY,
    (Severity.ERROR,),
    "What stands where the standby is, or `.hikae` in it, is nothing that the agent may write into. It was left alone.",
    "remove it, or move it away; of a device: name another",
)
STANDBY_FOREIGN = ProblemCode(
    "standby-foreign",
    Where.STANDBY,
    (Severity.ERROR,),
    "The image or device that is to be the standby holds something of somebody else's. Nothing in it was touched.",
    "name another place; or, to write over it: `hikae resync DATASET --standby`",
)
STANDBY_IN_USE = ProblemCode(
    "standby-in-use",
    Where.STANDBY,
    (Severity.ERROR,),
    "The image or device that is the standby is mounted, or used in another way. Nothing is written into it meanwhile.",
    "end that use; it goes on by itself",
)
STANDBY_TOO_SMALL = ProblemCode(
    "standby-too-small",
    Where.STANDBY,
    (Severity.ERROR,),
    "The block device that is the standby is smaller than the primary's.",
    "enlarge it, or name one that is at least as large",
)
LINEAGE_WAITS = ProblemCode(
    "lineage-waits",
    Where.STANDBY,
    (Severity.INFO,),
    "The primary started anew and has not been through its tree yet. The standby stays as it is.",
    "none needed; it goes on by itself",
)
ADOPT_WAITS = ProblemCode(
    "adopt-waits",
    Where.STANDBY,
    (Severity.INFO,),
    "What stands at the standby's path and is not known here is kept as it is until the primary has been through its own tree.",
    "none needed; it goes on by itself",
)
STANDBY_DISK_FULL = ProblemCode(
    "standby-disk-full",
    Where.STANDBY,
    (Severity.ERROR,),
    "The standby's filesystem is full: nothing more is applied; receiving goes on.",
    "free space there or enlarge it; it goes on by itself",
)
APPLY_STOPPED = ProblemCode(
    "apply-stopped",
    Where.STANDBY,
    (Severity.ERROR,),
    "Applying stopped on an error that is not about one path.",
    "do what the problem says; it is tried again by itself",
)
APPLY_FAILED = ProblemCode(
    "apply-failed",
    Where.STANDBY,
    (Severity.ERROR,),
    "A path of the standby could not be made as wanted. All else goes on.",
    "see what stands there; it is tried again",
)
FURTHER_NAMES = ProblemCode(
    "further-names",
    Where.STANDBY,
    (Severity.WARNING,),
    "A file of the standby has a further name where none is wanted, and could not be made anew: changes of it may be seen there.",
    "do what the problem says, or remove the further name; then `hikae verify DATASET --repair`",
)
SEEDING_STOPPED = ProblemCode(
    "seeding-stopped",
    Where.STANDBY,
    (Severity.ERROR,),
    "Chunks of an adopted tree could not be taken into the vault for now.",
    "do what the problem says; it is tried again by itself",
)
CHUNK_DAMAGED = ProblemCode(
    "chunk-damaged",
    Where.STANDBY,
    (Severity.ERROR,),
    "A path could not be written, since the vault could not give what it holds.",
    "none needed; it is fetched from the primary again",
)
IMPOSSIBLE_ROW = ProblemCode(
    "impossible-row",
    Where.STANDBY,
    (Severity.ERROR,),
    "A commit names something where no directory can be. It is left out.",
    "`hikae reconcile DATASET` on the primary; if it stays, the primary's catalog is damaged",
)
DISPLACED = ProblemCode(
    "displaced",
    Where.STANDBY,
    (Severity.WARNING,),
    "Something that no commit knows stood in the way and is now in `.hikae/displaced` of the standby.",
    "look at it, then remove it",
)
EXCLUDED_STAYS = ProblemCode(
    "excluded-stays",
    Where.STANDBY,
    (Severity.WARNING,),
    "A directory that is not wanted any more stays, since it holds what `exclude` names, or a mount.",
    "remove it once nobody needs what is in it",
)
NOT_KEPT = ProblemCode(
    "not-kept",
    Where.STANDBY,
    (Severity.ERROR,),
    "The standby's filesystem cannot hold some objects: their size, name or kind.",
    "put the standby on a filesystem that can; or name them in `exclude`",
)
IN_THE_WAY = ProblemCode(
    "in-the-way",
    Where.STANDBY,
    (Severity.ERROR,),
    "What `exclude` names, or a mount, stands where something is wanted, and is not touched.",
    "move away what stands there, then `hikae verify DATASET --repair`",
)
PROJECT_DIFFERS = ProblemCode(
    "project-differs",
    Where.STANDBY,
    (Severity.ERROR,),
    "A directory of the standby takes only what has its own project id.",
    "take inheritance off that directory (`xfs_io -x -c 'chattr -P' DIRECTORY`), then `hikae verify DATASET --repair`",
)
LINKS_NOT_KEPT = ProblemCode(
    "links-not-kept",
    Where.STANDBY,
    (Severity.WARNING,),
    "The standby's filesystem has no more hard links, so files with several names became several files.",
    "put the standby on a filesystem that has them; until then a promoted node has copies",
)
TIMES_NOT_KEPT = ProblemCode(
    "times-not-kept",
    Where.STANDBY,
    (Severity.WARNING,),
    "The standby's filesystem keeps coarser times than the primary's, or not so late or early ones.",
    "put the standby on a filesystem that keeps nanoseconds and such times",
)
ATTRIBUTES_NOT_KEPT = ProblemCode(
    "attributes-not-kept",
    Where.STANDBY,
    (Severity.WARNING,),
    "The standby's filesystem does not keep some attributes, lists of access rights or flags.",
    "put the standby on a filesystem that keeps as many and as large ones as the primary's",
)
METADATA_NOT_PERMITTED = ProblemCode(
    "metadata-not-permitted",
    Where.STANDBY,
    (Severity.WARNING,),
    "The agent may not give some objects the owner or mode that they have on the primary.",
    "run the agent as root, on a filesystem that has what the primary's has",
)
