"""What the primary announced and did not arrive."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from agent.core.clock import ManualClock
from agent.core.ids import CommitNumber, commit_number
from agent.node.promoting.announced import AT_ONCE, BYTES_KEPT, FILE, PATHS_KEPT, Announced
from agent.roles.gates import LastWord
from agent.stream.messages import PATHS_MAX, Announce

SECOND = 10**9


def at(seq: int) -> CommitNumber:
    """A commit of the only epoch."""
    return commit_number(1, seq)


def word(seq: int, *paths: bytes, age: float | None = 0.5, count: int | None = None) -> Announce:
    """What the primary says at its commit ``seq``; each path has as many bytes as its name, times ten."""
    sizes = tuple(10 * len(path) for path in paths)
    return Announce(len(paths) if count is None else count, paths, True, 0, sizes, at(seq), 0.02, age)


@pytest.fixture
def clock() -> ManualClock:
    """Stands until it is moved."""
    return ManualClock(1_000 * SECOND)


@pytest.fixture
def announced(tmp_path: Path, clock: ManualClock) -> Announced:
    """Of a standby of alpha's that has nothing yet."""
    return opened(tmp_path, clock)


def opened(home: Path, clock: ManualClock, primary: str = "alpha") -> Announced:
    """As a start of the agent opens it."""
    one = Announced(home, primary, clock)
    one.open()
    return one


def named(announced: Announced) -> list[bytes]:
    """The paths that would be lost."""
    return [path for path, _ in announced.loss().paths]


def test_what_is_announced_is_lost_until_it_arrives(announced: Announced) -> None:
    """A path that is named no more is in a commit, and counts until that commit is here."""
    announced.heard(word(7, b"a", b"bb"))
    assert ([b"a", b"bb"], 2, 30) == (named(announced), announced.loss().count, announced.loss().bytes)
    announced.heard(word(8, b"bb"))
    announced.arrived(at(7))
    assert [b"a", b"bb"] == named(announced)
    announced.arrived(at(8))
    assert [b"bb"] == named(announced)
    announced.heard(word(9))
    announced.arrived(at(9))
    assert ([], 0, 0) == (named(announced), announced.loss().count, announced.loss().bytes)


def test_what_arrived_before_the_word_is_not_lost(announced: Announced) -> None:
    """The commit overtakes the word that the path waits no more."""
    announced.heard(word(7, b"a"))
    announced.arrived(at(8))
    announced.heard(word(8))
    assert [] == named(announced)


def test_the_window_grows_from_the_last_word(announced: Announced, clock: ManualClock) -> None:
    """Nothing is known before any; then all up to the word's moment is here, and what was written since may be lost."""
    assert (None, None) == (announced.loss().seconds, announced.word)
    announced.heard(word(1, age=0.5))
    clock.advance(2.0)
    assert (2.5, LastWord(1_000 * SECOND, 0.02)) == (announced.loss().seconds, announced.word)
    announced.heard(word(1, age=None))
    assert announced.loss().seconds is None


def test_a_crash_takes_nothing_away(announced: Announced, clock: ManualClock, tmp_path: Path) -> None:
    """What was kept is there after a start, until the primary says another word and the commit arrived."""
    announced.heard(word(7, b"a", b"bb"))
    clock.advance(10.0)
    announced.tick()
    (tmp_path / AT_ONCE).unlink()
    again = opened(tmp_path, clock)
    again.arrived(at(6))
    assert (announced.loss(), announced.word) == (again.loss(), again.word)
    again.heard(word(9, b"bb"))
    again.arrived(at(9))
    assert [b"bb"] == named(again)
    assert ([], None) == (named(opened(tmp_path, clock, "gamma")), opened(tmp_path, clock, "gamma").word)


def test_a_kill_takes_nothing_away(announced: Announced, clock: ManualClock, tmp_path: Path) -> None:
    """What was named for the first time is kept at once, whatever was kept a moment before."""
    announced.heard(word(7))
    clock.advance(5.0)
    announced.tick()
    announced.heard(word(7, b"a"))
    announced.heard(word(7, b"a", b"bb"))
    again = opened(tmp_path, clock)
    assert (announced.loss(), announced.word) == (again.loss(), again.word)


def test_what_could_not_be_kept_is_kept_later(announced: Announced, clock: ManualClock, tmp_path: Path) -> None:
    """A disk that was full at the last word of all."""
    place = tmp_path / FILE
    place.mkdir()
    announced.heard(word(7, b"a"))
    for _ in range(10):
        clock.advance(1.0)
        announced.tick()
    place.rmdir()
    for _ in range(10):
        clock.advance(1.0)
        announced.tick()
    (tmp_path / AT_ONCE).unlink()
    assert [b"a"] == named(opened(tmp_path, clock))


def test_one_who_speaks_all_the_time_keeps_no_disk_busy(
    announced: Announced, clock: ManualClock, tmp_path: Path
) -> None:
    """Of so many words within a moment the first are kept, and all by the next second."""
    for number in range(50):
        announced.heard(word(7, b"b%d" % number))
    assert [b"b%d" % number for number in range(8)] == named(opened(tmp_path, clock))
    clock.advance(1.0)
    announced.tick()
    assert named(announced) == named(opened(tmp_path, clock))


def test_a_power_cut_takes_seconds_and_says_so(announced: Announced, clock: ManualClock, tmp_path: Path) -> None:
    """The file that was not synced is torn: the window is counted from the last word that is durable, and covers the rest."""
    announced.heard(word(7, b"a", age=0.5))
    announced.keep()
    clock.advance(3.0)
    announced.heard(word(7, b"a", b"bb", age=0.5))
    assert [b"a", b"bb"] == named(opened(tmp_path, clock))
    (tmp_path / AT_ONCE).write_bytes(b"\0" * 100)
    again = opened(tmp_path, clock)
    assert ([b"a"], 0.5, 3.5) == (named(again), announced.loss().seconds, again.loss().seconds)


def test_what_arrived_is_not_told_after_a_power_cut(announced: Announced, clock: ManualClock, tmp_path: Path) -> None:
    """The durable file is written once more when it names what is here by now, and not again while nothing waits."""
    announced.heard(word(7, b"a"))
    clock.advance(10.0)
    announced.tick()
    announced.heard(word(8))
    announced.arrived(at(8))
    clock.advance(10.0)
    announced.tick()
    (tmp_path / AT_ONCE).unlink()
    was = (tmp_path / FILE).stat().st_ino
    announced.heard(word(8))
    clock.advance(10.0)
    announced.tick()
    assert ([], was) == (named(opened(tmp_path, clock)), (tmp_path / FILE).stat().st_ino)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"primary": "alpha"}', "\0" * 100])
def test_a_torn_file_says_nothing(text: str, clock: ManualClock, tmp_path: Path) -> None:
    """After a power cut it may be anything."""
    (tmp_path / FILE).write_text(text)
    (tmp_path / AT_ONCE).write_text(text)
    assert (None, 0) == (opened(tmp_path, clock).word, opened(tmp_path, clock).loss().count)


def test_a_lying_primary_fills_no_memory(announced: Announced, seed: int) -> None:
    """Ever other paths, in commits that never come: so many are kept, and the others counted."""
    rng = random.Random(seed)
    for seq in range(1, 60):
        announced.heard(word(seq, *(rng.randbytes(240) for _ in range(PATHS_MAX))))
    kept = announced.loss().paths
    assert len(kept) <= PATHS_KEPT
    assert sum(len(path) for path, _ in kept) <= BYTES_KEPT
    assert announced.loss().count > len(kept)


@pytest.mark.parametrize("paths", [(), (b"a",)])
def test_nobody_else_reads_what_was_announced(
    announced: Announced, clock: ManualClock, tmp_path: Path, paths: tuple[bytes, ...]
) -> None:
    """Paths are not everybody's to know, whatever the directory is."""
    announced.heard(word(1, *paths))
    announced.tick()
    announced.keep()
    announced.heard(word(1, b"news", *paths))
    clock.advance(1.0)
    announced.tick()
    assert {0o600} == {(tmp_path / name).stat().st_mode & 0o777 for name in (FILE, AT_ONCE)}
