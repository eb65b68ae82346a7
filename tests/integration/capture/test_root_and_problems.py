"""What a pump on a real directory says of its root and of what stands in the tree."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
from pathlib import Path

import pytest

from agent.capture.pump import Pump
from agent.core.problem_codes import ROOT_GONE, ROOT_REPLACED
from agent.watch.hint import Hint, Look
from fakes.capture_fakes import Station, wait_for


def _held_by(pump: Pump) -> str | None:
    hold = pump.facts().hold
    return hold.code if hold is not None else None


def _messages(made: Station) -> list[str]:
    return [problem.message for problem in made.board.listed()[0]]


class TestRootGone:
    """The root vanishes or is replaced."""

    def test_gone_and_back(self, made: Station, root: Path) -> None:
        """Capture is held, nothing is deleted, and goes on by itself."""
        (root / "a").write_bytes(b"1")
        made.synced()
        count = len(made.outlet.commits)
        os.rename(root, root.parent / "away")
        made.pump.hint([Hint(b"a", Look.ENTRY)])
        wait_for(lambda: _held_by(made.pump) == ROOT_GONE)
        assert [("root-gone", b"")] == made.problems()
        assert [f"the source {root} is not there; nothing is captured"] == _messages(made)
        os.rename(root.parent / "away", root)
        (root / "b").write_bytes(b"2")
        made.reconcile()
        assert made.pump.facts().hold is None
        assert count < len(made.outlet.commits)
        assert [] == made.problems()
        assert [] == made.mirror()

    def test_replaced_until_accepted(self, made: Station, root: Path) -> None:
        """Another directory at the root's path is captured only after the operator accepts it."""
        (root / "a").write_bytes(b"1")
        made.synced()
        rows = dict(made.outlet.rows)
        os.rename(root, root.parent / "away")
        root.mkdir()
        (root / "other").write_bytes(b"2")
        made.pump.hint([Hint(b"a", Look.ENTRY)])
        wait_for(lambda: _held_by(made.pump) == ROOT_REPLACED)
        assert ["bring the old one back, or, if this one is right: hikae accept test"] == [
            problem.remedy for problem in made.board.listed()[0]
        ]
        assert [
            f"another directory or filesystem stands at {root} than was captured; nothing is captured"
        ] == _messages(made)
        assert rows == made.outlet.rows
        made.pump.accept_root()
        made.reconcile()
        assert [] == made.problems()
        assert [] == made.mirror()


class TestProblems:
    """What stands in the tree and is not replicated is said, until that is over."""

    def said(self, made: Station) -> list[tuple[str, bytes]]:
        return [(problem.code, problem.path) for problem in made.board.listed()[0]]

    def test_a_problem_goes_with_the_directory_that_it_is_in(self, made: Station, root: Path) -> None:
        """However deep it is, and whether each entry is heard of or only the top; renamed, it is named where it is now."""
        (root / "d" / "e" / "f").mkdir(parents=True)
        os.mkdir(root / "g")
        here = os.getcwd()
        for directory in ("d/e/f", "g"):
            os.chdir(root / directory)
            with socket.socket(socket.AF_UNIX) as one:
                one.bind("s")
        os.chdir(here)
        made.synced()
        assert [("socket-skipped", b"d/e/f/s"), ("socket-skipped", b"g/s")] == self.said(made)
        os.rename(root / "g", root / "h")
        made.hint(b"g", b"h")
        assert [("socket-skipped", b"d/e/f/s"), ("socket-skipped", b"h/s")] == self.said(made)
        shutil.rmtree(root / "d")
        made.hint(b"d")
        assert [("socket-skipped", b"h/s")] == self.said(made)
        shutil.rmtree(root / "h")
        made.hint(b"h/s", b"h")
        assert [] == self.said(made)

    def test_a_file_under_a_lease_is_read_when_it_can_be(self, made: Station, root: Path) -> None:
        """Nothing waits for it meanwhile, and no event tells when it is over."""
        signal.signal(signal.SIGIO, signal.SIG_IGN)
        with open(root / "leased", "wb") as file:
            file.write(b"1")
            file.flush()
            try:
                fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
            except OSError as error:
                pytest.skip(f"no leases here: {error}")
            (root / "other").write_bytes(b"2")
            made.synced()
            assert ([("held-shut", b"leased")], True) == (self.said(made), made.id_of(b"other") is not None)
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        made.pump.try_again()
        made.hint()
        assert ([], True) == (self.said(made), made.id_of(b"leased") is not None)
