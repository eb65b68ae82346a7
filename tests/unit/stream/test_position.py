"""Positions and who waits for them."""

from __future__ import annotations

import threading

from agent.core.commit import Position
from agent.core.ids import CommitNumber
from agent.stream.position import Level, PositionBoard


def test_wait_returns_at_once_when_it_is_there() -> None:
    """No waiting for what has been reached."""
    board = PositionBoard(Position(CommitNumber(5), CommitNumber(3)))
    assert (True, False) == (
        board.wait(Level.DURABLE, CommitNumber(5), 0),
        board.wait(Level.APPLIED, CommitNumber(5), 0),
    )


def test_wait_is_woken() -> None:
    """A waiter in another thread sees the change."""
    board, result = PositionBoard(), []
    thread = threading.Thread(target=lambda: result.append(board.wait(Level.APPLIED, CommitNumber(2), 40)))
    thread.start()
    board.applied(CommitNumber(1))
    board.applied(CommitNumber(2))
    thread.join()
    assert [True] == result


def test_watchers_hear_changes_only() -> None:
    """Publishing the same again wakes nobody; after unwatch nothing is heard."""
    board, heard = PositionBoard(), []

    def wake() -> None:
        heard.append(board.position.durable)

    board.watch(wake)
    board.durable(CommitNumber(1))
    board.durable(CommitNumber(1))
    board.unwatch(wake)
    board.durable(CommitNumber(2))
    assert [1] == heard


def test_what_was_applied_is_not_vouched_for_while_nobody_is_heard() -> None:
    """A standby's power may be cut before it has synced; what is durable there stays so. Told again, it counts again."""
    position = Position(CommitNumber(5), CommitNumber(5))
    board = PositionBoard(position)
    board.unheard()
    assert (True, False) == (
        board.wait(Level.DURABLE, CommitNumber(5), 0),
        board.wait(Level.APPLIED, CommitNumber(5), 0),
    )
    board.publish(position.durable, position.applied)
    assert board.wait(Level.APPLIED, CommitNumber(5), 0)
