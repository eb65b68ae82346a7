"""A device's pump on a real image file: what is committed is what stood there."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from agent.capture.device.host_load import HostLoad
from agent.capture.device.mounted import MountedFilesystem
from agent.capture.device.rhythm import RhythmLimits
from agent.capture.device.yielding import Yielding, YieldLimits
from agent.capture.facts import CapturePhase
from agent.core.chunks import unreadable_name
from agent.core.commit import Provenance, Quiesced
from agent.core.errors import NotPermitted
from agent.core.ids import ObjectId
from agent.core.problem import Problem
from agent.core.problem_codes import DEVICE_BUSY, DEVICE_GONE, DEVICE_SHRUNK, NOT_STILL, UNREADABLE
from agent.core.rows import decode_chunk
from agent.fs.thaw_guard import FreezeFailed
from fakes.device_station import CHUNK, WAIT, BadPlaces, DeviceStation, device_station, image_of, wait_for


def problems(made: DeviceStation) -> list[Problem]:
    """All but that a busy machine is slow."""
    return [one for one in made.board.listed()[0] if one.code != DEVICE_BUSY]


def test_first_sync(tmp_path: Path) -> None:
    """All that is not zeros comes, and the last chunk, which says where the device ends; then a commit that is consistent."""
    image = image_of(tmp_path / "image", 40 * CHUNK + 512, chunks=[1, 2, 17, 40])
    with device_station(tmp_path / "image", tmp_path / "state") as made:
        made.synced()
        newest = made.outlet.commits[-1]
        assert (image, 5, True) == (made.image(), newest.entries, newest.consistent)
        assert Quiesced.CRASH == newest.provenance.reached


def test_what_is_written_is_committed_by_itself(tmp_path: Path) -> None:
    """Within the configured time, and only what changed: one row for each chunk that differs."""
    image_of(tmp_path / "image", 64 * CHUNK, chunks=range(1, 20))
    with device_station(tmp_path / "image", tmp_path / "state") as made:
        made.synced()
        made.outlet.forget_traffic()
        made.write(5 * CHUNK + 100, b"x" * 5000)
        made.write(30 * CHUNK - 1, b"yz")
        wait_for(lambda: made.image() == made.path.read_bytes())
        assert 3 == sum(len(one.puts) for one in made.outlet.changes)


def test_what_becomes_zeros_has_no_row(tmp_path: Path) -> None:
    """But the last chunk, which is as long as the device goes on."""
    image_of(tmp_path / "image", 10 * CHUNK, chunks=[3, 10])
    with device_station(tmp_path / "image", tmp_path / "state") as made:
        made.synced()
        made.write(2 * CHUNK, bytes(CHUNK))
        made.write(9 * CHUNK, bytes(CHUNK))
        made.synced()
        assert (bytes(10 * CHUNK), 1) == (made.image(), len(made.outlet.rows))


def test_pages_travel_as_patches(tmp_path: Path) -> None:
    """Of a chunk that was known, only the pages that differ."""
    image_of(tmp_path / "image", 4 * CHUNK, chunks=[1, 2, 3, 4])
    with device_station(tmp_path / "image", tmp_path / "state") as made:
        made.synced()
        literal: list[int] = []
        made.outlet.on_runs = lambda runs: literal.append(sum(run.length for run in runs if not run.base))
        made.write(CHUNK + 8192, b"x" * 10)
        made.synced()
        assert ([4096], made.path.read_bytes()) == (literal, made.image())


def test_restart_reads_and_sends_nothing_again(tmp_path: Path) -> None:
    """What the catalog has is compared by its prints: no content travels, and nothing is committed."""
    image_of(tmp_path / "image", 30 * CHUNK, chunks=range(1, 31))
    with device_station(tmp_path / "image", tmp_path / "state") as made:
        made.synced()
        rows, stored = made.outlet.rows, made.outlet.chunks
    with device_station(tmp_path / "image", tmp_path / "state") as again:
        again.outlet.rows.update(rows)
        again.outlet.chunks.update(stored)
        again.pump.reconcile("test").wait(WAIT)
        assert ([], []) == (again.outlet.changes, again.outlet.content_calls)


def test_what_no_event_told_is_found_by_a_reconcile(tmp_path: Path) -> None:
    """Law 4: hints are never trusted to be complete."""
    image_of(tmp_path / "image", 30 * CHUNK, chunks=[1, 5])
    with device_station(tmp_path / "image", tmp_path / "state") as made:
        made.synced()
        with made.path.open("r+b") as file:
            file.seek(20 * CHUNK)
            file.write(b"unheard")
        made.pump.reconcile("test").wait(WAIT)
        assert made.path.read_bytes() == made.image()


def test_lost_events_make_it_read_all(tmp_path: Path) -> None:
    """And nothing is committed before, since a part of a device is no moment of it."""
    image_of(tmp_path / "image", 30 * CHUNK, chunks=[1, 5])
    with device_station(tmp_path / "image", tmp_path / "state") as made:
        made.synced()
        with made.path.open("r+b") as file:
            file.seek(20 * CHUNK)
            file.write(b"unheard")
        made.tracker.lost("an overrun")
        made.write(0, b"heard")
        made.synced()
        assert made.path.read_bytes() == made.image()
        assert [True] * 2 == [one.consistent for one in made.outlet.commits[-2:]]


def test_a_label_has_a_commit_of_its_own(tmp_path: Path) -> None:
    """Also where nothing changed."""
    image_of(tmp_path / "image", 4 * CHUNK, chunks=[1])
    with device_station(tmp_path / "image", tmp_path / "state") as made:
        made.synced()
        number = made.pump.barrier(Provenance(label="before")).wait(WAIT)
        newest = made.outlet.commits[-1]
        assert (number, "before", Quiesced.CRASH) == (newest.number, newest.provenance.label, newest.provenance.reached)


def test_a_device_that_vanishes_holds_capture(tmp_path: Path) -> None:
    """Nothing looks like a disk that was wiped; when it is back all of it is read."""
    image = image_of(tmp_path / "image", 8 * CHUNK, chunks=[1, 8])
    with device_station(tmp_path / "image", tmp_path / "state") as made:
        made.synced()
        made.path.rename(tmp_path / "away")
        wait_for(lambda: made.pump.facts().phase is CapturePhase.HELD)
        hold = made.pump.facts().hold
        # Whatever is written there now is in no commit.
        assert made.pump.facts().put_off > 0
        (tmp_path / "away").rename(made.path)
        made.tracker.lost("it was away")
        wait_for(lambda: made.pump.facts().phase is CapturePhase.LIVE)
        assert (DEVICE_GONE, image) == (hold.code if hold else "", made.image())
        wait_for(lambda: made.pump.facts().put_off == 0)


def test_what_is_written_and_not_committed_is_told(tmp_path: Path) -> None:
    """Since when it waits, also while its commit is being made, and how much of it is not read yet."""
    image_of(tmp_path / "image", 40 * CHUNK, chunks=[1])
    limits = RhythmLimits(memory=CHUNK, least=CHUNK)
    with device_station(tmp_path / "image", tmp_path / "state", limits=limits) as made:
        made.synced()
        wait_for(lambda: made.pump.facts().put_off == 0 == made.pump.facts().dirty)
        made.outlet.has.clear()
        made.write(0, b"x" * 40 * CHUNK)
        wait_for(lambda: made.tracker.waiting == 0 and made.pump.facts().dirty == 40 * CHUNK)
        assert made.pump.facts().put_off > 0
        made.outlet.has.set()
        made.synced()
        wait_for(lambda: made.pump.facts().put_off == 0 == made.pump.facts().dirty)


def test_a_device_that_grows_is_captured_longer(tmp_path: Path) -> None:
    """With what was its last chunk."""
    image_of(tmp_path / "image", 8 * CHUNK + 4096, chunks=[1, 9])
    with device_station(tmp_path / "image", tmp_path / "state") as made:
        made.synced()
        os.truncate(made.path, 20 * CHUNK)
        made.tracker.lost("it was resized")
        wait_for(lambda: made.image() == made.path.read_bytes())
        assert 3 == len(made.outlet.rows)


def test_a_device_that_shrinks_waits_for_a_word(tmp_path: Path) -> None:
    """What was cut off is gone once an operator has said so."""
    image_of(tmp_path / "image", 20 * CHUNK, chunks=[1, 12, 20])
    with device_station(tmp_path / "image", tmp_path / "state") as made:
        made.synced()
        os.truncate(made.path, 5 * CHUNK)
        wait_for(lambda: made.pump.facts().hold is not None)
        hold = made.pump.facts().hold
        made.tracker.lost("it was resized")
        made.pump.accept_root()
        wait_for(lambda: made.image() == made.path.read_bytes())
        assert (DEVICE_SHRUNK, 2) == (hold.code if hold else "", len(made.outlet.rows))


def test_a_bad_place_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    """Its row names what nobody has, so that it is owed; once it can be read again that and the problem are gone."""
    image = image_of(tmp_path / "image", 40 * CHUNK, chunks=range(1, 41))
    bad: set[int] = set()

    def before(made: DeviceStation) -> None:
        made.opens = lambda path: BadPlaces(path, bad)

    limits = RhythmLimits(retry=0.0)
    with device_station(tmp_path / "image", tmp_path / "state", limits=limits, before=before) as made:
        made.synced()
        bad.add(20)
        made.write(18 * CHUNK, b"x" * 3 * CHUNK)
        made.synced()
        (problem,) = problems(made)
        made.outlet.chunks[unreadable_name(20)] = image[19 * CHUNK : 20 * CHUNK]
        expected = (
            image[: 18 * CHUNK] + b"x" * CHUNK + image[19 * CHUNK : 20 * CHUNK] + b"x" * CHUNK + image[21 * CHUNK :]
        )
        assert (UNREADABLE, b"bytes 1245184-1310719", expected) == (problem.code, problem.path, made.image())
        assert (20, True) == (
            next(id for token, id in made.outlet.ahead if token < 0),
            made.pump.unreadable(ObjectId(20)),
        )
        bad.clear()
        made.synced()
        assert ([], made.path.read_bytes()) == (problems(made), made.image())


def test_a_freeze_that_is_refused_is_tried_again(tmp_path: Path) -> None:
    """Nothing is committed meanwhile, and it is said."""
    image_of(tmp_path / "image", 4 * CHUNK, chunks=[1])
    refused = FreezeFailed(
        "freeze", "/mnt", "another program has frozen it already, and has to thaw it", "find who did"
    )
    with device_station(tmp_path / "image", tmp_path / "state") as made:
        made.synced()
        before = made.image()
        made.mounted, made.disk_guard.fails = [MountedFilesystem(str(tmp_path), "ext4", read_only=False)], refused
        made.write(0, b"new")
        wait_for(lambda: bool(problems(made)))
        assert ([NOT_STILL], before) == ([one.code for one in problems(made)], made.image())
        made.disk_guard.fails = None
        wait_for(lambda: made.image() == made.path.read_bytes() and not problems(made))


def test_a_freeze_without_the_privilege_says_why_the_first_copy_is_not_whole(tmp_path: Path) -> None:
    """It is not tried again at once, though somebody waits."""
    image_of(tmp_path / "image", 4 * CHUNK, chunks=[1])

    def before(made: DeviceStation) -> None:
        made.mounted = [MountedFilesystem(str(tmp_path), "ext4", read_only=False)]
        made.disk_guard.fails = NotPermitted("freeze", "/mnt", "CAP_SYS_ADMIN is missing", "run the agent as root")

    limits = RhythmLimits(unpermitted=3600.0)
    with device_station(tmp_path / "image", tmp_path / "state", limits=limits, before=before) as made:
        wait_for(lambda: bool(problems(made)))
        made.pump.look_again([ObjectId(1)])
        for _ in range(3):
            made.pump.between_commits(lambda _: None, then_ends=False)
        (problem,) = problems(made)
        assert (NOT_STILL, "run the agent as root", 1) == (problem.code, problem.remedy, made.disk_guard.times)
        assert "the first copy is of no one moment" in problem.message


def test_nothing_is_frozen_while_an_application_is_stopped(tmp_path: Path) -> None:
    """But for a commit that somebody waits for; afterwards what was written meanwhile is committed by itself."""
    image_of(tmp_path / "image", 4 * CHUNK, chunks=[1])
    with device_station(tmp_path / "image", tmp_path / "state", rpo=0.0) as made:
        made.synced()
        made.mounted = [MountedFilesystem(str(tmp_path), "ext4", read_only=False)]
        with made.pump.undisturbed():
            before = made.disk_guard.times
            made.write(0, b"new")
            for _ in range(3):
                made.pump.between_commits(lambda _: None, then_ends=False)
            assert before == made.disk_guard.times
            made.synced()
            assert made.image() == made.path.read_bytes()
            made.write(0, b"newer")
        wait_for(lambda: made.image() == made.path.read_bytes())


def test_what_is_written_all_the_time_and_cannot_be_frozen_is_no_moment(tmp_path: Path) -> None:
    """A device that is used raw: it is committed, is not consistent, and that is said until it stands still once."""
    image_of(tmp_path / "image", 8 * CHUNK, chunks=[1])
    with device_station(tmp_path / "image", tmp_path / "state", rpo=0.1) as made:
        made.synced()
        made.tracker.on_take = lambda: made.write(0, os.urandom(16))
        made.write(0, b"new")
        wait_for(lambda: not made.outlet.commits[-1].consistent and bool(problems(made)))
        assert [NOT_STILL] == [one.code for one in problems(made)]
        made.tracker.on_take = lambda: None
        wait_for(lambda: made.outlet.commits[-1].consistent and made.image() == made.path.read_bytes())
        wait_for(lambda: not problems(made))


@pytest.mark.parametrize("rpo", [0.1, 1000.0])
def test_a_storm_ends_in_what_stands(tmp_path: Path, seed: int, rpo: float) -> None:
    """Random writes, zeros and moments asked for: every barrier gives what stood there."""
    chosen = random.Random(seed)
    image_of(tmp_path / "image", 100 * CHUNK, chunks=range(1, 50))
    with device_station(tmp_path / "image", tmp_path / "state", rpo=rpo) as made:
        for _ in range(20):
            for _ in range(chosen.randrange(30)):
                size = chosen.choice([1, 512, 4096, CHUNK, 3 * CHUNK])
                data = bytes(size) if chosen.random() < 0.3 else chosen.randbytes(size)
                made.write(chosen.randrange(100 * CHUNK - size), data)
            made.synced()
            assert made.path.read_bytes() == made.image()


def test_a_first_copy_stands_back_and_no_later_look(tmp_path: Path) -> None:
    """Others are there all the time: it comes to its end with a small part of the host, and a reconcile does not ask."""
    image = image_of(tmp_path / "image", 64 * CHUNK, chunks=range(1, 60))
    looks: list[float] = []

    def crowded() -> HostLoad:
        now = time.monotonic()
        looks.append(now)
        return HostLoad(now, cpu_stalled=now, io_stalled=now, used=2 * now)

    limits = YieldLimits(begins=0.0, every=0.0, rest=0.001, listen=0.001, sure=0.001, cycle=0.01)
    yielding = Yielding(crowded, limits)
    with device_station(
        tmp_path / "image", tmp_path / "state", before=lambda made: setattr(made, "yielding", lambda: yielding)
    ) as made:
        made.synced()
        assert (image, True) == (made.image(), yielding.share < 1.0)
        before = len(looks)
        made.pump.reconcile("the test asks for it").wait(WAIT)
        assert before == len(looks) > 0


def test_a_peer_gets_what_it_lacks_while_a_first_copy_stands_back(tmp_path: Path) -> None:
    """The chunk as it is now, in a commit that is no moment; the copy goes on where it was."""
    image_of(tmp_path / "image", 64 * CHUNK, chunks=range(1, 60))

    def crowded() -> HostLoad:
        now = time.monotonic()
        return HostLoad(now, cpu_stalled=now, io_stalled=now, used=2 * now)

    # A pause that outlasts the test comes before the first step.
    yielding = Yielding(crowded, YieldLimits(begins=0.0, rest=3600.0))
    with device_station(
        tmp_path / "image", tmp_path / "state", before=lambda made: setattr(made, "yielding", lambda: yielding)
    ) as made:
        wait_for(lambda: made.pump.facts().phase is CapturePhase.FIRST_SYNC)
        made.write(40 * CHUNK, b"changed")
        made.pump.look_again([ObjectId(41)]).wait(WAIT)
        found = next(one for one in map(decode_chunk, made.outlet.rows.values()) if one.number == 41)
        expected = made.path.read_bytes()[40 * CHUNK : 41 * CHUNK]
        assert (expected, False) == (made.outlet.chunks[found.name], made.outlet.commits[-1].consistent)


def test_each_round_tells_what_changed_since_the_one_before(tmp_path: Path) -> None:
    """A chunk that changes again before its commit is told by the pages that differ from what was sent of it."""
    image_of(tmp_path / "image", 4 * CHUNK, chunks=[1, 2, 3, 4])
    limits = RhythmLimits(least=CHUNK, rate=1.0)
    with device_station(tmp_path / "image", tmp_path / "state", limits=limits) as made:
        made.synced()
        literal: list[int] = []
        made.outlet.on_runs = lambda runs: literal.append(sum(run.length for run in runs if not run.base))
        pages = [1, 2, 3]

        def write_both() -> None:
            if pages:
                page = pages.pop()
                for chunk in (1, 2):
                    made.write(chunk * CHUNK + 4096 * page, os.urandom(10))

        made.tracker.on_take = write_both
        write_both()
        made.synced()
        assert ([8192, 8192, 4096, 4096], made.path.read_bytes()) == (literal, made.image())


def test_a_first_copy_says_how_far_it_is(tmp_path: Path) -> None:
    """Zeros that were passed are not waited for; what is left counts whole."""
    image_of(tmp_path / "image", 64 * CHUNK, chunks=range(33, 65))
    with device_station(tmp_path / "image", tmp_path / "state", before=lambda made: made.outlet.has.clear()) as made:

        def told() -> tuple[int, int | None]:
            sync = made.pump.facts().sync
            return (sync.done_bytes, sync.total_bytes) if sync is not None else (0, None)

        wait_for(lambda: told() == (0, 32 * CHUNK))
        made.outlet.has.set()
        made.synced()
        assert None is made.pump.facts().sync
