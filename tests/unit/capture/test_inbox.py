"""What the pump is told and asked: nothing asked is lost, and nobody is answered too early."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import cast

import pytest

from agent.capture.inbox import Inbox
from agent.capture.outstanding import Outstanding
from agent.capture.ports import Session
from agent.capture.tickets import Ticket
from agent.core.clock import ManualClock
from agent.core.errors import CalledOff
from agent.watch.hint import Hint, Look
from agent.watch.settle import Settle


@pytest.fixture
def clock() -> ManualClock:
    """It stands still."""
    return ManualClock()


@pytest.fixture
def inbox(clock: ManualClock) -> Inbox:
    """An empty one."""
    return Inbox(Settle(), clock)


@pytest.fixture
def session() -> Session:
    """One that only counts what is outstanding."""
    walks, outstanding = Outstanding(), Outstanding()
    made = SimpleNamespace(walks=walks, outstanding=outstanding, look_at_everything=walks.begin)
    return cast(Session, made)


def test_a_request_made_while_the_pump_takes_others_is_kept(inbox: Inbox) -> None:
    """Whoever asked just before a turn asked in a list that is gone by the time he has the lock: about one start in 4,000."""

    class AfterATurn(threading.Condition):
        """Before the lock is had, the pump has taken what was asked until then."""

        def __enter__(self) -> bool:
            inbox._requests = []
            return super().__enter__()

    inbox._condition = AfterATurn()
    ticket = Ticket("walk")
    inbox.ask_for_walk(ticket)
    assert [ticket] == inbox._requests


def test_what_was_told_is_covered_once_it_was_looked_at(inbox: Inbox, session: Session, clock: ManualClock) -> None:
    """Not while a hint is in hand, nor while one that a look gave back waits."""
    told = Ticket("barrier")
    inbox.hint([Hint(b"path", Look.ENTRY)])
    inbox.ask_for_told(told)
    assert [] == inbox.take_covered(session)
    hints, hurry = inbox.ready(10)
    assert ([b"path"], True) == ([hint.path for hint in hints], hurry)
    inbox.look_again(hints)
    assert (False, []) == (inbox.covers_anybody(session), inbox.take_covered(session))
    clock.advance(1.0)
    inbox.ready(10)
    assert [told] == inbox.take_covered(session)
    assert (0, []) == (inbox.hints(), inbox.take_covered(session))


def test_work_that_hints_began_is_waited_for(inbox: Inbox, session: Session) -> None:
    """And a walk by whoever asked for one, or while there is a doubt; a look at a few paths waits for no walk."""
    walk, told, look = Ticket("walk"), Ticket("barrier"), Ticket("look again")
    inbox.ask_for_walk(walk)
    assert (True, False) == (inbox.begin_walks(session), inbox.begin_walks(session))
    inbox.begin_doubt(session.walks.begin())
    inbox.ask_for_told(told)
    inbox.ask_for_look(look, [])
    serial = session.outstanding.begin()
    assert [] == inbox.take_covered(session)
    session.outstanding.end(serial)
    assert ([look], True) == (inbox.take_covered(session), inbox.in_doubt)
    session.walks.end(1)
    assert [] == inbox.take_covered(session)
    session.walks.end(2)
    assert ([walk, told], False) == (inbox.take_covered(session), inbox.in_doubt)


def test_nobody_waits_for_a_pump_that_ended(inbox: Inbox) -> None:
    """Neither who waited already nor who asks afterwards."""
    early, late = Ticket("walk"), Ticket("walk")
    inbox.ask_for_walk(early)
    inbox.cancel_all()
    inbox.ask_for_walk(late)
    for ticket in (early, late):
        with pytest.raises(CalledOff):
            ticket.wait(0)


def test_what_was_accepted_is_told_once(inbox: Inbox) -> None:
    """And nobody rests before it was taken."""
    inbox.accept_root()
    inbox.rest(3600.0, held=True)
    assert (True, True, False) == (inbox.is_accepted(), inbox.take_accepted(), inbox.take_accepted())


def test_nobody_rests_before_whoever_asked_was_looked_at(inbox: Inbox, session: Session) -> None:
    """One who asks between the last commit and the rest would wait for all of the rest."""
    assert [] == inbox.take_covered(session)
    told = Ticket("barrier")
    inbox.ask_for_told(told)
    rests = threading.Thread(target=inbox.rest, args=(3600.0,), kwargs={"held": False})
    rests.start()
    rests.join(30)
    slept = rests.is_alive()
    inbox.close()
    rests.join()
    assert ([told], False) == (inbox.take_covered(session), slept)


def test_whether_anybody_waits_is_known_without_asking(inbox: Inbox, session: Session) -> None:
    """Who waits for a walk or for what was told, and what is to be looked at again, count."""
    found = [inbox.has_anybody()]
    inbox.ask_for_told(Ticket("barrier"))
    found.append(inbox.has_anybody())
    inbox.take_covered(session)
    found.append(inbox.has_anybody())
    inbox.look_again([Hint(b"path", Look.ENTRY)])
    found.append(inbox.has_anybody())
    inbox.take_covered(session)
    inbox.begin_doubt(session.walks.begin())
    found.append(inbox.has_anybody())
    assert [False, True, False, True, True] == found
