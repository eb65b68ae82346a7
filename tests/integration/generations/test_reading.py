"""Another process reads a moment while the agent goes on, and while it is down."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.core.ids import CommitNumber
from agent.store.catalog import leases
from agent.store.catalog.catalog import CatalogReader
from fakes.agents import REPOSITORY, Agent, pair
from fakes.eventually import eventually
from fakes.moment_process import digest_of_tree

SHORT = 'history = "1s"\n[dataset.brake]\nwindow = "1s"\n'


@contextmanager
def reading(home: Path, number: CommitNumber) -> Iterator[subprocess.Popen[str]]:
    """A process that has a lease of a commit and waits for the word to read it."""
    program = str(REPOSITORY / "tests" / "fakes" / "moment_process.py")
    arguments = (str(home / "catalog.db"), str(home / "vault"), str(number))
    process = subprocess.Popen(
        [sys.executable, program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'tests'}"},
    )
    try:
        assert process.stdout is not None
        assert "leased\n" == process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.communicate()


def what_it_reads(process: subprocess.Popen[str]) -> str:
    """Let it read, to the end."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("read\n")
    process.stdin.flush()
    digest = process.stdout.readline().strip()
    assert "read\n" == process.stdout.readline()
    return digest


def newest(agent: Agent) -> CommitNumber:
    """The standby's newest commit."""
    with CatalogReader.open(str(home_of(agent) / "catalog.db")) as catalog:
        found = catalog.newest()
        assert found is not None
        return found.number


def horizon(agent: Agent) -> CommitNumber:
    """From where every moment can be read."""
    with CatalogReader.open(str(home_of(agent) / "catalog.db")) as catalog:
        return catalog.horizon()


def home_of(agent: Agent) -> Path:
    """Where the dataset's state lies."""
    return agent.state / "datasets" / "web"


def test_a_moment_is_read_while_its_agent_goes_on() -> None:
    """Its history passes, other content comes, its agent is killed and begins again: what is read is as it was; when its reader
    is killed it goes."""
    with pair(SHORT) as both:
        for at in range(30):
            (both.source / f"file {at}").write_bytes(os.urandom(3000))
        both.begin()
        number, was = newest(both.beta), digest_of_tree(os.fsencode(both.source)).hex()
        with reading(home_of(both.beta), number) as process:

            def edited_away() -> bool:
                for at in range(30):
                    (both.source / f"file {at}").write_bytes(os.urandom(100))
                return horizon(both.beta) > number

            eventually(edited_away)
            both.beta.restart()
            eventually(lambda: horizon(both.beta) > number)
            assert was == what_it_reads(process)
            both.beta.kill()
            assert 1 == len(leases.readings(str(home_of(both.beta) / "catalog.db")))
        both.beta.start()

        def gone() -> bool:
            edited_away()
            with CatalogReader.open(str(home_of(both.beta) / "catalog.db")) as catalog:
                return not catalog.is_readable(number)

        eventually(gone)
