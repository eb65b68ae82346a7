"""``hikae status --watch`` on a real terminal."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.cli.main import INTERRUPTED
from fakes.eventually import eventually

ROWS, COLUMNS = 12, 70
ROOT = Path(__file__).resolve().parents[2]
_STYLE = re.compile(r"\x1b\[[\d;]*m|\x1b\[\?25[hl]")


class Watched:
    """The program and what it wrote to its terminal."""

    def __init__(self, master: int, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._master = master
        self._written = b""

    def frames(self) -> list[list[str]]:
        """What was drawn in place, one after the other, as lines."""
        while chunk := self._read():
            self._written += chunk
        text = _STYLE.sub("", self._written.decode()).replace("\r\n", "\n")
        return [frame.split("\n") for frame in re.split(r"(?:\r?\x1b\[(?:2K|1A))+", text) if frame]

    def _read(self) -> bytes:
        try:
            return os.read(self._master, 65536)
        except (BlockingIOError, OSError):
            return b""


@contextmanager
def watched(*arguments: str, rows: int = ROWS) -> Iterator[Watched]:
    """``fakes.watching_terminal`` on a terminal of its own."""
    master, slave = os.openpty()
    os.set_blocking(master, False)
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, COLUMNS, 0, 0))
    places = {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "TERM": "xterm", "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    words = (sys.executable, "-m", "fakes.watching_terminal", *arguments)
    process = subprocess.Popen(words, cwd=ROOT, env=places, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    try:
        yield Watched(master, process)
    finally:
        process.kill()
        process.wait()
        os.close(master)


def test_it_goes_on_whatever_the_agent_says() -> None:
    """Hanging, gone, another: told in place of the page; a page that is too tall is cut; an interruption ends it."""
    with watched() as it:
        eventually(lambda: len(it.frames()) == 6, 30)
        at_first, first, hangs, gone, other, again = it.frames()
        assert [ROWS, ROWS] == [len(first), len(again)]
        assert "… 11 more lines: hikae status | less" == first[-1].rstrip()
        assert first == again
        assert [True] * 4 == [
            words in " ".join(" ".join(frame).split())
            for words, frame in (
                ("does not answer", at_first),
                ("does not answer", hangs),
                ("nothing listens", gone),
                ("does not know that", other),
            )
        ]
        assert it.process.poll() is None
        it.process.send_signal(signal.SIGINT)
        assert INTERRUPTED == it.process.wait(30)


def test_one_dataset_is_named_in_the_cut() -> None:
    """So that the command shows what was seen."""
    with watched("web3", rows=4) as it:
        eventually(lambda: len(it.frames()) == 6, 30)
        assert "hikae status web3 | less" in it.frames()[1][-1]


def test_what_was_typed_wrongly_ends_it() -> None:
    """At the first look."""
    with watched("wbe") as it:
        assert 4 == it.process.wait(30)
