"""Large files that change again before the commit of what was read of them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from agent.capture.exclude import Rules
from agent.capture.files.hard_links import Linked
from agent.capture.outlet import Room
from agent.capture.ports import CaptureContext, Send, Session
from agent.capture.tree.session import TreeSessions
from agent.chunking.reader import Found
from agent.core.clock import SystemClock
from agent.core.hold import Hold
from agent.core.patch import Runs
from agent.fs.handles import can_open_by_handle
from agent.watch.hint import Hint, Look
from fakes.capture_fakes import Station, station

KIB = 1 << 10


def changed(path: Path, data: bytes) -> None:
    """Some bytes in place."""
    with path.open("r+b") as file:
        file.write(data)


def opened(root: Path, made: Station, send: Send) -> Session:
    """A session of what is in ``root``, whose pump is stopped."""
    made.pump.stop()
    context = CaptureContext("test", made.catalog, made.local, None, made.board, SystemClock())
    session = TreeSessions(context, str(root), Rules(), Linked(), can_open_by_handle).open(send, is_first=False)
    assert not isinstance(session, Hold)
    session.hurry = True
    return session


def told(session: Session) -> None:
    """A hint of the file comes."""
    for _ in session.look(Hint(b"f", Look.ENTRY)):
        pass


@pytest.mark.parametrize("is_measured", [True, False])
def test_a_reading_is_broken_off_only_over_a_link_that_is_known_to_be_slow(root: Path, is_measured: bool) -> None:
    """What went of a new file that is asked for again is not sent twice, and the peer writes a file as it comes only where all of
    that is of one reading."""
    sent: dict[int, int] = {}

    def send(token: int, found: list[Found], patches: dict[bytes, Runs], is_new: bool) -> None:
        sent[token] = sent.get(token, 0) + sum(len(data) for _, _, data in found)
        found.clear()

    with station(root, root.parent / "state") as made:
        made.synced()
        session = opened(root, made, send)
        (root / "f").write_bytes(random.Random(1).randbytes(2048 * KIB))
        session.link_has(Room(64 * KIB, 64 * KIB, is_measured))
        told(session)
        while not sent:
            session.turn()
        told(session)
        while session.is_busy():
            session.turn()
        session.close()
    assert (2048 * KIB <= sent[min(sent)]) != is_measured


def test_only_what_is_committed_is_patched(root: Path) -> None:
    """A version that is in the batch only may never come to a peer that attaches now, or comes after this one."""
    file = root / "f"
    file.write_bytes(random.Random(1).randbytes(200 * KIB))
    sent: list[bool] = []

    def send(token: int, found: list[Found], patches: dict[bytes, Runs], is_new: bool) -> None:
        if found:
            sent.append(bool(patches))
        found.clear()
        patches.clear()

    def read_again(session: Session, data: bytes) -> None:
        changed(file, data)
        told(session)
        while session.is_busy():
            session.turn()

    with station(root, root.parent / "state") as made:
        made.synced()
        for data in (b"p" * 100, b"q" * 100):  # from here on its pages are known
            changed(file, data)
            made.hint(b"f")
        session = opened(root, made, send)
        session.link_has(Room(KIB, KIB))  # whatever changes is more than that
        read_again(session, b"r" * 100)
        read_again(session, b"s" * 100)
        session.close()
    assert [True, False] == sent
