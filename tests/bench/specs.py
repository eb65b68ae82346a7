"""The rows that are measured, with their limits. Names are public: other programs read them in ``bench.json``. Pure."""

from __future__ import annotations

from bench.figures import Spec, Unit
from bench.sizes import MIB, Sizes, size_in_words

#: Of each file that is changed before an old primary rejoins; and what the wire may take for a change beside content, in bytes.
CHANGED_BYTES, _OF_A_CHANGE = 500, 200
#: Of how many files two moments that are compared differ, and in how many generations a name is looked for.
DIFFERENCES, GENERATIONS = 10_000, 60
#: The file of which one page is written so often a second; and changes a second of link counts outside of the tree.
BUSY_BYTES, BUSY_RATE, FOREIGN_RATE = 64 * MIB, 10, 2_000
#: Work that is measured in one go, by the name that ``ROWS`` may give, and its rows.
Jobs = dict[str, tuple[Spec, ...]]


def jobs(sizes: Sizes) -> Jobs:
    """Every job and its rows, in the order in which they are measured."""
    return {
        "first-sync-small": _small(sizes),
        "first-sync-large": _large(sizes),
        "scattered-change": _scattered(sizes),
        "many-files": _many(sizes),
        "moments": _moments(sizes),
        "durable-write": _durable(sizes),
        "lag": _lag(sizes),
        "expiry": _expiry(sizes),
        "restore-small": _restore("restore-small", f"{sizes.small_files:,} files of 0.5 to 20 KB"),
        "restore-large": _restore("restore-large", f"one {size_in_words(sizes.large_bytes)} incompressible file"),
        "store": _store(sizes),
        "mount": _mount(sizes),
        "role-changes": _role_changes(sizes),
        "balanced": _balanced(),
        "health": _health(sizes),
        "track": _track(sizes),
        "device": _device(),
        "busy-file": _busy_file(sizes),
        "foreign-changes": _foreign_changes(sizes),
    }


def chosen(all_jobs: Jobs, wanted: list[str]) -> Jobs:
    """The jobs of these names or with rows of these names; all of them for none. Raises ``ValueError`` for one unknown."""
    known = {name: {name, *(spec.name for spec in specs)} for name, specs in all_jobs.items()}
    unknown = [one for one in wanted if not any(one in names for names in known.values())]
    if unknown:
        raise ValueError(f"no row {', '.join(unknown)}; there are: {', '.join(sorted(set().union(*known.values())))}")
    return {name: specs for name, specs in all_jobs.items() if not wanted or known[name] & set(wanted)}


def _small(sizes: Sizes) -> tuple[Spec, ...]:
    work = f"first sync of {sizes.small_files:,} files of 0.5 to 20 KB"
    both = "rsync -a over ssh, then restic backup of the copy"
    return (
        Spec("first-sync-small", work, "rsync -a over ssh", limit=0.9, aim=0.8),
        Spec("first-sync-small-and-backup", work, both, limit=0.33),
        Spec("first-sync-small-restic", work, "restic backup alone"),
        Spec("first-sync-small-borg", work, "borg create alone"),
    )


def _large(sizes: Sizes) -> tuple[Spec, ...]:
    work = f"first sync of one {size_in_words(sizes.large_bytes)} incompressible file"
    bare = "bare gRPC stream of 1 MiB messages, the same TLS"
    return (
        Spec("first-sync-large", work, "rsync -a over ssh", limit=0.9, aim=0.7),
        Spec("first-sync-large-rate", work, bare, Unit.RATE, limit=0.5, aim=0.6, better="higher"),
    )


def _scattered(sizes: Sizes) -> tuple[Spec, ...]:
    size = size_in_words(sizes.large_bytes)
    work = f"{sizes.changed_part:.0%} of a {size} file changed in scattered 4 KiB pieces"
    rsync = "rsync -a --inplace --no-whole-file over ssh"
    many = f"vault's growth over {sizes.vault_changes} such changes, from the second on"
    return (
        Spec("scattered-change", work, rsync, limit=0.25),
        Spec("scattered-change-wire", f"{work}: wire", rsync, Unit.BYTES, limit=0.5),
        Spec("second-change-wire", "wire, from the second such change on", "bytes changed", Unit.BYTES, limit=1.5),
        Spec("vault-growth", many, "bytes changed", Unit.BYTES, limit=1.6),
    )


def _many(sizes: Sizes) -> tuple[Spec, ...]:
    files = f"{sizes.many_files:,}"
    memory = float(250 * MIB)
    peak = f"peak resident memory over first sync and reconciles of {files} files"
    return (
        Spec("reconcile-unchanged", f"reconcile of {files} unchanged empty files", "rsync -a over ssh", limit=1.0),
        Spec("memory-primary", f"{peak}, primary", "", Unit.BYTES, limit=memory, of="ours"),
        Spec("memory-secondary", f"{peak}, secondary", "", Unit.BYTES, limit=memory, of="ours"),
    )


def _moments(sizes: Sizes) -> tuple[Spec, ...]:
    files = f"{sizes.many_files:,} empty files"
    changed = f"{min(DIFFERENCES, sizes.many_files):,}"
    return (
        Spec("take", f"a generation of {files} that did not change", "", limit=0.5, of="ours"),
        Spec("diff", f"what differs between two moments of {files}: {changed} of them", "", limit=0.5, of="ours"),
        Spec("find-name", f"a name in {GENERATIONS} generations of {files}", "", limit=0.3, of="ours"),
        Spec("find-path", "a path with a wildcard in it, in these", "", limit=3.0, of="ours"),
    )


def _durable(sizes: Sizes) -> tuple[Spec, ...]:
    work = f"one small write until durable on the secondary, {sizes.rate} writes/s, ext4 on a disk"
    three = "three bare fdatasync in a row"
    return (
        Spec("durable-write-p50-over", f"{work}: p50 less the peer", three, limit=0.015, of="ours"),
        Spec("durable-write-p50", f"{work}: p50", three),
        Spec("durable-write-p99", f"{work}: p99", three, limit=0.150, of="ours"),
    )


def _lag(sizes: Sizes) -> tuple[Spec, ...]:
    work = f"{sizes.rate} writes/s, {sizes.lag_writes} of them: until the file is there, p50"
    return (
        Spec("lag-lsyncd", work, "lsyncd over ssh, delay 1 s"),
        Spec("lag-lsyncd-default", work, "lsyncd over ssh, its default delay of 15 s"),
        Spec("lag-syncthing", work, "syncthing, its default watcher delay of 10 s"),
    )


def _expiry(sizes: Sizes) -> tuple[Spec, ...]:
    work = f"history of {sizes.expiry_files:,} files with four versions each goes, beside small commits, on a disk"
    return (
        Spec("expiry-wait", f"{work}: the longest that a commit waits for it", "", limit=0.1, of="ours"),
        Spec("expiry-commit", f"{work}: the longest commit", ""),
    )


def _mount(sizes: Sizes) -> tuple[Spec, ...]:
    size, memory = size_in_words(sizes.mount_bytes), float(250 * MIB)
    names = f"ls -l of {sizes.mount_names:,} names in a mount"
    readers = "one of these files after the other"
    return (
        Spec(
            "mount-read",
            f"{size} read from a mount, from beginning to end",
            "restic mount",
            Unit.RATE,
            1.0,
            better="higher",
        ),
        Spec("mount-copy", f"{size} copied out of a mount", "hikae restore of the same file", limit=1.3),
        Spec(
            "mount-readers",
            f"eight files of a mount read at once, {size} in all",
            readers,
            Unit.RATE,
            0.8,
            better="higher",
        ),
        Spec("mount-first-byte", "first byte of a file in a mount, somewhere in it, p50", "", limit=0.050, of="ours"),
        Spec("mount-names", names, "restic mount"),
        Spec(
            "mount-memory",
            f"peak resident memory of the mount over all this, {names} too",
            "",
            Unit.BYTES,
            memory,
            of="ours",
        ),
    )


def _role_changes(sizes: Sizes) -> tuple[Spec, ...]:
    files, changes = f"{sizes.many_files:,} files", f"{sizes.changes:,} changes of {CHANGED_BYTES} bytes"
    wire = float(3 * sizes.changes * (CHANGED_BYTES + _OF_A_CHANGE) + 2 * MIB)
    rejoin = f"rejoin an old primary of {files} after {changes}"
    pause = f"switch over to a standby of {files} under 50 writes/s: the longest time without a write"
    return (
        Spec("promote", f"promote a standby of {files}, nothing to converge: its own steps", "", limit=1.0, of="ours"),
        Spec("rejoin", f"{rejoin}: until both are equal again", "", limit=30.0, of="ours"),
        Spec("rejoin-wire", f"{rejoin}: wire, both ways", "", Unit.BYTES, limit=wire, of="ours"),
        Spec("switchover-pause", pause, "", limit=2.0, of="ours"),
    )


def _balanced() -> tuple[Spec, ...]:
    work = "a client of Redis behind HAProxy is confirmed nothing"
    return (
        Spec("client-promote", f"{work}, from when promote is typed", "", limit=2.0, of="ours"),
        Spec("client-switchover", f"{work} while the roles change by a switchover", "", limit=2.0, of="ours"),
    )


def _restore(name: str, what: str) -> tuple[Spec, ...]:
    work = f"restore of a generation of {what}"
    return (
        Spec(f"{name}-restic", work, "restic restore", limit=0.5),
        Spec(f"{name}-borg", work, "borg extract", limit=0.5),
    )


def _store(sizes: Sizes) -> tuple[Spec, ...]:
    part = f"{sizes.changed_part:.0%} of them changed a day"
    work = f"store of {sizes.days} generations of {sizes.small_files:,} files of 0.5 to 20 KB, {part}"
    return (
        Spec("store-restic", work, "restic's repository", Unit.BYTES, limit=1.0),
        Spec("store-borg", work, "borg's repository", Unit.BYTES),
    )


def _health(sizes: Sizes) -> tuple[Spec, ...]:
    work = f"500 requests/s of /primary through a first sync of {sizes.small_files:,} files"
    return (Spec("health-p99", f"{work}: p99 of an answer, from when it was due", "", limit=0.020, of="ours"),)


def _track(sizes: Sizes) -> tuple[Spec, ...]:
    work = f"30,000 random 4 KiB writes/s to a device for {sizes.track_seconds:g} s: processor time of its tracker, a second"
    return (Spec("track", work, "", limit=1.0, of="ours"),)


def _device() -> tuple[Spec, ...]:
    work = "3,000 random 4 KiB writes/s to a file on a replicated device"
    wire = "100 random 4 KiB writes/s to it: wire, both ways"
    flat = "random 4 KiB writes flat out, until all are applied"
    return (
        Spec("device-rate", f"{work}: rate kept", "fio alone", Unit.RATE, 0.95, better="higher"),
        Spec("device-p99", f"{work}: p99 of a write", "fio alone", limit=3.0),
        Spec("device-freeze", "frozen for a generation of it, beyond a bare freeze", "", limit=0.050, of="ours"),
        Spec("device-reconcile", "look at all of it", "dd iflag=direct bs=1M", Unit.RATE, 0.8, better="higher"),
        Spec("device-wire", wire, "the pages that were written", Unit.BYTES, 1.5),
        Spec("device-flat-out", flat, "", Unit.RATE, better="higher", of="ours"),
    )


def _busy_file(sizes: Sizes) -> tuple[Spec, ...]:
    file = f"one place of a {size_in_words(BUSY_BYTES)} file"
    work = f"{file} written {BUSY_RATE} times a second for {sizes.busy_seconds:g} s: percent of a core"
    return (
        Spec("busy-file-primary", f"{work}, primary", "", Unit.CORE, limit=15.0, of="ours"),
        Spec("busy-file-secondary", f"{work}, secondary", "", Unit.CORE, limit=10.0, of="ours"),
    )


def _foreign_changes(sizes: Sizes) -> tuple[Spec, ...]:
    changes = f"{FOREIGN_RATE:,} changes/s of link counts outside of the tree, on its filesystem"
    work = f"reconcile of {sizes.many_files:,} unchanged empty files beside {changes}"
    return (Spec("foreign-changes", work, "the same, these changes on another filesystem", limit=1.2),)
