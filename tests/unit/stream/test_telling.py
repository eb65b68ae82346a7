"""What a node says of a dataset to its peers, when, and what it keeps of theirs."""

from __future__ import annotations

from agent.core.clock import ManualClock
from agent.core.hold import Hold
from agent.core.standing import PeerStanding, Standing, SyncFacts
from agent.stream.telling import CHANGE_SECONDS, PROGRESS_SECONDS, Standings, Telling
from fakes.idle import nobody_told

HELD = Standing("held", Hold("c", "s"))


def syncing(done: int) -> Standing:
    """A first sync that is so far."""
    return Standing("first-sync", sync=SyncFacts("first-sync", done, 100))


def test_what_is_news_is_told_once() -> None:
    """In each call the newest word is said first, and then only what differs."""
    clock, standings = ManualClock(), Standings(ManualClock(), nobody_told)
    telling = Telling(standings, "beta", clock)
    assert (True, True) == (telling.waits, telling.clock() is not None)
    assert (False, None) == (telling.waits, telling.due())
    standings.say("beta", HELD)
    standings.say("gamma", Standing("streaming"))
    assert (True, HELD, False, None) == (telling.waits, telling.due(), telling.waits, telling.due())
    assert None is telling.clock()
    standings.say("beta", Standing("held", Hold("c", "s")))
    assert not telling.waits
    assert HELD == Telling(standings, "beta", clock).due()


def test_a_change_is_told_soon_and_progress_seldom() -> None:
    """A peer that copies for hours is not told each block, and one that is held at once."""
    clock, standings = ManualClock(), Standings(ManualClock(), nobody_told)
    telling = Telling(standings, "beta", clock)
    standings.say("beta", syncing(1))
    assert syncing(1) == telling.due()
    standings.say("beta", syncing(2))
    clock.advance(CHANGE_SECONDS)
    assert None is telling.due()
    clock.advance(PROGRESS_SECONDS - CHANGE_SECONDS)
    assert syncing(2) == telling.due()
    standings.say("beta", HELD)
    clock.advance(CHANGE_SECONDS)
    assert HELD == telling.due()


def test_why_a_call_ends_is_told_however_lately_something_was_said() -> None:
    """The pause that ends it is the last that the peer hears; without it the peer would take the link for lost."""
    clock, standings = ManualClock(), Standings(ManualClock(), nobody_told)
    telling = Telling(standings, "beta", clock)
    standings.say("beta", Standing("streaming"))
    assert Standing("streaming") == telling.due()
    standings.say("beta", Standing("paused"))
    assert None is telling.due()
    telling.ends()
    assert (Standing("paused"), None) == (telling.due(), telling.due())


def test_the_last_word_of_a_peer_is_kept_with_its_moment() -> None:
    """It outlives the call; whoever shows it knows how old it is, and is woken only by news."""
    clock = ManualClock()
    woken: list[int] = []
    standings = Standings(clock, lambda: woken.append(1))
    assert None is standings.told("beta")
    standings.heard("beta", HELD)
    clock.advance(5)
    at = clock.now_ns()
    standings.heard("beta", HELD)
    assert (PeerStanding(HELD, at), [1]) == (standings.told("beta"), woken)


def test_who_speaks_is_woken_by_news_only() -> None:
    """A watcher is called when there is something else to say, and not after it went."""
    standings, woken = Standings(ManualClock(), nobody_told), list[int]()
    wake = lambda: woken.append(1)  # noqa: E731  the same object must be given to unwatch
    standings.watch(wake)
    standings.say("beta", HELD)
    standings.say("beta", HELD)
    standings.unwatch(wake)
    standings.say("beta", Standing("streaming"))
    assert [1] == woken
