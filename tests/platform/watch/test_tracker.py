"""Writes of a real disk are followed by the kernel's tracepoints: nothing that changed is missed."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.watch.blocks.tracefs import RingLimits, tracefs_place
from agent.watch.blocks.tracker import TracepointTracker, TrackerLimits
from fakes import tracefs_taken_away
from fakes.eventually import eventually
from fakes.loop_device import attached, sparse
from fakes.loop_image import run
from fakes.written_disk import (
    content,
    loop_of,
    memory_disk,
    needs_tracepoints,
    needs_zram,
    partitions_of,
    random_writer,
    uncovered,
)

pytestmark = needs_tracepoints

#: A tracker whose thread never drains by itself: what is asked is all that happens.
_STILL = TrackerLimits(interval=3600)
_SMALL = RingLimits(cpu=64, least=64)


def name_of(directory: Path) -> str:
    """A name that no other test's instance has."""
    return f"hikae-test-{os.getpid()}-{directory.name[-20:]}"


@contextmanager
def tracking(
    device: str, name: str, limits: TrackerLimits = _STILL, saved: Path | None = None
) -> Iterator[TracepointTracker]:
    """A tracker that has begun; what its first take asks for is done."""
    tracker = TracepointTracker(device, name, saved, limits)
    tracker.start(lambda: None)
    try:
        if saved is None:
            assert "what was written before the agent started was not noted" == tracker.take().reconcile
        yield tracker
    finally:
        tracker.stop()


def test_every_changed_byte_is_covered(tmpfs_dir: Path, rng: random.Random) -> None:
    """Direct and cached writes, discards and zeroes on a whole disk and on both its partitions."""
    with loop_of(tmpfs_dir, 48) as disk, partitions_of(disk, 16, 20) as parts:
        for number, device in enumerate((disk, *parts)):
            with tracking(device, f"{name_of(tmpfs_dir)}-{number}") as tracker:
                for _ in range(4):
                    before = content(device)
                    for target in (disk, *parts):
                        with random_writer(target, rng) as writer:
                            for _ in range(rng.randrange(30)):
                                writer.write()
                    taken = tracker.take()
                    after = content(device)
                    assert (None, []) == (taken.reconcile, uncovered(before, after, taken.extents))
                    assert all(0 <= start < end <= len(after) for start, end in taken.extents)
                assert None is tracker.audit()


@needs_zram
def test_every_changed_byte_of_a_disk_without_requests(tmpfs_dir: Path, rng: random.Random) -> None:
    """A disk that tells of bios alone, as stacked ones do: covered, and nothing is owed for ever."""
    with memory_disk(16) as disk, tracking(disk, name_of(tmpfs_dir)) as tracker:
        before = content(disk)
        with random_writer(disk, rng) as writer:
            for _ in range(40):
                writer.write()
        taken = tracker.take()
        assert (None, []) == (taken.reconcile, uncovered(before, content(disk), taken.extents))
        assert (None, ((), None)) == (tracker.audit(), tracker.take())


def test_another_partition_is_not_ours(tmpfs_dir: Path, rng: random.Random) -> None:
    """Writes to a sibling make nothing dirty."""
    name = name_of(tmpfs_dir)
    with loop_of(tmpfs_dir, 48) as disk, partitions_of(disk, 16, 20) as (own, sibling), tracking(own, name) as tracker:
        with random_writer(sibling, rng) as writer:
            writer.fast(50)
        assert ((), None) == tracker.take()


def test_a_write_wakes_once(tmpfs_dir: Path, rng: random.Random) -> None:
    """The thread says so at the first write, and again after a take only."""
    woken = threading.Semaphore(0)
    with loop_of(tmpfs_dir, 16) as disk:
        tracker = TracepointTracker(disk, name_of(tmpfs_dir), None, TrackerLimits(interval=0.01))
        tracker.start(woken.release)
        try:
            assert woken.acquire(timeout=60)
            tracker.take()
            with random_writer(disk, rng) as writer:
                writer.fast(10)
                assert woken.acquire(timeout=60)
                writer.fast(10)
                assert not woken.acquire(timeout=0.2)
        finally:
            tracker.stop()


def test_events_that_no_longer_fit_ask_for_a_reconcile(tmpfs_dir: Path, rng: random.Random) -> None:
    """A ring that is too small drops events: said once, and all is well afterwards."""
    with (
        loop_of(tmpfs_dir, 16) as disk,
        tracking(disk, name_of(tmpfs_dir), TrackerLimits(3600, rings=_SMALL)) as tracker,
    ):
        with random_writer(disk, rng) as writer:
            writer.fast(20_000)
            taken = tracker.take()
            assert taken.reconcile is not None
            assert "the kernel dropped " in taken.reconcile
            assert 1 == tracker.overflows
            before = content(disk)
            writer.fast(20)
        taken = tracker.take()
        assert (None, []) == (taken.reconcile, uncovered(before, content(disk), taken.extents))


def test_what_was_given_back_is_owed(tmpfs_dir: Path, rng: random.Random) -> None:
    """Extents and a reconcile that could not be done come again."""
    with loop_of(tmpfs_dir, 16) as disk, tracking(disk, name_of(tmpfs_dir)) as tracker:
        with random_writer(disk, rng) as writer:
            writer.fast(20)
        taken = tracker.take()
        tracker.restore(taken._replace(reconcile="the test says so"))
        assert taken._replace(reconcile="the test says so") == tracker.take()


def test_a_clean_stop_keeps_what_is_owed(tmpfs_dir: Path, rng: random.Random) -> None:
    """What was dirty before, and what was written while nobody ran, is in the first take; the map is used once."""
    saved = tmpfs_dir / "map"
    with loop_of(tmpfs_dir, 16) as disk:
        with tracking(disk, name_of(tmpfs_dir)) as tracker:
            before = content(disk)
            with random_writer(disk, rng) as writer:
                writer.fast(20)
            tracker.save(saved)
        with random_writer(disk, rng) as writer:
            writer.fast(20)
        with tracking(disk, name_of(tmpfs_dir), saved=saved) as tracker:
            taken = tracker.take()
            assert (None, []) == (taken.reconcile, uncovered(before, content(disk), taken.extents))
            assert not saved.exists()
            assert None is tracker.audit()
            again = TracepointTracker(disk, name_of(tmpfs_dir) + "-2", saved, _STILL)
            again.start(lambda: None)
            assert None is not again.take().reconcile
            again.stop()


def test_a_clean_stop_with_events_lost_meanwhile(tmpfs_dir: Path, rng: random.Random) -> None:
    """More was written while nobody ran than the rings hold: everything is read."""
    saved = tmpfs_dir / "map"
    with loop_of(tmpfs_dir, 16) as disk:
        with tracking(disk, name_of(tmpfs_dir), TrackerLimits(3600, rings=_SMALL)) as tracker:
            tracker.save(saved)
        with random_writer(disk, rng) as writer:
            writer.fast(20_000)
        with tracking(disk, name_of(tmpfs_dir), saved=saved) as tracker:
            assert "events were lost while the agent was not running" == tracker.take().reconcile


def test_a_stop_that_left_something_undone_saves_nothing(tmpfs_dir: Path) -> None:
    """A reconcile that is owed would be forgotten: the next start reads everything."""
    saved = tmpfs_dir / "map"
    with loop_of(tmpfs_dir, 16) as disk, tracking(disk, name_of(tmpfs_dir)) as tracker:
        tracker.restore(tracker.take()._replace(reconcile="the test says so"))
        tracker.save(saved)
        assert not saved.exists()


def test_another_disk_in_its_place(tmpfs_dir: Path) -> None:
    """The loop device stands on another file after a clean stop: the map is not believed."""
    saved = tmpfs_dir / "map"
    image = sparse(tmpfs_dir / "first.img", 16 << 20)
    with attached(image) as disk, tracking(disk, name_of(tmpfs_dir)) as tracker:
        tracker.save(saved)
        run("losetup", "--detach", disk)
        run("losetup", disk, str(sparse(tmpfs_dir / "second.img", 16 << 20)))
        with tracking(disk, name_of(tmpfs_dir), saved=saved) as after:
            assert "another device stands in its place, or it was resized" == after.take().reconcile


def test_a_disk_that_grows(tmpfs_dir: Path, rng: random.Random) -> None:
    """Everything is read once, and the new part is followed."""
    image = sparse(tmpfs_dir / "grows.img", 16 << 20)
    with attached(image) as disk, tracking(disk, name_of(tmpfs_dir)) as tracker:
        os.truncate(image, 24 << 20)
        run("losetup", "--set-capacity", disk)
        assert f"the device was resized, from {16 << 20} to {24 << 20} bytes" == tracker.take().reconcile
        before = content(disk)
        with random_writer(disk, rng) as writer:
            writer.fast(100)
        taken = tracker.take()
        assert (24 << 20, None, []) == (len(before), taken.reconcile, uncovered(before, content(disk), taken.extents))


def test_withheld_events_are_found(tmpfs_dir: Path, rng: random.Random) -> None:
    """Writes that do not show: counters say so, a reconcile is asked for; once events come again it is over."""
    name = name_of(tmpfs_dir)
    # Only events of this process would be told, and there is none.
    only = tracefs_place() / "instances" / name / "set_event_pid"
    with loop_of(tmpfs_dir, 16) as disk, tracking(disk, name) as tracker, random_writer(disk, rng) as writer:
        only.write_text(str(2**22))
        writer.fast(10)
        why = "the disk counted 80 written sectors more than the kernel's block tracepoints told of"
        assert (why, why) == (tracker.audit(), tracker.take().reconcile)
        assert why == tracker.audit()
        only.write_text("")
        writer.fast(10)
        assert (None, None) == (tracker.audit(), tracker.take().reconcile)


@pytest.mark.parametrize("event", ["block_bio_queue", "block_rq_complete"])
def test_a_filter_that_somebody_changed_is_found(tmpfs_dir: Path, event: str) -> None:
    """Of either event, whatever it lets through."""
    name = name_of(tmpfs_dir)
    filters = tracefs_place() / "instances" / name / "events/block" / event / "filter"
    with loop_of(tmpfs_dir, 16) as disk, tracking(disk, name) as tracker:
        filters.write_text(f"{filters.read_text().strip()} && sector > 99999999")
        assert "somebody changed the agent's trace instance" == tracker.audit()
        assert None is tracker.audit()


@pytest.mark.skipif(not shutil.which("fio"), reason="needs fio")
def test_a_busy_disk_is_not_doubted(tmpfs_dir: Path) -> None:
    """Many writes under way at any moment, written, discarded, flushed: each check agrees."""
    jobs = "--rw=randwrite --bs=4k --iodepth=32 --size=8m", "--rw=randtrim --bs=64k --iodepth=8 --offset=8m --size=8m"
    with loop_of(tmpfs_dir, 16) as disk, tracking(disk, name_of(tmpfs_dir)) as tracker:
        common = f"--filename={disk} --direct=1 --ioengine=libaio --runtime=3 --time_based".split()
        writers = [
            subprocess.Popen(["fio", "--name=w", *common, *one.split()], stdout=subprocess.DEVNULL) for one in jobs
        ]
        said = set()
        while any(writer.poll() is None for writer in writers):
            said.add(tracker.audit())
        assert [0, 0] == [writer.returncode for writer in writers]
        assert {None} == said


def test_an_instance_that_somebody_changed(tmpfs_dir: Path) -> None:
    """Found by an audit, and made anew by the next."""
    name = name_of(tmpfs_dir)
    with loop_of(tmpfs_dir, 16) as disk, tracking(disk, name) as tracker:
        (tracefs_place() / "instances" / name / "tracing_on").write_text("0")
        why = "somebody changed the agent's trace instance"
        assert (why, why) == (tracker.audit(), tracker.take().reconcile)
        assert (None, why, None) == (tracker.audit(), tracker.take().reconcile, tracker.take().reconcile)


def test_rings_that_somebody_emptied(tmpfs_dir: Path, rng: random.Random) -> None:
    """As a tracing tool empties every instance when it begins: what was noted and not read is doubted at the next take."""
    name = name_of(tmpfs_dir)
    with loop_of(tmpfs_dir, 4) as device, tracking(device, name) as tracker, random_writer(device, rng) as writer:
        writer.fast(50)
        assert tracker.take().extents
        writer.fast(5)
        (tracefs_place() / "instances" / name / "trace").write_text("")
        assert tracker.take().reconcile is not None
        assert tracker.take().reconcile is None


def test_an_instance_that_another_process_reads(tmpfs_dir: Path) -> None:
    """Not followed while it does, said why, and followed from the next audit on."""
    name = name_of(tmpfs_dir)
    instance = tracefs_place() / "instances" / name
    instance.mkdir()
    ring = os.open(instance / "per_cpu/cpu0/trace_pipe_raw", os.O_RDONLY | os.O_NONBLOCK)
    with loop_of(tmpfs_dir, 16) as disk:
        tracker = TracepointTracker(disk, name, None, _STILL)
        tracker.start(lambda: None)
        try:
            why = "another process reads the agent's own trace instance"
            assert (why, "none", why) == (tracker.audit(), tracker.kind, tracker.take().reconcile)
            os.close(ring)
            assert (None, "blocktrace") == (tracker.audit(), tracker.kind)
        finally:
            tracker.stop()


def test_a_disk_that_counts_nothing_is_said(tmpfs_dir: Path) -> None:
    """With ``queue/iostats`` off nothing can be compared."""
    with loop_of(tmpfs_dir, 16) as disk, tracking(disk, name_of(tmpfs_dir)) as tracker:
        switch = Path("/sys/block") / Path(disk).name / "queue/iostats"
        switch.write_text("0")
        try:
            assert (None, True) == (tracker.audit(), "queue/iostats is 0" in tracker.why)
        finally:
            switch.write_text("1")
        assert (None, False) == (tracker.audit(), "queue/iostats is 0" in tracker.why)


def test_a_device_that_is_none(tmpfs_dir: Path) -> None:
    """A path without a device is untracked with the reason, and asks for a reconcile each time."""
    tracker = TracepointTracker(str(tmpfs_dir / "none"), name_of(tmpfs_dir), None, _STILL)
    tracker.start(lambda: None)
    try:
        why = f"{tmpfs_dir / 'none'} does not exist"
        assert (why, why, why) == (tracker.audit(), tracker.take().reconcile, tracker.take().reconcile)
        assert ("none", why) == (tracker.kind, tracker.why)
    finally:
        tracker.stop()


def test_nothing_is_left_behind(tmpfs_dir: Path) -> None:
    """A tracker that ended has no instance, and one that a dead agent left is taken over."""
    name = name_of(tmpfs_dir)
    instance = tracefs_place() / "instances" / name
    instance.mkdir()
    with loop_of(tmpfs_dir, 16) as disk, tracking(disk, name):
        eventually(instance.exists)
    assert not instance.exists()


@needs_tracepoints
def test_tracefs_that_is_not_mounted_or_is_taken_away(tmpfs_dir: Path) -> None:
    """It is mounted where it is needed; taken away, everything is read, and the next audit brings it back."""
    with loop_of(tmpfs_dir, 16) as disk:
        words = ("unshare", "--mount", sys.executable, tracefs_taken_away.__file__, disk, name_of(tmpfs_dir))
        before, after, audited, owed, later = json.loads(run(*words))
    assert (None, None, None) == (before, audited, later)
    assert "does not exist" in after
    assert after == owed
