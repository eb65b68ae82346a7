"""Which tracker a device gets, and whose a trace instance is."""

from __future__ import annotations

import os
from pathlib import Path

from agent.watch.blocks.choose import not_followed_any_more, tracker_of
from agent.watch.blocks.instances import instance_name, leftovers_removed, of_nobody
from agent.watch.blocks.tracefs import removed, tracefs_place
from fakes.agents import pair
from fakes.eventually import eventually
from fakes.loop_device import sparse
from fakes.written_disk import loop_of, needs_tracepoints


def test_a_file_is_followed_by_its_times(tmp_path: Path) -> None:
    """Anything else is asked for as a device."""
    image = sparse(tmp_path / "image", 4096)
    kinds = [tracker_of(str(path), tmp_path, "vm").kind for path in (image, tmp_path / "none", tmp_path)]
    assert ["events", "blocktrace", "blocktrace"] == kinds


def test_which_instances_nobody_uses() -> None:
    """This agent's that no dataset uses, and another's that is old; never one in use, however old, or a stranger's."""
    found = {
        "hikae-me-a": 0.0,
        "hikae-me-b": 99.0,
        "hikae-me-c": 99.0,
        "hikae-you-a": 30.0,
        "hikae-you-b": 50.0,
        "perf": 0.0,
    }
    assert ["hikae-me-b", "hikae-you-a"] == of_nobody(found, "hikae-me-", {"hikae-me-a", "hikae-me-c"}, 100.0)


@needs_tracepoints
def test_instances_of_an_earlier_life_are_removed(tmp_path: Path) -> None:
    """Those of this agent that no dataset uses, not what was just made by another.

    Other tests' agents run beside this one, and remove what is old as well: only what they leave alone is counted."""
    instances = tracefs_place() / "instances"
    other = tmp_path / "other"
    other.mkdir()
    names = [instance_name(tmp_path, "a"), instance_name(tmp_path, "b"), instance_name(other, "a")]
    try:
        for name in names:
            (instances / name).mkdir()
        assert [names[1]] == [one for one in leftovers_removed(tmp_path, ["a"]) if one in names]
        assert {names[0], names[2]} == set(names) & set(os.listdir(instances))
        os.utime(instances / names[2], (0, 0))
        leftovers_removed(tmp_path, ["a"])
        assert {names[0]} == set(names) & set(os.listdir(instances))
    finally:
        for name in names:
            removed(instances / name)


@needs_tracepoints
def test_two_agents_follow_one_disk(tmpfs_dir: Path) -> None:
    """Each in an instance of its own."""
    states = [tmpfs_dir / name for name in ("alpha", "beta")]
    with loop_of(tmpfs_dir, 4) as disk:
        trackers = []
        for state in states:
            state.mkdir()
            trackers.append(tracker_of(disk, state, "vm"))
            trackers[-1].start(lambda: None)
        assert [None, None] == [one.audit() for one in trackers]
        for one in trackers:
            one.stop()


@needs_tracepoints
def test_an_agent_removes_what_it_left(tmpfs_dir: Path) -> None:
    """A dataset that is configured no more: its instance is gone once the agent is up."""
    with pair() as both:
        state = both.alpha.state
        state.mkdir(exist_ok=True)
        left = tracefs_place() / "instances" / instance_name(state, "gone")
        left.mkdir()
        both.alpha.start()
        eventually(lambda: not left.exists())


@needs_tracepoints
def test_what_another_agent_holds_or_keeps_stays(tmpfs_dir: Path) -> None:
    """An agent that runs, however long, and one that was stopped cleanly."""
    other, instances = tmpfs_dir / "other", tracefs_place() / "instances"
    other.mkdir()
    held = instances / instance_name(other, "vm")
    with loop_of(tmpfs_dir, 4) as disk:
        tracker = tracker_of(disk, other, "vm")
        tracker.start(lambda: None)
        tracker.take()
        try:
            os.utime(held, (0, 0))
            leftovers_removed(tmpfs_dir, [])
            assert held.exists()
            tracker.save(other / "saved")
            leftovers_removed(tmpfs_dir, [])
            assert ((other / "saved").exists(), True) == (held.exists(), held.exists())
        finally:
            tracker.stop()
            if held.exists():
                held.rmdir()


@needs_tracepoints
def test_a_standby_does_not_go_on_noting(tmpfs_dir: Path) -> None:
    """What a primary left at its clean stop is gone, once its node follows another."""
    saved, instance = tmpfs_dir / "saved", tracefs_place() / "instances" / instance_name(tmpfs_dir, "vm")
    with loop_of(tmpfs_dir, 4) as disk:
        tracker = tracker_of(disk, tmpfs_dir, "vm")
        tracker.start(lambda: None)
        tracker.take()
        tracker.save(saved)
        assert (True, True) == (saved.exists(), instance.exists())
        not_followed_any_more(tmpfs_dir, "vm", saved)
        assert (False, False) == (saved.exists(), instance.exists())
        not_followed_any_more(tmpfs_dir, "vm", saved)
