"""Digests of pages on disk: what shares a transaction, and when it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.core.clock import ManualClock
from agent.core.ids import ObjectId
from agent.store.local import Local
from agent.store.pages import Pages

CHUNK, DIGESTS = b"c" * 32, b"\0\0" + b"d" * 8


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands."""
    return ManualClock()


@pytest.fixture
def pages(tmp_path: Path, clock: ManualClock) -> Iterator[Pages]:
    """Of nothing yet."""
    made = Pages(str(tmp_path / "local.pages.db"), clock.monotonic)
    made.begin(b"seed")
    yield made
    made.close()


def others(tmp_path: Path) -> list[bool]:
    """Which of the first two objects somebody else finds digests of, as the next process would after a kill."""
    other = Pages(str(tmp_path / "local.pages.db"))
    found = [other.knows(ObjectId(id)) for id in (1, 2)]
    other.close()
    return found


def test_small_files_share_a_transaction_until_a_second_has_passed(
    pages: Pages, clock: ManualClock, tmp_path: Path
) -> None:
    """Whoever writes knows at once, the disk when the second is over."""
    pages.put(ObjectId(1), 1, [(CHUNK, DIGESTS)])
    assert ({CHUNK: DIGESTS}, [False, False]) == (pages.of(ObjectId(1), [CHUNK]), others(tmp_path))
    clock.advance(2)
    pages.put(ObjectId(2), 1, [(CHUNK, DIGESTS)])
    assert [True, True] == others(tmp_path)


@pytest.mark.parametrize("end", [Pages.keep, Pages.close])
def test_who_comes_to_rest_or_ends_keeps_what_was_written(
    pages: Pages, tmp_path: Path, end: Callable[[Pages], None]
) -> None:
    """Nothing waits for a change that may never come."""
    pages.put(ObjectId(1), 1, [(CHUNK, DIGESTS)])
    end(pages)
    assert [True, False] == others(tmp_path)


def test_many_rows_wait_for_no_others(pages: Pages, tmp_path: Path) -> None:
    """A large file's are a transaction by themselves."""
    pages.put(ObjectId(1), 1, [(number.to_bytes(8, "big"), DIGESTS) for number in range(1000)])
    assert [True, False] == others(tmp_path)


def test_local_facts_that_are_kept_keep_the_digests_beside_them(tmp_path: Path) -> None:
    """One call for whoever comes to rest."""
    with Local.open(str(tmp_path / "local.db")) as local:
        local.pages.put(ObjectId(1), 1, [(CHUNK, DIGESTS)])
        local.keep()
        assert [True, False] == others(tmp_path)
