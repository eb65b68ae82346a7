"""Two real agents, measured: first syncs, the wire, the vault, and what is durable."""

from __future__ import annotations

import json
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from agent.api.client import AdminClient
from agent.core.ids import NOTHING, ROOT
from agent.core.rows import decode_object
from agent.operations.waiting import ReconcileRequest
from agent.store.catalog.catalog import CatalogReader
from bench.crew import Failed, finish
from bench.machine import of_the_other, program
from bench.workloads import counted, size_below
from fakes.agents import Agent, Pair
from fakes.device_agents import DevicePair

_PATIENCE = 3600.0
#: Of `ss -i`: what the kernel counted on a TCP connection.
_WIRE = re.compile(r"\bbytes_(?:acked|received):(\d+)")


@contextmanager
def agents(base: Path, source: Path, extra: str = "") -> Iterator[Pair]:
    """A pair below ``base`` whose primary protects ``source``, not started; ended afterwards, and everything of it removed.
    ``extra``: more of its configuration."""
    place = Path(tempfile.mkdtemp(prefix="pair-", dir=base))
    there = Path(tempfile.mkdtemp(prefix="pair-", dir=of_the_other(base)))
    pair = Pair(place, extra, source=source, standby=there / "standby", states={"beta": there / "state"})
    try:
        yield pair
        pair.stop()
    finally:
        for agent in pair.agents:
            agent.kill(signal.SIGKILL)
        for path in (place, there):
            shutil.rmtree(path, ignore_errors=True)


def first_sync(pair: Pair) -> float:
    """Start both agents; seconds from when the primary says that it runs until the standby is durable and applied.

    Raises :class:`Failed` unless the standby then has as many files and bytes as the source."""
    pair.beta.start()
    pair.beta.up()
    pair.alpha.start()
    pair.alpha.wait("applied", _PATIENCE)
    seconds = time.time() - _runs_since(pair.alpha)
    expected, actual = counted(pair.source), counted(pair.target)
    if expected != actual:
        raise Failed(f"the source has {expected} (files, bytes), the standby after its first sync {actual}")
    return seconds


def one_first_sync(base: Path, source: Path) -> float:
    """:func:`first_sync` of a fresh pair that is gone afterwards."""
    with agents(base, source) as pair:
        return first_sync(pair)


def applied(pair: Pair) -> None:
    """Wait until all that was written is durable and applied on the secondary."""
    pair.alpha.wait("applied", _PATIENCE)


def reconcile(pair: Pair) -> float:
    """Let the primary look at all of its tree; how many seconds that took. Raises :class:`Failed` when anything was found."""
    begun = time.monotonic()
    done = AdminClient(str(pair.alpha.socket)).ask(ReconcileRequest("web"))
    seconds = time.monotonic() - begun
    if done["found"]:
        raise Failed(f"a reconcile found {done['found']} changes where there should be none")
    return seconds


def process_id(agent: Agent) -> int:
    """Of an agent that runs."""
    if agent.process is None:
        raise Failed(f"{agent.name} does not run")
    return agent.process.pid


def vault_bytes(pair: Pair) -> int:
    """What the secondary's vault takes, index included."""
    return size_below(pair.home(pair.beta) / "vault")


@dataclass(frozen=True, slots=True)
class Wire:
    """What the kernel has counted so far on the connections between the agents, both ways, by connection."""

    counts: dict[str, int]

    def since(self, earlier: Wire) -> int:
        """Bytes since then. Raises :class:`Failed` when a connection has gone meanwhile, whose bytes nobody knows."""
        if gone := earlier.counts.keys() - self.counts.keys():
            raise Failed(f"connections between the agents ended while their bytes were counted: {len(gone)}")
        return sum(self.counts.values()) - sum(earlier.counts.values())


def wire(pair: Pair | DevicePair) -> Wire:
    """The counts now, TLS and HTTP/2 included. Costs the agents nothing. Raises ``Unmeasurable``, ``Failed``."""
    said = finish((program("ss"), "-tinHO", "state", "established", f"( sport = :{pair.beta.port} )"))
    counts = {line.split()[3]: sum(map(int, _WIRE.findall(line))) for line in said.splitlines() if line.strip()}
    if not counts:
        raise Failed("ss shows no connection between the agents")
    return Wire(counts)


class DurableNames:
    """Which names of one directory stand in the secondary's catalog with their content: read from the database itself, which
    shows a commit to readers only once it is synced, so that the agents are asked nothing. For one thread."""

    def __init__(self, pair: Pair, directory: str, length: int) -> None:
        self._reader = CatalogReader.open(str(pair.home(pair.beta) / "catalog.db"))
        self._length = length
        self._seen = NOTHING
        found = self._reader.child(ROOT, directory.encode())
        if found is None:
            self.close()
            raise Failed(f"the secondary does not know {directory}")
        self._parent = found

    def __call__(self, names: frozenset[str]) -> frozenset[str]:
        """Those of ``names`` that are durable now; looks further only when there is a newer commit."""
        newest = self._reader.newest()
        if newest is None or newest.number == self._seen:
            return frozenset()
        self._seen = newest.number
        return frozenset(name for name in names if self._whole(name))

    def close(self) -> None:
        """Give the connection back."""
        self._reader.close()

    def _whole(self, name: str) -> bool:
        found = self._reader.child(self._parent, name.encode())
        row = None if found is None else self._reader.object(found)
        return row is not None and decode_object(row).size == self._length


def _runs_since(agent: Agent) -> float:
    """When an agent said that it runs, as UTC seconds."""
    for line in agent.log.read_text().splitlines():
        entry = json.loads(line)
        if entry.get("event") == "the agent runs":
            return datetime.fromisoformat(entry["timestamp"]).timestamp()
    raise Failed(f"{agent.name} does not say in its log that it runs")
