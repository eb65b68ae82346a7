"""Large files that change again before the commit of what was read of them."""

from __future__ import annotations

import random
from pathlib import Path

from agent.capture.exclude import Rules
from agent.capture.files.hard_links import Linked
from agent.capture.outlet import Room
from agent.capture.ports import CaptureContext, Session
from agent.capture.tree.session import TreeSessions
from agent.chunking.reader import Found
from agent.core.clock import SystemClock
from agent.core.hold import Hold
from agent.core.patch import Runs
from agent.fs.handles import can_open_by_handle
from agent.watch.hint import Hint, Look
from fakes.capture_fakes import station

KIB = 1 << 10


def changed(path: Path, data: bytes) -> None:
    """Some bytes in place."""
    with path.open("r+b") as file:
        file.write(data)


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
        for _ in session.look(Hint(b"f", Look.ENTRY)):
            pass
        while session.is_busy():
            session.turn()

    with station(root, root.parent / "state") as made:
        made.synced()
        for data in (b"p" * 100, b"q" * 100):  # from here on its pages are known
            changed(file, data)
            made.hint(b"f")
        made.pump.stop()
        context = CaptureContext("test", made.catalog, made.local, None, made.board, SystemClock())
        session = TreeSessions(context, str(root), Rules(), Linked(), can_open_by_handle).open(send, is_first=False)
        assert not isinstance(session, Hold)
        session.link_has(Room(KIB, KIB))  # whatever changes is more than that
        session.hurry = True
        read_again(session, b"r" * 100)
        read_again(session, b"s" * 100)
        session.close()
    assert [True, False] == sent
