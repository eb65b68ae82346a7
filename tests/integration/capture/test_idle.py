"""What is held open while nothing happens."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import FrameType

from agent.capture.files.read_back import TreeSource
from agent.capture.pump import LET_GO
from agent.core import chunks
from agent.core.chunks import ChunkRef
from agent.core.clock import ManualClock
from fakes.capture_fakes import RecordingOutlet, station
from fakes.eventually import eventually


def opened_below(root: Path) -> int:
    """Directories below the root that this process holds open."""
    links = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink(f"/proc/self/fd/{fd}"))
        except FileNotFoundError:
            continue
    return sum(link.startswith(f"{root}/") for link in links)


def test_directories_are_let_go_when_nothing_happens(root: Path) -> None:
    """They stay open while things go on, and not for ever."""
    clock = ManualClock()
    for number in range(20):
        (root / f"d{number}").mkdir()
        (root / f"d{number}" / "f").write_bytes(b"1")
    with station(root, root.parent / "state", RecordingOutlet(), clock=clock) as made:
        made.start()
        made.reconcile()
        assert opened_below(root) > 0
        clock.advance(LET_GO + 1)
        eventually(lambda: opened_below(root) == 0)
        (root / "d3" / "f").write_bytes(b"22")
        made.reconcile()
        assert [] == made.mirror()


def test_a_source_that_rests_holds_nothing(root: Path) -> None:
    """What it opened to read is closed; asked again, it reads again."""
    (root / "d").mkdir()
    (root / "d" / "f").write_bytes(b"content")
    with station(root, root.parent / "state") as made:
        made.synced()
        id = made.id_of(b"d/f")
        assert id is not None
        made.pump.stop()
        ref = ChunkRef(chunks.name_of(b"content"), chunks.DATA, id, 0, 7)
        source = TreeSource(str(root), made.catalog.reader())
        assert ([b"content"], 1) == (source.read([ref]), opened_below(root))
        source.rest()
        assert (0, [b"content"]) == (opened_below(root), source.read([ref]))
        source.close()


class CountedSettling:
    """Counts how often a batch is made ready for a commit, by the pump's own thread."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and frame.f_code.co_name == "settle_batch" and frame.f_code.co_filename.endswith("jobs.py"):
            self.count += 1


def test_a_pump_with_nothing_to_do_commits_nothing(root: Path) -> None:
    """A change is one commit; the turns about it, in which nothing is left, look at nothing."""
    (root / "f").write_bytes(b"1")
    counted = CountedSettling()
    threading.setprofile(counted)
    try:
        with station(root, root.parent / "state", RecordingOutlet()) as made:
            made.synced()
            before = counted.count
            for number in range(20):
                (root / "f").write_bytes(b"%d" % number)
                made.hint(b"f")
            found = counted.count - before
    finally:
        threading.setprofile(None)
    assert found < 35
