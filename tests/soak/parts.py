"""The parts of `make soak`: each takes at most an hour and is recorded by itself. What is timed runs alone on the machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Part:
    """A part: what it shows in a few words, the tests that show it (pytest's arguments), and how many seeds.

    ``seeds`` reaches the tests as ``HIKAE_SOAK_SEEDS``. ``timed``: its limits are times or shares of the machine; what only
    counts may run beside another part, which is the harder place."""

    shows: str
    tests: tuple[str, ...]
    seeds: int = 20
    timed: bool = False


PARTS: Mapping[str, Part] = MappingProxyType(
    {
        "storms-of-two": Part("10,000 operations and 20 kills a seed, two equal trees", ("tests/soak/test_storm.py",)),
        "storms-of-three": Part(
            "the same over two standbys with cuts and throttles", ("tests/soak/test_storm_of_three.py",)
        ),
        "power-cuts": Part("power cuts of the secondary, 100 times", ("tests/soak/test_power_cut.py",)),
        "power-cuts-of-the-primary": Part(
            "100 power cuts of source and state of a primary: what is left is what the standby has",
            ("tests/soak/test_power_cut_of_the_primary.py",),
        ),
        "late-looks": Part(
            "1,000 short storms with directories exchanged between a look and a read: each catchup ends",
            ("tests/soak/test_delays_between_look_and_read.py",),
        ),
        "incident": Part(
            "Redis behind HAProxy, the primary killed under load 20 times: no write that a wait covered is missing",
            ("tests/platform/test_incident.py",),
            timed=True,
        ),
        "link-races": Part(
            "twelve operations raced by who owns the directory", ("tests/faults/apply/test_link_races.py",)
        ),
        "overflow": Part(
            "an overflow of the kernel's queue loses nothing", ("tests/soak/test_overflow.py",), timed=True
        ),
        "device-postgres": Part(
            "PostgreSQL on a replicated device killed under load 50 times: what was confirmed is on the promoted disk",
            ("tests/soak/test_postgres_device.py",),
            seeds=50,
        ),
        "promote": Part(
            "the primary killed under load 20 times: what is lost, and how long it takes, was said before",
            ("tests/integration/test_promote_under_load.py",),
            timed=True,
        ),
        "model": Part(
            "2,000,000 steps of the role protocol's model: nothing that must not be, always a way out",
            ("tests/unit/roles/test_role_protocol.py", "-k", "not guard"),
        ),
        "model-guards": Part(
            "each guard of the role protocol taken out is missed by its model",
            ("tests/unit/roles/test_role_protocol.py", "-k", "guard"),
        ),
        "switchover": Part(
            "20 switchovers under 50 writes a second: each stands still for at most 2 s, nothing is lost",
            ("tests/integration/test_switchover.py", "-k", "nothing_is_lost"),
            timed=True,
        ),
        "switchover-kills": Part(
            "either node killed before and after each step of a switchover",
            ("tests/integration/faults/test_switchover_faults.py",),
        ),
        "role-crashes": Part(
            "agents killed before and after each step of promote, switchover, rejoin, rehearse: each finishes, none serves twice",
            (
                "tests/integration/faults/test_role_crashes.py",
                "tests/integration/faults/test_switchover_faults.py",
            ),
        ),
        "comes-back": Part(
            "the old primary comes back before, in and behind each step of a promotion: never two in an epoch, it finishes",
            ("tests/integration/faults/test_comes_back.py",),
            seeds=1,
        ),
        "role-stops": Part(
            "agents that stand still for a minute in steps of a change of role, or until that is noticed or used: one serves",
            ("tests/integration/faults/test_stopped_agents.py",),
            seeds=1,
            timed=True,
        ),
        "role-cuts": Part(
            "100 power cuts of tree and state in promote, 100 in rejoin: each finishes, both histories restore",
            ("tests/soak/test_role_cuts.py",),
            seeds=100,
        ),
        "device-promotions": Part(
            "200 promotions of a device at random moments beside stress-ng: bit for bit a commit, clean, fio's verify holds",
            ("tests/platform/test_device_promotions.py",),
        ),
        "device-verify": Part(
            "a device verified 600 times while fio writes to it, raw and through ext4: never a difference that is none",
            ("tests/integration/devices/test_verify_under_load.py",),
            seeds=300,
        ),
        "groups": Part(
            "50 moments of a tree and a device in one group, ext4 and xfs: the device is never ahead, the tree by one at most",
            ("tests/platform/test_groups.py",),
            seeds=25,
        ),
        "several-filesystems": Part(
            "25 moments of two filesystems of a disk, and of two disks of a group: the second is never ahead of the first",
            ("tests/platform/test_several_filesystems.py",),
            seeds=25,
        ),
        "boots": Part(
            "a virtual machine's disk, kept while it runs: the promoted standby, an older moment and bare metal boot",
            ("tests/soak/test_boots.py", "-o", "faulthandler_timeout=0"),
            seeds=1,
            timed=True,
        ),
        "device-kills": Part(
            "agent and guard killed 100 times around the freeze of a device: writes go on within the deadline",
            ("tests/platform/test_device_kills.py",),
            timed=True,
        ),
        "adopting": Part("50,000 files that stood there before travel not at all", ("tests/soak/test_adopting.py",)),
        "brake": Part("100,000 files deleted are held", ("tests/soak/test_brake.py",), timed=True),
        "growing": Part("a small edit beside 10 GiB being written", ("tests/soak/test_growing.py",), timed=True),
        "huge": Part("a million files, deep trees, huge files", ("tests/soak/test_huge.py",), timed=True),
        "kills": Part(
            "kills, cuts of the link, patches under both",
            (
                "tests/integration/faults/test_kills.py",
                "tests/integration/faults/test_links.py",
                "tests/integration/test_patches.py",
            ),
        ),
        "damaged-chunk": Part(
            "a damaged chunk whose file has changed, 200 times, eight at once: it is no loss, within 100 s",
            ("tests/integration/faults/test_damage.py", "-k", "whose_file_has_changed", "-n", "8"),
            seeds=200,
        ),
        "hostile": Part(
            "peers and users that keep to no rule", ("tests/faults/stream", "tests/faults/apply", "tests/faults/store")
        ),
        "posix": Part(
            "what system calls do to a watched tree, and what the standby makes of it", ("tests/soak/test_posix.py",)
        ),
        "stress-ext4": Part(
            "stress-ng's filesystem stressors, half an hour on ext4",
            ("tests/soak/test_stress.py", "-k", "ext4"),
            timed=True,
        ),
        "stress-xfs": Part(
            "stress-ng's filesystem stressors, half an hour on xfs",
            ("tests/soak/test_stress.py", "-k", "xfs"),
            timed=True,
        ),
        "slow-links": Part(
            "state, lag, what is left and forecast against the truth at 1, 10 and 100 Mbit/s",
            ("tests/soak/test_slow_links.py",),
            timed=True,
        ),
        "inputs": Part(
            "100,000 mangled packs, catalogs, configurations and requests each: errors of ours only",
            ("tests/faults/inputs",),
            seeds=200,
        ),
        "slopes": Part(
            "an hour of 30 small changes a second: processor, memory, each state file, disk, wire, vault by quarter",
            ("tests/soak/test_slopes.py", "-k", "hour"),
            timed=True,
        ),
        "slopes-by-kind": Part(
            "what each kind of small change costs alone",
            ("tests/soak/test_slopes.py", "-k", "kind"),
            timed=True,
        ),
        "histories": Part(
            "10,000 histories with random kept commits: what can be read is as it was, nothing else stays",
            ("tests/unit/store/catalog/test_expiry.py", "-k", "model"),
        ),
        "history-storms": Part(
            "random years of taking, expiring, collecting, kills, clocks that jump: what must be there reads as it was",
            ("tests/integration/store/test_history_storm.py",),
            seeds=200,
        ),
        "freezes": Part(
            "agent and guard killed 100 times around freezes, also of all they have: thawed; frozen commits equal copies",
            (
                "tests/platform/fs/test_thaw_guard.py",
                "tests/platform/test_frozen_capture.py",
                "tests/platform/test_freeze_kills.py",
                "-s",
            ),
            seeds=100,
            timed=True,
        ),
        "bit-flips": Part(
            "10,000 single bits of packs turned over: what a moment can meet is found with its paths and generations",
            ("tests/integration/generations/test_bit_flips.py",),
            seeds=1,
        ),
        "collection-plan": Part(
            "the plan of a collection over 20,000,000 names in 250 MiB",
            ("tests/soak/test_collection_plan.py",),
            seeds=1,
        ),
        "expire-many": Part(
            "1,000 of 2,000 generations with a million rows expire in 250 MiB, no commit waits over 100 ms",
            ("tests/soak/test_expire_many.py",),
            seeds=1,
            timed=True,
        ),
        "season": Part(
            "a year of use by an injected clock, 5 % change a day, default rules: the vault levels off, the forecast was right",
            ("tests/soak/test_season.py",),
            seeds=1,
        ),
        "restore-kills": Part(
            "a restore killed 100 times and 100 rollbacks killed at any moment: each goes on and ends as it must",
            (
                "tests/faults/test_restore_killed.py",
                "tests/integration/test_rollback.py",
                "-k",
                "again_and_again or in_the_middle",
            ),
            seeds=100,
        ),
        "resync-kills": Part(
            "100 kills while a lost vault is filled from the standby: nothing kept is damaged, all is there in the end",
            ("tests/integration/test_resync_vault.py", "-k", "killed"),
            seeds=100,
        ),
        "sixty-generations": Part(
            "60 generations and 120 moments of a tree that changes at random: each restores exactly as the tree stood",
            ("tests/soak/test_sixty_generations.py",),
            seeds=3,
        ),
        "history-kills": Part(
            "500 kills in take, expire, restore, rollback and resync: what is kept comes back, and the next run finishes",
            ("tests/soak/test_history_cuts.py", "-k", "kill", "-s"),
            seeds=170,
        ),
        "history-cuts": Part(
            "100 power cuts in take, expire, restore, rollback and resync: the same",
            ("tests/soak/test_history_cuts.py", "-k", "not kill", "-s"),
            seeds=35,
        ),
        "compaction-kills": Part(
            "500 kills in commits, expiry, collections and compactions: nothing kept is damaged",
            ("tests/faults/store/test_kill.py", "-k", "compaction"),
            seeds=500,
        ),
        "compaction-cuts": Part(
            "100 power cuts in the middle of compactions, the index lost each third time",
            ("tests/platform/store/test_power_cut.py", "-k", "compaction"),
            seeds=100,
        ),
        "tracker": Part(
            "random writes, discards, partitions, overruns, restarts: a copy that follows the tracker is the device",
            ("tests/soak/test_tracker.py", "-s"),
            seeds=100,
        ),
        "scattered-writes": Part(
            "58 minutes of scattered writes to a device: the wire carries at most 1.5 times the pages that changed",
            ("tests/soak/test_scattered_writes.py", "-s"),
            seeds=58,
            timed=True,
        ),
        "pressure": Part(
            "a first copy of a device leaves stress-ng nine tenths of its rate, and is back ten seconds after",
            ("tests/soak/test_pressure.py", "-s"),
            seeds=1,
            timed=True,
        ),
        "cases": Part("inputs that failed once, each by itself", ("tests/cases/test_cases.py",)),
    }
)
