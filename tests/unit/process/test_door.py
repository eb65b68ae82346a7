"""The operators' way in, from the socket to the journal."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import structlog

from agent.api.client import AdminClient
from agent.config import load
from agent.core.clock import SystemClock
from agent.core.errors import HikaeError
from agent.node.assembly import Node
from agent.operations.declaration import Operation
from agent.operations.families import OPERATIONS
from agent.process.door import AdminDoor
from agent.status.event import OPERATOR
from agent.status.log import configure
from fakes.config_files import NODE, PEER, write
from fakes.requests import requests_of


@pytest.fixture
def journal() -> Iterator[StringIO]:
    """What an agent with ``--log-level warning`` writes; logging is as it was afterwards."""
    root, out = logging.getLogger(), StringIO()
    handlers, level = list(root.handlers), root.level
    configure(json=True, level="warning", stream=out)
    yield out
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@contextmanager
def door_of(folder: Path) -> Iterator[tuple[Node, AdminClient]]:
    """The door of a real node that is not started and has no dataset."""
    socket = folder / "admin.sock"
    places = f'state_dir = "{folder}/state"\nadmin_socket = "{socket}"\n'
    doors: list[AdminDoor] = []

    def made(node: Node) -> AdminDoor:
        doors.append(AdminDoor(str(socket), node))
        return doors[0]

    (folder / "state").mkdir()
    node = Node(load(write(folder, NODE + places + PEER)), SystemClock(), made)
    node.events.open()
    doors[0].start()
    try:
        yield node, AdminClient(str(socket), silence=20)
    finally:
        doors[0].stop()


@pytest.mark.parametrize("operation", [one for one in OPERATIONS.values() if one.can_change], ids=lambda one: one.name)
def test_each_call_that_changes_something_stands_in_journal_and_events(
    operation: Operation, tmpfs_dir: Path, journal: StringIO
) -> None:
    """Once before it is done, so that it stands there whatever comes of it; once more where it was refused, or failed."""
    with door_of(tmpfs_dir) as (node, client):
        for request in requests_of(operation):
            before, expected = node.events.since(0, 1000), int(operation.changes(request))
            journal.truncate(journal.seek(0))
            try:
                client.ask(request)
            except HikaeError:
                expected *= 2
            events = _of_operators(node.events.since(0, 1000)[len(before) :])
            lines = _of_operators([json.loads(line) for line in journal.getvalue().splitlines()])
            assert expected == len(events)
            assert [one["message"] for one in events] == [one["event"] for one in lines]


def _of_operators(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row.get("code") == OPERATOR]
