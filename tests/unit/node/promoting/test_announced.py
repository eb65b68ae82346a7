"""What the primary announced and did not arrive."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from agent.core.clock import ManualClock
from agent.core.ids import CommitNumber, commit_number
from agent.node.promoting.announced import BYTES_KEPT, FILE, PATHS_KEPT, Announced
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
    again = opened(tmp_path, clock)
    again.arrived(at(6))
    assert (announced.loss(), announced.word) == (again.loss(), again.word)
    again.heard(word(9, b"bb"))
    again.arrived(at(9))
    assert [b"bb"] == named(again)
    assert ([], None) == (named(opened(tmp_path, clock, "gamma")), opened(tmp_path, clock, "gamma").word)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"primary": "alpha"}', "\0" * 100])
def test_a_torn_file_says_nothing(text: str, clock: ManualClock, tmp_path: Path) -> None:
    """After a power cut it may be anything."""
    (tmp_path / FILE).write_text(text)
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
def test_nobody_else_reads_what_was_announced(announced: Announced, tmp_path: Path, paths: tuple[bytes, ...]) -> None:
    """Paths are not everybody's to know, whatever the directory is."""
    announced.heard(word(1, *paths))
    announced.keep()
    assert 0o600 == (tmp_path / FILE).stat().st_mode & 0o777
