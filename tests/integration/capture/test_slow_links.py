"""What goes with a commit while the link is slow: nothing that takes longer than a moment of it."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from agent.capture.outlet import Room
from agent.watch.hint import Hint, Look
from fakes.capture_fakes import Station, wait_for

KIB = 1 << 10
MIB = 1 << 20
#: Of a link of 1 Mbit/s.
MOMENT = 64 * KIB


def slow(made: Station, now: int = MOMENT) -> None:
    """The link is slow from here on, and has room for so much."""
    made.outlet.link = Room(MOMENT, now)


@pytest.mark.parametrize("size", [MOMENT + 1, MIB, 8 * MIB, 15 * MIB])
def test_a_file_that_takes_long_goes_ahead_in_slices(made: Station, root: Path, size: int, rng: random.Random) -> None:
    """Each slice is a moment of the link or one chunk more, and a small edit is committed between two of them."""
    made.synced()
    slow(made)
    made.outlet.has.clear()
    (root / "bulk").write_bytes(rng.randbytes(size))
    made.pump.hint([Hint(b"bulk", Look.ENTRY)])
    wait_for(lambda: made.pump.facts().waits == size)
    assert made.pump.facts().put_off > 0
    (root / "small").write_bytes(b"edited")
    made.pump.hint([Hint(b"small", Look.ENTRY)])
    wait_for(lambda: made.id_of(b"small") is not None)
    assert made.id_of(b"bulk") is None
    made.outlet.forget_traffic()
    made.outlet.has.set()
    made.pump.barrier().wait(60)
    assert (0, 0.0) == (made.pump.facts().waits, made.pump.facts().put_off)
    assert len(made.outlet.content_calls) >= size // (MOMENT + 256 * KIB)
    assert 1 == len(made.outlet.since)
    assert [] == made.mirror()


def test_many_small_files_wait_for_the_link(made: Station, root: Path, rng: random.Random) -> None:
    """What has room is committed, the rest waits and is told as waiting; what is tiny goes past it; all of it comes."""
    made.synced()
    slow(made)
    made.outlet.has.clear()
    names = [b"f%d" % number for number in range(50)]
    for name in names:
        (root / os.fsdecode(name)).write_bytes(rng.randbytes(8 * KIB))
    made.pump.hint([Hint(name, Look.ENTRY) for name in names])
    wait_for(lambda: sum(made.id_of(name) is not None for name in names) >= 8)
    slow(made, 0)
    wait_for(lambda: made.pump.facts().waits == sum(made.id_of(name) is None for name in names) * 8 * KIB > 0)
    (root / "tiny").write_bytes(b"edited")
    made.pump.hint([Hint(b"tiny", Look.ENTRY)])
    wait_for(lambda: made.id_of(b"tiny") is not None)
    made.outlet.has.set()
    made.pump.barrier().wait(60)
    assert (0, 0.0) == (made.pump.facts().waits, made.pump.facts().put_off)
    assert made.outlet.since
    assert [] == made.mirror()


def test_a_small_change_of_a_large_file_waits_for_nothing(made: Station, root: Path, rng: random.Random) -> None:
    """What is new in it counts, and not its size; all of it changed goes ahead of the commit. It is not so large that a change
    of it is put off (``read_budget``)."""
    content = rng.randbytes(512 * KIB)
    (root / "log").write_bytes(content)
    made.synced()
    slow(made)
    made.outlet.has.clear()
    with open(root / "log", "ab") as file:
        file.write(b"one line more\n")
    made.pump.hint([Hint(b"log", Look.ENTRY)])
    wait_for(lambda: made.copied(b"log") == content + b"one line more\n")
    (root / "log").write_bytes(rng.randbytes(512 * KIB))
    made.pump.hint([Hint(b"log", Look.ENTRY)])
    wait_for(lambda: made.pump.facts().large_waiting == 1)
    made.outlet.has.set()
    made.pump.barrier().wait(60)
    assert 1 == len(made.outlet.ahead)
    assert [] == made.mirror()


def test_what_waited_and_is_gone_holds_up_nobody(made: Station, root: Path, rng: random.Random) -> None:
    """Removed, or with its directory, before the link had room."""
    (root / "d").mkdir()
    made.synced()
    slow(made, 0)
    made.outlet.has.clear()
    names = [b"gone", b"d/gone", b"d/moved"]
    for name in names:
        (root / os.fsdecode(name)).write_bytes(rng.randbytes(8 * KIB))
    made.pump.hint([Hint(name, Look.ENTRY) for name in names])
    wait_for(lambda: made.pump.facts().waits == 24 * KIB)
    (root / "gone").unlink()
    (root / "d" / "gone").unlink()
    (root / "d").rename(root / "e")
    made.pump.hint([Hint(b"d", Look.ENTRY), Hint(b"e", Look.ENTRY)])
    made.outlet.has.set()
    made.pump.barrier().wait(60)
    assert 0 == made.pump.facts().waits
    assert [] == made.mirror()


def test_what_a_first_sync_is_about_is_known_while_the_link_is_busy(made: Station, root: Path) -> None:
    """Nothing can be captured for now; names and sizes are told all the same."""
    (root / "d").mkdir()
    for number in range(300):
        (root / "d" / f"{number}").write_bytes(bytes(KIB))
    made.outlet.has.clear()
    made.start()

    def told() -> tuple[int | None, int | None]:
        sync = made.pump.facts().sync
        return (sync.total_entries, sync.total_bytes) if sync is not None else (None, None)

    wait_for(lambda: told() == (301, 300 * KIB))
    made.outlet.has.set()
    made.pump.reconcile("test").wait(60)
    assert [] == made.mirror()


def test_a_file_that_is_written_on_is_left_until_it_rests(made: Station, root: Path, rng: random.Random) -> None:
    """It is not read to its end to be read once more; what was given away of it is not told as waiting again."""
    made.synced()
    slow(made)
    content, waits = rng.randbytes(4 * MIB), list[int]()
    (root / "bulk").write_bytes(content[: 2 * MIB])

    def goes_on() -> None:
        waits.append(made.pump.facts().waits)
        if len(waits) == 1:
            made.outlet.has.clear()
            (root / "bulk").write_bytes(content)
            made.pump.hint([Hint(b"bulk", Look.ENTRY)])

    made.outlet.on_content = goes_on
    made.pump.hint([Hint(b"bulk", Look.ENTRY)])
    wait_for(lambda: made.pump.facts().waits > 3 * MIB)
    made.outlet.has.set()
    wait_for(lambda: made.id_of(b"bulk") is not None and made.copied(b"bulk") == content)
    made.pump.barrier().wait(60)
    tokens = [token for token, _ in made.outlet.content_calls]
    assert 1 == tokens.count(tokens[0])
    assert len(set(tokens)) == 2
    assert max(waits[1:]) <= 4 * MIB - MOMENT // 2
    assert sorted(waits[1:], reverse=True) == waits[1:]
    assert [] == made.mirror()


def test_what_a_known_file_grew_by_waits(made: Station, root: Path, rng: random.Random) -> None:
    """Its growth is what is left of it, and not its size."""
    (root / "log").write_bytes(rng.randbytes(2 * MIB))
    made.synced()
    slow(made)
    made.outlet.has.clear()
    with open(root / "log", "ab") as file:
        file.write(rng.randbytes(20 * MIB))
    made.pump.hint([Hint(b"log", Look.ENTRY)])
    wait_for(lambda: made.pump.facts().waits == 20 * MIB)
    made.outlet.has.set()
    made.pump.barrier().wait(60)
    assert (0, 0) == (made.pump.facts().waits, made.pump.facts().ahead)
    assert [] == made.mirror()


def test_a_barrier_waits_for_what_one_queue_leaves_to_another(made: Station, root: Path, rng: random.Random) -> None:
    """Files are to be read in slices while little is known of the link; it turns out to be faster, and they wait for room among
    the small ones. A barrier from before that covers them."""
    made.synced()
    slow(made, 0)
    made.outlet.has.clear()
    names = [b"f%d" % number for number in range(20)]
    for name in names:
        (root / os.fsdecode(name)).write_bytes(rng.randbytes(200 * KIB))
    made.pump.hint([Hint(name, Look.ENTRY) for name in names])
    wait_for(lambda: len(names) == made.pump.facts().large_waiting)
    barrier = made.pump.barrier()
    (root / "tiny").write_bytes(b"edited")
    made.pump.hint([Hint(b"tiny", Look.ENTRY)])
    wait_for(lambda: made.id_of(b"tiny") is not None)
    made.outlet.link = Room(16 * MOMENT, 0)
    made.outlet.has.set()
    barrier.wait(60)
    assert [] == [name for name in names if made.id_of(name) is None]
    assert [] == made.mirror()


def test_what_was_sent_of_a_file_that_goes_away_is_given_up(made: Station, root: Path, rng: random.Random) -> None:
    """No commit will name it, and there may be none for long: nobody is to wait for the bytes."""
    made.synced()
    slow(made)
    (root / "bulk").write_bytes(rng.randbytes(8 * MIB))
    made.outlet.on_content = made.outlet.has.clear
    made.pump.hint([Hint(b"bulk", Look.ENTRY)])
    wait_for(lambda: len(made.outlet.content_calls) > 0)
    (root / "bulk").unlink()
    made.outlet.on_content = lambda: None
    made.outlet.has.set()
    made.hint(b"bulk")
    token = made.outlet.content_calls[0][0]
    assert ([token], []) == (made.outlet.given_up_tokens, made.outlet.ahead)
