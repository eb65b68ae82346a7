"""Files that vanish, grow or never rest while they are read: nothing waits for them for ever; at rest all is equal."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from fakes.agents import UNBRAKED, pair
from fakes.eventually import eventually


@contextmanager
def meanwhile(act: Callable[[int], None]) -> Iterator[threading.Event]:
    """Do ``act(0)``, ``act(1)``, … in a thread until the block ends; the event is set once it has begun."""
    stop, begun = threading.Event(), threading.Event()
    failures: list[BaseException] = []

    def run() -> None:
        number = 0
        try:
            while not stop.is_set():
                act(number)
                number += 1
                begun.set()
                stop.wait(0.001)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert begun.wait(40)
        yield begun
    finally:
        stop.set()
        thread.join()
    assert not failures


def test_files_that_vanish_and_grow_during_the_first_sync() -> None:
    """A thread deletes, appends to, truncates and replaces files all through the first sync."""
    with pair(UNBRAKED) as both:
        for number in range(400):
            (both.source / f"f{number:03}").write_bytes(b"%d" % number * 2_000)
        big = both.source / "big"
        big.write_bytes(b"x" * (40 << 20))

        def disturb(number: int) -> None:
            path = both.source / f"f{number * 7 % 400:03}"
            with suppress(FileNotFoundError):
                if number % 4 == 0:
                    path.unlink()
                elif number % 4 == 1:
                    with path.open("ab") as file:
                        file.write(b"more" * 500)
                elif number % 4 == 2:
                    path.with_suffix(".new").write_bytes(b"replaced %d" % number)
                    path.with_suffix(".new").replace(path)
                else:
                    with path.open("r+b") as file:
                        file.truncate(100)
            with big.open("r+b") as file:
                file.seek(number * 4096 % (40 << 20))
                file.write(b"%d" % number)

        with meanwhile(disturb):
            both.start()
            eventually(lambda: (both.beta.look().get("applied") or {}).get("seq", 0) > 1)
        both.mirror()


def test_a_log_and_a_database_that_never_rest() -> None:
    """`wait --durable` returns while a log is appended to and SQLite writes; at rest both are equal, the database whole."""
    with pair(UNBRAKED) as both:
        log, database = both.source / "app.log", both.source / "app.db"
        writer = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
        with closing(writer):
            writer.execute("pragma journal_mode = wal")
            writer.execute("create table event (id integer primary key, text)")
            both.begin()

            def write(number: int) -> None:
                with log.open("a") as file:
                    file.write(f"line {number}\n")
                writer.execute("insert into event (text) values (?)", ("x" * (number % 900),))

            with meanwhile(write):
                for _ in range(3):
                    (both.source / "small").write_text("waits for nobody")
                    waited = both.alpha.json("wait", "web", "--durable", "--timeout", "20", timeout=30)
                    assert waited["seconds"] < 20
            rows = writer.execute("select count(*) from event").fetchone()
            # SQLite writes its shared memory through a mapping, of which no event tells.
            both.alpha.json("reconcile", "web")
            both.mirror()
            assert rows == whole(both.target, both.base / "copy")
        assert "never-rests" not in both.alpha.problems()


def whole(standby: Path, scratch: Path) -> tuple[int]:
    """The rows of the standby's database, read from a copy of it, which must be whole."""
    scratch.mkdir()
    for path in standby.glob("app.db*"):
        shutil.copyfile(path, scratch / path.name)
    with closing(sqlite3.connect(scratch / "app.db")) as reader:
        assert ("ok",) == reader.execute("pragma integrity_check").fetchone()
        found: tuple[int] = reader.execute("select count(*) from event").fetchone()
        return found
