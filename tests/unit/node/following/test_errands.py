"""What other threads want done with the catalog is done by whoever holds it, between two commits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest

from agent.core.clock import ManualClock
from agent.core.errors import NotFound, TryAgain
from agent.node.following.errands import Errands
from agent.node.following.served_calls import ServedCalls
from agent.store.catalog.catalog import Catalog
from agent.stream.receiving.receiver import Receiver
from fakes.store_fakes import begun, number


@pytest.fixture
def catalog(tmpfs_dir: Path) -> Iterator[Catalog]:
    """One commit."""
    with begun(str(tmpfs_dir / "catalog.db")) as opened:
        yield opened


def newest(catalog: Catalog) -> int:
    """What an errand may do."""
    found = catalog.newest()
    return found.number if found is not None else 0


def unknown(_catalog: Catalog) -> None:
    """One that fails."""
    raise NotFound("do it", "it", "it is not there")


def in_thread(action: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    """The action in a thread of its own, and what it returned or raised."""
    came: list[object] = []

    def run() -> None:
        try:
            came.append(action())
        except TryAgain as error:
            came.append(error.reason)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, came


def test_while_nobody_calls_the_asker_does_it_itself(catalog: Catalog) -> None:
    """Also what it raises is the asker's."""
    errands = Errands("web", catalog, ServedCalls("web", ManualClock()), lambda: None)
    assert number(1) == errands.run("look", newest)
    with pytest.raises(NotFound, match="not there"):
        errands.run("look", unknown)
    assert not errands.wanted


def test_the_thread_of_a_call_is_woken_and_does_it(catalog: Catalog) -> None:
    """Another thread never has the writing side meanwhile."""
    woken = threading.Event()
    calls = ServedCalls("web", ManualClock())
    calls.began(cast(Receiver, object()))
    errands = Errands("web", catalog, calls, woken.set)
    thread, came = in_thread(lambda: errands.run("look", newest, 60))
    assert woken.wait(60)
    assert ([], True) == (came, errands.wanted)
    errands.turn()
    thread.join(60)
    assert [number(1)] == came


def test_one_for_which_there_is_no_moment_is_taken_back(catalog: Catalog) -> None:
    """It is not done later, when nobody waits for it any more."""
    calls = ServedCalls("web", ManualClock())
    calls.began(cast(Receiver, object()))
    errands = Errands("web", catalog, calls, lambda: None)
    with pytest.raises(TryAgain, match="a commit is being received"):
        errands.run("look", newest, 0.0)
    assert not errands.wanted


def test_who_waits_is_told_that_the_dataset_closes(catalog: Catalog) -> None:
    """At once; and whoever comes later too."""
    woken = threading.Event()
    calls = ServedCalls("web", ManualClock())
    calls.began(cast(Receiver, object()))
    errands = Errands("web", catalog, calls, woken.set)
    thread, came = in_thread(lambda: errands.run("look", newest, 60))
    assert woken.wait(60)
    errands.close()
    thread.join(60)
    assert ["the dataset is being opened anew"] == came
    with pytest.raises(TryAgain, match="opened anew"):
        errands.run("look", newest)
