"""What others do on the same filesystem: it is told of by handle only, and is nothing of ours."""

from __future__ import annotations

import itertools
import os
import threading
import time
from pathlib import Path

from agent.capture.batch import BULK_ROWS
from agent.capture.tickets import Ticket
from agent.fs.handles import handle_of_fd
from agent.watch.hint import Hint, Look
from fakes.capture_fakes import WAIT, LightOutlet, Station, station

FILES = 6000


def handle(path: Path) -> bytes:
    """Of what stands there."""
    fd = os.open(path, os.O_RDONLY)
    try:
        return handle_of_fd(fd)
    finally:
        os.close(fd)


def _wait_and_tell(ticket: Ticket, done: threading.Event) -> None:
    ticket.wait(WAIT)
    done.set()


def test_what_is_not_ours_cuts_no_walk_into_pieces(root: Path) -> None:
    """A first sync is committed as it is alone: each second, or when a batch is full."""
    for number in range(FILES):
        (root / f"{number}").write_bytes(b"%d" % number)
    strangers = root.parent / "strangers"
    strangers.mkdir()
    for number in range(100):
        (strangers / f"{number}").touch()
    hints = itertools.cycle(Hint(b"", Look.ENTRY, handle(path)) for path in sorted(strangers.iterdir()))
    outlet, pause, done = LightOutlet(), threading.Event(), threading.Event()
    with station(root, root.parent / "state", outlet) as made:
        begun = time.monotonic()
        made.start()
        ticket = made.pump.reconcile("test")
        waiting = threading.Thread(target=_wait_and_tell, args=(ticket, done))
        waiting.start()
        while not done.is_set():
            made.pump.hint([next(hints)])
            pause.wait(0.002)
        waiting.join()
        seconds = time.monotonic() - begun
        assert len(outlet.commits) <= 3 + FILES // BULK_ROWS + 2 * seconds
        assert [] == made.mirror()


def test_a_change_that_is_told_by_handle_only_is_seen(made: Station, root: Path) -> None:
    """Of an object of ours, as a write through a name outside is; a barrier waits for it."""
    (root / "file").write_text("before")
    made.synced()
    with (root / "file").open("a") as file:
        file.write(" and after")
    made.give(Hint(b"", Look.ENTRY, handle(root / "file")))
    assert ([], b"before and after") == (made.mirror(), made.copied(b"file"))
