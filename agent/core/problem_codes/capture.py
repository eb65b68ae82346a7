"""Codes of a source, and of the paths in it that are not, or not yet, replicated as they are."""

from __future__ import annotations

from agent.core.problem import ProblemCode, Severity, Where

ROOT_GONE = ProblemCode(
    "root-gone",
    Where.PRIMARY,
    (Severity.ERROR,),
    "The source's directory is not there, so capture is held.",
    "mount or restore it; capture goes on by itself",
)
ROOT_REPLACED = ProblemCode(
    "root-replaced",
    Where.PRIMARY,
    (Severity.ERROR,),
    "Another directory or filesystem stands where the source was, so capture is held.",
    "bring the old one back, or, if this one is right: `hikae accept DATASET`",
)
DEVICE_GONE = ProblemCode(
    "device-gone",
    Where.PRIMARY,
    (Severity.ERROR,),
    "The source's device or image file is not there, or cannot be opened, so capture is held.",
    "attach it; capture goes on by itself",
)
DEVICE_SHRUNK = ProblemCode(
    "device-shrunk",
    Where.PRIMARY,
    (Severity.ERROR,),
    "The source's device is smaller than it was, or another one stands at its path, so capture is held.",
    "bring the old one back, or, if this one is right: `hikae accept DATASET`",
)
UNTRACKED = ProblemCode(
    "untracked",
    Where.PRIMARY,
    (Severity.WARNING,),
    "What changes on a device is not told by the kernel: it is found by reading all of it, so much more may be lost.",
    "the problem says what is missing; `hikae reconcile DATASET` reads all of it now",
)
NOT_STILL = ProblemCode(
    "not-still",
    Where.PRIMARY,
    (Severity.WARNING,),
    "A device, or a part of it, could not be made to stand still. While a freeze is refused nothing of it is committed. What "
    "nothing can freeze, or nobody is told where it is written, is committed all the same where it is written whenever it is "
    "read: such a commit is of no one moment and cannot be promoted. A filesystem over which something else is mounted is named "
    "too: it is not frozen.",
    "do what the problem says; it is tried again at each commit",
)
DEVICE_BUSY = ProblemCode(
    "device-busy",
    Where.PRIMARY,
    (Severity.WARNING,),
    "A device is written faster than it can be read within its freeze: it is committed less often, or stands still for longer.",
    "allow more in `[dataset.device]` (`rpo`, `freeze`), or write less",
)
STANDS_BACK = ProblemCode(
    "stands-back",
    Where.PRIMARY,
    (Severity.INFO,),
    "The first copy of a device works for a part of each second only, since other programs need this host.",
    "none needed; it goes on at full speed once they do not",
)
CAPTURE_FAILED = ProblemCode(
    "capture-failed",
    Where.PRIMARY,
    (Severity.ERROR,),
    "Capture stopped on an error that is not about one path.",
    "do what the problem says; a bug ends only with a restart of the agent",
)
WATCH = ProblemCode(
    "watch",
    Where.PRIMARY,
    (Severity.WARNING,),
    "Part of the tree is not watched: changes there are found by the scheduled look only.",
    "`hikae reconcile DATASET` looks now; the problem says what the watcher lacks",
)
UNREADABLE = ProblemCode(
    "unreadable",
    Where.PRIMARY,
    (Severity.WARNING,),
    "A path cannot be read. A standby keeps the last version that came to it, or has nothing of it, as the message says.",
    "let the agent's user read it, or exclude it",
)
UNFIT = ProblemCode(
    "unfit",
    Where.PRIMARY,
    (Severity.WARNING,),
    "A path cannot be replicated as it is: a name, an attribute or a count of it is beyond what a row holds.",
    "make it smaller, or exclude it",
)
HELD_SHUT = ProblemCode(
    "held-shut",
    Where.PRIMARY,
    (Severity.WARNING,),
    "A program keeps a file shut (a lease), or the file is being loaded or unmounted. It is read when it can be.",
    "none needed; see who has it open if this stays: `fuser`, `lsof`",
)
SOCKET_SKIPPED = ProblemCode(
    "socket-skipped",
    Where.PRIMARY,
    (Severity.INFO,),
    "A socket stands in the tree. It means nothing on another machine and is not replicated.",
    "none needed; exclude it to silence this",
)
NESTED_MOUNT = ProblemCode(
    "nested-mount",
    Where.PRIMARY,
    (Severity.WARNING,),
    "Something is mounted inside the tree. What is in it is not replicated.",
    "make it a dataset of its own, or exclude it",
)
SNAPSHOT_SKIPPED = ProblemCode(
    "snapshot-skipped",
    Where.PRIMARY,
    (Severity.WARNING,),
    "A read-only btrfs subvolume stands in the tree and is not replicated.",
    "exclude it to silence this, or name it in `include` to replicate it as directories and files",
)
NEVER_RESTS = ProblemCode(
    "never-rests",
    Where.PRIMARY,
    (Severity.INFO,),
    "A file changed every time while it was read, so it was taken as it was read.",
    "none needed; it is taken whole as soon as it rests",
)
HARD_LINKS_COPIED = ProblemCode(
    "hard-links-copied",
    Where.PRIMARY,
    (Severity.WARNING,),
    "The source's filesystem shows each name of a file as a file of its own, so its names become copies on the standby.",
    "none needed where its other names stand outside the tree; else replicate the filesystem below, or exclude all names but one",
)
