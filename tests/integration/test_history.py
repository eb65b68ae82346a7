"""A standby's history is as long as it is to be: upkeep goes on beside a call that streams, and after it."""

from __future__ import annotations

import itertools

from agent.core.ids import NOTHING
from agent.store.catalog.catalog import CatalogReader
from agent.store.sqlite import query
from fakes.agents import Agent, pair
from fakes.eventually import eventually

SHORT = 'history = "1s"\n[dataset.brake]\nwindow = "1s"\n'


def oldest(agent: Agent) -> int:
    """From where every moment can be read, and no row that ended before is there."""
    with CatalogReader.open(str(agent.state / "datasets" / "web" / "catalog.db")) as catalog:
        horizon, judged = catalog.horizon(), catalog.judged()
        left = query(catalog._connection, "select count(*) from object where until <= ?", (judged,))[0][0]
        return horizon if left == 0 else NOTHING


def newest(agent: Agent) -> int:
    """The commit that it received last."""
    with CatalogReader.open(str(agent.state / "datasets" / "web" / "catalog.db")) as catalog:
        found = catalog.newest()
        return found.number if found is not None else NOTHING


def test_history_is_shortened_beside_a_call_and_without_one() -> None:
    """While the primary streams, and again after it has gone; the standby is what it was."""
    with pair(SHORT) as both:
        edits = itertools.count()

        def edit() -> None:
            (both.source / "file").write_text(f"version {next(edits)}")

        edit()
        both.begin()

        def beside_a_call() -> bool:
            edit()
            return oldest(both.beta) > first

        first = oldest(both.beta)
        eventually(beside_a_call)
        eventually(lambda: (both.target / "file").read_text() == (both.source / "file").read_text())
        edit()
        both.alpha.wait()
        both.alpha.kill()
        with_it = oldest(both.beta)
        # Where a second has gone by since the last edit, nothing more was left to go.
        eventually(lambda: oldest(both.beta) > with_it or oldest(both.beta) == newest(both.beta))
        assert (both.source / "file").read_text() == (both.target / "file").read_text()


def test_history_is_told_as_soon_as_the_first_sync_is_through() -> None:
    """On both nodes: nobody waits for the next upkeep, a minute later, to be told that something is kept."""
    with pair() as both:
        (both.source / "file").write_text("one")
        both.begin()
        eventually(lambda: (both.beta.look()["history"] or {}).get("reaches"))
        eventually(lambda: (both.alpha.peer("beta")["history"] or {}).get("reaches"))
